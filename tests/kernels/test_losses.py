"""Residuals and costs of single ratings, and the functions that they are made of."""

import math
from dataclasses import fields

import numpy as np
import pytest
import scipy.special

import naive
from funksvd.kernels import SCALAR_LOSSES, turn_into_probabilities
from funksvd.kernels.cpu import losses
from funksvd.objectives.losses import LOSSES as FORMULAS

DELTA = 0.75
LOSSES = {
    name: scalar(*[np.float32(DELTA)] * len(scalar._fields))
    for name, scalar in SCALAR_LOSSES.items()
}
SCORES = [-80.0, -20.5, -3.25, -1.75, -1.0, -0.5, 0.0, 0.125, 0.25, 0.9, 1.75, 2.0, 9.5, 30.0, 90.0]


def test_each_loss_has_a_scalar_with_its_parameters():
    assert SCALAR_LOSSES.keys() == FORMULAS.keys()
    for name, scalar in SCALAR_LOSSES.items():
        assert scalar._fields == tuple(field.name for field in fields(FORMULAS[name]))


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("r", [0.0, 1.0])
@pytest.mark.parametrize("s", SCORES)
def test_residual_and_cost_equal_the_naive_ones(kind, r, s):
    e, rating = np.float32(r - s), np.float32(r)
    comp = losses.residual(LOSSES[kind], e, rating)
    assert comp == pytest.approx(naive.residual(kind, r, s, DELTA), rel=1e-6, abs=1e-7)
    comp = losses.cost(LOSSES[kind], e, rating)
    ref = naive.cost(kind, r, s, DELTA) * (2 if FORMULAS[kind].is_half_square else 1)
    assert comp == pytest.approx(ref, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("r", [0.0, 1.0])
@pytest.mark.parametrize("s", SCORES)
def test_the_residual_is_the_slope_of_the_cost(kind, r, s):
    if min(abs(abs(r - s) - kink) for kink in (0, DELTA)) < 1e-3:
        return  # a kink
    step = 1e-4
    costs = [losses.cost(LOSSES[kind], r - s - move, r) for move in (step, -step)]
    slope = (costs[0] - costs[1]) / (2 * step) / (2 if FORMULAS[kind].is_half_square else 1)
    assert losses.residual(LOSSES[kind], r - s, r) == pytest.approx(-slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("kind", LOSSES)
def test_nan_stays_visible(kind):
    nan, one = np.float32(np.nan), np.float32(1)
    with np.errstate(invalid="ignore"):
        assert math.isnan(losses.cost(LOSSES[kind], nan, one))
        assert math.isnan(losses.residual(LOSSES[kind], nan, one))


def test_exponential_and_logarithm():
    x = -np.concatenate([np.linspace(0, 5, 2001), np.geomspace(5, 600, 500)])
    comp = [losses._exp_of_negative(float(at)) for at in x]
    np.testing.assert_allclose(comp, np.exp(x), rtol=3e-12)
    assert 0 < losses._exp_of_negative(-math.inf) < 1e-300
    x = np.linspace(0, 1, 1001)
    comp = [losses._log_of_one_plus(float(at)) for at in x]
    np.testing.assert_allclose(comp, np.log1p(x), rtol=2e-11)


def test_probabilities():
    scores = np.concatenate([np.linspace(-30, 30, 2001), [-200, 200]]).astype(np.float32)
    comp = scores.copy()
    turn_into_probabilities(comp)
    ref = scipy.special.expit(scores.astype(np.float64))
    np.testing.assert_allclose(comp, ref, rtol=2e-7, atol=1e-37)
    assert (np.diff(comp) >= 0)[:-2].all()  # the order of scores is that of probabilities
    comp = np.array([-np.inf, 0, np.inf, np.nan], dtype=np.float32)
    turn_into_probabilities(comp)
    np.testing.assert_allclose(comp, [0, 0.5, 1, np.nan], atol=1e-30)
