"""Cross-validation: the same as doing it by hand, however many folds run at the same time."""

import json
import statistics
import threading
from concurrent.futures import CancelledError
from dataclasses import replace

import numpy as np
import pytest

from funksvd import (
    Fold,
    FunkSVD,
    Ratings,
    by_time,
    cross_validate,
    evaluate_ranking,
    leave_last_out,
    per_user_folds,
    random_folds,
)
from funksvd.errors import DivergenceError, FunkSVDError, RatingsError, argument
from funksvd.evaluation import cross_validation

QUICK = {"n_factors": 4, "n_epochs": 4, "learning_rate": 0.1}


def without_times(fold):
    assert fold.training_seconds > 0
    assert fold.test_seconds > 0
    return replace(fold, training_seconds=0, test_seconds=0)


def test_each_fold_equals_learning_and_testing_by_hand(sample):
    folds = random_folds(sample, 3, seed=2)
    model = FunkSVD(**QUICK, seed=2)
    comp = cross_validate(model, folds, n_best=5, relevant_from=3.5)
    assert not model.is_fitted
    assert len(comp.folds) == 3
    for (training, test), fold in zip(folds, comp.folds, strict=True):
        ref = FunkSVD(**QUICK, seed=2).fit(training)
        assert fold.evaluation == ref.evaluate(test, training=training)
        assert fold.ranking == evaluate_ranking(
            ref, test, training=training, n_best=5, relevant_from=3.5
        )
        assert (fold.n_training, fold.best_epoch) == (len(training), ref.best_epoch)


def test_choice_models_are_learned_only_for_lists(sample, monkeypatch):
    def learn_choices(*arguments, **options):
        raise FunkSVDError("a choice model is learned")

    monkeypatch.setattr("funksvd.model.learn_choices", learn_choices)
    folds = random_folds(sample, 2)
    assert cross_validate(FunkSVD(**QUICK), folds).folds[0].ranking is None
    with pytest.raises(FunkSVDError, match="a choice model is learned"):
        cross_validate(FunkSVD(**QUICK), folds, n_best=3)


def test_the_result_does_not_depend_on_how_many_run_at_once(sample):
    folds = per_user_folds(sample, 4)
    refs, *others = (
        cross_validate(FunkSVD(**QUICK, n_threads=n_threads), folds, n_best=3, n_jobs=n_jobs)
        for n_threads, n_jobs in ((1, 1), (1, 4), (4, 2), (3, None))
    )
    for other in others:
        assert list(map(without_times, other.folds)) == list(map(without_times, refs.folds))


def test_means_and_deviations_by_hand(sample):
    result = cross_validate(FunkSVD(**QUICK), random_folds(sample, 3), n_best=3)
    evaluations = [fold.evaluation for fold in result.folds]
    rankings = [fold.ranking for fold in result.folds]
    for mean_or_std, function in ((result.mean, statistics.mean), (result.std, statistics.stdev)):
        for name in ("rmse", "mae", "n_ratings", "unknown_items"):
            ref = function([getattr(evaluation, name) for evaluation in evaluations])
            assert mean_or_std[name] == pytest.approx(ref, rel=1e-12)
        ref = function([fold.training_seconds for fold in result.folds])
        assert mean_or_std["training_seconds"] == pytest.approx(ref)
        ref = function([e.baselines["regularized_biases"].mae for e in evaluations])
        assert mean_or_std["baselines"]["regularized_biases"]["mae"] == pytest.approx(ref)
        ref = function([r.recommenders["most_popular"].means.ndcg for r in rankings])
        comp = mean_or_std["ranking"]["recommenders"]["most_popular"]["ndcg"]
        assert comp == pytest.approx(ref, rel=1e-12)


def test_a_single_fold_has_no_deviation_and_all_of_it_is_json(sample):
    result = cross_validate(FunkSVD(**QUICK), by_time(sample, 0.2))
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["std"] == {}
    (fold,) = plain["folds"]
    assert fold["rmse"] == plain["mean"]["rmse"] == result.folds[0].evaluation.rmse
    assert "ranking" not in fold
    assert fold["n_training"] == result.folds[0].n_training


@pytest.mark.parametrize("split", [random_folds, per_user_folds, leave_last_out])
def test_planted_factors_are_found_in_each_fold(planted, split):
    ratings = planted(300, 200, rank=3, n_ratings=20_000, noise=0.3)
    folds = split(ratings, 3) if split is not leave_last_out else split(ratings, 5, n_folds=3)
    for fold in cross_validate(FunkSVD(n_factors=6), folds).folds:
        biases = fold.evaluation.baselines["regularized_biases"]
        assert fold.evaluation.rmse < 0.7 * biases.rmse


