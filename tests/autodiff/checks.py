"""The comparisons that every rule has to stand, for first and second derivatives."""

import numpy as np

from funksvd.autodiff import jvp, numeric, vjp


def inner(xs, ys):
    """⟨x, y⟩ over lists of arrays."""
    return sum(np.sum(np.asarray(x) * y) for x, y in zip(xs, ys, strict=True))


def draw_like(arrays, generator):
    return tuple(generator.uniform(-1, 1, np.shape(a)) for a in arrays)


def check_first(function, arrays, generator):
    """JVP against central differences, and ⟨w, Jv⟩ = ⟨Jᵀw, v⟩.

    Parameters
    ----------
    function : callable
        Arrays -> array.
    arrays : tuple of ndarray
    generator : numpy.random.Generator
    """
    arrays = tuple(np.asarray(a) for a in arrays)
    v = draw_like(arrays, generator)
    value, tangent = jvp(function, arrays, v)
    ref_value = function(*arrays)
    assert np.shape(tangent) == np.shape(value) == np.shape(ref_value)
    np.testing.assert_allclose(value, ref_value, rtol=1e-14, atol=1e-14)

    def along(s):
        return np.asarray(function(*(a + s * b for a, b in zip(arrays, v, strict=True))))

    ref = numeric.directional(along, np.zeros(()), np.ones(()))
    np.testing.assert_allclose(tangent, ref, rtol=2e-6, atol=2e-6)

    value_again, pull = vjp(function, *arrays)
    np.testing.assert_array_equal(value, value_again)
    w = generator.uniform(-1, 1, np.shape(value))
    adjoints = pull(w)
    assert [np.shape(g) for g in adjoints] == [np.shape(a) for a in arrays]
    left, right = inner([w], [tangent]), inner(adjoints, v)
    scale = inner([abs(w)], [abs(tangent)]) + inner([abs(g) for g in adjoints], [abs(t) for t in v])
    assert abs(left - right) <= 1e-13 * scale


def check_second(function, arrays, generator):
    """Forward and reverse over reverse and forward: the derivative of each first derivative.

    All four ways give w·(d²/dv du) f: they must agree with each other, and with central
    differences of the first derivative.
    """
    arrays = tuple(np.asarray(a) for a in arrays)
    v, u = draw_like(arrays, generator), draw_like(arrays, generator)
    w = generator.uniform(-1, 1, np.shape(function(*arrays)))

    def gradient(*xs):  # by reverse mode
        return vjp(function, *xs)[1](w)

    def slope(*xs):  # by forward mode
        return np.sum(w * jvp(function, xs, v)[1])

    forward_over_reverse = inner(jvp(gradient, arrays, u)[1], v)
    reverse_over_reverse = inner(vjp(gradient, *arrays)[1](v), u)
    forward_over_forward = jvp(slope, arrays, u)[1]
    reverse_over_forward = inner(vjp(slope, *arrays)[1](1.0), u)
    ways = [forward_over_reverse, reverse_over_reverse, forward_over_forward, reverse_over_forward]

    def along(s):
        return np.asarray(inner(gradient(*(a + s * b for a, b in zip(arrays, u, strict=True))), v))

    ref = numeric.directional(along, np.zeros(()), np.ones(()))
    np.testing.assert_allclose(ways, ref, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(ways, ways[0], rtol=1e-10, atol=1e-11)
