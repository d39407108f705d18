"""`--loss` and `--nonnegative`, from the command line."""

import json

import numpy as np
import pandas as pd
import pytest

from funksvd import FunkSVD


@pytest.fixture
def binary(here):
    """The sample ratings, as 0 and 1."""
    table = pd.read_csv("ratings.csv")
    table["rating"] = (table["rating"] > 3).astype(int)
    table.to_csv("liked.csv", index=False)
    return "liked.csv"


@pytest.mark.parametrize(
    ("loss", "name"),
    [("absolute", "MAE"), ("huber", "Huber"), ("logistic", "log loss"), ("squared", "RMSE")],
)
def test_the_error_has_its_name(cli, binary, quick, loss, name):
    source = binary if loss == "logistic" else "ratings.csv"
    options = ("--loss", loss, "--reg", 0.05, *quick)
    result = cli("train", source, *options)
    assert result.code == 0
    header = next(line for line in result.out.splitlines() if line.startswith("epoch"))
    assert f"train {name}   " in header
    assert f"valid {name}   " in header
    lines = [line for line in result.out.splitlines() if line.startswith("    1 ")]
    end = header.index(f"valid {name}") + len(f"valid {name}")
    assert len(lines) == 1
    assert lines[0][:end].split()[-1] == lines[0][end - 6 : end]  # it stands below its title
    key = f"valid_{name.lower().replace(' ', '_')}"
    facts = json.loads(cli("info", "--json").out)
    assert facts["loss"] == loss
    model = FunkSVD.load("model.funksvd")
    assert facts[key] == model.history[model.best_epoch - 1].valid
    assert facts["history"][0][key] == model.history[0].valid
    summary = json.loads(cli("train", source, "--json", *options).out)
    assert [each[key] for each in summary["history"]] == [e.valid for e in model.history]


def test_probabilities(cli, binary, quick):
    cli("train", binary, "--loss", "logistic", "-q", *quick)
    model = FunkSVD.load("model.funksvd")
    cli("predict", binary, "-q", "-o", "predictions.csv")
    comp = pd.read_csv("predictions.csv")["prediction"].to_numpy()
    ref = model.predict(pd.read_csv(binary)[["user", "item"]])
    np.testing.assert_allclose(comp, ref, rtol=1e-6)
    assert 0 < comp.min() < 0.3 < 0.8 < comp.max() < 1
    best = json.loads(cli("recommend", "--user", 1, "--json").out)
    for row in best:
        assert row["prediction"] == pytest.approx(model.predict(1, row["item"]), rel=1e-6)
    evaluated = json.loads(cli("evaluate", "--json").out)
    assert evaluated["rmse"] < evaluated["baselines"]["global_mean"]["rmse"] < 0.51


def test_ratings_that_are_not_0_or_1(error_of, here):
    error = error_of("train", "ratings.csv", "--loss", "logistic")
    assert "ratings.csv: the logistic loss is for ratings that are 0 or 1, but" in error
    assert "these are of 10 values: 0.5, 1, 1.5, 2, 2.5, …. Make" in error


def test_nonnegative_factors(cli, here, quick):
    assert cli("train", "ratings.csv", "--nonnegative", "-q", *quick).code == 0
    model = FunkSVD.load("model.funksvd")
    assert model.nonnegative
    assert min(model.user_factors.min(), model.item_factors.min()) == 0
    assert model.user_biases.min() < 0
