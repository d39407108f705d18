"""`funksvd cross-validate`."""

import json
import re
from importlib import import_module

import numpy as np
import pytest
from printed import figures, ranking_tables

from funksvd import (
    FunkSVD,
    by_time,
    cross_validate,
    leave_last_out,
    per_user_folds,
    random_folds,
    read_ratings,
)


def test_folds_are_shown_as_a_table(cli, here, quick):
    result = cli("cross-validate", "ratings.csv", "--folds", 3, *quick)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("fold "))
    header, *folds, mean, std, biases = lines[start : start + 7]
    columns = ["learned from", "tested on", "RMSE", "MAE", "epochs", "training s", "testing s"]
    assert re.split(r" {2,}", header) == ["fold", *columns]
    ref = cross_validate(
        FunkSVD(n_factors=4, n_epochs=4, learning_rate=0.1),
        random_folds(read_ratings("ratings.csv"), 3),
    )
    for number, (line, fold) in enumerate(zip(folds, ref.folds, strict=True), start=1):
        assert line.split()[:5] == [
            str(number),
            f"{fold.n_training:,}",
            f"{fold.evaluation.n_ratings:,}",
            f"{fold.evaluation.rmse:.4f}",
            f"{fold.evaluation.mae:.4f}",
        ]
    assert mean.split()[:1] + mean.split()[3:5] == [
        "mean",
        f"{ref.mean['rmse']:.4f}",
        f"{ref.mean['mae']:.4f}",
    ]
    assert std.split()[:3] == ["std", f"{ref.std['rmse']:.4f}", f"{ref.std['mae']:.4f}"]
    biases_rmse = ref.mean["baselines"]["regularized_biases"]["rmse"]
    assert biases.split()[:3] == ["biases", "only", f"{biases_rmse:.4f}"]
    at = header.index("RMSE") + len("RMSE")
    assert all(line[at - 6 : at].strip().startswith("0.") for line in (*folds, mean, std, biases))
    assert lines[start + 7].startswith("Unknown to the models: ")


def test_cross_validation_as_json(cli, here, quick):
    arguments = ("cross-validate", "ratings.csv", "--folds", 2, "--seed", 3, "--ranking", "--json")
    result = cli(*arguments, *quick)
    assert (result.code, result.err) == (0, "")
    plain = json.loads(result.out)
    assert plain["split"] == "random"
    assert plain["hyperparameters"]["n_factors"] == 4
    folds = random_folds(read_ratings("ratings.csv"), 2, seed=3)
    ref = FunkSVD(n_factors=4, n_epochs=4, learning_rate=0.1, seed=3).fit(folds[1].training)
    assert plain["folds"][1]["rmse"] == ref.evaluate(folds[1].test).rmse
    rmses = [fold["rmse"] for fold in plain["folds"]]
    assert plain["mean"]["rmse"] == pytest.approx(sum(rmses) / 2)
    assert plain["std"]["rmse"] == pytest.approx(abs(rmses[0] - rmses[1]) / 2**0.5)
    assert plain["mean"]["ranking"]["recommenders"]["most_popular"]["ndcg"] > 0
    assert plain["folds"][0]["training_seconds"] > 0


def test_quiet_cross_validation_prints_the_tables_only(cli, here, quick):
    result = cli("cross-validate", "ratings.csv", "--folds", 2, "--ranking", "-q", *quick)
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines[:6]] == ["fold", "1", "2", "mean", "std", "biases"]
    table, rest = ranking_tables(result.out)
    by = ["by both", "by choice", "by rating"]
    assert list(table) == [*by, "most popular", "biases only"]
    assert list(table["by rating"])[:2] == ["NDCG", "std"]
    assert rest == []


