"""`FunkSVD.because`: which of a user's items speak for others in a list."""

import numpy as np
import pytest

from funksvd import FunkSVD, FunkSVDError, Interactions, Ratings, UnknownIdError


def ratings_of(values, n=900, seed=0):
    random = np.random.default_rng(seed)
    users, items = random.integers(0, 50, n), random.integers(0, 30, n)
    taste = (users % 2 == items % 2).astype(int)
    given = np.asarray(values)[np.clip(taste * 2 + random.integers(0, 2, n), 0, len(values) - 1)]
    return Ratings.from_arrays(users, items, given, duplicates="first")


@pytest.fixture(scope="module")
def ratings():
    return ratings_of([0.5, 2.5, 3.0, 4.5, 5.0])


@pytest.fixture(scope="module")
def model(ratings):
    return FunkSVD(n_factors=4, n_epochs=8, validation_fraction=0).fit(ratings)


def of_user(data, user):
    mine = data.user_ids[data.user_index] == user
    order = np.argsort(data.item_ids[data.item_index[mine]])
    return data.item_ids[data.item_index[mine]][order], mine, order


@pytest.mark.parametrize("by", ["both", "choice", "rating"])
def test_a_user_of_the_model_is_as_somebody_new_with_their_ratings(model, ratings, by):
    items, mine, order = of_user(ratings, 3)
    values = ratings.values[mine][order]
    comp = model.because([0, 7, 29], by=by, user=3)
    np.testing.assert_array_equal(comp.rated, items)
    np.testing.assert_array_equal(comp.ratings, values)
    ref = model.because([0, 7, 29], by=by, item_ids=items, ratings=values)
    assert comp.by == by
    np.testing.assert_array_equal(comp.contributions, ref.contributions)


def test_the_best_ranking_is_explained_by_default(model):
    comp, ref = (model.because([0, 7], by=by, user=3) for by in (None, "both"))
    assert comp.by == "both"
    np.testing.assert_array_equal(comp.contributions, ref.contributions)


def test_parts_of_a_choice_add_up_to_more_than_that_of_the_mean_item(model, ratings):
    items, mine, order = of_user(ratings, 3)
    values = ratings.values[mine][order]
    everything = model.explain_choices(items, values, model.item_ids)[1].sum(axis=1)
    comp = model.because(model.item_ids, by="choice", user=3).contributions.sum(axis=1)
    np.testing.assert_allclose(comp, everything - everything.mean(), atol=1e-6)


def test_ratings_without_steps_are_remembered_roughly():
    data = ratings_of(np.random.default_rng(1).uniform(-10, 10, 5000), n=900)
    random = np.random.default_rng(2)
    data = Ratings.from_arrays(
        data.user_index, data.item_index, random.uniform(-10, 10, len(data)).astype(np.float32)
    )
    model = FunkSVD(n_factors=2, n_epochs=2, validation_fraction=0).fit(data)
    _, mine, order = of_user(data, 3)
    comp = model.because([0], user=3).ratings
    np.testing.assert_allclose(comp, data.values[mine][order], atol=20 / 255 / 2 + 1e-5)


@pytest.mark.parametrize("counts", [None, "plays"])
def test_clicks(counts):
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(60), 8)
    items = random.integers(0, 10, len(users)) * 2 + users % 2
    weights = None if counts is None else random.integers(1, 500, len(users))
    clicks = Interactions.from_arrays(users, items, weights=weights)
    model = FunkSVD(algorithm="ials", n_factors=4).fit(clicks)
    rated, mine, order = of_user(clicks, 3)
    comp = model.because([0, 1, 2], user=3)
    assert (comp.by, comp.ratings) == ("choice", None)
    np.testing.assert_array_equal(comp.rated, rated)
    times = None if counts is None else clicks.weights[mine][order]
    ref = model.because([0, 1, 2], item_ids=rated, ratings=times).contributions
    np.testing.assert_array_equal(comp.contributions, ref)


def test_what_makes_no_sense(model, ratings):
    for given in ({}, {"user": 3, "item_ids": [1]}):
        with pytest.raises(FunkSVDError, match="give either user= or item_ids="):
            model.because([0], **given)
    with pytest.raises(FunkSVDError, match="lists by both are explained by ratings: give ratings="):
        model.because([0], item_ids=[1, 2])
    with pytest.raises(UnknownIdError, match="does not know user 99"):
        model.because([0], user=99)
    with pytest.raises(UnknownIdError, match="does not know item 99"):
        model.because([99], user=3)
    with pytest.raises(FunkSVDError, match=r"must be one of both, choice, rating, not .luck."):
        model.because([0], user=3, by="luck")
    only = FunkSVD(n_factors=2, n_epochs=2, validation_fraction=0, choice=False).fit(ratings)
    with pytest.raises(FunkSVDError, match="lists items by rating, not by both"):
        only.because([0], user=3, by="both")
    assert only.because([0], user=3).ratings is not None
    with pytest.raises(FunkSVDError, match="does not remember the ratings of its users"):
        model.for_new_users(ratings).because([0], user=3)


def test_a_model_that_has_forgotten_its_pairs(model, tmp_path):
    model.save(tmp_path / "model.funksvd", with_seen=False)
    with pytest.raises(FunkSVDError, match="saved without the pairs it has seen"):
        FunkSVD.load(tmp_path / "model.funksvd").because([0], user=3)
