"""For each primitive and each composite: how to draw a use of it.

A case is `(draw, generator) -> (function, arrays)`; `draw` is Hypothesis's, for the shapes, axes
and keys, and the generator makes the numbers, away from kinks and poles.
"""

import operator

import hypothesis.extra.numpy as hnp
import numpy as np
import scipy.special
from hypothesis import strategies as st

from funksvd.autodiff import logsumexp, relu, rules, softmax

SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
FULL_SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
MATMUL_SHAPES = [
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((3,), (2, 3, 4)),
    ((2, 4, 3), (3,)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((6, 1, 2, 3), (5, 3, 4)),
    ((1, 1), (1, 1)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((0,), (0,)),
    ((2, 3), (0, 3, 4)),
    ((0, 2, 3), (3,)),
]


def any_sign(generator, shape):
    return generator.uniform(0.3, 2, shape) * generator.choice([-1, 1], shape)


def positive(generator, shape):
    return generator.uniform(0.3, 2, shape)


def spread(generator, shape):
    """Values no two of which are near each other."""
    n = int(np.prod(shape))
    return (generator.permutation(n) / max(n, 1) + generator.uniform(0, 0.1 / max(n, 1))).reshape(
        shape
    )


def unary(function, values=any_sign, shapes=SHAPES):
    return lambda draw, generator: (function, [values(generator, draw(shapes))])


def binary(function, values=(any_sign, any_sign)):
    def case(draw, generator):
        pairs = hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=4, max_dims=3)
        shapes = draw(pairs).input_shapes
        arrays = [make(generator, shape) for make, shape in zip(values, shapes, strict=True)]
        which = draw(st.sampled_from(["both", "first", "second", "same"]))
        if which == "first":
            return lambda a: function(a, arrays[1]), arrays[:1]
        if which == "second":
            return lambda b: function(arrays[0], b), arrays[1:]
        if which == "same" and function is not np.maximum:  # a tie everywhere: see test_rules
            return lambda a: function(a, a), [positive(generator, shapes[0])]
        return function, arrays

    return case


def maxima(draw, generator):
    """Two arrays that are nowhere near each other."""
    function, arrays = binary(np.maximum)(draw, generator)
    both = np.broadcast_arrays(*arrays) if len(arrays) == 2 else None
    if both is not None and both[0].size and np.min(np.abs(both[0] - both[1])) < 1e-3:
        return function, [arrays[0], arrays[1] + 5]
    return function, [a + 10 for a in arrays] if both is None else arrays


def reductions(function, values=any_sign, shapes=SHAPES, most_axes=3):
    def case(draw, generator):
        shape = draw(shapes)
        ndim = len(shape)
        axes = st.none()
        if ndim:
            axes |= st.integers(-ndim, ndim - 1)
            axes |= hnp.valid_tuple_axes(ndim, min_size=1, max_size=min(ndim, most_axes))
        axis, keepdims = draw(axes), draw(st.booleans())
        return lambda x: function(x, axis=axis, keepdims=keepdims), [values(generator, shape)]

    return case


def with_shape(make):
    """A case of one array and something that depends on its shape: (draw, shape) -> function."""

    def case(draw, generator):
        shape = draw(SHAPES)
        return make(draw, shape), [any_sign(generator, shape)]

    return case


def transposes(draw, shape):
    axes = draw(st.none() | st.permutations(range(len(shape))))
    if axes is not None:
        axes = [a - draw(st.sampled_from([0, len(shape)])) for a in axes]
    return lambda x: np.transpose(x, axes)


def reshapes(draw, shape):
    target = draw(st.sampled_from([shape[::-1], (1, *shape, 1)] + [(-1,)] * (0 not in shape)))
    return lambda x: np.reshape(x, target)


def broadcasts(draw, shape):
    long = tuple(draw(st.integers(0, 3)) if n == 1 else n for n in shape)
    target = (*draw(st.sampled_from([(), (1,), (2,), (0,), (2, 3)])), *long)
    return lambda x: np.broadcast_to(x, target)


def draw_key(draw, shape, generator):
    """A key of any of NumPy's kinds."""
    kinds = [hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)]
    if 0 not in shape and shape:
        kinds.append(hnp.integer_array_indices(shape))
        kinds.append(hnp.arrays(np.intp, 5, elements=st.integers(-shape[0], shape[0] - 1)))
        kinds.append(st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4))
        rows = st.lists(st.integers(-shape[-1], shape[-1] - 1), min_size=1, max_size=4)
        kinds.append(rows.map(lambda r: (Ellipsis, np.array(r), None)))
        kinds.append(
            rows.map(
                lambda r: (
                    (slice(None, None, -1), *[slice(None)] * (len(shape) - 2), np.array(r))
                    if len(shape) > 1
                    else np.array([r, r])
                )
            )
        )
    kinds.append(hnp.arrays(bool, shape))
    return draw(st.one_of(kinds))


