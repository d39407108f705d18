"""Tables for people."""

import io
import os
import sys
import time

import numpy as np
import pytest

from funksvd_cli.console import Output


def test_text_to_the_left_and_numbers_to_the_right(capsys):
    rows = [("a", "1.5", "x"), ("bcd", "22.25", "")]
    Output().table(("name", "n", "note"), rows, ["name", "note"])
    assert capsys.readouterr().out == "name       n   note\na        1.5   x\nbcd    22.25\n"


def test_wide_characters_take_two_columns(capsys):
    Output().table(("title", "n"), [("千と千尋", "1"), ("abc", "2")], ["title"])
    assert capsys.readouterr().out == "title      n\n千と千尋   1\nabc        2\n"


def test_nothing_in_a_cell_breaks_the_line_or_steers_the_terminal(capsys):
    Output().table(("title",), [("a\nb\x1b[31m\x07[bold]c",)], ["title"])
    assert capsys.readouterr().out == "title\na b [31m [bold]c\n"


@pytest.mark.parametrize(
    ("columns", "title"),
    [(34, "千と千尋の神…"), (80, "千と千尋の神隠し と千尋"), (5, "千と千尋の…")],
)
def test_on_a_narrow_terminal_the_title_gives_way(capsys, monkeypatch, columns, title):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns, 24)))
    header, row = ("item", "title", "prediction"), ("7", "千と千尋の神隠し と千尋", "4.5")
    Output().table(header, [row], ["item", "title"], "title")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split("   ")[:1] == ["7"]
    assert f"   {title} " in lines[1]
    assert lines[1].endswith("4.5")


def test_without_a_terminal_nothing_is_shortened(capsys):
    Output().table(("title",), [("x" * 500,)], ["title"], "title")
    assert "x" * 500 in capsys.readouterr().out


def test_notes_and_warnings(capsys):
    for output, notes in (
        (Output(), "note\n"),
        (Output(quiet=True), ""),
        (Output(as_json=True), ""),
    ):
        output.note("note")
        output.warn("look")
        assert capsys.readouterr() == (notes, "Warning: look\n")


def test_json_is_json(capsys):
    Output(as_json=True).json({"título": 1.5})
    assert capsys.readouterr().out == '{\n  "título": 1.5\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        Output(as_json=True).json(float("nan"))


class Terminal(io.StringIO):
    """What a terminal would be sent."""

    def isatty(self):
        return True


@pytest.fixture
def on_terminal(monkeypatch):
    """Make standard error a terminal and let everything take long; to be called in the test."""

    def replace():
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("funksvd_cli.console.SOON", 0.0)
        monkeypatch.setattr(sys, "stderr", Terminal())
        return sys.stderr

    return replace


BATCHES = [{"n": np.arange(7)}, {"n": np.arange(3)}]


def test_progress_passes_batches_on_and_shows_a_bar(on_terminal, capsys):
    terminal, output = on_terminal(), Output()
    for number, batch in enumerate(output.progress("Writing", BATCHES, 10)):
        assert batch is BATCHES[number]
    assert "Writing" in terminal.getvalue()
    assert "━" in terminal.getvalue()
    assert output.live is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("way", ["quiet", "json", "quick", "no terminal", "dumb"])
def test_there_is_no_bar_where_none_is_wanted(on_terminal, monkeypatch, way):
    terminal = on_terminal()
    if way == "no terminal":
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    if way == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    if way == "quick":
        monkeypatch.setattr("funksvd_cli.console.SOON", 60.0)
    output = Output(quiet=way == "quiet", as_json=way == "json")
    assert list(output.progress("Writing", BATCHES, 10)) == BATCHES
    with output.busy("Reading"):
        pass
    assert terminal.getvalue() == ""


def test_busy_says_with_what(on_terminal):
    terminal, output = on_terminal(), Output()
    with output.busy("Reading"):
        while output.live is None:
            time.sleep(0.001)
    assert "Reading" in terminal.getvalue()
    assert output.live is None


def test_compiling_is_said_above_what_is_moving(on_terminal):
    terminal, output = on_terminal(), Output()
    with output.busy("Reading"):
        while output.live is None:
            time.sleep(0.001)
        output._tell_once("kernel")
        output._tell_once("another")
    assert terminal.getvalue().count("Compiling the kernels that this") == 1
