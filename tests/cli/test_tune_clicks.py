"""`funksvd tune` for choice models: by the quality of lists."""

import json
import shlex

import numpy as np
import pytest

from funksvd import FunkSVD, hold_out, read_clicks, tune

QUICK = ("-k", "4", "--n-epochs", "4", "--trials", "4", "--repeats", "1")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """clicks.csv of users who like one of four groups of items, and ratings.csv of the same."""
    random = np.random.default_rng(0)
    pairs = sorted({divmod(int(at), 60) for at in random.integers(0, 80 * 60, 2500)})
    pairs = [(u, i) for u, i in pairs if (u + i) % 4 == 0 or random.random() < 0.3]
    clicks = [f"{u},{i}" for u, i in pairs]
    (tmp_path / "clicks.csv").write_text("\n".join(["user,item", *clicks, ""]))
    stars = [f"{row},{1 + n % 5}" for n, row in enumerate(clicks)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,rating", *stars, ""]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_a_person_sees(cli, folder):
    result = cli("tune", "clicks.csv", *QUICK)
    assert result.code == 0
    chance = "Warning: the gain over the defaults is chance: it does not show on other parts\n"
    assert result.err == chance
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert "No ratings: a choice model is learned (--algorithm ials)" in lines
    assert "trial valid NDCG@10 unobserved reg epochs seconds" in lines
    at = lines.index("trial valid NDCG@10 change unobserved reg")
    rows = [line.split() for line in lines[at + 1 : at + 5]]
    values = [float(row[1]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert next(row for row in rows if row[0] == "default")[2] == "+0.00%"
    assert "RMSE" not in result.out
    assert max(map(len, result.out.splitlines()[1:-1])) <= 100


def test_json_names_the_metric_and_the_command_trains_what_was_found(cli, folder):
    found = json.loads(cli("tune", "clicks.csv", "--json", *QUICK).out)
    training = hold_out(read_clicks("clicks.csv")).training
    model = FunkSVD(algorithm="ials", n_factors=4, n_epochs=4)
    ref = tune(model, training, n_trials=4, n_repeats=1, fixed=["n_factors"]).to_dict()
    assert found["metric"] == ref["metric"] == "ndcg@10"
    assert found["best"]["values"] == ref["best"]["values"]
    assert found["check"] == ref["check"]
    best = max(found["trials"], key=lambda trial: trial["value"])
    assert found["best"] == best
    program, *arguments = shlex.split(found["command"])
    assert (program, arguments[0]) == ("funksvd", "train")
    assert arguments[arguments.index("--algorithm") :][:2] == ["--algorithm", "ials"]
    trained = json.loads(cli(*arguments, "--json").out)
    assert trained["hyperparameters"].items() >= best["hyperparameters"].items()
    assert trained["test_ranking"]["recommenders"]["choice"]["ndcg"] > 0


def test_ratings_can_be_taken_as_choices(cli, folder):
    found = json.loads(cli("tune", "ratings.csv", "--algorithm", "ials", "--json", *QUICK).out)
    assert found["metric"] == "ndcg@10"
    assert found["command"].count("--algorithm ials") == 1
    by_rmse = json.loads(cli("tune", "ratings.csv", "--json", *QUICK).out)
    assert by_rmse["metric"] == "rmse"
    assert by_rmse["best"]["value"] == min(trial["value"] for trial in by_rmse["trials"])


def test_a_study_of_another_metric_is_refused(cli, error_of, folder):
    options = ("--study", "s.journal", *QUICK)
    assert cli("tune", "ratings.csv", "--algorithm", "ials", "-q", *options).code == 0
    assert "this study was made with" in error_of("tune", "ratings.csv", *options)


def test_nothing_to_judge_by(error_of, folder):
    message = error_of("tune", "clicks.csv", "--algorithm", "ials", "--valid-fraction", "0")
    assert "there are no validation ratings, by which trials are judged" in message
