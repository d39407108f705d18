"""Whatever cannot be differentiated gets an error that says what to do."""

import math
import pickle

import numpy as np
import pytest
import scipy.special

from funksvd.autodiff import (
    AutodiffError,
    NotANumberError,
    explain,
    grad,
    hessian,
    jacobian,
    jvp,
    logsumexp,
    nan_errors,
    numeric,
    primitive,
    register,
    softmax,
    value_and_grad,
    vjp,
)
from funksvd.autodiff.tracing import RULES

X = np.array([1.0, 2.0, 3.0])
MODES = pytest.mark.parametrize(
    "differentiate",
    [lambda f: grad(f)(X), lambda f: jvp(f, (X,), (X,))],
    ids=["reverse", "forward"],
)


@pytest.fixture(autouse=True)
def unchanged_rules():
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)


@MODES
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x: np.interp(x, x, x)[0],
            r"np\.interp has no .*; .*register\(np\.interp, jvps=",
        ),
        (lambda x: np.linalg.svd(x[:, None] * x)[1][0], r"register\(np\.linalg\.svd,"),
        (lambda x: np.cbrt(x)[0], r"register\(np\.cbrt,"),
        (lambda x: scipy.special.j0(x)[0], r"register\(j0,"),
        (lambda x: np.divmod(x, 2)[0].sum(), r"register\(np\.divmod,"),
        (lambda x: np.add.reduce(x), "ufunc add reduce cannot be differentiated"),
        (lambda x: np.add(x, 1, where=X > 1).sum(), "ufunc add with where="),
        (lambda x: np.exp(x, dtype=np.float32).sum(), "ufunc exp with dtype="),
    ],
)
def test_an_unsupported_function_is_named_with_what_to_register(differentiate, function, message):
    with pytest.raises(AutodiffError, match=message):
        differentiate(function)


@MODES
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.sum(x, where=X > 1), r"sum\(x, axis=None, \*, keepdims=False\): .*'where'"),
        (lambda x: np.sum(x, 0, np.float32), r"sum can be differentiated only as sum\(x, axis="),
        (lambda x: np.mean(x, dtype=np.float32), "'dtype'"),
        (lambda x: np.max(x, initial=0.0), "'initial'"),
        (lambda x: x.sum(0, None, None, True), "too many positional"),
        (lambda x: np.linalg.norm(x, 0), r"np\.linalg\.norm with ord=0 has no"),
        (lambda x: np.linalg.norm(x[:, None] * x, "nuc"), "ord='nuc' has no differentiation rule"),
        (lambda x: np.pad(x, 1, "linear_ramp")[0], "modes constant, edge, .*, not 'linear_ramp'"),
        (lambda x: np.tile(X, x)[0], "tile is differentiated by its first argument only"),
        (lambda x: np.clip(x, 0, 1, dtype=float)[0], "unexpected keyword argument 'dtype'"),
        (lambda x: np.hstack([x, x], dtype=float)[0], "hstack has no rule with dtype="),
        (lambda x: x.flatten("F")[0], "ravel can be differentiated only as ravel\\(x\\)"),
        (lambda x: x.reshape(3, 1, order="F")[0, 0], "'order'"),
        (lambda x: np.take(x, 0, out=np.zeros(())), "unexpected keyword argument 'out'"),
        (lambda x: np.reshape(x, 3, order="F")[0], "'order'"),
        (lambda x: np.concatenate([x, x], dtype=float)[0], "'dtype'"),
        (lambda x: np.where(x)[0].sum(), "where can be .* missing a required argument: 'a'"),
        (lambda x: logsumexp(x, b=2.0), r"logsumexp\(x, axis=None, \*, keepdims=False\)"),
    ],
)
def test_an_unsupported_option_is_named_with_what_there_is(differentiate, function, message):
    with pytest.raises(AutodiffError, match=message):
        differentiate(function)


@MODES
@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(a=x),
        lambda x: np.mean(axis=0, a=x),
        lambda x: softmax(x=x)[0],
        lambda x: product_by_name(x, other=x),
    ],
)
def test_traced_arrays_by_name(differentiate, function):
    with pytest.raises(AutodiffError, match="by position, not by name"):
        differentiate(function)


