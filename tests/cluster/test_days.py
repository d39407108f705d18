"""Biases of users on days are those that one process finds, to the last bit."""

import numpy as np
import pytest
from cluster.made import InMemory, of_moods

from funksvd.cluster.days import take_out_days
from funksvd.cluster.gang import LocalGang
from funksvd.ratings import ReadOptions
from funksvd.training.days import without_days
from funksvd.training.executors import Threads
from funksvd.training.plan import VALUE

WANTED = {"test_fraction": 0.1, "validation_fraction": 0.1, "seed": 1}


@pytest.mark.parametrize("n_workers", [1, 2, 5])
@pytest.mark.parametrize("purpose", ["search", "refit"])
def test_days_are_those_of_the_plan_in_memory(shards, tmp_path, n_workers, purpose):
    path = tmp_path / "r.csv"
    of_moods(path, 2)
    ratings, workers = shards([path], n_workers, n_groups=4, **WANTED)
    plan = InMemory.of([path], ReadOptions(), WANTED, 4).plan
    if purpose == "refit":
        plan = plan.with_all_learned()
    with Threads(2) as executor:
        ref_plan, ref = without_days(plan, executor)
    gang = LocalGang(n_workers, lambda at, _: workers[at])
    rows = [ratings.user_rows, ratings.item_rows]
    if purpose == "refit":
        rows = [each.with_all_learned() for each in rows]
    for _ in range(2):  # it can be done again
        comp = take_out_days(gang, purpose, *rows)
        for one, other in zip(comp, ref, strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        values = np.concatenate([worker.part(purpose).columns[VALUE] for worker in workers])
        np.testing.assert_array_equal(values, ref_plan.values)
    assert not np.array_equal(values, plan.values)
    other = {"search": "refit", "refit": "search"}[purpose]
    untouched = np.concatenate([worker.part(other).values for worker in workers])
    np.testing.assert_array_equal(np.sort(untouched), np.sort(plan.values))


def test_days_that_say_nothing_are_left(shards, tmp_path):
    path = tmp_path / "r.csv"
    of_moods(path, 0)
    ratings, workers = shards([path], 2, n_groups=4, **WANTED)
    before = [worker.part("search").values.copy() for worker in workers]
    gang = LocalGang(2, lambda at, _: workers[at])
    assert take_out_days(gang, "search", ratings.user_rows, ratings.item_rows) is None
    for worker, values in zip(workers, before, strict=True):
        np.testing.assert_array_equal(worker.part("search").values, values)
