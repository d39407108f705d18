"""Best items and lists of pairs, in indices, against a brute-force reference."""

import numpy as np
import pytest

from funksvd.learned.scoring import best_items, predict_pairs
from funksvd.objectives.parameters import Parameters


@pytest.fixture(scope="module")
def parameters():
    """Many items, a third of them equal to another, and predictions close to each other."""
    generator = np.random.default_rng(0)
    n_users, n_items, n_factors = 300, 2407, 67
    twins = np.where(generator.random(n_items) < 0.3, 0, np.arange(n_items))
    shapes = ((n_users,), (n_items,), (n_users, n_factors), (n_items, n_factors))
    arrays = [generator.normal(0, 0.1, shape).astype(np.float32) for shape in shapes]
    arrays[1] = np.round(arrays[1][twins], 1)
    arrays[3] = np.round(arrays[3][twins], 1)
    return Parameters(3.5, *arrays)


@pytest.mark.parametrize(
    ("n_marked", "n_in_batch", "few", "n_threads"),
    [(1, 96, 0, 1), (96, 192, 0, 3), (192, 10_000, 0, 2), (10_000, 1, 0, 3), (96, 100, 300, 3)],
)
@pytest.mark.parametrize("limit", ["ROWS_PER_BATCH", "SCORES_PER_BATCH"])
def test_the_best_are_exact_whatever_the_batch_and_the_threads(
    parameters, monkeypatch, limit, n_marked, n_in_batch, few, n_threads
):
    n_users, n_items = 300, 2407
    monkeypatch.setattr("funksvd.learned.scoring.MARKS_AT_ONCE", n_marked * n_items)
    for name, for_each in (("ROWS_PER_BATCH", 900), ("SCORES_PER_BATCH", n_items)):
        at_most = n_in_batch if name == limit else 10**6
        monkeypatch.setattr(f"funksvd.learned.scoring.{name}", at_most * for_each)
    monkeypatch.setattr("funksvd.learned.scoring.FEW_USERS", few)
    users = np.arange(n_users, dtype=np.int32)
    found = list(best_items(parameters, users, 900, n_threads=n_threads))
    assert len(found) == -(-n_users // (max(1, n_in_batch // 96) * 96))
    np.testing.assert_array_equal(np.concatenate([best.users for best in found]), users)
    items = np.concatenate([best.items for best in found])
    predictions = np.concatenate([best.predictions for best in found])
    pairs = np.repeat(users, n_items), np.tile(np.arange(n_items, dtype=np.int32), n_users)
    ref = predict_pairs(parameters, *pairs).reshape(n_users, n_items)
    order = np.argsort(-ref, axis=1, kind="stable")[:, :900]
    np.testing.assert_array_equal(items, order)
    np.testing.assert_array_equal(predictions, np.take_along_axis(ref, order, axis=1))


def test_the_best_are_exact_where_predictions_differ_in_their_last_bits_only():
    random = np.random.default_rng(0)
    n_users, n_items, n_factors = 50, 1000, 67
    p = random.normal(0, 1, (n_users, n_factors)).astype(np.float32)
    q = random.normal(0, 1, n_factors) * (1 + random.uniform(-1e-7, 1e-7, (n_items, n_factors)))
    biases = np.zeros(n_users, np.float32), np.zeros(n_items, np.float32)
    parameters = Parameters(3.5, *biases, p, q.astype(np.float32))
    users = np.arange(n_users, dtype=np.int32)
    (best,) = best_items(parameters, users, 20)
    pairs = np.repeat(users, n_items), np.tile(np.arange(n_items, dtype=np.int32), n_users)
    ref = predict_pairs(parameters, *pairs).reshape(n_users, n_items)
    assert max(len(np.unique(row)) for row in ref) < 100
    np.testing.assert_array_equal(best.items, np.argsort(-ref, axis=1, kind="stable")[:, :20])


def test_lengths_of_factors_change_nothing_even_where_their_bound_is_reached():
    """All factors point the same way, so that p . q = |p| |q| but for rounding."""
    random = np.random.default_rng(0)
    n_users, n_items, n_factors = 12, 3000, 67
    direction = random.normal(0, 1, n_factors)
    lengths = 1 + random.uniform(-1e-7, 1e-7, (n_items, n_factors))
    q = (direction * lengths).astype(np.float32)
    p = (direction * random.uniform(-2, 2, (n_users, 1))).astype(np.float32)
    biases = random.normal(0, 1, n_users).astype(np.float32), np.zeros(n_items, np.float32)
    parameters = Parameters(3.5, *biases, p, q)
    users = np.arange(n_users, dtype=np.int32)
    (ref,) = best_items(parameters, users, 20)
    (comp,) = best_items(parameters, users, 20, item_norms=np.linalg.norm(q, axis=1))
    np.testing.assert_array_equal(comp.items, ref.items)
    np.testing.assert_array_equal(comp.predictions, ref.predictions)


@pytest.mark.parametrize(("n_users", "size"), [(1, 1e-23), (40, 1e-24)], ids=["each", "tiles"])
def test_the_best_are_exact_where_the_squares_of_factors_underflow(n_users, size):
    random = np.random.default_rng(0)
    q = random.normal(0, 1, 67) * (1 + random.uniform(-1e-7, 1e-7, (3000, 67))) * size
    p = random.normal(0, 1, 67) * random.uniform(0.5, 2, (n_users, 1))
    biases = np.zeros(n_users, np.float32), np.zeros(3000, np.float32)
    parameters = Parameters(0.0, *biases, p.astype(np.float32), q.astype(np.float32))
    norms = np.linalg.norm(parameters.item_factors, axis=1)
    users = np.arange(n_users, dtype=np.int32)
    (best,) = best_items(parameters, users, 20, item_norms=norms)
    pairs = np.repeat(users, 3000), np.tile(np.arange(3000, dtype=np.int32), n_users)
    ref = predict_pairs(parameters, *pairs).reshape(n_users, 3000)
    order = np.argsort(-ref, axis=1, kind="stable")[:, :20]
    np.testing.assert_array_equal(best.items, order)
