"""The larger worked examples: a network, and programs that iterate."""

import numpy as np
import pytest
import scipy.optimize
from sklearn.datasets import load_iris

from funksvd.autodiff import grad, jvp, logistic, logsumexp, numeric, softmax, value_and_grad

# A network of two layers on the Iris data: petal length and width and a constant; 16 logistic
# units; softmax cross-entropy of three classes.

N_HIDDEN = 16


@pytest.fixture(scope="module")
def flowers():
    data = load_iris()
    features = data.data[:, 2:]
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    return np.column_stack([scaled, np.ones(len(scaled))]), np.eye(3)[data.target]


@pytest.fixture
def weights():
    generator = np.random.default_rng(0)
    return generator.normal(size=(3, N_HIDDEN)), generator.normal(size=(N_HIDDEN, 3))


def scores(weights, x):
    first, second = weights
    return logistic(x @ first) @ second


def cross_entropy(weights, x, classes):
    z = scores(weights, x)
    return (logsumexp(z, axis=1) - (z * classes).sum(axis=1)).mean()


def gradient_by_hand(weights, x, classes):
    first, second = weights
    hidden = logistic(x @ first)
    by_score = (softmax(hidden @ second) - classes) / len(x)
    by_hidden = by_score @ second.T
    return x.T @ (by_hidden * hidden * (1 - hidden)), hidden.T @ by_score


def test_three_gradients_of_a_network_agree(flowers, weights):
    by_hand = gradient_by_hand(weights, *flowers)
    by_reverse = grad(cross_entropy)(weights, *flowers)
    for hand, reverse in zip(by_hand, by_reverse, strict=True):
        np.testing.assert_allclose(reverse, hand, rtol=1e-12, atol=1e-16)

    generator = np.random.default_rng(1)
    v = tuple(generator.normal(size=w.shape) for w in weights)
    slope = jvp(lambda w: cross_entropy(w, *flowers), (weights,), (v,))[1]
    ref = sum((g * t).sum() for g, t in zip(by_hand, v, strict=True))
    assert slope == pytest.approx(ref, rel=1e-12)

    def unpack(flat):
        return flat[: 3 * N_HIDDEN].reshape(3, N_HIDDEN), flat[3 * N_HIDDEN :].reshape(N_HIDDEN, 3)

    def loss(flat):
        return cross_entropy(unpack(flat), *flowers)

    def pack(pair):
        return np.concatenate([part.ravel() for part in pair])

    flat = pack(weights)
    for gradient in (grad(loss), lambda flat: pack(gradient_by_hand(unpack(flat), *flowers))):
        assert scipy.optimize.check_grad(loss, gradient, flat) < 1e-6
        wrong = scipy.optimize.check_grad(loss, lambda x: 1.001 * gradient(x), flat)  # noqa: B023
        assert wrong > 1e-4
    np.testing.assert_allclose(numeric.gradient(loss, flat), grad(loss)(flat), atol=1e-9)


def test_a_network_learns_the_iris_flowers(flowers, weights):
    x, classes = flowers
    descend = value_and_grad(cross_entropy)
    losses = []
    for _ in range(500):
        loss, gradient = descend(weights, x, classes)
        losses.append(loss)
        weights = tuple(w - 1.0 * g for w, g in zip(weights, gradient, strict=True))
    right = scores(weights, x).argmax(axis=1) == classes.argmax(axis=1)
    assert right.mean() >= 0.95
    assert losses[-1] < 0.15 < losses[0]
    assert np.all(np.diff(losses) < 0)


# Programs that iterate


