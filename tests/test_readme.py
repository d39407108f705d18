"""The README keeps its word: each of its blocks is run."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from funksvd_cli.main import run

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def workplace(root, tmp_path, monkeypatch):
    shutil.copytree(root / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands(workplace, capsys):
    (block,) = blocks("console")
    lines = [line.removeprefix("$ ") for line in block.splitlines()]
    assert len(lines) >= 6
    for line in lines:
        program, *arguments = shlex.split(line, comments=True)
        assert program == "funksvd"
        assert run(arguments) == 0, line
        assert capsys.readouterr().out


@pytest.mark.parametrize(
    "block", blocks("python"), ids=["library", "clicks", "scikit-learn", "autodiff"]
)
def test_the_python_examples(workplace, block):
    if "sklearn" in block:
        pytest.importorskip("sklearn")
    result = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_the_two_commands_that_ci_runs(root):
    result = subprocess.run(
        [sys.executable, root / "scripts" / "readme_commands.py"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    try_it, test_it = result.stdout.splitlines()
    assert try_it.endswith("funksvd train data/ratings.csv")
    assert test_it.endswith("pytest")


def test_no_other_kind_of_block_goes_unchecked():
    kinds = set(re.findall(r"^```(\w+)$", README, re.MULTILINE))
    assert kinds == {"sh", "console", "python"}