@pytest.mark.parametrize(
    ("options", "cut"),
    [
        ((), lambda r: random_folds(r, 5)),
        (("--split", "random", "--folds", 1), lambda r: random_folds(r, 1)),
        (
            ("--split", "per-user", "--test-fraction", 0.3, "--folds", 1),
            lambda r: per_user_folds(r, 1, fraction=0.3),
        ),
        (("--split", "per-user"), lambda r: per_user_folds(r, 5)),
        (("--split", "per-user", "--folds", 2), lambda r: per_user_folds(r, 2)),
        (("--split", "leave-last-out", "--last", 2), lambda r: leave_last_out(r, 2)),
        (("--split", "leave-last-out", "--folds", 2), lambda r: leave_last_out(r, n_folds=2)),
        (("--split", "by-time", "--test-fraction", 0.2), lambda r: by_time(r, 0.2)),
        (("--split", "by-time", "--folds", 3), lambda r: by_time(r, 0.1, n_folds=3)),
    ],
)
def test_each_way_to_split(cli, here, options, cut, quick):
    plain = json.loads(cli("cross-validate", "ratings.csv", *options, *quick, "--json").out)
    folds = cut(read_ratings("ratings.csv"))
    sizes = [(fold["n_training"], fold["n_ratings"]) for fold in plain["folds"]]
    assert sizes == [(len(training), len(test)) for training, test in folds]
    ref = FunkSVD(n_factors=4, n_epochs=4, learning_rate=0.1).fit(folds[-1].training)
    assert plain["folds"][-1]["rmse"] == ref.evaluate(folds[-1].test).rmse
    assert plain["split"] == (options[1] if options else "random")
    assert plain["remarks"] == list(folds.remarks)


def test_a_single_split_looks_like_a_test(cli, here, quick):
    trained = cli("train", "ratings.csv", *quick)
    result = cli("cross-validate", "ratings.csv", "--folds", 1, *quick)
    assert figures(result.out) == figures(trained.out)
    assert "Learned from 18,010 ratings, " in result.out
    remarked = cli(
        "cross-validate",
        "ratings.csv",
        "--split",
        "per-user",
        "--folds",
        1,
        "--test-fraction",
        0.01,
        *quick,
    )
    assert "too few ratings to be tested: they are learned from" in remarked.out


def test_folds_of_pairs_without_ratings_are_tested_by_lists(cli, here):
    lines = (here / "ratings.csv").read_text().splitlines()
    (here / "clicks.csv").write_text("".join(",".join(x.split(",")[:2]) + "\n" for x in lines))
    arguments = ("cross-validate", "clicks.csv", "-k", 4, "--folds", 2)
    result = cli(*arguments)
    assert (result.code, result.err) == (0, "")
    header = next(line for line in result.out.splitlines() if line.startswith("fold "))
    assert re.split(r" {2,}", header)[3:5] == ["NDCG", "hit rate"]
    plain = json.loads(cli(*arguments, "--json").out)
    mean = plain["mean"]["ranking"]["recommenders"]["choice"]
    lines = {line.split()[0]: line.split() for line in result.out.splitlines() if line}
    assert lines["mean"][3:5] == [f"{mean['ndcg']:.4f}", f"{mean['hit_rate']:.4f}"]
    table, _ = ranking_tables(result.out)
    assert list(table) == ["by choice", "most popular"]
    assert table["by choice"]["NDCG"] == f"{mean['ndcg']:.4f}"
    assert "rmse" not in plain["mean"]
    assert plain["hyperparameters"]["algorithm"] == "ials"


