"""The compiled step against the naive one, and against the objective's gradient."""

import numpy as np
import pytest

import naive
from funksvd import objective
from funksvd.kernels import sgd_block
from funksvd.objective import Parameters, Regularization

N_USERS, N_ITEMS = 5, 4
USERS = np.array([0, 1, 0, 4, 0, 2, 2, 3], dtype=np.int32)  # users and items repeat
ITEMS = np.array([0, 0, 1, 3, 3, 2, 0, 3], dtype=np.int32)
RATES = tuple(np.float32(x) for x in (0.05, 0.03, 0.07, 0.02))


def parameters(n_factors, seed=1):
    generator = np.random.default_rng(seed)
    shapes = ((N_USERS,), (N_ITEMS,), (N_USERS, n_factors), (N_ITEMS, n_factors))
    return Parameters(3.5, *(generator.normal(0, 0.5, s).astype(np.float32) for s in shapes))


def values(seed=2):
    return np.random.default_rng(seed).uniform(1, 5, len(USERS)).astype(np.float32)


@pytest.mark.parametrize("n_factors", [1, 2, 3, 4, 5, 7, 8, 16, 31, 33, 64, 100])
def test_a_pass_equals_the_naive_one(n_factors):
    comp = parameters(n_factors)
    ref = [array.astype(float).tolist() for array in comp[1:]]
    ratings = list(zip(USERS.tolist(), ITEMS.tolist(), values().astype(float), strict=True))
    ref_error = naive.sgd_pass(3.5, *ref, ratings, *map(float, RATES))
    comp_error = sgd_block(USERS, ITEMS, values(), np.float32(3.5), *comp[1:], RATES)
    assert comp_error == pytest.approx(ref_error, rel=1e-5)
    for comp_array, ref_array in zip(comp[1:], ref, strict=True):
        np.testing.assert_allclose(comp_array, np.array(ref_array), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("n_factors", [1, 7, 33, 64])
def test_one_step_at_rate_one_is_the_negative_gradient_of_one_term(n_factors):
    old = parameters(n_factors)
    new = Parameters(old.global_mean, *(array.copy() for array in old[1:]))
    one = np.float32(1)
    rates = (one, one, np.float32(0.07), np.float32(0.02))
    sgd_block(USERS[:1], ITEMS[:1], values()[:1], np.float32(3.5), *new[1:], rates)
    exact = Parameters(3.5, *(array.astype(np.float64) for array in old[1:]))
    gradient = objective.gradients(
        exact, USERS[:1], ITEMS[:1], values()[:1].astype(float), Regularization(0.07, 0.02)
    )
    for name in Parameters._fields[1:]:
        step = getattr(new, name).astype(float) - getattr(old, name)
        np.testing.assert_allclose(step, -getattr(gradient, name), rtol=1e-4, atol=1e-5)


def test_rows_without_a_rating_are_not_touched():
    new, old = parameters(6), parameters(6)
    sgd_block(USERS[:1], ITEMS[:1], values()[:1], np.float32(3.5), *new[1:], RATES)
    np.testing.assert_array_equal(new.user_factors[1:], old.user_factors[1:])
    np.testing.assert_array_equal(new.item_biases[1:], old.item_biases[1:])
    assert (new.user_factors[0] != old.user_factors[0]).all()


def test_divergence_stays_visible():
    big = tuple(np.float32(x) for x in (1e3, 1e3, 0, 0))
    diverging = parameters(8)
    with np.errstate(all="ignore"):
        errors = [
            sgd_block(USERS, ITEMS, values(), np.float32(3.5), *diverging[1:], big)
            for _ in range(20)
        ]
    assert not np.isfinite(errors[-1])
