"""Features of users and items, from the command line."""

import json

import pytest

from funksvd import FunkSVD

ITEMS = "item,kind,released\n" + "".join(
    f"{at},{'good' if at % 2 else 'bad'}|all,{1990 + at % 30}-05-01\n" for at in range(1, 13)
)


@pytest.fixture
def trained(cli, tmp_path, monkeypatch):
    """A model of items of which those of odd numbers are liked; 11 and 12 have no rating."""
    monkeypatch.chdir(tmp_path)
    rows = [f"u{u},{i},{5 if i % 2 else 1}" for u in range(30) for i in range(1, 11) if (u + i) % 3]
    (tmp_path / "r.csv").write_text("user,item,rating\n" + "\n".join(rows))
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "later.csv").write_text("item,kind\n5,bad\n99,all|good\n")
    quick = ("-k", "2", "--n-epochs", "20", "--test-fraction", "0", "-o", "m", "--no-choice")
    return cli("train", "r.csv", *quick, "--item-features", "items.csv")


def test_training_says_what_became_of_the_columns(trained):
    assert trained.code == 0
    assert "Features of items: kind (2 values), released (" in trained.out
    assert "2 items without ratings, known by features" in trained.out


def test_ids_that_only_a_file_knows(trained, cli, error_of):
    ask = ("-m", "m", "-q", "--json")
    predictions = [
        json.loads(cli("predict", "--user", "u1", "--item", item, *ask, *more).out)[0]["prediction"]
        for item, *more in (("11",), ("12",), ("99", "--item-features", "later.csv"))
    ]
    assert predictions[0] > predictions[1] + 0.5
    assert predictions[2] > predictions[1] + 0.5
    listed = json.loads(
        cli("recommend", "--user", "u1", *ask, "--item-features", "later.csv", "-n", "20").out
    )
    assert {11, 12, 99} <= {each["item"] for each in listed}
    similar = json.loads(cli("similar", "99", *ask, "--item-features", "later.csv", "-n", "20").out)
    alike = {"good": [], "bad": []}
    for each in similar:
        alike["good" if each["item"] % 2 else "bad"].append(each["similarity"])
    assert sum(alike["good"]) / len(alike["good"]) > sum(alike["bad"]) / len(alike["bad"]) + 0.1
    error = error_of("predict", "r.csv", "-m", "m", "--user-features", "later.csv")
    assert "has learned from no features of users; train one with --user-features" in error


def test_info_tells_what_features_are_worth(trained, cli):
    out = cli("info", "m").out
    assert "item feature" in out
    assert "2 items without ratings" in out
    plain = json.loads(cli("info", "m", "--json").out)
    kind = plain["features"]["item"][0]
    assert kind["name"] == "kind"
    assert kind["effects"]["good"] > 0 > kind["effects"]["bad"]
    assert plain["n_without_ratings"] == {"item": 2}


def test_a_report_and_its_command(trained, cli, tmp_path):
    assert cli("report", "m", "-o", "report.html").code == 0
    page = (tmp_path / "report.html").read_text()
    assert "What features tell" in page
    assert f"--item-features {tmp_path / 'items.csv'}" in page


def test_cross_validation_and_updates(trained, cli, tmp_path):
    quick = ("-k", "2", "--n-epochs", "3", "--folds", "2", "--json")
    result = cli("cross-validate", "r.csv", *quick, "--item-features", "items.csv")
    assert result.code == 0
    assert json.loads(result.out)["mean"]["unknown_items"] == 0
    (tmp_path / "new.csv").write_text("user,item,rating\nu1,99,5\nu2,99,5\nu3,11,5\n")
    result = cli("update", "m", "new.csv", "--item-features", "later.csv", "-o", "n")
    assert result.code == 0
    assert "1 item known by features alone" in result.out
    assert FunkSVD.load("n").fitted.features["item"].alone.tolist() == [11]  # the row of item 12


def test_a_file_without_ids_is_refused(trained, error_of, tmp_path):
    (tmp_path / "bad.csv").write_text("a,b\nx,y\nz,y\n")
    error = error_of("train", "r.csv", "-o", "x", "--item-features", "bad.csv")
    assert "features need the ids that the ratings have, items like 1, 2, 3, …" in error
    error = error_of("train", "r.csv", "-o", "x", "--user-features", "none.csv")
    assert "none.csv" in error


def test_features_are_not_overwritten(trained, error_of):
    """Those that are given, and those of training."""
    later = ("-m", "m", "--item-features", "later.csv", "--format", "csv")
    asked = ("predict", "--user", "u1", "--item", 5), ("recommend", "--user", "u1"), ("similar", 5)
    for command in ((*ask, *later) for ask in asked):
        assert "later.csv is read by this command too" in error_of(*command, "-o", "later.csv")
        assert "items.csv holds features that the model" in error_of(*command, "-o", "items.csv")


def test_nothing_explains_a_user_without_ratings(cli, error_of, trained, tmp_path):
    (tmp_path / "users.csv").write_text(
        "user,kind\nu1,a\nu2,b\n" + "".join(f"u{at},{'ab'[at % 2]}\n" for at in range(3, 31))
    )
    quick = ("-k", "2", "--n-epochs", "3", "--test-fraction", "0", "-o", "n", "--no-choice")
    assert cli("train", "r.csv", *quick, "--user-features", "users.csv").code == 0
    error = error_of("recommend", "-m", "n", "--user", "u30", "--explain")
    assert "user 'u30' has none: they come from features; leave out --explain" in error