def test_given_folds(cli, error_of, here, quick):
    header, *lines = (here / "ratings.csv").read_text().splitlines()
    for name, part in (("a", lines[:10_000]), ("b", lines[10_000:])):
        (here / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
    arguments = ("--fold", "a.csv", "b.csv", "--fold", "b.csv", "a.csv")
    plain = json.loads(cli("cross-validate", *arguments, *quick, "--json").out)
    assert plain["split"] == "given"
    model = FunkSVD(n_factors=4, n_epochs=4, learning_rate=0.1)
    a, b = read_ratings("a.csv"), read_ratings("b.csv")
    refs = [model.fit(training).evaluate(test).rmse for training, test in ((a, b), (b, a))]
    assert [fold["rmse"] for fold in plain["folds"]] == refs
    message = error_of(
        "cross-validate", "--fold", "a.csv", "b.csv", "--fold", "a.csv", "ratings.csv"
    )
    assert "fold 2 of 2: ratings.csv" in message
    assert "not honest" in message


def test_cross_validation_leaves_no_file_behind(cli, here, quick):
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    cli("cross-validate", "ratings.csv", "--folds", 2, *quick)
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_doubts_about_the_folds_are_said(cli, here):
    lines = [f"{user},{item},{1 + (user + item) % 5},{user}" for user, item in np.ndindex(60, 3)]
    (here / "waves.csv").write_text("\n".join(["user,item,rating,timestamp", *lines]))
    result = cli("cross-validate", "waves.csv", "--split", "by-time", "-k", 2)
    assert "Warning: the model knows none of the users in these ratings" in result.err
    unlearned = ("--n-epochs", 1, "--learning-rate", 1e-6)
    result = cli("cross-validate", "ratings.csv", "--folds", 2, "-k", 4, *unlearned)
    assert "Warning: the model is no better than biases alone" in result.err


def test_doubts_are_about_the_mean_of_the_folds(cli, here, quick):
    """One fold whose users are unknown, and one that leaves no doubt."""
    header, *lines = (here / "ratings.csv").read_text().splitlines()
    parts = {"a": lines[:10_000], "b": lines[10_000:], "c": ["u1,i1,3,0", "u2,i2,4,0", "u3,i3,5,0"]}
    for name, part in parts.items():
        (here / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
    folds = ("--fold", "a.csv", "b.csv", "--fold", "a.csv", "c.csv")
    assert "the model does not know the item of 5" in cli("cross-validate", *folds, *quick).err
    assert "Warning" not in cli("cross-validate", *folds, "--fold", "b.csv", "a.csv", *quick).err


def test_the_mean_is_set_beside_the_baseline(here):
    command = import_module("funksvd_cli.cross_validate")  # the package has the command's name
    folds = random_folds(read_ratings("ratings.csv"), 3)
    result = cross_validate(FunkSVD(n_factors=2, n_epochs=1), folds)
    assert command._average(result).rmse == result.mean["rmse"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("model.funksvd ratings.csv", "model.funksvd is a model; cross-validation trains models"),
        ("", "RATINGS are missing"),
        ("--fold a b ratings.csv", "--fold names its files itself"),
        ("--fold a b --folds 2", "--folds does not go with --fold"),
        ("--fold a b --split random", "--split does not go with --fold"),
        ("--fold a b --last 2", "--last does not go with --fold"),
        ("--fold a b --test-fraction 0.2", "--test-fraction does not go with --fold"),
        ("ratings.csv --relevant-from x", "'x' is neither a rating nor liked, user-mean or all"),
        ("ratings.csv --last 2", "--last goes with --split leave-last-out"),
        (
            "ratings.csv --split leave-last-out --test-fraction 0.2",
            "--test-fraction does not go with leave-last-out; give --last",
        ),
        ("ratings.csv --folds 3 --test-fraction 0.2", "which share all ratings"),
        ("ratings.csv --test-fraction 0.2", "give it with --folds 1"),
        ("ratings.csv --folds 2 -k 0", "must be a whole number of at least 1, not 0"),
        ("ratings.csv --folds 30000", "has no ratings to test on"),
        ("ratings.csv --split by-time --timestamp-col none", "no timestamps"),
        ("nosuch.csv --folds 2", "nosuch.csv"),
        ("ratings.csv --folds 0", "--folds"),
    ],
)
def test_what_does_not_go_together_is_refused(error_of, here, arguments, expected):
    assert expected in error_of("cross-validate", *arguments.split())
