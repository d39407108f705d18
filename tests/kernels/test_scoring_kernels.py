"""Prediction and choice of the best, against the naive reference."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from funksvd.kernels import exclude_items, predict_block, top_items


@pytest.mark.parametrize("n_factors", [0, 1, 3, 4, 7, 33])
def test_predictions_equal_the_naive_ones(n_factors):
    generator = np.random.default_rng(0)
    arrays = [generator.normal(0, 1, s).astype(np.float32) for s in (3, 2)]
    p, q = (generator.normal(0, 1, (n, n_factors)).astype(np.float32) for n in (3, 2))
    users = np.array([0, 1, 2, 2], dtype=np.int32)
    items = np.array([1, 0, 0, 1], dtype=np.int32)
    comp = np.empty(4, dtype=np.float32)
    predict_block(users, items, np.float32(2.5), *arrays, p, q, comp)
    ref = [
        naive.predict(2.5, arrays[0][u], arrays[1][i], p[u].tolist(), q[i].tolist())
        for u, i in zip(users, items, strict=True)
    ]
    np.testing.assert_allclose(comp, ref, rtol=1e-5, atol=1e-6)


def test_unknown_ids_are_predicted_from_what_is_known():
    users = np.array([0, -1, 0, -1], dtype=np.int32)
    items = np.array([0, 0, -1, -1], dtype=np.int32)
    biases = np.array([0.5], dtype=np.float32), np.array([0.25], dtype=np.float32)
    factors = np.ones((1, 2), dtype=np.float32)
    comp = np.empty(4, dtype=np.float32)
    predict_block(users, items, np.float32(3), *biases, factors, factors, comp)
    np.testing.assert_array_equal(comp, [3 + 0.5 + 0.25 + 2, 3.25, 3.5, 3])


scores_of_rows = st.integers(1, 12).flatmap(
    lambda width: st.lists(
        # few different values, so that there are ties
        st.lists(st.sampled_from([-1.5, 0.0, 0.5, 2.0]), min_size=width, max_size=width),
        min_size=1,
        max_size=4,
    )
)


def call_top_items(scores, n_best, noise=0.0, seed=0):
    """`top_items` on a model that predicts exactly these scores: p_u is the u-th unit vector."""
    n_users, n_items = scores.shape
    zeros = np.zeros(n_users, np.float32), np.zeros(n_items, np.float32)
    factors = np.eye(n_users, dtype=np.float32), np.nan_to_num(scores).T.copy()
    rough = scores + np.random.default_rng(seed).uniform(-noise, noise, scores.shape)
    items = np.empty((n_users, n_best), dtype=np.int32)
    predictions = np.empty((n_users, n_best), dtype=np.float32)
    users = np.arange(n_users, dtype=np.int32)
    tolerances = np.full(n_users, 2 * noise, np.float32)
    rough = rough.astype(np.float32)
    top_items(rough, users, tolerances, np.float32(0), *zeros, *factors, items, predictions)
    return items, predictions


@given(scores_of_rows, st.integers(1, 12), st.sampled_from([0.0, 0.4, 3.0]), st.data())
def test_the_best_are_those_of_a_stable_sort(rows, n_best, noise, data):
    """However rough the scores are, as long as the tolerance says so."""
    scores = np.array(rows, dtype=np.float32)
    n_users, n_items = scores.shape
    excluded = [data.draw(st.sets(st.integers(0, n_items - 1))) for _ in range(n_users)]
    indptr = np.cumsum([0, *map(len, excluded)], dtype=np.int64)
    listed = np.array([i for items in excluded for i in sorted(items)], dtype=np.int32)
    exclude_items(scores, np.arange(n_users, dtype=np.int32), indptr, listed)
    comp_items, comp_predictions = call_top_items(scores, n_best, noise)
    for u in range(n_users):
        ref = naive.best_items(rows[u], n_best, excluded[u])
        rest = n_best - len(ref)
        assert comp_items[u].tolist() == ref + [-1] * rest
        assert comp_predictions[u].tolist() == [rows[u][i] for i in ref] + [-np.inf] * rest


@pytest.mark.parametrize("n_best", [1, 2, 7, 100, 999, 1000])
def test_long_rows_and_long_lists(n_best):
    scores = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    comp, _ = call_top_items(scores, n_best, noise=0.01)
    np.testing.assert_array_equal(comp, np.argsort(-scores, axis=1, kind="stable")[:, :n_best])


def test_nan_is_never_best_and_items_out_of_range_do_no_harm():
    scores = np.array([[np.nan, 1.0, np.nan, 3.0]], dtype=np.float32)
    listed = np.array([-7, 3, 99], dtype=np.int32)
    exclude_items(scores, np.zeros(1, np.int32), np.array([0, 3]), listed)
    items, _ = call_top_items(scores, 2)
    assert items.tolist() == [[1, -1]]
