"""`funksvd info`."""

import json
import os

from funksvd import FunkSVD


def test_for_a_person(cli, here):
    result = cli("info")
    assert (result.code, result.err) == (0, "")
    facts = dict(line.split("   ", 1) for line in result.out.splitlines())
    facts = {name: text.strip() for name, text in facts.items()}
    assert facts["model"] == "model.funksvd"
    assert facts["size bytes"] == f"{os.path.getsize('model.funksvd'):,}"
    assert facts["n ratings"] == "18,000"
    assert facts["first user ids"] == "1, 2, 3"
    assert facts["rating scale"] == "0.5, 5"
    assert facts["trained on"] == "ratings.csv"
    assert facts["test part"] == "10% at random"
    assert facts["refitted"] == "yes"
    assert facts["learning rate"] == "0.1"
    assert facts["reg"] == "by the data"
    assert not {"huber delta", "plateau epochs", "cycle epochs", "n draws"} & facts.keys()


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