def product_by_name(x, other):
    @primitive
    def product(x, other):
        return x * other

    register(product, [lambda t, y, x, other: t], [lambda g, y, x, other: g])
    return product(x, other=other)


def assign(x):
    x[0] = 1.0
    return x.sum()


def assign_into_plain(x):
    plain = np.zeros(3)
    plain[0] = x[0]
    return plain.sum()


def assign_slice_into_plain(x):
    plain = np.zeros(3)
    plain[:] = [x[0], x[1], x[2]]
    return plain.sum()


def add_in_place(x):
    x += 1
    return x.sum()


def add_to_plain_in_place(x):
    plain = np.zeros(3)
    plain += x
    return plain.sum()


@MODES
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (assign, "cannot be assigned to.*np.where, np.concatenate or np.stack"),
        (add_in_place, "changed in place.*x = x \\+ y"),
        (add_to_plain_in_place, "changed in place.*x = x \\+ y"),
        (lambda x: np.exp(x, out=np.zeros(3)).sum(), "changed in place"),
        (lambda x: float(x[0]), "cannot become a plain one"),
        (lambda x: math.sin(x[0]), "cannot become a plain one"),
        (lambda x: np.asarray(x).sum(), "cannot become a plain one"),
        (assign_into_plain, "use NumPy's functions, and np.stack or np.concatenate"),
        (assign_slice_into_plain, "cannot become a plain one"),
        (lambda x: np.array([x, x]).sum(), "np.stack or np.concatenate"),
        (lambda x: np.array([x[0], x[1]], dtype=float).sum(), "np.stack or np.concatenate"),
        (lambda x: np.array([x[0], x[1]]).astype(float).sum(), "np.stack or np.concatenate"),
        (lambda x: np.float64(x[0]), "np.stack or np.concatenate"),
        (lambda x: complex(x[0]), "cannot become a plain one"),
        (
            lambda x: np.exp(np.array([x[0], 1.0])).sum(),
            "callable exp method; .* use np.stack, and",
        ),
        (lambda x: scipy.special.j0(np.array([x[0]])), "'j0' not supported .* that have a rule"),
        (lambda x: x.astype(int)[0], "cannot become a plain one"),
        (lambda x: pickle.loads(pickle.dumps(x)).sum(), "cannot become a plain one"),
        (lambda x: scipy.special.logsumexp(x), "cannot become a plain one"),
        (lambda x: x[0] if x[1] else x[2], "cannot become a plain one"),
        (lambda x: x[x[0]], "getitem has no rule for its argument 2"),
        (lambda x: np.reshape(x, x[:1]), "reshape has no rule for its argument 2"),
    ],
)
def test_uses_that_would_lose_the_derivative(differentiate, function, message):
    with pytest.raises(AutodiffError, match=message):
        differentiate(function)


