"""`funksvd warmup`, and what is said of compiling without it."""

import json
import os
import subprocess
import sys

import pytest

from funksvd.kernels import cache_folder

COMPILING = "Compiling the kernels that this command needs (once; kept in "


def test_nothing_to_do(cli):
    folder = cache_folder()
    assert cli("warmup") == (
        0,
        f"Nothing to do: all kernels are compiled already\nThey are kept in {folder}\n",
        "",
    )
    plain = json.loads(cli("warmup", "--json").out)
    assert (plain["compiled"], plain["folder"]) == ([], folder)
    assert plain["seconds"] > 0
    assert cli("warmup", "--quiet") == (0, "", "")


@pytest.fixture
def asked(monkeypatch):
    """What `warm_up` was asked for; it compiles nothing but says so."""
    lengths = []

    def pretend(n_factors, *, portable):
        lengths.extend(["portable"] if portable else n_factors)
        return ["_sort", "predict_block", "_sort"]

    monkeypatch.setattr("funksvd.warmup.warm_up", pretend)
    return lengths


def test_what_was_compiled_and_where_it_is(cli, asked):
    result = cli("warmup", "-k", 32, "-k", 128)
    assert asked == [32, 128]
    assert result.out.startswith("Compiled sort (2 kinds), predict_block in 0.0 s\nThey are kept")
    assert cli("warmup").code == 0
    assert asked == [32, 128, 64]
    assert cli("warmup", "--portable").code == 0
    assert asked == [32, 128, 64, "portable"]


def test_without_a_folder_there_is_a_warning(cli, asked, monkeypatch):
    monkeypatch.setattr("funksvd.kernels.cache_folder", lambda: None)
    result = cli("warmup")
    assert result.out == "Compiled sort (2 kinds), predict_block in 0.0 s\n"
    assert "Warning: they cannot be kept" in result.err
    assert "NUMBA_CACHE_DIR" in result.err


def test_lengths_must_make_sense(error_of):
    assert "at least 1, not 0" in error_of("warmup", "-k", 0)


def test_a_first_compilation_says_so_once(here, tmp_path):
    def predict(folder, *arguments):
        command = ["predict", "--user", "1", "--item", "7", *arguments]
        return subprocess.run(
            [sys.executable, "-m", "funksvd", *command],
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / folder)},
            capture_output=True,
            text=True,
        )

    first = predict("a")
    assert first.stderr.startswith(f"{COMPILING}{tmp_path / 'a'}")
    assert first.stderr.endswith("); `funksvd warmup` compiles all of them at once\n")
    assert first.stderr.count("\n") == 1
    second = predict("a")
    assert (second.stdout, second.stderr) == (first.stdout, "")
    assert predict("b", "--quiet").stderr == ""
