"""Tables for people."""

import os
import sys

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
