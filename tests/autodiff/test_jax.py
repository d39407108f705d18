"""The same functions give the same first and second derivatives in JAX, in float64."""

from types import SimpleNamespace

import numpy as np
import pytest

from funksvd import autodiff

jax = pytest.importorskip(
    "jax", reason='JAX is not installed: pip install ".[jax]" to compare derivatives with it'
)
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

OURS = SimpleNamespace(
    np=np,
    relu=autodiff.relu,
    logistic=autodiff.logistic,
    softmax=autodiff.softmax,
    logsumexp=autodiff.logsumexp,
)
THEIRS = SimpleNamespace(
    np=jax.numpy,
    relu=jax.nn.relu,
    logistic=jax.nn.sigmoid,
    softmax=jax.nn.softmax,
    logsumexp=jax.nn.logsumexp,
)
ROWS = np.array([0, 2, 2, -1, 0, 3])
COLUMNS = np.array([1, 1, 0, -1, 1, 2])
MASK = np.arange(12).reshape(4, 3) % 3 != 1
RATINGS = np.linspace(1, 5, 6)


def arithmetic(xp, x):
    return ((x + 2) * x - x / (x**2 + 1) + 3 / (1 + x * x)).sum() + (-abs(x)).mean()


def powers(xp, x):
    return (x**3).sum() + (abs(x) ** 2.5).sum() + (1.7**x).sum() + ((x * x + 1) ** x).sum()


def transcendental(xp, x):
    y = xp.np.exp(xp.np.sin(x)) * xp.np.cos(x) + xp.np.tanh(x) * xp.np.log(x * x + 0.5)
    return (y * xp.np.sqrt(x * x + 0.1) * xp.logistic(x)).sum()


def kinks(xp, x):
    return (xp.relu(x) ** 2 + xp.np.maximum(x, -x) * xp.np.where(x > 0.3, x, xp.np.sin(x))).sum()


def ties(xp, x):
    y = xp.np.stack([x, x], axis=1)
    return (y.max(axis=1) ** 2).sum() + (xp.np.maximum(x, x) * x).sum()


def broadcasting(xp, x):
    row, column = x[0], x[:, :1]
    y = row * column + xp.np.broadcast_to(row, (2, 4, 3)) / (2 + column**2) - x[1, 2]
    return (y**2).mean(axis=0).sum() + (y.sum(axis=(0, 2), keepdims=True) * column).sum()


def products(xp, x):
    y = (x.T @ x) @ x[1] + xp.np.matmul(x[0], xp.np.stack([x.T, 2 * x.T]))[1, :3]
    return xp.np.sin(y).sum() + x[:, 0] @ x[:, 1]


def shapes(xp, x):
    y = xp.np.concatenate([x.reshape(3, 4), xp.np.transpose(x) ** 2, x.reshape(1, -1)[:, :4]])
    z = xp.np.stack([y[::-1], xp.np.swapaxes(y.T, 0, 1)], axis=-1)
    return (xp.np.squeeze(z[2:3], 0) ** 3).sum() + xp.np.exp(z[..., 1]).mean()


def gathers(xp, x):
    y = x[ROWS, COLUMNS] * x[ROWS].sum(axis=1) + x[ROWS][:, None, 1:].max(axis=(1, 2))
    return (y**2).sum() + (x[MASK] ** 3).sum() + x[-1, ::2].sum() ** 2


def reductions(xp, x):
    norms = xp.np.linalg.norm(x, axis=1) * x.max(axis=1) + x.min(axis=1)
    return (norms**2).sum() * xp.np.linalg.norm(x) + x.mean(axis=0).max()


def classification(xp, x):
    hidden = xp.logistic(x @ x.T)
    likelihood = xp.logsumexp(hidden, axis=1, keepdims=True) - hidden
    return (likelihood * xp.softmax(x @ x.T, axis=0)).sum() + xp.logsumexp(x)


def factorization(xp, x):
    users, items = x[:, :2], x[:, 1:]
    errors = RATINGS - (users[ROWS] * items[COLUMNS]).sum(axis=1)
    return 0.5 * (errors**2).sum() + 0.05 * (users[ROWS] ** 2 + items[COLUMNS] ** 2).sum()


