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


def inside(generator, shape):
    """Values between -1 and 1, where inverse functions are defined."""
    return generator.uniform(0.1, 0.9, shape) * generator.choice([-1, 1], shape)


def above_one(generator, shape):
    return generator.uniform(1.2, 1.9, shape)


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


def calls(*uses, shapes=FULL_SHAPES, values=any_sign):
    """A case of one array: a use is called with it and with an axis of it."""

    def case(draw, generator):
        shape = draw(shapes)
        axis = draw(st.integers(-len(shape), len(shape) - 1)) if shape else None
        use = draw(st.sampled_from(uses))
        return lambda x: use(x, axis), [values(generator, shape)]

    return case


def tuples(function, *shapes):
    """A case of a function of several arrays of given shapes; one may stand for all."""

    def case(draw, generator):
        which = draw(st.sampled_from(shapes))
        return function, [any_sign(generator, shape) for shape in which]

    return case


def regular(generator, shape):
    """Matrices that are far from singular."""
    return 0.3 * any_sign(generator, shape) + np.diag(generator.choice([-2.0, 3.0], shape[-1]))


def matrices(function, right=None):
    """A case of square matrices, or stacks of them, and perhaps of right-hand sides."""

    def case(draw, generator):
        batch, n = draw(st.sampled_from([(), (1,), (3,), (2, 3)])), draw(st.integers(1, 4))
        arrays = [regular(generator, (*batch, n, n))]
        if right is not None:
            arrays.append(any_sign(generator, draw(st.sampled_from(right(batch, n)))))
        return function, arrays

    return case


def sides(batch, n):
    return [(*batch, n, 2), (n, 3), (1, n, 1), (2, 3, n, 1) if batch != (1,) else (4, n, 2)]


def signed_log_det(a):
    sign, log = np.linalg.slogdet(a)
    return sign * log + np.linalg.slogdet(a).logabsdet


EINSUMS = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (1, 4)),
    ("ij,ij->", (2, 3), (2, 3)),
    ("ij,ij->i", (3, 4), (3, 1)),
    ("i,j->ji", (2,), (3,)),
    ("b,a", (2,), (3,)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("iji->j", (2, 3, 2)),
    ("iii,i->i", (2, 2, 2), (2,)),
    ("ij->", (2, 3)),
    ("ijk->ki", (2, 3, 4)),
    ("ij,k->k", (2, 3), (4,)),
    ("...ij,...jk->...ik", (5, 1, 2, 3), (4, 3, 2)),
    ("i...,i->...", (2, 3, 4), (2,)),
    ("...", (2, 3)),
    ("i...->...i", (2, 3, 1)),
    ("ij, jk, kl -> il", (2, 3), (3, 2), (2, 4)),
    ("i,i,i->i", (3,), (3,), (3,)),
    (",->", (), ()),
    (",i->i", (), (3,)),
    ("ij,j->i", (0, 3), (3,)),
]


def einsums(draw, generator):
    subscripts, *shapes = draw(st.sampled_from(EINSUMS))
    return lambda *xs: np.einsum(subscripts, *xs), [any_sign(generator, s) for s in shapes]


def einsums_by_number(draw, generator):
    a, b = any_sign(generator, (2, 2, 3)), any_sign(generator, (3, 4))
    lists = draw(st.sampled_from([([5, 0, 1], [1, 2]), ([..., 3], [3, 0]), ([0, 0, 1], [1, 2])]))
    end = draw(st.sampled_from([(), ([...],)])) if ... in lists[0] else ()
    if end:
        return lambda a, b: np.einsum(a, lists[0], b, [3, 3 + 1], [..., 4]), [a, b]
    return lambda a, b: np.einsum(a, lists[0], b, lists[1]), [a, b]


def norms(draw, generator):
    shape = draw(FULL_SHAPES)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    order = draw(st.sampled_from([None, 1, 2, 3, 0.5, -2, np.inf, -np.inf]))
    if len(shape) > 1 and draw(st.booleans()):
        axis = tuple(draw(st.permutations(range(len(shape)))))[:2]
        order = draw(st.sampled_from([None, "fro", 1, -1, np.inf, -np.inf]))
    keepdims = draw(st.booleans())
    return lambda x: np.linalg.norm(x, order, axis, keepdims), [spread(generator, shape) + 0.1]