def keys(draw, generator):
    shape = draw(SHAPES)
    key = draw_key(draw, shape, generator)
    return lambda x: x[key], [any_sign(generator, shape)]


def scatters(draw, generator):
    shape = draw(SHAPES)
    key = draw_key(draw, shape, generator)
    part = np.zeros(shape)[key].shape
    return lambda g: rules.scatter_add(g, key, shape), [any_sign(generator, part)]


def products(function):
    def case(draw, generator):
        shapes = draw(st.sampled_from(MATMUL_SHAPES))
        if function is np.dot and len(shapes[1]) > 2 and len(shapes[0]) > 1:
            shapes = MATMUL_SHAPES[3]
        return function, [any_sign(generator, shape) for shape in shapes]

    return case


def joins(function, same):
    def case(draw, generator):
        shape = draw(FULL_SHAPES)
        ndim = len(shape) + (function is np.stack)
        axis = draw(st.integers(-ndim, ndim - 1) | (st.none() if not same else st.just(0)))
        shapes = [list(shape) for _ in range(draw(st.integers(1, 3)))]
        for one in shapes if not same else []:
            one[axis or 0] = draw(st.integers(0, 3))
        constant = any_sign(generator, shapes[0])
        parts = [any_sign(generator, one) for one in shapes]
        return lambda *xs: function([*xs, constant, xs[0]], axis=axis), parts

    return case


def choices(draw, generator):
    pairs = hnp.mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_side=4, max_dims=3)
    shapes = draw(pairs).input_shapes
    condition = generator.random(shapes[0]) < 0.5
    if draw(st.booleans()):
        return lambda a: np.where(condition, a, 0.0), [any_sign(generator, shapes[1])]
    arrays = [any_sign(generator, shape) for shape in shapes[1:]]
    return lambda a, b: np.where(condition, a, b), arrays


def softmaxes(draw, generator):
    shape = draw(FULL_SHAPES)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return lambda x: softmax(x, axis=axis), [any_sign(generator, shape)]


def squeezes(draw, shape):
    return lambda x: np.squeeze(x)


def expansions(draw, shape):
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    return lambda x: np.expand_dims(x, axis)


def swaps(draw, generator):
    shape = draw(FULL_SHAPES)
    a, b = (draw(st.integers(-len(shape), len(shape) - 1)) for _ in range(2))
    return lambda x: np.swapaxes(x, a, b), [any_sign(generator, shape)]


CASES = {
    np.add: binary(np.add),
    np.subtract: binary(np.subtract),
    np.multiply: binary(np.multiply),
    np.divide: binary(np.divide),
    np.power: binary(np.power, (positive, any_sign)),
    np.maximum: maxima,
    np.logaddexp: binary(np.logaddexp),
    np.negative: unary(np.negative),
    np.absolute: unary(np.absolute),
    np.sqrt: unary(np.sqrt, positive),
    np.exp: unary(np.exp),
    np.log: unary(np.log, positive),
    np.sin: unary(np.sin),
    np.cos: unary(np.cos),
    np.tanh: unary(np.tanh),
    scipy.special.expit: unary(scipy.special.expit),
    relu: unary(relu),
    np.sum: reductions(np.sum),
    np.mean: reductions(np.mean, shapes=FULL_SHAPES),
    np.max: reductions(np.max, spread, FULL_SHAPES),
    rules._norm: reductions(np.linalg.norm, most_axes=2),
    logsumexp: reductions(logsumexp, shapes=FULL_SHAPES),
    np.transpose: with_shape(transposes),
    np.swapaxes: swaps,
    np.reshape: with_shape(reshapes),
    np.broadcast_to: with_shape(broadcasts),
    operator.getitem: keys,
    rules.scatter_add: scatters,
    np.where: choices,
    np.matmul: products(np.matmul),
    softmax: softmaxes,
    rules._join: joins(np.concatenate, same=False),
}
COMPOSITE_CASES = {
    np.positive: unary(np.positive),
    np.square: unary(np.square),
    np.reciprocal: unary(np.reciprocal),
    np.minimum: binary(np.minimum, (positive, lambda g, shape: -positive(g, shape))),
    np.clip: unary(lambda x: np.clip(x, -0.25, 5.0) + 2 * np.clip(x, -5.0, 0.25)),
    np.min: reductions(np.min, spread, FULL_SHAPES),
    np.dot: products(np.dot),
    np.linalg.norm: reductions(np.linalg.norm, most_axes=2),
    np.concatenate: joins(np.concatenate, same=False),
    np.stack: joins(np.stack, same=True),
    np.ravel: unary(np.ravel),
    np.expand_dims: with_shape(expansions),
    np.squeeze: with_shape(squeezes),
}