def test_through_50_steps_of_gradient_descent_by_the_learning_rate():
    curvatures, start = np.array([0.5, 1.0, 3.0]), np.array([2.0, -1.0, 0.5])

    def loss(x):
        return 0.5 * (curvatures * x**2).sum()

    def loss_after(learning_rate):
        x = start
        for _ in range(50):
            x = x - learning_rate * grad(loss)(x)
        return loss(x)

    # x after 50 steps is (1 - ηa)⁵⁰ x₀ for each coordinate.
    for rate in (0.02, 0.1, 0.3):
        kept = 1 - rate * curvatures
        ref_value = 0.5 * (curvatures * (kept**50 * start) ** 2).sum()
        ref = -50 * (curvatures**2 * kept**99 * start**2).sum()
        value, slope = value_and_grad(loss_after)(rate)
        assert value == pytest.approx(ref_value, rel=1e-12)
        assert slope == pytest.approx(ref, rel=1e-12)
        assert jvp(loss_after, (rate,), (1.0,))[1] == pytest.approx(ref, rel=1e-12)


def test_through_50_steps_on_a_function_that_is_not_quadratic():
    def loss(x):  # Rosenbrock's
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2

    def loss_after(learning_rate):
        x = np.array([-0.5, 0.5])
        for _ in range(50):
            x = x - learning_rate * grad(loss)(x)
        return loss(x)

    rate = 1e-3
    slope = grad(loss_after)(rate)
    assert slope < 0  # a larger rate would have come further
    ref = numeric.gradient(loss_after, np.array(rate), step=1e-7)
    assert slope == pytest.approx(float(ref), rel=1e-7)
    assert jvp(loss_after, (rate,), (1.0,))[1] == pytest.approx(slope, rel=1e-12)


# A projectile in wind: 200 Runge-Kutta steps of 0.025 s. Units are metres and seconds.

GRAVITY, WIND, DRAG = np.array([0.0, -9.81]), np.array([-4.0, 0.0]), 0.01
SPEED, STEP, N_STEPS = 25.0, 0.025, 200


def acceleration(velocity):
    through_air = velocity - WIND
    return GRAVITY - DRAG * np.linalg.norm(through_air) * through_air


def runge_kutta_step(position, velocity):
    """One step of order four of (position, velocity)' = (velocity, acceleration)."""
    a1 = acceleration(velocity)
    v2 = velocity + STEP / 2 * a1
    a2 = acceleration(v2)
    v3 = velocity + STEP / 2 * a2
    a3 = acceleration(v3)
    v4 = velocity + STEP * a3
    a4 = acceleration(v4)
    return (
        position + STEP / 6 * (velocity + 2 * v2 + 2 * v3 + v4),
        velocity + STEP / 6 * (a1 + 2 * a2 + 2 * a3 + a4),
    )


def distance(angle):
    """Where the projectile comes down, interpolated between the two steps around it."""
    position = np.zeros(2)
    velocity = SPEED * np.stack([np.cos(angle), np.sin(angle)])
    landed = None
    for _ in range(N_STEPS):
        before = position
        position, velocity = runge_kutta_step(position, velocity)
        if landed is None and position[1] < 0:
            share = before[1] / (before[1] - position[1])
            landed = before[0] + share * (position[0] - before[0])
    return landed


def test_the_release_angle_that_lands_at_a_given_distance():
    angle = 0.9
    slope = grad(distance)(angle)
    assert jvp(distance, (angle,), (1.0,))[1] == pytest.approx(slope, rel=1e-10)
    ref = numeric.gradient(distance, np.array(angle), step=1e-6)
    assert slope == pytest.approx(float(ref), rel=1e-7)

    target, misses = 30.0, []
    for _ in range(12):
        miss, gradient = value_and_grad(lambda angle: 0.5 * (distance(angle) - target) ** 2)(angle)
        misses.append(np.sqrt(2 * miss))
        angle = angle - 4e-4 * gradient
    assert misses[0] > 5
    assert np.all(np.diff(misses) < 0)
    assert abs(distance(angle) - target) < 0.001


def test_the_integrator_against_the_parabola(monkeypatch):
    monkeypatch.setitem(acceleration.__globals__, "DRAG", 0.0)
    # Without air the range is v² sin(2 angle)/g, up to the interpolation of the last step.
    comp, slope = value_and_grad(distance)(0.7)
    assert comp == pytest.approx(SPEED**2 * np.sin(1.4) / 9.81, rel=1e-4)
    assert slope == pytest.approx(2 * SPEED**2 * np.cos(1.4) / 9.81, rel=0.05)
