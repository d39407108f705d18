"""The Bayesian model: its gradients, and what they say of the conditional distributions."""

import numpy as np
import pytest

from funksvd.autodiff import grad, hessian
from funksvd.objectives import bayes

K = 3


@pytest.fixture
def problem():
    """Parameters, ratings and what is given, all at random; user 4 has rated nothing."""
    random = np.random.default_rng(3)
    pairs = random.choice(4 * 6, 14, replace=False)
    users, items = np.divmod(pairs, 6)
    sizes = {"user": 5, "item": 6}
    point = bayes.BayesParameters(
        0.0,
        random.normal(size=5),
        random.normal(size=6),
        random.normal(size=(5, K)),
        random.normal(size=(6, K)),
        random.normal(size=(5, 3)),
        random.normal(size=2),
        random.normal(size=(2, K)),
    )
    given = bayes.Given(
        *(random.uniform(0.5, 2, n) for n in sizes.values()),
        *(random.normal(size=(n, K + 1)) for n in sizes.values()),
        *(random.uniform(0.5, 5, K + 1) for _ in sizes),
        random.normal(size=(5, 2)),
        random.uniform(0.5, 5, K + 1),
        random.integers(3, size=14),
        1.5,
    )
    return point, users, items, random.normal(size=14), given


def test_the_gradient_is_that_of_the_energy(problem):
    by_hand = bayes.energy_gradients(*problem)
    by_machine = grad(bayes.energy_loss)(*problem)
    for comp, ref in zip(by_hand, by_machine, strict=True):
        np.testing.assert_allclose(comp, ref, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("user", [0, 2, 4])
def test_the_gradient_vanishes_at_the_conditional_mean_and_has_its_precision(problem, user):
    point, *data = problem
    mean, precision = bayes.conditional(point, *data, user)

    def energy_of(row):
        is_user = np.arange(5) == user
        factors = np.where(is_user[:, None], row[:-1], point.user_factors)
        biases = np.where(is_user, row[-1], point.user_biases)
        return bayes.energy_loss(point._replace(user_factors=factors, user_biases=biases), *data)

    np.testing.assert_allclose(grad(energy_of)(mean), np.zeros(K + 1), atol=1e-12)
    np.testing.assert_allclose(hessian(energy_of)(mean), precision, rtol=1e-10, atol=1e-12)
