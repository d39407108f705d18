"""Searching for the hyperparameters of a choice model, by the quality of its lists."""

import json
import re
from dataclasses import replace

import numpy as np
import optuna
import pytest

from funksvd import FunkSVD, FunkSVDError, Interactions, Ratings, random_split, tune
from funksvd.rng import Stream
from funksvd.tuning import Metric, study

N_TRIALS = 12
IALS = {"algorithm": "ials", "n_factors": 8, "n_epochs": 6}


@pytest.fixture(scope="module")
def clicks():
    """Clicks of users who like one of six groups of items, and others."""
    random = np.random.default_rng(0)
    users, items = random.integers(0, 90, 3000), random.integers(0, 60, 3000)
    liked = random.random(3000) < 0.6
    items[liked] = (items[liked] // 6 * 6 + users[liked] % 6) % 60
    return Interactions.from_arrays(users, items)


def search(data, n_trials=N_TRIALS, **options):
    model = FunkSVD(**IALS | options.pop("model", {}))
    return tune(
        model, data, **{"n_trials": n_trials, "n_repeats": 1, "fixed": ["n_factors"]} | options
    )


def timeless(tuning):
    """All but how long it took."""
    return replace(tuning, trials=[replace(trial, seconds=0.0) for trial in tuning.trials])


def curve_of(clicks, chosen, seed=0, **options):
    """NDCG@10 after each epoch, on the tenth of the pairs that `fit` sets aside with this seed."""
    defaults = {"validation_fraction": 0.1, "patience": 6, "refit": False, "seed": seed}
    model = FunkSVD(**IALS | defaults | options | chosen).fit(clicks)
    return [record.valid for record in model.history]


def test_the_metric_is_named_and_more_is_better(clicks):
    tuning = search(clicks)
    assert tuning.metric == Metric("ndcg@10", "NDCG@10", greater_is_better=True)
    values = [trial.value for trial in tuning.trials if trial.value is not None]
    assert tuning.best.value == max(values) > tuning.defaults.value
    assert [trial.value for trial in tuning.ranking] == sorted(values, reverse=True)
    assert tuning.to_dict()["metric"] == "ndcg@10"
    assert tuning.hyperparameters.keys() == {"unobserved_weight", "reg"}
    assert tuning.defaults.hyperparameters == {"unobserved_weight": 0.4, "reg": 0.6}


def test_each_figure_is_that_of_the_last_epoch_of_training(clicks):
    """Training runs all epochs, since nothing is set aside there: so it is judged here."""
    tuning = search(clicks, n_repeats=2)
    n_below_best = 0
    for trial in tuning.ranking:
        curves = [curve_of(clicks, trial.hyperparameters, seed) for seed in (0, 1)]
        assert trial.values == [curve[-1] for curve in curves]
        assert trial.epochs == [6, 6]
        assert trial.value == pytest.approx(np.mean(trial.values), rel=1e-15)
        n_below_best += sum(curve[-1] < max(curve) for curve in curves)
    assert n_below_best > 0
    check = [curve_of(clicks, tuning.hyperparameters, seed)[-1] for seed in (2, 3)]
    assert tuning.check["best"] == pytest.approx(np.mean(check), rel=1e-15)


def test_with_a_validation_part_of_its_own_the_best_epoch_counts(clicks):
    options = {"validation_fraction": 0.2, "patience": 2}
    tuning = search(clicks, model=options)
    for trial in tuning.ranking:
        curve = curve_of(clicks, trial.hyperparameters, **options)
        assert trial.value == max(curve)
        assert trial.epochs == [1 + int(np.argmax(curve))]
    training, validation = random_split(clicks, 0.2, seed=0, stream=Stream.CHECK)
    given = search(training, n_trials=2, validation=validation, model={"patience": 2})
    model = FunkSVD(**IALS, patience=2, refit=False).fit(training, validation=validation)
    assert given.defaults.value == model.training.best.valid
    assert given.check is None


def test_what_is_searched(clicks):
    tuning = search(clicks, n_trials=4, fixed=[], model={"n_factors": 32})
    assert tuning.trials[1].hyperparameters.keys() == {"n_factors", "unobserved_weight", "reg"}
    drawn = {trial.hyperparameters["n_factors"] for trial in tuning.trials}
    assert drawn <= set(range(16, 129, 16))
    assert len(drawn) > 1


def test_the_same_seed_makes_the_same_trials_with_any_number_of_threads(clicks):
    first = timeless(search(clicks))
    assert timeless(search(clicks, model={"n_threads": 1})) == first


def test_a_trial_is_stopped_where_it_is_worse_than_half_of_the_complete_ones(clicks):
    tuning = search(clicks, n_trials=25)
    assert {"complete", "stopped"} == {trial.state for trial in tuning.trials}
    complete = []
    for trial in tuning.trials:
        curve = curve_of(clicks, trial.hyperparameters)
        stop = None
        if len(complete) >= 5:
            for epoch in range(study.EPOCHS_FIRST_OF_LISTS, 7):
                if max(curve[:epoch]) < np.median([other[epoch - 1] for other in complete]):
                    stop = epoch
                    break
        if stop is None:
            assert trial.state == "complete", trial
            complete.append(curve)
        else:
            assert (trial.state, trial.epochs, trial.value) == ("stopped", [stop], None)


def test_a_search_that_is_gone_on_with_finds_the_same(clicks, tmp_path):
    path = tmp_path / "s.journal"
    ref = timeless(search(clicks))
    assert len(search(clicks, n_trials=7, study=path).trials) == 7
    assert timeless(search(clicks, study=path)) == ref
    storage = study._journal(path)
    kept = optuna.load_study(study_name=study.NAME, storage=storage)
    assert kept.direction.name == "MAXIMIZE"
    assert kept.user_attrs[study.IDENTITY]["metric"] == "ndcg@10"


def test_a_study_of_another_metric_is_refused(clicks, tmp_path):
    path = tmp_path / "s.journal"
    search(clicks, n_trials=1, study=path)
    stars = 1 + np.arange(len(clicks)) % 5
    ratings = Ratings.from_arrays(clicks.user_index, clicks.item_index, stars)
    by_rmse = FunkSVD(n_factors=8, n_epochs=2)
    with pytest.raises(FunkSVDError, match="this study was made with"):
        tune(by_rmse, ratings, n_trials=1, n_repeats=1, fixed=["n_factors"], study=path)
    lines = path.read_text().splitlines()
    altered = [line.replace('"ndcg@10"', '"recall@10"') for line in lines]
    assert altered != lines
    path.write_text("\n".join([*altered, ""]))
    message = "this study was made with metric = recall@10, not ndcg@10"
    with pytest.raises(FunkSVDError, match=re.escape(message)):
        search(clicks, n_trials=1, study=path)


def test_ratings_as_choices(clicks):
    stars = 1 + np.arange(len(clicks)) % 5
    ratings = Ratings.from_arrays(clicks.user_index, clicks.item_index, stars)
    tuning = search(ratings, n_trials=2)
    assert tuning.defaults.value == curve_of(ratings, {})[-1]
    assert json.dumps(tuning.to_dict())


def test_trials_of_ratings_learn_no_choice_model(clicks, monkeypatch):
    stars = 1 + np.arange(len(clicks)) % 5
    ratings = Ratings.from_arrays(clicks.user_index, clicks.item_index, stars)

    def learn(*args, **options):
        raise AssertionError("a choice model is learned in vain")

    monkeypatch.setattr("funksvd.model.learn_choices", learn)
    model = FunkSVD(n_factors=2, n_epochs=2)
    assert tune(model, ratings, n_trials=2, n_repeats=1, fixed=["n_factors"]).metric.name == "rmse"