def elementary(xp, x):
    y = xp.np.tan(x / 2) * xp.np.sinh(x) + xp.np.cosh(x) * xp.np.arctan(x) - xp.np.arcsinh(x)
    z = xp.np.arcsin(x / 2) * xp.np.arccos(x / 3) + xp.np.arctanh(x / 4) * xp.np.arccosh(
        x * x + 1.5
    )
    w = xp.np.log1p(x * x) * xp.np.expm1(x) + xp.np.log2(x * x) + xp.np.log10(x * x) * xp.np.exp2(x)
    return (y * z).sum() + (w * xp.np.hypot(x, 2 * y) + xp.np.arctan2(x, w)).sum()


def statistics(xp, x):
    y = xp.np.prod(x, axis=0) * xp.np.std(x, axis=0, ddof=1) + xp.np.var(x, axis=0)
    return (y**2).sum() + (xp.np.cumsum(xp.np.sort(x, axis=0), axis=1) ** 3).sum() + xp.np.prod(x)


def rearrangements(xp, x):
    y = xp.np.pad(xp.np.roll(x, 1, axis=0), 1, mode="reflect") * xp.np.tile(x[:2, :1], (3, 5))
    z = xp.np.vstack(xp.np.split(x, 2)) * xp.np.hstack([xp.np.tril(x)[:, :2], xp.np.flip(x)[:, :1]])
    return (y**2).sum() + (xp.np.repeat(z, 2, axis=0) * xp.np.triu(y).mean()).sum()


def algebra(xp, x):
    a = xp.np.einsum("ki,kj->ij", x, x) + xp.np.diag(x[0] ** 2) + np.eye(3)
    b = xp.np.linalg.inv(a) @ xp.np.outer(x[0], x[:, 1])
    y = xp.np.linalg.slogdet(a)[1] * xp.np.trace(b) + xp.np.linalg.det(a / 4)
    return xp.np.tensordot(b, x, axes=([0, 1], [1, 0])) + y


def iteration(xp, x):
    y = x
    for _ in range(10):
        y = y - 0.1 * (y**3 - x)
    return (y**2).sum()


FUNCTIONS = [
    arithmetic,
    powers,
    transcendental,
    kinks,
    ties,
    broadcasting,
    products,
    shapes,
    gathers,
    reductions,
    classification,
    factorization,
    elementary,
    statistics,
    rearrangements,
    algebra,
    iteration,
]


def assert_close(comp, ref):
    comp, ref = np.asarray(comp), np.asarray(ref)
    assert comp.shape == ref.shape
    assert np.abs(comp - ref).max() <= 1e-12 * np.abs(ref).max()


@pytest.fixture
def x():
    generator = np.random.default_rng(5)
    return generator.uniform(0.2, 1.5, (4, 3)) * generator.choice([-1, 1], (4, 3))


@pytest.fixture
def v():
    return np.random.default_rng(6).normal(size=(4, 3))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_first_and_second_derivatives(function, x, v):
    @jax.jit  # compiled as one, or the test takes a minute
    def reference(x, v):
        def theirs(x):
            return function(THEIRS, x)

        gradient = jax.grad(theirs)
        return theirs(x), gradient(x), jax.jvp(theirs, (x,), (v,))[1], jax.jacfwd(gradient)(x)

    def ours(x):
        return function(OURS, x)

    ref_value, ref_gradient, ref_slope, ref_hessian = reference(x, v)
    value, gradient = autodiff.value_and_grad(ours)(x)
    assert_close(value, ref_value)
    assert_close(gradient, ref_gradient)
    assert_close(autodiff.jvp(ours, (x,), (v,))[1], ref_slope)
    assert_close(autodiff.hessian(ours)(x), ref_hessian)
    assert_close(autodiff.jacobian(autodiff.grad(ours), mode="reverse")(x), ref_hessian)
    assert_close(autodiff.hvp(ours, x, v), np.einsum("ijkl,kl", ref_hessian, v))


def test_jacobians_of_a_tree(x):
    def function(xp, tree):
        return {"product": xp.np.sin(tree["a"] @ tree["b"]), "sum": tree["b"].sum()}

    tree = {"a": x, "b": x[0]}
    ref = jax.jacobian(lambda tree: function(THEIRS, tree))(tree)
    for mode in ("forward", "reverse"):
        comp = autodiff.jacobian(lambda tree: function(OURS, tree), mode=mode)(tree)
        for result in ("product", "sum"):
            for argument in ("a", "b"):
                assert np.abs(comp[result][argument] - ref[result][argument]).max() <= 1e-14
