"""Predictions and lists by workers: those of the model itself."""

import numpy as np
import pytest

from funksvd import FunkSVD, Ratings
from funksvd.cluster import answering
from funksvd.cluster.answering import Answering, GangModel
from funksvd.cluster.gang import LocalGang


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(answering, "PAIRS_AT_ONCE", 100)
    monkeypatch.setattr(answering, "USERS_AT_ONCE", 7)


@pytest.fixture
def ratings(planted):
    found = planted(60, 50, 2, 1500, 0.3)
    times = np.arange(1500) * 10_000
    users, items = found.user_ids[found.user_index], found.item_ids[found.item_index]
    return Ratings.from_arrays(users, items, found.values, timestamps=times)


@pytest.mark.parametrize("n_workers", [1, 3])
def test_workers_answer_as_the_model(ratings, n_workers):
    model = FunkSVD(n_factors=4, n_epochs=5).fit(ratings)
    threads = model.thread_count()
    comp = GangModel.of_model(model, LocalGang(n_workers, Answering), n_threads=1)
    pairs = (ratings.user_index, ratings.item_index, ratings.timestamps)
    np.testing.assert_array_equal(comp.predict_index(*pairs), model.predict_index(*pairs))
    assert comp.predict("nobody", ratings.item_ids[0]) == model.predict(
        "nobody", ratings.item_ids[0]
    )
    for chosen in ({}, {"by": "rating", "among": ratings.item_ids[:20], "min_ratings": 5}):
        tables = [list(each.recommend_all(n=3, **chosen)) for each in (comp, model)]
        for name in tables[1][0]:
            comp_column, ref = (np.concatenate([t[name] for t in each]) for each in tables)
            np.testing.assert_array_equal(comp_column, ref)
    assert comp.evaluate(ratings).rmse == model.evaluate(ratings).rmse
    assert model.thread_count() == threads


def test_deviations_are_by_workers_too(ratings):
    model = FunkSVD(algorithm="bayes", n_epochs=20, choice=False).fit(ratings)
    comp = GangModel.of_model(model, LocalGang(2, Answering))
    pairs = (ratings.user_index, ratings.item_index)
    np.testing.assert_array_equal(comp.predict_std_index(*pairs), model.predict_std_index(*pairs))
