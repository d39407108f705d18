"""Running commands in this process, and a trained model to ask."""

import shutil
from typing import NamedTuple

import pytest

from funksvd.warmup import warm_up
from funksvd_cli.main import run

QUICK = ("-k", "4", "--n-epochs", "4", "--learning-rate", "0.1")


class Result(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """Kernels are there already: nothing is said of compiling them."""
    warm_up([4, 64])


@pytest.fixture
def cli(capfd):
    """Run `funksvd` with these arguments: exit code, standard output, standard error."""

    def call(*arguments):
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        return Result(code, *capfd.readouterr())

    return call


@pytest.fixture
def error_of(cli):
    """Run a command that has to fail, and return its one message."""

    def call(*arguments, code=2):
        result = cli(*arguments)
        assert result.code == code, result
        assert result.err.count("Error:") == 1
        assert "Traceback" not in result.err
        return result.err

    return call


@pytest.fixture(scope="session")
def trained_folder(root, tmp_path_factory):
    """The sample data and a model trained on it by relative path; copied for each test."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("ratings.csv", "items.csv"):
        shutil.copy(root / "data" / name, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["train", "ratings.csv", "--quiet", *QUICK]) == 0
    return folder


@pytest.fixture
def here(trained_folder, tmp_path, monkeypatch):
    """A current folder with ratings.csv, items.csv and model.funksvd."""
    folder = tmp_path / "here"
    shutil.copytree(trained_folder, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def quick():
    """Options that make training short."""
    return QUICK