def test_given_folds_must_not_share_pairs(sample):
    good, other = random_folds(sample, 2)
    with pytest.raises(RatingsError, match=r"fold 2 of 2: .* is not honest"):
        cross_validate(FunkSVD(**QUICK), [good, Fold(sample, other.test)])


def test_given_folds_with_ids_of_their_own(sample):
    """Each part read from a file of its own."""
    folds = random_folds(sample, 2)
    refs = cross_validate(FunkSVD(**QUICK), folds)
    given = [Fold(training.compact(), test.compact()) for training, test in folds]
    for fold, ref in zip(cross_validate(FunkSVD(**QUICK), given).folds, refs.folds, strict=True):
        assert without_times(fold) == without_times(ref)


def test_results_are_told_in_order(sample):
    told = []
    result = cross_validate(
        FunkSVD(**QUICK, n_threads=3),
        random_folds(sample, 5),
        on_fold=lambda number, fold: told.append((number, fold)),
    )
    assert told == list(enumerate(result.folds))


def test_an_error_names_the_fold(sample):
    with pytest.raises(DivergenceError, match="fold 1 of 2: training diverges"):
        cross_validate(FunkSVD(**QUICK | {"learning_rate": 1e9}), random_folds(sample, 2))
    with pytest.raises(FunkSVDError, match=r"^n_factors must be"):
        cross_validate(FunkSVD(n_factors=0), by_time(sample))
    with pytest.raises(RatingsError, match="there are no folds"):
        cross_validate(FunkSVD(), [])


def test_an_error_of_a_fold_can_still_be_worded(sample):
    class Failing(FunkSVD):
        def fit(self, ratings, *, monitor):
            raise RatingsError(f"no; give {argument('reg', 2)}")

    with pytest.raises(RatingsError, match=r"fold 1 of 2: no; give reg=2$") as caught:
        cross_validate(Failing(), random_folds(sample, 2))
    assert caught.value.worded(lambda name, value: f"--{name} {value}").endswith("give --reg 2")


class Watched(FunkSVD):
    """A model that waits to see what becomes of the others."""

    running, most, threads = 0, 0, []
    lock = threading.Lock()

    def fit(self, ratings, **options):
        with self.lock:
            Watched.running += 1
            Watched.most = max(self.most, self.running)
            Watched.threads.append(self.n_threads)
        try:
            return super().fit(ratings, **options)
        finally:
            with self.lock:
                Watched.running -= 1


@pytest.fixture
def watched(monkeypatch):
    monkeypatch.setattr(Watched, "most", 0)
    monkeypatch.setattr(Watched, "threads", [])
    return Watched


@pytest.mark.parametrize(
    ("memory", "n_jobs", "n_threads"), [(1 << 40, 4, 1), (1, 1, 4), (2.5, 2, 2)]
)
def test_no_more_folds_run_at_once_than_memory_allows(
    sample, watched, monkeypatch, memory, n_jobs, n_threads
):
    n_parameters = (sample.n_users + sample.n_items) * QUICK["n_factors"]
    needed = 60 * len(sample) + 24 * n_parameters
    memory = memory if memory == 1 << 40 else int(2 * memory * needed)
    monkeypatch.setattr(cross_validation, "_memory", lambda: memory)
    cross_validate(watched(**QUICK, n_threads=4), random_folds(sample, 8))
    assert watched.most <= n_jobs
    assert set(watched.threads) == {n_threads}


def test_memory_is_what_there_is():
    assert 1 << 26 < cross_validation._memory() < 1 << 50


def test_threads_are_shared_without_leaving_one_idle(sample, watched):
    cross_validate(watched(**QUICK, n_threads=5), random_folds(sample, 3), n_jobs=3)
    assert set(watched.threads) == {2}


def test_when_one_fold_fails_the_others_stop(sample):
    stopped = []

    class Failing(FunkSVD):
        def fit(self, ratings, *, monitor):
            if len(ratings) == 3:
                others_learn.wait(10)
                raise RatingsError("no")
            try:
                while True:
                    monitor.ratings_done(1)
                    others_learn.set()
            except CancelledError:
                stopped.append(len(ratings))
                raise

    others_learn = threading.Event()
    test = Ratings.from_arrays([1], [1], [1])
    folds = [Fold(sample.subset(np.arange(3, n)), test) for n in (6, 100, 200, 300, 400)]
    with pytest.raises(RatingsError, match="fold 1 of 5: no"):
        cross_validate(Failing(n_threads=3), folds, n_jobs=3)
    assert sorted(stopped)[:2] == [97, 197]
    assert len(stopped) <= 3  # those that were waiting never began
