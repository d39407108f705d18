"""Going on from a model with new ratings."""

import re
from dataclasses import replace

import numpy as np
import pytest

from funksvd import (
    DivergenceError,
    FunkSVD,
    FunkSVDError,
    Interactions,
    Monitor,
    Ratings,
    RatingsError,
    update,
)

KINDS = {
    "sgd": {},
    "svd++": {"algorithm": "svd++"},
    "ensemble": {"ensemble": 2},
    "no biases": {"biases": False},
    "snapshots": {
        "schedule": "cyclic",
        "cycle_epochs": 5,
        "ensemble": 2,
        "ensemble_snapshots": True,
    },
    "rates": {"optimizer": "rmsprop", "bias_learning_rate": 0.003, "schedule": "plateau"},
}


@pytest.fixture(scope="module")
def grown(planted_once):
    """Ratings, and which of them are new: a tenth, some by new users and of new items."""
    ratings = planted_once
    random = np.random.default_rng(1)
    is_new = random.random(len(ratings)) < 0.05
    is_new |= (ratings.user_index >= 190) | (ratings.item_index >= 95)
    return ratings, is_new


@pytest.fixture(scope="module")
def planted_once():
    random = np.random.default_rng(0)
    pairs = random.choice(200 * 100, 9000, replace=False)
    users, items = np.divmod(pairs, 100)
    p, q = random.normal(0, 1, (200, 2)), random.normal(0, 0.7, (100, 2))
    targets = 3 + random.normal(0, 0.3, 200)[users] + (p[users] * q[items]).sum(axis=1)
    return Ratings.from_arrays(users, items, targets + random.normal(0, 0.4, 9000))


def rmse(model, ratings):
    return -model.score(ratings)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_an_updated_model_is_nearly_as_good_as_a_new_one(grown, options):
    ratings, is_new = grown
    random = np.random.default_rng(2)
    is_test = random.random(len(ratings)) < 0.1
    training, test = ratings.subset(~is_test), ratings.subset(is_test)
    options = {"n_factors": 4, **options}
    old = FunkSVD(**options).fit(training.subset(~is_new[~is_test]))
    updated = update(old, training)
    anew = FunkSVD(**options).fit(training)
    assert rmse(updated, test) < 1.02 * rmse(anew, test)
    assert rmse(updated, test) < 0.97 * rmse(old, test)


@pytest.fixture(scope="module")
def old(grown):
    ratings, is_new = grown
    return FunkSVD(n_factors=4, n_epochs=20).fit(ratings.subset(~is_new))


def test_what_the_new_model_is(old, grown):
    ratings, _ = grown
    new = update(old, ratings)
    assert new.user_ids.tolist() == list(range(200))
    assert new.item_ids.tolist() == list(range(100))
    assert new.n_ratings == len(ratings)
    assert new.seen.contains(ratings.user_index, ratings.item_index).all()
    assert new.held_out is None
    assert new.provenance is None
    assert new.refitted
    assert (new.history, new.best_epoch) == (old.history, old.best_epoch)
    assert new.global_mean == old.global_mean
    assert new.rating_scale == (ratings.values.min(), ratings.values.max())


def test_the_old_model_stays_as_it_is(old, grown, tmp_path):
    old.save(tmp_path / "before")
    update(old, grown[0])
    old.save(tmp_path / "after")
    assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()


def test_the_same_bits_with_any_number_of_threads(old, grown, tmp_path, monkeypatch):
    for n_threads in (1, 3):
        monkeypatch.setattr(old.hyperparameters, "n_threads", n_threads)
        update(old, grown[0]).save(tmp_path / str(n_threads))
    assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_it_goes_on_from_where_the_old_one_was(grown, options, monkeypatch):
    """With learning rates of next to nothing, what is predicted is what was predicted before."""
    ratings, is_new = grown
    old = FunkSVD(n_factors=4, n_epochs=10, **options).fit(ratings.subset(~is_new))
    monkeypatch.setattr("funksvd.updating.RATE_SHARE", 1e-9)
    new = update(old, ratings, n_epochs=1)
    users, items = np.repeat(old.user_ids, 3), np.tile(old.item_ids[:3], len(old.user_ids))
    np.testing.assert_allclose(new.predict(users, items), old.predict(users, items), atol=1e-5)
    if old.implicit_factors is not None:
        kept = new.implicit_factors[: len(old.item_ids)]  # new items have the highest ids
        np.testing.assert_allclose(kept, old.implicit_factors, atol=1e-6)