def clips(draw, generator):
    x = any_sign(generator, draw(SHAPES))
    use = draw(
        st.sampled_from(
            [
                lambda x: np.clip(x, -0.25, 5.0) + 2 * np.clip(x, -5.0, 0.25),
                lambda x: np.clip(x, None, 0.25),
                lambda x: np.clip(x, min=-0.25),
                lambda x: np.clip(x, max=0.25) + x.clip(-0.25),
            ]
        )
    )
    return use, [x]


def cuts(function, least):
    """A case of a function that cuts an array into equal parts, or at given places."""

    def case(draw, generator):
        shape = (4, 4, 4)[: draw(st.integers(least, 3))]
        where = draw(st.sampled_from([2, 4, [1], [1, 1, 3]]))
        weights = range(1, 9)

        def joined(x):
            return sum(w * part.sum() for w, part in zip(weights, function(x, where)))  # noqa: B905

        return joined, [any_sign(generator, shape)]

    return case


def stacks(function, **options):
    """A case of a function that joins arrays."""
    shapes = [[(3,), (3,)], [(2, 3), (2, 3)], [(2, 2, 3), (2, 2, 3), (2, 2, 3)], [(), ()]]
    return tuples(lambda *xs: function([*xs, xs[0]], **options), *shapes)


def pads(draw, generator):
    mode = draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))
    width = draw(st.sampled_from([0, 2, (1, 2), ((0, 3), (2, 1))]))
    x = any_sign(generator, (3, 4))
    if mode == "constant" and draw(st.booleans()):
        return lambda x: np.pad(x, width, constant_values=7.0), [x]
    return lambda x: np.pad(x, width, mode), [x]


def repeats(x, axis):
    return np.repeat(x, np.arange(x.shape[axis]), axis)


def along(x, axis):
    places = np.argsort(np.cos(np.arange(x.size)).reshape(x.shape), axis)
    return np.take_along_axis(x, places, axis)


FROM_MATRICES = hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=4)
UP_TO_MATRICES = hnp.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=4)

