"""Prediction and choice of the best, against the naive reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from funksvd.kernels import (
    GROUP_USERS,
    TILE_ITEMS,
    exclude_items,
    pack_items,
    predict_block,
    rank_each_item,
    rank_items,
)


@pytest.mark.parametrize("n_factors", [0, 1, 3, 15, 16, 17, 33, 64])
def test_predictions_equal_the_naive_ones(n_factors):
    generator = np.random.default_rng(0)
    biases = [generator.normal(0, 1, s).astype(np.float32) for s in (3, 2)]
    p, q = (generator.normal(0, 1, (n, n_factors)).astype(np.float32) for n in (3, 2))
    users = np.array([0, 1, 2, 2], dtype=np.int32)
    items = np.array([1, 0, 0, 1], dtype=np.int32)
    comp = np.empty(4, dtype=np.float32)
    predict_block(users, items, (np.float32(2.5), *biases, p, q), comp)
    ref = [
        naive.predict(2.5, biases[0][u], biases[1][i], p[u].tolist(), q[i].tolist())
        for u, i in zip(users, items, strict=True)
    ]
    np.testing.assert_allclose(comp, ref, rtol=1e-5, atol=1e-5)


def test_unknown_ids_are_predicted_from_what_is_known():
    users = np.array([0, -1, 0, -1], dtype=np.int32)
    items = np.array([0, 0, -1, -1], dtype=np.int32)
    biases = np.array([0.5], dtype=np.float32), np.array([0.25], dtype=np.float32)
    factors = np.ones((1, 2), dtype=np.float32)
    comp = np.empty(4, dtype=np.float32)
    predict_block(users, items, (np.float32(3), *biases, factors, factors), comp)
    np.testing.assert_array_equal(comp, [3 + 0.5 + 0.25 + 2, 3.25, 3.5, 3])


def model_of(scores):
    """Parameters that predict exactly these scores: p_u is the u-th unit vector."""
    n_users, n_items = scores.shape
    zeros = np.zeros(n_users, np.float32), np.zeros(n_items, np.float32)
    return np.float32(0), *zeros, np.eye(n_users, dtype=np.float32), scores.T.copy()


def ranked(parameters, users, n_best, excluded, order=None, tolerance=0.0, norms=()):
    """By `rank_each_item`; or, with an order of the items, by `rank_items`."""
    n_items, n_factors = parameters[4].shape
    items = np.empty((len(users), n_best), dtype=np.int32)
    predictions = np.empty((len(users), n_best), dtype=np.float32)
    tolerances = np.full(len(users), tolerance, dtype=np.float32)
    if order is None:
        norms = np.array(norms, dtype=np.float32)
        rank_each_item(norms, users, excluded, parameters, items, predictions)
        return items, predictions
    panels = np.empty((-(-n_items // TILE_ITEMS), n_factors + 1, TILE_ITEMS), dtype=np.float32)
    order = np.asarray(order, dtype=np.int32)
    pack_items(order, parameters[2], parameters[4], panels)
    rank_items(users, tolerances, excluded, order, panels, parameters, items, predictions)
    return items, predictions


def marks_of(listed, n_items):
    """What `exclude_items` makes of a list of items for each user."""
    excluded = np.zeros((len(listed), n_items // 8 + 1), dtype=np.uint8)
    indptr = np.cumsum([0, *map(len, listed)], dtype=np.int64)
    items = np.array([i for mine in listed for i in sorted(mine)], dtype=np.int32)
    exclude_items(excluded, np.arange(len(listed), dtype=np.int32), indptr, items)
    return excluded


scores_of_rows = st.integers(1, 70).flatmap(
    lambda width: st.lists(
        # few different values, so that there are ties
        st.lists(st.sampled_from([-1.5, 0.0, 0.5, 2.0]), min_size=width, max_size=width),
        min_size=1,
        max_size=14,
    )
)


@settings(deadline=None)  # the first call may compile
@given(scores_of_rows, st.integers(1, 12), st.data())
def test_the_best_are_those_of_a_stable_sort(rows, n_best, data):
    scores = np.array(rows, dtype=np.float32)
    n_users, n_items = scores.shape
    listed = [data.draw(st.sets(st.integers(0, n_items - 1), max_size=5)) for _ in range(n_users)]
    excluded = marks_of(listed, n_items)
    users = np.arange(n_users, dtype=np.int32)
    for order in (None, np.arange(n_items), data.draw(st.permutations(range(n_items)))):
        items, predictions = ranked(model_of(scores), users, n_best, excluded, order)
        for u in range(n_users):
            ref = naive.best_items(rows[u], n_best, listed[u])
            rest = n_best - len(ref)
            assert items[u].tolist() == ref + [-1] * rest
            assert predictions[u].tolist() == [rows[u][i] for i in ref] + [-np.inf] * rest


@pytest.mark.parametrize("n_best", [1, 2, 7, 100, 999, 1000])
@pytest.mark.parametrize("n_users", [1, 12, 13, GROUP_USERS, GROUP_USERS + 1])
def test_long_rows_and_long_lists(n_users, n_best):
    scores = np.random.default_rng(0).normal(size=(n_users, 1000)).astype(np.float32)
    users = np.arange(n_users, dtype=np.int32)[::-1].copy()
    excluded = marks_of([()] * n_users, 1000)
    items, predictions = ranked(model_of(scores), users, n_best, excluded, range(1000))
    ref = np.argsort(-scores[users], axis=1, kind="stable")[:, :n_best]
    np.testing.assert_array_equal(items, ref)
    np.testing.assert_array_equal(predictions, np.take_along_axis(scores[users], ref, axis=1))


def test_rough_scores_do_no_harm_as_long_as_the_tolerance_says_so():
    """Scores come from other factors than predictions; the tolerance bounds the difference."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(3, 500)).astype(np.float32)
    parameters = model_of(scores)
    users = np.arange(3, dtype=np.int32)
    excluded = marks_of([()] * 3, 500)
    order = np.arange(500, dtype=np.int32)
    panels = np.empty((-(-500 // TILE_ITEMS), 4, TILE_ITEMS), dtype=np.float32)
    noise = random.uniform(-0.4, 0.4, parameters[4].shape).astype(np.float32)
    pack_items(order, parameters[2], parameters[4] + noise, panels)
    found = {}
    for tolerance in (0.0, 0.5):
        items, predictions = np.empty((3, 20), np.int32), np.empty((3, 20), np.float32)
        tolerances = np.full(3, tolerance, np.float32)
        rank_items(users, tolerances, excluded, order, panels, parameters, items, predictions)
        found[tolerance] = items
    ref = np.argsort(-scores, axis=1, kind="stable")[:, :20]
    np.testing.assert_array_equal(found[0.5], ref)
    assert (found[0.0] != ref).any()


def test_items_too_short_to_be_among_the_best_are_not_looked_at():
    scores = np.array([[1.0, 3.0, 2.0, 5.0, 4.0]], dtype=np.float32)
    users, excluded = np.zeros(1, dtype=np.int32), marks_of([()], 5)
    items, _ = ranked(model_of(scores), users, 2, excluded, norms=scores[0])
    assert items.tolist() == [[3, 4]]
    items, _ = ranked(model_of(scores), users, 2, excluded, norms=[1, 3, 2, 0.5, 4])  # not true
    assert items.tolist() == [[4, 1]]


@pytest.mark.parametrize("order", [None, range(4)], ids=["each", "tiles"])
def test_nan_is_never_best_and_items_out_of_range_do_no_harm(order):
    scores = np.array([[np.nan, 1.0, np.nan, 3.0]], dtype=np.float32)
    excluded = marks_of([(-7, 3, 99)], 4)
    items, _ = ranked(model_of(scores), np.zeros(1, np.int32), 2, excluded, order)
    assert items.tolist() == [[1, -1]]


RANK = """
import sys
import numpy as np
from funksvd.objectives.parameters import Parameters
from funksvd.learned.scoring import best_items
generator = np.random.default_rng(0)
shapes = ((40,), (333,), (40, 37), (333, 37))
arrays = [generator.normal(0, 0.3, shape).astype(np.float32) for shape in shapes]
for best in best_items(Parameters(3.6, *arrays), np.arange(40, dtype=np.int32), 12):
    sys.stdout.buffer.write(best.items.tobytes() + best.predictions.tobytes())
"""


def test_the_same_bits_on_every_processor(written_on_each_processor):
    written = written_on_each_processor(RANK)
    assert len(written[0]) == 40 * 12 * 8
    assert written[0] == written[1] == written[2]
