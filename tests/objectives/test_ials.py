"""The choice model's loss and gradients: by hand, the naive reference, finite differences."""

import numpy as np
import pytest

import naive
from funksvd.objectives import ials as objective
from funksvd.objectives.ials import ChoiceTerms, strength_of
from funksvd.objectives.parameters import Parameters

USERS = np.array([0, 0, 1, 3, 3, 3])
ITEMS = np.array([0, 1, 1, 0, 1, 2])
WEIGHTS = np.array([1.0, 0.25, 1.75, 0.5, 3.0, 1.0])
TERMS = ChoiceTerms(0.3, 0.2)


def of_factors(p, q):
    return Parameters(0.0, np.zeros(len(p)), np.zeros(len(q)), p, q)


@pytest.fixture
def parameters():
    """User 2 and item 3 have no pair."""
    random = np.random.default_rng(3)
    return of_factors(random.normal(size=(4, 3)), random.normal(size=(4, 3)))


def test_an_example_worked_by_hand():
    # One pair of weight 2, p = (1, 2), q = (0.5, 0.25), so s = 1; another item q' = (0, 1), s' = 2.
    # a0 = 0.1, nu = 0.5: rho_u = 0.5 (1 + 0.2) = 0.6, rho_i = 0.5 (1 + 0.1) = 0.55 and 0.05.
    # J = 1/2 2 (1 - 1)^2 + 1/2 0.1 (1 + 4) + 1/2 0.6 5 + 1/2 0.55 0.3125 + 1/2 0.05 1 = 1.8609375
    parameters = of_factors(np.array([[1.0, 2.0]]), np.array([[0.5, 0.25], [0.0, 1.0]]))
    one = np.array([0]), np.array([0]), np.array([2.0]), ChoiceTerms(0.1, 0.5)
    assert objective.loss(parameters, *one) == pytest.approx(1.8609375, rel=1e-15)
    gradient = objective.gradients(parameters, *one)
    # By p: 0.1 (1 q + 2 q') + 0.6 p = (0.05, 0.225) + (0.6, 1.2).
    np.testing.assert_allclose(gradient.user_factors, [[0.65, 1.425]], rtol=1e-15)
    # By q: 0.1 1 p + 0.55 q; by q': 0.1 2 p + 0.05 q'.
    ref = [[0.1 + 0.275, 0.2 + 0.1375], [0.2, 0.4 + 0.05]]
    np.testing.assert_allclose(gradient.item_factors, ref, rtol=1e-15)


def test_loss_equals_the_naive_one(parameters):
    pairs = list(zip(USERS.tolist(), ITEMS.tolist(), WEIGHTS.tolist(), strict=True))
    factors = parameters.user_factors.tolist(), parameters.item_factors.tolist()
    ref = naive.choice_loss(*factors, pairs, *TERMS)
    comp = objective.loss(parameters, USERS, ITEMS, WEIGHTS, TERMS)
    assert comp == pytest.approx(ref, rel=1e-13)


@pytest.mark.parametrize("name", ["user_factors", "item_factors"])
def test_gradients_equal_central_differences(parameters, name):
    data = (USERS, ITEMS, WEIGHTS, TERMS)
    block = getattr(parameters, name)
    comp = getattr(objective.gradients(parameters, *data), name)
    ref = np.empty_like(block)
    for at in np.ndindex(block.shape):
        moved = []
        for step in (1e-4, -1e-4):
            shifted = block.copy()
            shifted[at] += step
            moved.append(objective.loss(parameters._replace(**{name: shifted}), *data))
        ref[at] = (moved[0] - moved[1]) / 2e-4
    np.testing.assert_allclose(comp, ref, rtol=1e-8, atol=1e-8)


def test_the_gradient_by_a_user_vanishes_at_the_solution_of_eq_6(parameters):
    p, q = parameters.user_factors.copy(), parameters.item_factors
    share, fixed = TERMS.of_rows(len(q))
    for u in range(len(p)):
        mine = u == USERS
        rho = share * np.count_nonzero(mine) + fixed
        known = q[ITEMS[mine]]
        matrix = TERMS.unobserved_weight * q.T @ q + rho * np.eye(3)
        matrix += known.T @ (WEIGHTS[mine, None] * known)
        p[u] = naive.solved(matrix.tolist(), (WEIGHTS[mine] @ known).tolist())
    gradient = objective.gradients(of_factors(p, q), USERS, ITEMS, WEIGHTS, TERMS)
    np.testing.assert_allclose(gradient.user_factors, 0, atol=1e-14)
    assert not p[2].any()


def test_a_rotation_of_both_sides_changes_nothing(parameters):
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    data = (USERS, ITEMS, WEIGHTS, TERMS)
    turned = of_factors(parameters.user_factors @ turn, parameters.item_factors @ turn)
    assert objective.loss(turned, *data) == pytest.approx(objective.loss(parameters, *data))


@pytest.mark.parametrize(
    ("n_users", "n_items", "n_pairs"), [(40, 30, 200), (1, 1, 1), (1, 9, 9), (10**7, 10**5, 10**9)]
)
def test_the_means_of_the_regularization_are_the_noise_level_times_reg(n_users, n_items, n_pairs):
    nu = strength_of(0.5, 0.3, n_users, n_items, n_pairs)
    rho_u = nu * (n_pairs / n_users + 0.3 * n_items)
    rho_i = nu * (n_pairs / n_items + 0.3 * n_users)
    ref = 0.5 * (np.sqrt(n_pairs / n_users) + np.sqrt(n_pairs / n_items))
    assert np.sqrt(rho_u * rho_i) == pytest.approx(ref, rel=1e-12)


def test_the_noise_level_is_the_largest_singular_value_of_random_pairs_but_for_their_mean():
    random = np.random.default_rng(0)
    pairs = (random.random((400, 300)) < 0.1).astype(float)
    largest = np.linalg.svd(pairs - pairs.mean(), compute_uv=False)[0]
    noise = np.sqrt(pairs.sum(axis=1).mean()) + np.sqrt(pairs.sum(axis=0).mean())
    assert 0.85 < largest / noise < 1.05
