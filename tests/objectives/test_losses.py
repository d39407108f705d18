"""The table of losses: what each entry says of itself agrees with its formulas."""

import math
from dataclasses import fields

import numpy as np
import pytest

import naive
from funksvd.hyperparameters import DECLARATIONS, Hyperparameters
from funksvd.objectives.losses import LOSSES, Huber

VALUES, SCORES = np.meshgrid([0.0, 1.0], [-30.0, -1.75, -0.5, 0.0, 0.25, 1.0, 2.5, 40.0])


@pytest.mark.parametrize("name", LOSSES)
def test_cost_and_residual_equal_the_naive_ones(name):
    for comp, ref in (
        (LOSSES[name].cost, naive.cost),
        (LOSSES[name].residual, naive.residual),
    ):
        expected = np.vectorize(lambda r, s, ref=ref: ref(name, r, s, 1.0))(VALUES, SCORES)
        np.testing.assert_allclose(comp(VALUES, SCORES), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_the_cost_is_as_its_facts_say(name):
    loss, small = LOSSES[name], 1e-3
    assert loss.name == name
    near_zero = float(loss.cost(np.array(1.0), np.array(1.0 - small)))
    assert loss.is_half_square == (near_zero == pytest.approx(small**2 / 2, rel=1e-6))
    for kink in loss.kinks:
        errors = kink + small * np.array([-1, 1, 2])
        before, after, further = loss.residual(errors, np.zeros(3))
        assert abs((further - after) - (after - before) / 2) > small / 3  # no straight line


@pytest.mark.parametrize("name", LOSSES)
def test_parameters_are_hyperparameters_of_this_loss(name):
    loss = LOSSES[name]
    assert len(loss.hyperparameters) == len(fields(loss))
    assert set(loss.hyperparameters) <= DECLARATIONS.keys()
    assert loss.with_parameters(Hyperparameters()) == loss  # the same defaults


def test_the_huber_loss_in_rating_units():
    loss = LOSSES["huber"].with_parameters(Hyperparameters(huber_delta=0.7))
    assert loss == Huber(0.7)
    assert loss.scaled(2.0) == Huber(float(np.float32(1.4)))
    assert loss.slope(2.0) == math.tanh(0.7)
    assert loss.parameters == (0.7,)


@pytest.mark.parametrize("name", LOSSES)
def test_predictions_of_scores(name):
    loss, scores = LOSSES[name], np.array([-2, 0, 3], np.float32)
    ref = scores.copy() if loss.is_linear else 1 / (1 + np.exp(-scores))
    comp = loss.predictions(scores)
    assert comp is scores
    np.testing.assert_allclose(comp, ref, rtol=1e-6)