def test_who_is_new_is_folded_in_first(old, grown, monkeypatch):
    ratings, _ = grown
    monkeypatch.setattr("funksvd.updating.RATE_SHARE", 1e-9)
    new = update(old, ratings, n_epochs=1)
    mine = (ratings.user_index == 195) & (ratings.item_index < 95)
    ref = old.fold_in(ratings.item_ids[ratings.item_index[mine]], ratings.values[mine])
    np.testing.assert_allclose(new.user_factors[195], ref.factors, atol=1e-6)
    assert new.user_biases[195] == pytest.approx(ref.bias, abs=1e-6)
    assert new.item_factors[95:].any(axis=1).all()


def test_a_user_of_new_items_only_is_folded_in_after_the_items(old, grown, monkeypatch):
    ratings, _ = grown
    monkeypatch.setattr("funksvd.updating.RATE_SHARE", 1e-9)
    more = Ratings.from_arrays([777, 777, 778], [96, 97, 888], [5.0, 1.0, 3.0])
    new = update(old, ratings.joined_with(more), n_epochs=1)
    rows = {user: new.user_ids.tolist().index(user) for user in (777, 778)}
    assert np.abs(new.user_factors[rows[777]]).max() > 0.01
    assert np.abs(new.user_factors[rows[778]]).max() < 1e-6  # nothing connects them with others


def test_users_and_items_without_ratings_stay_as_they_were(old, grown):
    ratings, _ = grown
    without = ratings.subset(ratings.user_index != 17)
    new = update(old, without)
    assert new.user_ids.tolist() == list(range(200))
    np.testing.assert_array_equal(new.user_factors[17], old.user_factors[17])
    assert new.user_biases[17] == old.user_biases[17]


def test_ids_that_are_all_new(old):
    with pytest.raises(RatingsError, match="of 2 users and 1 item, the model knows none"):
        update(old, Ratings.from_arrays([1001, 1002], [1003, 1003], [1, 2]))


def test_ratings_that_nothing_can_be_learned_from(old):
    with pytest.raises(RatingsError, match="all 2 ratings are 3"):
        update(old, Ratings.from_arrays([1, 2], [1, 1], [3, 3]))


def test_a_number_of_epochs_that_makes_no_sense(old, grown):
    with pytest.raises(FunkSVDError, match="n_epochs must be a whole number of at least 1, not 0"):
        update(old, grown[0], n_epochs=0)


@pytest.mark.parametrize("algorithm", ["bayes", "bayes++", "incremental"])
def test_what_cannot_go_on_says_so(grown, algorithm):
    ratings, _ = grown
    old = FunkSVD(algorithm=algorithm, n_factors=2, n_epochs=2).fit(ratings)
    with pytest.raises(FunkSVDError, match=re.escape(algorithm) + "' cannot be trained further"):
        update(old, ratings)


SVDPP = {"algorithm": "svd++", "n_factors": 4, "n_epochs": 10}


@pytest.fixture(scope="module")
def pairs(grown):
    """Pairs that nobody has rated, of users and items who have old ratings elsewhere."""
    ratings, is_new = grown
    old = ratings.subset(~is_new)
    random = np.random.default_rng(3)
    chosen = (random.choice(np.unique(each), 1000) for each in (old.user_index, old.item_index))
    rated = set(zip(ratings.user_index.tolist(), ratings.item_index.tolist(), strict=True))
    unrated = sorted(set(zip(*map(np.ndarray.tolist, chosen), strict=True)) - rated)
    users, items = np.array(unrated).T
    return Interactions.from_arrays(ratings.user_ids[users], ratings.item_ids[items])


@pytest.fixture(scope="module")
def old_with_pairs(grown, pairs):
    ratings, is_new = grown
    return FunkSVD(**SVDPP).fit(ratings.subset(~is_new), interactions=pairs)


