"""The comparisons of `checks` fail on wrong rules: each way to be wrong is found."""

import operator

import numpy as np
import pytest
from autodiff.checks import check_first, check_second

from funksvd.autodiff import AutodiffError, rules
from funksvd.autodiff.tracing import RULES, raw

ROWS = np.array([0, 2, 2, 1])
X = np.array([[0.4, -1.3], [2.0, 0.7], [-0.6, 1.1]])
ROW = np.array([[0.9, -0.2]])


@pytest.fixture(autouse=True)
def unchanged_rules():
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)


def lost_repeats(g, key, shape):
    total = np.zeros(shape)
    total[key] += g  # of several shares for one place, the last one wins
    return total


def first_only(g, shape):
    return g[:1] if shape[0] == 1 else g


# For each: the primitive, the wrong JVPs and VJPs (None: the right ones), a use of it.
WRONG = {
    "off by 0.1 %, both": (
        np.exp,
        [lambda t, y, x: 1.001 * t * y],
        [lambda g, y, x: 1.001 * g * y],
        np.exp,
        [X],
    ),
    "off by 0.1 %, VJP only": (np.exp, None, [lambda g, y, x: 1.001 * g * y], np.exp, [X]),
    "wrong sign, both": (
        np.cos,
        [lambda t, y, x: t * np.sin(x)],
        [lambda g, y, x: g * np.sin(x)],
        np.cos,
        [X],
    ),
    "wrong sign, JVP only": (np.cos, [lambda t, y, x: t * np.sin(x)], None, np.cos, [X]),
    "a share instead of the sum over a broadcast axis": (
        np.multiply,
        None,
        [lambda g, y, a, b: g * b, lambda g, y, a, b: first_only(g * a, np.shape(b))],
        lambda a, b: a * b,
        [X, ROW],
    ),
    "a lost repeated index": (
        operator.getitem,
        None,
        [lambda g, y, x, key: lost_repeats(g, key, np.shape(x))],
        lambda x: x[ROWS],
        [X],
    ),
    "a transpose that is forgotten": (
        np.matmul,
        None,
        [lambda g, y, a, b: g @ b, lambda g, y, a, b: a.T @ g],
        lambda a, b: a @ b,
        [X, np.array([[1.0, 2.0], [3.0, 4.0]])],
    ),
    "the argument in place of the result": (
        np.tanh,
        [lambda t, y, x: t * (1 - x * x)],
        [lambda g, y, x: g * (1 - x * x)],
        np.tanh,
        [X],
    ),
    "a softmax without its second term": (
        rules.softmax,
        [lambda t, y, x, axis=-1: y * t],
        [lambda g, y, x, axis=-1: y * g],
        rules.softmax,
        [X],
    ),
}


def make_wrong(primitive, jvps, vjps):
    right = RULES[primitive]
    RULES[primitive] = right._replace(jvps=jvps or right.jvps, vjps=vjps or right.vjps)


@pytest.mark.parametrize("name", WRONG)
def test_the_comparison_of_first_derivatives_fails(name):
    primitive, jvps, vjps, function, arrays = WRONG[name]
    check_first(function, arrays, np.random.default_rng(0))
    make_wrong(primitive, jvps, vjps)
    with pytest.raises(AssertionError):
        check_first(function, arrays, np.random.default_rng(0))


def test_a_missing_sum_over_a_broadcast_axis_is_an_error_by_its_shape():
    vjps = [lambda g, y, a, b: g * b, lambda g, y, a, b: g * a]
    make_wrong(np.multiply, None, vjps)
    message = r"multiply \(node 2\) has the shape \(3, 2\) instead of \(1, 2\): its rule is wrong"
    with pytest.raises(AutodiffError, match=message):
        check_first(lambda a, b: a * b, [X, ROW], np.random.default_rng(0))


@pytest.mark.parametrize(
    ("primitive", "jvps", "vjps", "function"),
    [
        # Right to the first order, but the rule itself cannot be differentiated rightly: its
        # dependence on x is hidden, as in a rule that computes with plain arrays inside.
        (np.exp, None, [lambda g, y, x: g * raw(y)], np.exp),
        (np.sin, [lambda t, y, x: t * raw(np.cos(x))], None, np.sin),
    ],
)
def test_the_comparison_of_second_derivatives_fails(primitive, jvps, vjps, function):
    check_second(function, [X], np.random.default_rng(0))
    make_wrong(primitive, jvps, vjps)
    check_first(function, [X], np.random.default_rng(0))
    with pytest.raises(AssertionError):
        check_second(function, [X], np.random.default_rng(0))
