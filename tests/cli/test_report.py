"""`funksvd report`: the page itself is tested in tests/report."""

import html
import json
import re
import shlex

import pytest

from funksvd import FunkSVD
from funksvd.report import page
from funksvd.training import Stopped
from funksvd_cli.reproduce import reproducing_command


@pytest.fixture
def without_pictures(monkeypatch):
    """Pages are made faster where it is not about the pictures."""
    monkeypatch.setattr(page, "to_svg", lambda picture, name, labels: "<svg></svg>")


def test_a_page_with_titles_and_pictures(cli, here):
    result = cli("report", "--items", "items.csv", "--png", "pictures")
    assert (result.code, result.err) == (0, "")
    assert re.fullmatch(
        r"Wrote report.html \(0.\d MB\)\nWrote 14 pictures into pictures\n", result.out
    )
    text = (here / "report.html").read_text()
    model = FunkSVD.load("model.funksvd")
    assert text.startswith("<!DOCTYPE html>")
    assert f"{len(model.item_ids):,}" in text
    assert "The Velvet Letter (1991)" in text
    assert "<pre>funksvd train ratings.csv" in text
    assert len(list((here / "pictures").glob("*.png"))) == 14


def test_what_it_says_of_the_test_is_what_evaluate_says(cli, here, without_pictures):
    evaluation = json.loads(cli("evaluate", "--json").out)
    assert json.loads(cli("report", "--json").out)["missing"] is None
    text = (here / "report.html").read_text()
    assert f"<strong>{evaluation['rmse']:.4f}</strong>" in text
    for errors in evaluation["baselines"].values():
        assert f"{errors['rmse']:.4f}" in text


def test_again_gives_the_same_bytes(cli, here):
    for name in ("a.html", "b.html"):
        assert cli("report", "-q", "--threads", "1" if name == "a.html" else "2", "-o", name) == (
            0,
            "",
            "",
        )
    assert (here / "a.html").read_bytes() == (here / "b.html").read_bytes()


def test_a_report_is_replaced_and_nothing_else(cli, error_of, here, without_pictures):
    assert cli("report").code == 0
    assert cli("report").code == 0
    for name in ("model.funksvd", "items.csv"):
        before = (here / name).read_bytes()
        message = error_of("report", "--items", "items.csv", "-o", name)
        assert "is read by this command too" in message
        assert (here / name).read_bytes() == before
    (here / "other.html").write_text("<!DOCTYPE html>\n<p>My diary</p>")
    message = error_of("report", "-o", "other.html")
    assert "other.html is there already and is not a report" in message
    assert "diary" in (here / "other.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-o", "."], "is a folder"),
        (["-o", "nowhere/report.html"], "nowhere does not exist"),
        (["--png", "items.csv"], "items.csv is there already and is no folder"),
        (["nothing.funksvd"], "there is no such model file"),
        (["--items", "nothing.csv"], "nothing.csv"),
    ],
    ids=" ".join,
)
def test_errors(error_of, here, arguments, expected):
    assert expected in error_of("report", *arguments)
    assert not (here / "report.html").exists()


def test_ratings_that_are_gone_are_missed_aloud(cli, here, without_pictures):
    (here / "ratings.csv").unlink()
    result = cli("report", "--json")
    assert result.code == 0
    assert "Warning: The model's ratings cannot be read again" in result.err
    assert "put them back, here or beside the model, or judge the model on other" in result.err
    assert "name a file" not in result.err  # `report` takes none
    assert "no longer there" in json.loads(result.out)["missing"]
    assert "no longer there" in (here / "report.html").read_text()


def test_a_model_from_python(cli, here, sample, without_pictures):
    model = FunkSVD(n_factors=2, n_epochs=1, biases=False)
    model.fit(sample).save("python.funksvd")
    result = cli("report", "python.funksvd")
    assert "does not record which ratings" in result.err
    text = html.unescape((here / "report.html").read_text())
    assert "by FunkSVD(n_factors=2, biases=False, n_epochs=1).fit(ratings)." in text


def test_titles_of_other_items_are_warned_of(cli, here, without_pictures):
    (here / "other.csv").write_text("item,title\ntt001,A\ntt002,B\n")
    assert "the model knows none of these items" in cli("report", "--items", "other.csv").err