def test_what_a_traced_array_can_do_without_being_differentiated():
    def function(x):
        assert len(x) == x.size == 3
        assert (x.shape, x.ndim, x.dtype) == ((3,), 1, np.float64)
        assert repr(x) == "Traced(array([1., 2., 3.]))"
        assert (x > 1.5).tolist() == [False, True, True]
        assert np.argmax(x) == x.argmax() == 2
        assert (x // 2).tolist() == [0, 1, 1]
        assert np.round(x, 1).tolist() == x.round().tolist() == [1, 2, 3]
        assert np.allclose(x, X, atol=0)
        first, *rest = x
        assert max(rest) > min(rest) > first
        assert {type(part) for part in (np.sign(x), np.zeros_like(x), x == 1)} == {np.ndarray}
        with pytest.raises(TypeError, match="unhashable"):
            hash(x)
        return sum(x) * np.float64(2) * np.float32(1) * (x @ X) * (X @ x) * first.T

    assert grad(function)(X).shape == (3,)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (3, "an argument is int64; .* float64: convert it first"),
        (np.arange(3), "int64"),
        (X.astype(np.float32), "float32"),
        ((X, np.float32(1)), "float32"),
        ({"a": True}, "bool"),
        (X + 1j, "complex128"),
        (None, "object"),
        ("text", "<U4"),
    ],
)
def test_input_that_would_lose_digits(argument, message):
    for differentiate in (
        lambda: grad(lambda x: 1.0)(argument),
        lambda: jvp(lambda x: 1.0, (argument,), (argument,)),
        lambda: jacobian(lambda x: 1.0)(argument),
        lambda: vjp(lambda x: 1.0, argument),
    ):
        with pytest.raises(AutodiffError, match=message):
            differentiate()


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (5, "int64"),
        (True, "bool"),
        (np.bool_(True), "bool"),
        (np.argmax(X), "int64"),
        (np.array(2), "int64"),
        (np.complex128(1j), "complex128"),
        (np.str_("text"), "<U4"),
        (np.float32(1), "float32"),
    ],
)
def test_a_result_that_has_no_derivative(result, kind):
    message = f"the function's result is {kind}; derivatives are computed in float64"
    for differentiate in (
        lambda f: grad(f)(X),
        lambda f: jvp(f, (X,), (X,)),
        lambda f: vjp(f, X),
        lambda f: jacobian(f)(X),
        lambda f: jacobian(f, mode="forward")(X),
        lambda f: explain(f, X),
    ):
        with pytest.raises(AutodiffError, match=message):
            differentiate(lambda x: result)
    with pytest.raises(AutodiffError, match="the function's result is bool"):
        jacobian(lambda x: x > 2)(X)
    with pytest.raises(AutodiffError, match="the function's result is int64"):
        vjp(lambda x: {"value": x, "best": np.argmax(x)}, X)


def test_complex_numbers_on_the_way():
    with pytest.raises(AutodiffError, match="multiply gives complex128"):
        grad(lambda x: (x * 1j).sum())(X)


@pytest.mark.parametrize(
    ("function", "form"),
    [
        (lambda x: x, r"an array of shape \(3,\); for an array use jacobian, or sum it"),
        (lambda x: x[:1], r"an array of shape \(1,\)"),
        (lambda x: X, r"an array of shape \(3,\)"),
        (lambda x: (x.sum(), 1.0), r"scalar result, but the result is \("),
        (lambda x: {}, r"\{\}"),
        (lambda x: None, "None"),
    ],
)
def test_a_gradient_of_what_is_not_a_scalar(function, form):
    for differentiate in (grad, value_and_grad, hessian):
        with pytest.raises(AutodiffError, match=form):
            differentiate(function)(X)
    with pytest.raises(AutodiffError, match=form):
        explain(function, X)


def test_explain_of_a_constant():
    with pytest.raises(AutodiffError, match="does not depend on its arguments"):
        explain(lambda x: 1.0, 2.0)


def test_arguments_that_are_not_there():
    for argnum in (1, -1):
        with pytest.raises(AutodiffError, match=f"no argument {argnum} to differentiate by"):
            grad(np.sum, argnum=argnum)(X)
        with pytest.raises(AutodiffError, match=f"no argument {argnum} to differentiate by"):
            jacobian(np.sum, argnum=argnum)(X)
    for argnum in ("0", 1.0, None, True, (0, 0), (0, "a")):
        with pytest.raises(AutodiffError, match="argnum must be the position of an argument, or"):
            grad(np.dot, argnum=argnum)(X, X)
    with pytest.raises(AutodiffError, match="no argument 2 to differentiate by among the 2"):
        grad(np.dot, argnum=(0, 2))(X, X)
    with pytest.raises(AutodiffError, match="the 0 that are given by position"):
        grad(lambda x: x.sum())(x=X)
    with pytest.raises(ValueError, match='mode must be "forward" or "reverse", not \'both\''):
        jacobian(np.sum, mode="both")


def test_tangents_and_cotangents_of_another_form():
    for tangents in ((np.ones(2),), (X, X), ({"a": X},), ([X],)):
        with pytest.raises(AutodiffError, match="a tangent must have the form and the shapes"):
            jvp(np.sum, (X,), tangents)
    with pytest.raises(AutodiffError, match="a tangent is int64"):
        jvp(np.sum, (X,), (np.arange(3),))
    with pytest.raises(AutodiffError, match=r"a cotangent .* \(3,\), not \(\)"):
        vjp(lambda x: x, X)[1](1.0)
    with pytest.raises(AutodiffError, match="a tangent must"):
        jvp(lambda d: d["a"], ({"a": X, "b": X},), ({"a": X, "c": X},))