CASES = {
    np.add: binary(np.add),
    np.subtract: binary(np.subtract),
    np.multiply: binary(np.multiply),
    np.divide: binary(np.divide),
    np.remainder: binary(
        lambda a, b: np.remainder(a + 4.0, b / 4 + 2.6), (inside, inside)
    ),  # quotients between 1 and 2
    np.power: binary(np.power, (positive, any_sign)),
    np.maximum: maxima,
    np.logaddexp: binary(np.logaddexp),
    np.hypot: binary(np.hypot),
    np.arctan2: binary(np.arctan2),
    rules.direction: binary(rules.direction),
    np.negative: unary(np.negative),
    np.absolute: unary(np.absolute),
    np.sqrt: unary(np.sqrt, positive),
    np.exp: unary(np.exp),
    np.exp2: unary(np.exp2),
    np.expm1: unary(np.expm1),
    np.log: unary(np.log, positive),
    np.log2: unary(np.log2, positive),
    np.log10: unary(np.log10, positive),
    np.log1p: unary(np.log1p, positive),
    np.sin: unary(np.sin),
    np.cos: unary(np.cos),
    np.tan: unary(np.tan, inside),
    np.arcsin: unary(np.arcsin, inside),
    np.arccos: unary(np.arccos, inside),
    np.arctan: unary(np.arctan),
    np.sinh: unary(np.sinh),
    np.cosh: unary(np.cosh),
    np.tanh: unary(np.tanh),
    np.arcsinh: unary(np.arcsinh),
    np.arccosh: unary(np.arccosh, above_one),
    np.arctanh: unary(np.arctanh, inside),
    np.deg2rad: unary(np.deg2rad),
    np.rad2deg: unary(lambda x: np.rad2deg(0.01 * x)),
    scipy.special.expit: unary(scipy.special.expit),
    scipy.special.logit: unary(lambda x: scipy.special.logit(0.5 + x / 2), inside),
    scipy.special.erf: unary(scipy.special.erf),
    scipy.special.erfc: unary(scipy.special.erfc),
    scipy.special.gammaln: unary(scipy.special.gammaln, above_one),
    scipy.special.digamma: unary(scipy.special.digamma, above_one),
    rules.polygamma: unary(lambda x: rules.polygamma(2, x), above_one),
    relu: unary(relu),
    np.where: choices,
    np.sum: reductions(np.sum),
    np.mean: reductions(np.mean, shapes=FULL_SHAPES),
    np.max: reductions(np.max, spread, FULL_SHAPES),
    rules.norm: reductions(rules.norm),
    logsumexp: reductions(logsumexp, shapes=FULL_SHAPES),
    np.cumsum: calls(np.cumsum, lambda x, _: np.cumsum(x), lambda x, axis: x.cumsum(axis)),
    softmax: softmaxes,
    np.transpose: with_shape(transposes),
    np.swapaxes: swaps,
    np.reshape: with_shape(reshapes),
    np.broadcast_to: with_shape(broadcasts),
    operator.getitem: keys,
    rules.scatter_add: scatters,
    rules.join: joins(np.concatenate, same=False),
    np.matmul: products(np.matmul),
    rules.contract: einsums,
    np.linalg.inv: matrices(np.linalg.inv),
    rules.lower_factor: matrices(lambda a: rules.lower_factor(a @ a.swapaxes(-1, -2))),
    np.linalg.det: matrices(np.linalg.det),
    rules.log_det: matrices(rules.log_det),
    rules.solution: matrices(rules.solution, sides),
}
COMPOSITE_CASES = {
    np.positive: unary(np.positive),
    np.copy: unary(lambda x: np.copy(x) + x.copy()),
    np.square: unary(np.square),
    np.reciprocal: unary(np.reciprocal),
    np.fabs: unary(np.fabs),
    np.degrees: unary(lambda x: np.degrees(0.01 * x)),
    np.radians: unary(np.radians),
    np.minimum: binary(np.minimum, (positive, lambda g, shape: -positive(g, shape))),
    np.logaddexp2: binary(np.logaddexp2),
    np.fmax: binary(np.fmax, (positive, lambda g, shape: -positive(g, shape))),
    np.fmin: binary(np.fmin, (positive, lambda g, shape: -positive(g, shape))),
    np.clip: clips,
    np.select: unary(lambda x: np.select([x > 1.0, x > 0.0], [x, np.sin(x)], x**2)),
    np.min: reductions(np.min, spread, FULL_SHAPES),
    np.amin: reductions(np.amin, spread, FULL_SHAPES),
    np.amax: reductions(np.amax, spread, FULL_SHAPES),
    np.prod: reductions(np.prod),
    np.var: reductions(np.var, shapes=FULL_SHAPES),
    np.std: reductions(np.std, shapes=FULL_SHAPES),
    np.linalg.norm: norms,
    np.concatenate: joins(np.concatenate, same=False),
    np.stack: joins(np.stack, same=True),
    np.append: calls(
        lambda x, _: np.append(x, [2.0, x.sum()]), lambda x, axis: np.append(x, 2 * x, axis)
    ),
    np.ravel: unary(lambda x: np.ravel(x) * x.flatten()),
    np.expand_dims: with_shape(expansions),
    np.squeeze: with_shape(squeezes),
    np.pad: pads,
    np.take: calls(
        lambda x, axis: np.take(x, [0, -1, 0], axis),
        lambda x, axis: x.take(0, axis),
        lambda x, axis: np.take(x, [False, False], axis),  # these are the numbers 0 and 0
        lambda x, _: np.take(x, [[0, -1]]),
    ),
    np.sort: calls(np.sort, lambda x, _: np.sort(x, None), values=spread),
    np.partition: calls(lambda x, axis: np.partition(x, 0, axis), values=spread),
    np.diff: calls(
        lambda x, axis: np.diff(x, 1, axis), lambda x, axis: np.diff(x, n=2, axis=axis)
    ),
    np.array_split: cuts(lambda x, where: np.array_split(x, 3), 1),
    np.column_stack: stacks(np.column_stack),
    np.delete: calls(lambda x, axis: np.delete(x, 0, axis)),
    np.diag: calls(*(lambda x, _, k=k: np.diag(x, k) for k in (-1, 0, 2)), shapes=UP_TO_MATRICES),
    np.diagflat: calls(lambda x, _: np.diagflat(x, 1)),
    np.diagonal: calls(
        np.diagonal,
        lambda x, _: x.diagonal(0, -1, -2),
        lambda x, _: np.diagonal(x, axis1=1, axis2=0),
        shapes=FROM_MATRICES,
    ),
    np.dsplit: cuts(np.dsplit, 3),
    np.dstack: stacks(np.dstack),
    np.flip: calls(np.flip, lambda x, _: np.flip(x)),
    np.fliplr: calls(lambda x, _: np.fliplr(x), shapes=FROM_MATRICES),
    np.flipud: calls(lambda x, _: np.flipud(x)),
    np.hsplit: cuts(np.hsplit, 1),
    np.hstack: stacks(np.hstack),
    np.moveaxis: calls(lambda x, axis: np.moveaxis(x, axis, 0)),
    np.repeat: calls(
        repeats, lambda x, axis: x.repeat(2, axis), lambda x, _: np.repeat(x, 3)
    ),
    np.roll: calls(lambda x, axis: np.roll(x, 1, axis), lambda x, _: np.roll(x, -2)),
    np.rollaxis: calls(lambda x, axis: np.rollaxis(x, axis)),
    np.rot90: calls(lambda x, _: np.rot90(x), shapes=FROM_MATRICES),
    np.split: cuts(np.split, 1),
    np.take_along_axis: calls(along),
    np.tile: calls(lambda x, _: np.tile(x, 2), lambda x, _: np.tile(x, (2, 1, 3))),
    np.tril: calls(*(lambda x, _, k=k: np.tril(x, k) for k in (-1, 0, 1)), shapes=FROM_MATRICES),
    np.triu: calls(*(lambda x, _, k=k: np.triu(x, k) for k in (-1, 0, 1)), shapes=FROM_MATRICES),
    np.vsplit: cuts(np.vsplit, 2),
    np.vstack: stacks(np.vstack, dtype=None, casting="same_kind"),
    np.atleast_1d: unary(np.atleast_1d),
    np.atleast_2d: unary(np.atleast_2d),
    np.atleast_3d: unary(np.atleast_3d),
    np.broadcast_arrays: binary(lambda a, b: np.multiply(*np.broadcast_arrays(a, b))),
    np.dot: tuples(
        np.dot, ((3,), (3,)), ((2, 3), (3, 4)), ((2, 3), (3,)), ((), (2, 3)), ((2, 3), (5, 3, 4)),
        ((2, 2, 3), (2, 3, 1)),
    ),
    np.inner: tuples(np.inner, ((3,), (3,)), ((2, 3), (4, 3)), ((), (2,)), ((2, 2, 3), (3,))),
    np.outer: binary(np.outer),
    np.vdot: tuples(np.vdot, ((3,), (3,)), ((2, 3), (2, 3))),
    np.kron: tuples(np.kron, ((2,), (3,)), ((2, 3), (3, 1)), ((2,), (2, 3)), ((1, 2, 2), (3, 2))),
    np.einsum: einsums_by_number,
    np.tensordot: tuples(
        lambda a, b: np.tensordot(a, b) if a.ndim == 3 else np.tensordot(a, b, ([0, -1], [1, 0])),
        ((4, 2, 3), (2, 3, 2)), ((2, 3), (3, 2)), ((2, 4, 5, 3), (3, 2)),
    ),
    np.trace: calls(
        lambda x, _: np.trace(x, 1), lambda x, _: x.trace(0, -1, -2), shapes=FROM_MATRICES
    ),
    np.linalg.solve: matrices(np.linalg.solve, lambda batch, n: [(n,), (*batch, n, 2), (n, 1)]),
    np.linalg.cholesky: matrices(lambda a: np.linalg.cholesky(a + 9 * np.eye(a.shape[-1]))),
    np.linalg.slogdet: matrices(signed_log_det),
}  # fmt: skip
