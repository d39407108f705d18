"""`funksvd info`."""

import json
import os

import pytest

from funksvd import FunkSVD, Interactions


def test_for_a_person(cli, here):
    result = cli("info")
    assert (result.code, result.err) == (0, "")
    facts = dict(line.split("   ", 1) for line in result.out.splitlines())
    facts = {name: text.strip() for name, text in facts.items()}
    assert facts["model"] == "model.funksvd"
    assert facts["size bytes"] == f"{os.path.getsize('model.funksvd'):,}"
    assert facts["n ratings"] == "18,010"
    assert facts["first user ids"] == "1, 2, 3"
    assert facts["rating scale"] == "0.5, 5"
    assert facts["trained on"] == "ratings.csv"
    assert facts["test part"] == "10% at random"
    assert facts["refitted"] == "yes"
    assert facts["learning rate"] == "0.1"
    assert facts["reg"] == "by the data"
    assert not {"huber delta", "plateau epochs", "cycle epochs", "n draws"} & facts.keys()


def test_both_parts(cli, here):
    out = cli("info").out
    facts = dict(line.split("   ", 1) for line in out.splitlines())
    assert facts["rankings"].strip() == "by both, by choice, by rating"
    told = facts["choice model"].strip()
    assert told == "128 factors, weights by rating, 0.25 for 0.5 to 1.75 for 5"
    plain = json.loads(cli("info", "--json").out)
    assert plain["rankings"] == ["both", "choice", "rating"]
    choice = plain["choice_model"]
    learned = FunkSVD.load("model.funksvd").fitted.choice.learned
    assert choice["n_factors"] == learned.item_factors.shape[1]
    assert choice["weights"] == {"kind": "rating", "low": 0.5, "high": 5.0}
    assert choice["unobserved_weight"] == learned.unobserved_weight
    assert choice["strength"] == learned.strength


def test_ratings_only(cli, here, sample):
    FunkSVD(n_factors=2, n_epochs=1, choice=False).fit(sample).save("m")
    out = cli("info", "m").out
    facts = dict(line.split("   ", 1) for line in out.splitlines())
    assert (facts["rankings"].strip(), facts["choice model"].strip()) == ("by rating", "none")
    assert json.loads(cli("info", "m", "--json").out)["choice_model"] is None


@pytest.mark.parametrize(
    ("counts", "weights"),
    [
        (None, "all alike"),
        ([1, 8, 2, 1], "by count, 0.5 for 1 to 1.5 for 2 and more"),
    ],
)
def test_choices_only(cli, here, counts, weights):
    pairs = Interactions.from_arrays([1, 1, 2, 3], [1, 2, 2, 1], weights=counts)
    chosen = {"n_factors": 2, "n_epochs": 3, "validation_fraction": 0.25}
    model = FunkSVD(algorithm="ials", **chosen).fit(pairs)
    model.save("m")
    result = cli("info", "m")
    assert (result.code, result.err) == (0, "")
    facts = dict(line.split("   ", 1) for line in result.out.splitlines())
    facts = {name: text.strip() for name, text in facts.items()}
    assert facts["n pairs"] == "4"
    assert facts["rankings"] == "by choice"
    assert facts["choice model"] == f"2 factors, weights {weights}"
    assert not {"rating scale", "global mean", "valid rmse", "n ratings"} & facts.keys()
    plain = json.loads(cli("info", "m", "--json").out)
    assert plain["rating_scale"] is plain["global_mean"] is None
    assert plain["valid_ndcg@10"] == model.history[model.best_epoch - 1].valid
    assert "valid_rmse" not in plain
    assert plain["n_ratings"] == 4


def test_a_sampler(cli, here):
    cli("train", "ratings.csv", "-q", "--algorithm", "bayes", "-k", 2, "--n-epochs", 10)
    out = cli("info").out
    facts = dict(line.split("   ", 1) for line in out.splitlines())
    assert facts["n draws"].strip() == "8"
    for name in ("learning rate", "schedule", "reg", "reg used", "patience", "best epoch"):
        assert name not in facts
    assert [name for name, text in facts.items() if text.strip() == "-"] == ["updated with"]
    plain = json.loads(cli("info", "--json").out)
    assert FunkSVD().get_params().keys() - {"n_threads"} <= plain.keys()
    assert plain["n_draws"] == 8


def test_json(cli, here):
    facts = json.loads(cli("info", "--json").out)
    model = FunkSVD.load("model.funksvd")
    assert facts["n_users"] == len(model.user_ids)
    assert facts["best_epoch"] == model.best_epoch
    assert facts["valid_rmse"] == model.history[model.best_epoch - 1].valid_rmse
    assert [record["epoch"] for record in facts["history"]] == [1, 2, 3, 4]
    params = model.get_params()
    del params["n_threads"]
    assert params.items() <= facts.items()


def test_a_model_saved_from_python(cli, here):
    from funksvd import Ratings

    ratings = Ratings.from_arrays(["ann", "bob"], ["007", "x"], [1.5, 2])
    FunkSVD(n_factors=1, n_epochs=1, validation_fraction=0).fit(ratings).save("m", with_seen=False)
    facts = json.loads(cli("info", "m", "--json").out)
    assert facts["first_item_ids"] == ["007", "x"]
    assert facts["knows_seen_pairs"] is False
    assert facts["trained_on"] == []
    assert facts["test_part"] is None
    assert facts["valid_rmse"] is None
    out = cli("info", "m").out
    assert dict(line.split("   ", 1) for line in out.splitlines())["test part"].strip() == "-"


def test_given_parts_and_none(cli, here, quick):
    header, *lines = (here / "ratings.csv").read_text().splitlines()
    for name, part in (("a", lines[:18_000]), ("b", lines[18_000:])):
        (here / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
    for options, expected in ((("--test", "b.csv"), "b.csv"), (("--test-fraction", 0), "none")):
        cli("train", "a.csv", "-q", *options, *quick)
        assert json.loads(cli("info", "--json").out)["test_part"] == expected


def test_days_of_users(cli, here, with_days):
    assert "user days" not in cli("info").out
    assert json.loads(cli("info", "--json").out)["user_days"] is None
    model = FunkSVD.load("model.funksvd", in_memory=True)
    with_days(model, {(1, 13_032): 0.75, (2, 13_032): -0.25}).save("days.funksvd")
    assert "2, biases with a std of 0.5" in cli("info", "days.funksvd").out
    assert json.loads(cli("info", "days.funksvd", "--json").out)["user_days"] == {
        "n_days": 2,
        "std": 0.5,
    }
