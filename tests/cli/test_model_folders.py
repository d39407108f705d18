"""Models as folders: commands take them and make them, as they do files."""

import json
import os

import pytest

from funksvd import FunkSVD, copy_model


@pytest.fixture
def both(here):
    """The model as a file, `model.funksvd`, and as a folder, `folder.funksvd`."""
    copy_model("model.funksvd", "folder.funksvd", as_folder=True)
    return here


MODELS = {"model.funksvd", "file.funksvd", "folder.funksvd"}


@pytest.mark.parametrize(
    "line",
    [
        "info MODEL --json",
        "predict ratings.csv --model MODEL",
        "recommend --user 7 --model MODEL",
        "similar 7 --model MODEL",
        "evaluate MODEL --json",
        "evaluate MODEL ratings.csv --json",
        "compare MODEL model.funksvd --json",
        "compare model.funksvd MODEL ratings.csv --json",
        "export MODEL -o out.vec",
        "report MODEL -o report.html",
        "update MODEL ratings.csv --quiet -o new.funksvd",
        "update MODEL more.csv --quiet -o new.funksvd",
    ],
)
def test_each_command_takes_a_folder(cli, both, line):
    (both / "more.csv").write_text("userId,movieId,rating\n1,5,3\n100000,7,4\n")
    os.link("model.funksvd", "file.funksvd")
    results = []
    for name in ("file.funksvd", "folder.funksvd", "folder.funksvd/"):
        result = cli(*line.replace("MODEL", name).split())
        assert result.code == 0, result
        written = sorted({*os.listdir()} - {"ratings.csv", *MODELS})
        files = {each: (both / each).read_bytes() for each in written}
        said = [result.out, result.err]
        for shown in (name, name.rstrip("/")):  # a report shows the name alone, too
            said = [text.replace(shown, "MODEL") for text in said]
            files = {each: text.replace(shown.encode(), b"MODEL") for each, text in files.items()}
        results.append((said, files))
    if line.startswith("info"):  # the file has 8 bytes more
        for said, _ in results:
            said[0] = json.loads(said[0]) | {"size_bytes": None}
    assert results[0] == results[1] == results[2]


def test_there_and_back_again(cli, both):
    before = (both / "model.funksvd").read_bytes()
    result = cli("export", "--as", "folder", "-o", "split.funksvd")
    size = f"{(len(before) - 8) / 1e6:,.1f} MB"
    assert result == (0, f"Wrote split.funksvd (a folder, {size})\n", "")
    told = cli("export", "split.funksvd", "--as", "file", "-o", "back.funksvd", "--json")
    assert json.loads(told.out) == {
        "path": "back.funksvd",
        "as": "file",
        "size_bytes": len(before),
    }
    assert (both / "back.funksvd").read_bytes() == before


@pytest.mark.parametrize("more", [["--users"], ["--part", "rating"]])
def test_the_whole_model_or_a_part_of_it(error_of, here, more):
    message = error_of("export", "--as", "folder", "-o", "out.funksvd", *more)
    assert "leave out --users and --part" in message
    assert not os.path.exists("out.funksvd")


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_must_not_be_overwritten(error_of, both, what):
    (both / "data").mkdir()
    (both / "data" / "ratings.csv").write_text("precious")
    before = sorted(os.listdir())
    for model, path, why in (
        ("folder.funksvd", "folder.funksvd", "folder.funksvd is read by this command too"),
        ("folder.funksvd", "folder.funksvd/", "is read by this command too"),
        ("folder.funksvd", "ratings.csv", "is there already and is not a model"),
        ("folder.funksvd", "data", "data is a folder with other files in it; give another name"),
        ("folder.funksvd", "nowhere/x", "nowhere does not exist"),
    ):
        assert why in error_of("export", model, "--as", what, "-o", path)
    for line in ("train ratings.csv -o data", "update model.funksvd ratings.csv -o data"):
        assert "data is a folder" in error_of(*line.split(), "--as", what)
    for line in ("export -o folder.funksvd", "predict ratings.csv -o folder.funksvd --format csv"):
        assert "folder.funksvd is a model; remove it first" in error_of(*line.split())
    assert "folder.funksvd is a folder" in error_of("report", "-o", "folder.funksvd")
    assert (both / "data" / "ratings.csv").read_text() == "precious"
    assert sorted(os.listdir()) == before
    FunkSVD.load("folder.funksvd")


def test_training_makes_what_it_is_told_to(cli, here, quick):
    before = (here / "model.funksvd").read_bytes()
    result = cli("train", "ratings.csv", "--quiet", *quick, "--as", "folder")
    assert result.code == 0
    assert (here / "model.funksvd").is_dir()
    copy_model("model.funksvd", "joined", as_folder=False)
    assert (here / "joined").read_bytes() == before
    result = cli("train", "ratings.csv", *quick)
    assert (here / "model.funksvd").is_dir()
    assert f"Saved model.funksvd ({(len(before) - 8) / 1e6:,.1f} MB)" in result.out
    assert cli("train", "ratings.csv", "--quiet", *quick, "--as", "file").code == 0
    assert (here / "model.funksvd").read_bytes() == before


def test_an_update_makes_what_it_is_told_to_or_what_was_there(cli, both):
    (both / "more.csv").write_text("userId,movieId,rating\n1,5,3\n100000,7,4\n")
    for what in ("file", "folder"):
        line = ("update", "folder.funksvd", "more.csv", "-q", "--as", what, "-o", f"new.{what}")
        assert cli(*line).code == 0
    assert (both / "new.folder").is_dir()
    assert cli("update", "folder.funksvd", "more.csv", "-q").code == 0
    assert (both / "folder.funksvd").is_dir()
    copy_model("folder.funksvd", "joined", as_folder=False)
    assert (both / "joined").read_bytes() == (both / "new.file").read_bytes()


def test_a_damaged_folder_is_one_clear_error(error_of, both):
    (both / "folder.funksvd" / "seen.items.bin").unlink()
    message = error_of("info", "folder.funksvd")
    assert "folder.funksvd: the model file is damaged or was altered (seen.items.bin" in message