@pytest.mark.parametrize(
    "options",
    [
        ["ratings.csv"],
        ["a.csv", "b.csv", "--test-fraction", "0", "--valid-fraction", "0", "--seed", "5"],
        ["a.csv", "--test", "my 'b'.csv", "--no-biases", "--no-refit", "--reg", "0.1"],
        ["a.csv", "--valid", "b.csv", "--algorithm", "svd++", "--ensemble", "2", "--no-seen"],
        ["ratings.csv", "--timestamp-col", "none", "--sep", ",", "--duplicates", "mean"],
        ["ratings.csv", "--loss", "huber", "--huber-delta", "0.5", "--nonnegative"],
        ["ratings.csv", "--optimizer", "adam", "--reg", "0.01"],
        ["ratings.csv", "--batch-size", "full", "--schedule", "plateau"],
        ["ratings.csv", "--schedule", "cyclic", "--ensemble", "2", "--cycle-epochs", "2"],
        ["ratings.csv", "--test-fraction", "0.123", "--patience", "2", "--bias-reg", "0.01"],
    ],
    ids=" ".join,
)
def test_the_command_gives_the_same_model(cli, here, quick, options):
    header, *lines = (here / "ratings.csv").read_text().splitlines()
    for name, part in (("a", lines[:18_000]), ("b", lines[18_000:]), ("my 'b'", lines[18_000:])):
        (here / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
    assert cli("train", *options, *quick, "-q", "-o", "first").code == 0
    command, _ = reproducing_command(FunkSVD.load("first"), "first")
    words = shlex.split(command)
    assert words[:2] == ["funksvd", "train"]
    assert words[-2:] == ["-o", "first"]
    assert cli(*words[1:-1], "second", "-q").code == 0
    assert (here / "first").read_bytes() == (here / "second").read_bytes()


def test_the_commands_give_the_same_updated_model(cli, here):
    _, *lines = (here / "ratings.csv").read_text().splitlines()
    split = (line.split(",") for line in lines)
    lines = [f"{user},{item},{5.5 - float(stars)}" for user, item, stars, _ in split]
    header = "user,item,rating"
    for name, part in (("new 1", lines[:50]), ("new2", lines[50:90])):
        text = "\n".join([header, *part]) + "\n"
        (here / f"{name}.csv").write_text(text.replace(",", ";" if name == "new2" else ","))
    assert cli("update", "model.funksvd", "new 1.csv", "-q").code == 0
    assert cli("update", "model.funksvd", "new2.csv", "--sep", ";", "-q").code == 0
    ref = (here / "model.funksvd").read_bytes()
    command, remarks = reproducing_command(FunkSVD.load("model.funksvd"), "model.funksvd")
    assert "--n-epochs" in remarks[0]
    for line in command.splitlines():
        assert cli(*shlex.split(line)[1:], "-q").code == 0
    assert (here / "model.funksvd").read_bytes() == ref
    assert cli("report", "-q").code == 0
    text = (here / "report.html").read_text()
    assert "These commands give" in text
    assert "2 times since, with new ratings" in text
    assert "new 1.csv, new2.csv" in text


def test_what_must_be_given_depends_on_the_optimizer(cli, here, quick):
    cli("train", "ratings.csv", "-q", "--optimizer", "adam", "-k", 2, "--n-epochs", 2)
    command, _ = reproducing_command(FunkSVD.load("model.funksvd"), "model.funksvd")
    assert command == "funksvd train ratings.csv --n-factors 2 --optimizer adam --n-epochs 2"


def test_what_the_command_cannot_say(cli, here, quick):
    model = FunkSVD.load("model.funksvd")
    assert reproducing_command(model, "model.funksvd")[1] == ()
    object.__setattr__(model.training, "stopped", Stopped.INTERRUPT)
    [remark] = reproducing_command(model, "model.funksvd")[1]
    assert "was interrupted (Ctrl-C)" in remark


def test_pairs_without_a_rating_are_a_part_of_the_command(cli, here, quick):
    (here / "pairs.csv").write_text("user,item\n1,1\n2,3\n")
    options = ("--algorithm", "svd++", "--interactions", "pairs.csv", "-q", *quick, "-o", "pp")
    assert cli("train", "ratings.csv", *options).code == 0
    command, remarks = reproducing_command(FunkSVD.load("pp"), "pp")
    assert command.endswith(" --interactions pairs.csv -o pp")
    assert remarks == ()


def test_ratings_from_standard_input(cli, here, quick, monkeypatch):
    with open("ratings.csv") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert cli("train", "-", "-q", *quick).code == 0
    command, remarks = reproducing_command(FunkSVD.load("model.funksvd"), "model.funksvd")
    assert command.startswith("funksvd train - ")
    assert "did not come from a file" in remarks[0]
