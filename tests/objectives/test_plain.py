"""Loss and gradients: an example by hand, the naive reference, finite differences."""

import numpy as np
import pytest

import naive
from funksvd.objectives import plain as objective
from funksvd.objectives.losses import LOSSES
from funksvd.objectives.parameters import Parameters, Regularization

USERS = np.array([0, 0, 1, 2, 2, 2])
ITEMS = np.array([0, 1, 1, 0, 1, 2])
VALUES = np.array([5.0, 3.0, 4.0, 1.0, 2.0, 4.5])
REGULARIZATION = Regularization(0.3, 0.2)


@pytest.fixture
def parameters():
    generator = np.random.default_rng(3)
    return Parameters(3.25, *(generator.normal(size=s) for s in ((3,), (3,), (3, 4), (3, 4))))


def test_an_example_worked_by_hand():
    # One rating: r = 5, mu = 3, b_u = 0.5, b_i = -0.5, p = (1, 2), q = (0.5, 0.25), so
    # r^ = 3 + 0.5 - 0.5 + 0.5 + 0.5 = 4 and e = 1; lambda = 0.1, lambda_b = 0.2.
    # J = 1/2 + 0.1 (0.25 + 0.25) + 0.05 (5 + 0.3125) = 0.815625
    parameters = Parameters(
        3.0, np.array([0.5]), np.array([-0.5]), np.array([[1.0, 2.0]]), np.array([[0.5, 0.25]])
    )
    one = np.array([0]), np.array([0]), np.array([5.0]), Regularization(0.1, 0.2)
    assert objective.predict(parameters, *one[:2]).tolist() == [4.0]
    assert objective.loss(parameters, *one) == pytest.approx(0.815625, rel=1e-15)
    gradient = objective.gradients(parameters, *one)
    assert gradient.global_mean == -1
    np.testing.assert_allclose(gradient.user_biases, [-0.9], rtol=1e-15)
    np.testing.assert_allclose(gradient.item_biases, [-1.1], rtol=1e-15)
    np.testing.assert_allclose(gradient.user_factors, [[-0.4, -0.05]], rtol=1e-14)
    np.testing.assert_allclose(gradient.item_factors, [[-0.95, -1.975]], rtol=1e-14)


@pytest.mark.parametrize("kind", LOSSES)
def test_loss_equals_the_naive_one(parameters, kind):
    values = (VALUES > 3) * 1.0 if LOSSES[kind].is_binary else VALUES
    ratings = list(zip(USERS.tolist(), ITEMS.tolist(), values.tolist(), strict=True))
    plain = (np.asarray(a).tolist() for a in parameters)
    ref = naive.loss(*plain, ratings, REGULARIZATION, kind)
    comp = objective.loss(parameters, USERS, ITEMS, values, REGULARIZATION, LOSSES[kind])
    assert comp == pytest.approx(ref, rel=1e-13)


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("name", Parameters._fields)
def test_gradients_equal_central_differences(parameters, name, kind):
    data = (USERS, ITEMS, (VALUES > 3) * 1.0 if LOSSES[kind].is_binary else VALUES)
    data = (*data, REGULARIZATION, LOSSES[kind])
    comp = getattr(objective.gradients(parameters, *data), name)
    block = np.array(getattr(parameters, name))
    ref = np.empty_like(block)
    step = 1e-4
    for at in np.ndindex(block.shape):
        moved = []
        for sign in (1, -1):
            shifted = block.copy()
            shifted[at] += sign * step
            point = parameters._replace(**{name: shifted})
            moved.append(objective.loss(point, *data))
        ref[at] = (moved[0] - moved[1]) / (2 * step)
    np.testing.assert_allclose(comp, ref, rtol=1e-8, atol=1e-8)


def test_without_biases_it_is_half_the_masked_frobenius_error():
    generator = np.random.default_rng(0)
    full, mask = generator.normal(size=(6, 5)), generator.random((6, 5)) < 0.5
    p, q = generator.normal(size=(6, 2)), generator.normal(size=(5, 2))
    users, items = np.nonzero(mask)
    parameters = Parameters(0.0, np.zeros(6), np.zeros(5), p, q)
    comp = objective.loss(parameters, users, items, full[mask], Regularization(0, 0))
    ref = 0.5 * np.linalg.norm(mask * (full - p @ q.T)) ** 2
    assert comp == pytest.approx(ref, rel=1e-14)
