"""The compiled step of one feature against the naive one, and against the gradient."""

import numpy as np
import pytest

import naive
from funksvd.kernels import feature_block, squared_error_of_feature, subtract_feature
from funksvd.objectives import plain as objective
from funksvd.objectives.incremental import residuals_without
from funksvd.objectives.parameters import Parameters, Regularization

N_USERS, N_ITEMS = 5, 4
USERS = np.array([0, 1, 0, 4, 0, 2, 2, 3])  # users and items repeat
ITEMS = np.array([0, 0, 1, 3, 3, 2, 0, 3])
RATES = (
    *(np.float32(x) for x in (0.05, 0.03, 0.07, 0.02)),
    np.linspace(0.5, 3, N_USERS, dtype=np.float32),
    np.linspace(4, 0.2, N_ITEMS, dtype=np.float32),
)


def numbers(n, seed):
    return np.random.default_rng(seed).normal(0, 0.7, n).astype(np.float32)


def rows():
    """Biases and a feature."""
    return [numbers(n, seed) for seed, n in enumerate((N_USERS, N_ITEMS, N_USERS, N_ITEMS))]


@pytest.fixture(params=[np.uint16, np.uint32, np.int32])
def index(request):
    return USERS.astype(request.param), ITEMS.astype(request.param)


def test_a_pass_equals_the_naive_one(index):
    residuals, comp = numbers(8, 9), rows()
    ref = [array.astype(float).tolist() for array in comp]
    ratings = zip(USERS.tolist(), ITEMS.tolist(), residuals.astype(float), strict=True)
    ref_error = naive.feature_pass(*ref, ratings, [array.tolist() for array in RATES])
    comp_error = feature_block(*index, residuals, *comp, RATES)
    assert comp_error == pytest.approx(ref_error, rel=1e-6)
    for comp_array, ref_array in zip(comp, ref, strict=True):
        np.testing.assert_allclose(comp_array, ref_array, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("feature", [0, 2])
def test_one_step_at_rate_one_is_the_gradients_column(feature, index):
    generator = np.random.default_rng(3)
    factors = (generator.normal(0, 0.5, (n, 3)) for n in (N_USERS, N_ITEMS))
    biases = (generator.normal(0, 0.5, n) for n in (N_USERS, N_ITEMS))
    point = Parameters(3.5, *biases, *factors)
    ratings = (USERS[:1], ITEMS[:1], np.array([4.0]))
    gradient = objective.gradients(point, *ratings, Regularization(0.07, 0.02))
    ref = [*gradient[1:3], gradient.user_factors[:, feature], gradient.item_factors[:, feature]]
    start = [*point[1:3], point.user_factors[:, feature], point.item_factors[:, feature]]
    comp = [array.astype(np.float32) for array in start]
    weights = (np.ones(n, np.float32) for n in (N_USERS, N_ITEMS))
    residuals = residuals_without(point, feature, *ratings).astype(np.float32)
    rates = (*(np.float32(x) for x in (1, 1, 0.07, 0.02)), *weights)
    feature_block(index[0][:1], index[1][:1], residuals, *comp, rates)
    for new, old, slope in zip(comp, start, ref, strict=True):
        np.testing.assert_allclose(new - old, -slope, rtol=1e-4, atol=1e-6)


def test_biases_at_rate_zero_stay_to_the_bit(index):
    comp, old = rows(), rows()
    feature_block(*index, numbers(8, 9), *comp, (RATES[0], np.float32(0), *RATES[2:]))
    np.testing.assert_array_equal(comp[0], old[0])
    np.testing.assert_array_equal(comp[1], old[1])
    assert (comp[2] != old[2]).all()


def test_a_feature_of_zeros_stays_zero_while_biases_are_learned(index):
    user_biases, item_biases, *feature = rows()
    for array in feature:
        array[:] = 0
    feature_block(*index, numbers(8, 9), user_biases, item_biases, *feature, RATES)
    assert not np.concatenate(feature).any()
    assert (user_biases != rows()[0]).all()


def test_divergence_stays_visible(index):
    rates = (np.float32(50), np.float32(30), *RATES[2:])
    diverging = rows()
    with np.errstate(all="ignore"):
        errors = [feature_block(*index, numbers(8, 9), *diverging, rates) for _ in range(30)]
    assert not np.isfinite(errors[-1])


def test_errors_are_those_of_predictions_within_the_limits(index):
    values, finished = numbers(8, 5) + np.float32(3), numbers(8, 6)
    biases_and_feature = rows()
    b_u, b_i, p, q = (array.astype(float) for array in biases_and_feature)
    predictions = finished + b_u[USERS] + b_i[ITEMS] + p[USERS] * q[ITEMS]
    low, high = np.quantile(predictions, [0.3, 0.7])
    ref = sum((values - np.clip(predictions, low, high)) ** 2)
    limits = (np.float32(low), np.float32(high))
    comp = squared_error_of_feature(*index, values - finished, *biases_and_feature, values, limits)
    assert comp == pytest.approx(ref, rel=1e-5)


def test_a_finished_feature_is_subtracted(index):
    comp, (_, _, p, q) = numbers(8, 7), rows()
    subtract_feature(*index, comp, p, q)
    np.testing.assert_allclose(comp, numbers(8, 7) - p[USERS] * q[ITEMS], rtol=1e-6, atol=1e-7)
