"""The kernels by which probabilities are found and calibrated, against SciPy and formulas."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_ndtr

import naive
from funksvd.kernels import distinct_values, find_probabilities, fit_probit


def test_probabilities_are_the_formula_of_the_naive_reference():
    predictions = np.linspace(-2, 9, 1001, dtype=np.float32)
    comp = np.empty(1001, np.float32)
    find_probabilities(predictions, 3.4, 0.8, comp)
    ref = [naive.liking(each, 3.4, 0.8) for each in predictions.tolist()]
    np.testing.assert_allclose(comp, ref, rtol=4e-7)


def drawn(n, a=0.3, b=1.2, seed=0):
    """Predictions, and ratings that are 4 with the probability Phi(a + b (r - 3.5) / 0.9)."""
    random = np.random.default_rng(seed)
    predictions = random.normal(3.4, 0.7, n).astype(np.float32)
    is_above = random.normal(0, 1, n) < a + b * (predictions - 3.5) / 0.9
    return predictions, np.where(is_above, 4, 3).astype(np.float32)


@pytest.mark.parametrize("prior", [1e-3, 10.0, 1000.0])
def test_a_fit_is_the_maximum_of_what_it_states(prior):
    predictions, values = drawn(400)
    z, sign = (predictions.astype(np.float64) - 3.5) / 0.9, np.where(values >= 4, 1, -1)

    def loss(ab):
        a, b = ab
        return prior / 2 * (a**2 + (b - 1) ** 2) - log_ndtr(sign * (a + b * z)).sum()

    ref = minimize(loss, [0, 1], method="BFGS", options={"gtol": 1e-9}).x
    comp = fit_probit(predictions, values, 3.5, 0.9, np.float32(4), prior)
    np.testing.assert_allclose(comp, ref, atol=1e-5)


def test_a_fit_finds_what_ratings_were_drawn_with():
    comp = fit_probit(*drawn(200_000), 3.5, 0.9, np.float32(4), 10.0)
    np.testing.assert_allclose(comp, (0.3, 1.2), atol=0.02)


def test_a_fit_ends_where_predictions_tell_ratings_apart_without_error():
    predictions = np.array([1, 2, 4, 5] * 50, np.float32)
    a, b = fit_probit(predictions, predictions, 3.0, 1e-3, np.float32(3), 10.0)
    assert 0.9 < b < 2
    assert abs(a) < 1
    a, b = fit_probit(predictions, predictions, 3.0, 1.0, np.float32(0), 10.0)
    assert a > 0  # each rating is above
    assert np.isfinite(b)


def test_distinct_values():
    random = np.random.default_rng(0)
    values = random.choice(np.float32([0.5, -2, 3.25, 1e9]), 1000)
    np.testing.assert_array_equal(distinct_values(values, 4), np.unique(values))
    assert len(distinct_values(values, 3)) == 4  # one more than asked for
    assert len(distinct_values(random.random(1000).astype(np.float32), 7)) == 8
    assert len(distinct_values(values[:0], 7)) == 0