class TestInteractions:
    """Pairs without a rating that a model has learned from must not be forgotten unnoticed."""

    def test_a_model_that_learned_from_some_refuses_to_go_on_without(
        self, old_with_pairs, grown, pairs
    ):
        assert 300 < len(pairs) == old_with_pairs.training.n_unrated
        message = (
            f"has also learned from {len(pairs)} pairs without a rating, and would forget them: "
            "give them again with interactions="
        )
        with pytest.raises(FunkSVDError, match=re.escape(message)):
            update(old_with_pairs, grown[0])

    def test_so_does_one_that_was_loaded(self, old_with_pairs, grown, tmp_path):
        old_with_pairs.save(tmp_path / "m")
        with pytest.raises(FunkSVDError, match="would forget them"):
            update(FunkSVD.load(tmp_path / "m"), grown[0])

    def test_given_again_they_are_kept(self, old_with_pairs, grown, pairs):
        new = update(old_with_pairs, grown[0], interactions=pairs)
        assert new.training.n_unrated == len(pairs)
        with pytest.raises(FunkSVDError, match="would forget them"):  # the next time too
            update(new, grown[0])
        fewer = update(
            old_with_pairs, grown[0], interactions=pairs.subset(np.arange(len(pairs)) % 2 > 0)
        )
        assert fewer.training.n_unrated == len(pairs) // 2
        assert not np.array_equal(new.implicit_factors, fewer.implicit_factors)
        assert not np.array_equal(new.user_factors, fewer.user_factors)

    def test_a_model_without_can_be_given_some(self, grown, pairs):
        ratings, is_new = grown
        old = FunkSVD(**SVDPP).fit(ratings.subset(~is_new))
        without, new = update(old, ratings), update(old, ratings, interactions=pairs)
        assert (without.training.n_unrated, new.training.n_unrated) == (0, len(pairs))
        assert not np.array_equal(new.user_factors, without.user_factors)

    def test_pairs_that_are_rated_by_now_and_ids_without_a_rating_are_passed_over(
        self, old_with_pairs, grown, pairs
    ):
        ratings, _ = grown
        ids = ratings.user_ids[ratings.user_index[:50]], ratings.item_ids[ratings.item_index[:50]]
        known = pairs.user_ids[pairs.user_index], pairs.item_ids[pairs.item_index]
        more = [np.concatenate([*both, [8888]]) for both in zip(known, ids, strict=True)]
        comp = update(old_with_pairs, ratings, interactions=np.column_stack(more))
        ref = update(old_with_pairs, ratings, interactions=pairs)
        assert comp.training.n_unrated == len(pairs)
        np.testing.assert_array_equal(comp.user_factors, ref.user_factors)

    def test_an_algorithm_that_has_no_use_for_them(self, grown, pairs):
        ratings, is_new = grown
        old = FunkSVD(n_factors=2, n_epochs=2).fit(ratings.subset(~is_new))
        with pytest.raises(FunkSVDError, match='algorithm="sgd" has no use'):
            update(old, ratings, interactions=pairs)


def test_an_update_that_diverges_gives_advice_that_can_be_followed(old, grown, monkeypatch):
    monkeypatch.setattr("funksvd.updating.RATE_SHARE", 1e12)
    with pytest.raises(DivergenceError, match="Leave ratings out that are on another") as caught:
        update(old, grown[0])
    assert "learning_rate" not in str(caught.value)


def test_an_interrupt_leaves_nothing_half_done(old, grown):
    class Interrupting(Monitor):
        def epoch_done(self, record, is_best):
            if record.epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update(old, grown[0], monitor=Interrupting())


def test_the_monitor_is_told(old, grown):
    told = []

    class Listening(Monitor):
        def fit_started(self, *arguments):
            told.append(arguments)

        def epoch_done(self, record, is_best):
            told.append(record.epoch)

    update(old, grown[0], monitor=Listening(), n_epochs=2)
    n = len(grown[0])
    assert told == [("update", n, 0, 2), 1, 2, ("choice", n, 0, 2), 1, 2]


def test_a_logistic_model_goes_on_where_nobody_is_new(planted):
    ratings = planted(40, 30, 2, 600, 0.3)
    liked = replace(ratings, values=(ratings.values > 3).astype(np.float32))
    model = FunkSVD(loss="logistic", n_factors=3, n_epochs=4).fit(liked)
    comp = update(model, liked).predict_index(liked.user_index, liked.item_index)
    assert ((comp > 0) & (comp < 1)).all()
    others = Ratings.from_arrays([liked.user_ids[0], -7], [liked.item_ids[0]] * 2, [1, 0])
    with pytest.raises(FunkSVDError, match="no closed form for new users"):
        update(model, liked.joined_with(others))