def test_a_traced_array_kept_after_its_differentiation():
    kept = []
    grad(lambda x: kept.append(x) or x.sum())(X)
    with pytest.raises(AutodiffError, match="of a differentiation that has ended"):
        kept[0] + 1
    with pytest.raises(AutodiffError, match="of a differentiation that has ended"):
        grad(lambda x: (x * kept[0]).sum())(X)


@MODES
def test_a_primitive_without_a_rule(differentiate):
    @primitive
    def mystery(x):
        return x.sum()

    assert mystery(X) == 6
    with pytest.raises(AutodiffError, match=r"mystery has no rule for its argument 1; .*register"):
        differentiate(mystery)


def test_a_rule_that_gives_another_shape():
    wrong = [lambda t, y, x: 1.0], [lambda g, y, x: g]
    register(primitive(np.sum), *wrong)
    total = register(primitive(lambda x: np.sum(x)), *wrong)
    shape = r"has the shape \(\) instead of \(3,\): its rule is wrong"
    with pytest.raises(AutodiffError, match=shape):
        grad(total)(X)
    twice = register(primitive(lambda x: 2 * x), [lambda t, y, x: 1.0], [None])
    with pytest.raises(AutodiffError, match=shape):
        jvp(twice, (X,), (X,))


# NaN


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_nan_is_reported_where_it_appeared():
    def function(x):
        return (np.exp(np.log(x - 2.0)) * 0.0).sum()

    assert np.isnan(grad(function)(X)).any()  # not without being asked
    message = r"NaN appeared in log \(node 2\) at \(0,\)"
    with nan_errors(), pytest.raises(NotANumberError, match=message):
        grad(function)(X)
    with nan_errors(), pytest.raises(NotANumberError, match=r"log \(forward mode\) at \(0,\)"):
        jvp(function, (X,), (X,))
    with nan_errors(), pytest.raises(NotANumberError, match="in log"):
        hessian(function)(X)
    with nan_errors(), pytest.raises(NotANumberError, match=r"in an input \(node 0\) at \(1,\)"):
        grad(np.sum)(np.array([1, np.nan]))
    assert np.isnan(grad(function)(X)).any()


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_nan_without_dimensions_is_reported():
    with nan_errors(), pytest.raises(NotANumberError, match=r"NaN appeared in log \(node 1\)$"):
        grad(np.log)(-1.0)
    with (
        nan_errors(),
        pytest.raises(NotANumberError, match=r"NaN appeared in log \(forward mode\)$"),
    ):
        jvp(np.log, (-1.0,), (1.0,))
    with nan_errors(), pytest.raises(NotANumberError, match=r"NaN appeared in an input"):
        grad(np.exp)(np.nan)


@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_nan_in_a_derivative_alone_is_reported():
    def function(x):  # the value is 0, the derivative 0 times infinity
        return (np.sqrt(x) * 0.0).sum()

    assert function(np.zeros(2)) == 0
    message = r"NaN appeared in the derivative of sqrt \(node 1\) at \(0,\)"
    with nan_errors(), pytest.raises(NotANumberError, match=message):
        grad(function)(np.zeros(2))
    with nan_errors(), pytest.raises(NotANumberError, match="the derivative of multiply at"):
        jvp(function, (np.zeros(2),), (np.ones(2),))
    with nan_errors():
        np.testing.assert_array_equal(grad(np.sum)(X), [1, 1, 1])


def test_errors_of_finite_differences():
    with pytest.raises(ValueError, match="scheme must be one of forward, backward, central"):
        numeric.step_for(1.0, "sideways")
    with pytest.raises(ValueError, match="not 'sideways'"):
        numeric.directional(np.sum, X, X, "sideways")
    with pytest.raises(ValueError, match="scalar result; see jacobian"):
        numeric.gradient(lambda x: x, X)
