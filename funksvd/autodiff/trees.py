"""Trees (tuples, NamedTuples, lists and dicts of arrays) to lists of arrays and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funksvd.autodiff.tracing import AutodiffError, Traced, joined


def flatten(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of a tree, and the function that puts leaves in their place.

    Returns
    -------
    leaves : list
        All that is not a tuple, a list or a dict. The leaves of a dict come in the order of its
        sorted keys.
    rebuild : callable
        (list of the same number of leaves) -> tree of the same form.
    """
    if isinstance(tree, dict):
        keys = sorted(tree, key=repr)
        children = [tree[key] for key in keys]
    elif isinstance(tree, (tuple, list)):
        keys, children = None, list(tree)
    else:
        return [tree], lambda leaves: leaves[0]
    parts = [flatten(child) for child in children]

    def rebuild(leaves: list[Any]) -> Any:
        rest = iter(leaves)
        built = [put([next(rest) for _ in part]) for part, put in parts]
        if keys is not None:
            by_key = dict(zip(keys, built, strict=True))
            return {key: by_key[key] for key in tree}
        return type(tree)(*built) if hasattr(tree, "_fields") else type(tree)(built)

    return [leaf for leaves, _ in parts for leaf in leaves], rebuild


def flatten_like(tree: Any, like: Any, what: str) -> list[Any]:
    """The leaves of a tree that must have the form and the shapes of another, as float64 arrays.

    Raises
    ------
    AutodiffError
        If form or shapes differ; the message calls the tree by `what` and shows both.
    """
    leaves, rebuild = flatten(tree)
    others, rebuild_other = flatten(like)
    form, other_form = (
        put(list(range(len(of)))) for put, of in ((rebuild, leaves), (rebuild_other, others))
    )
    shapes, other_shapes = ([np.shape(leaf) for leaf in of] for of in (leaves, others))
    if form != other_form or shapes != other_shapes:
        raise AutodiffError(
            f"{what} must have the form and the shapes of what it belongs to: "
            f"{rebuild_other(other_shapes)}, not {rebuild(shapes)}"
        )
    return [as_float64(leaf, what) for leaf in leaves]


def as_float64(leaf: Any, what: str) -> Any:
    """A leaf as a float64 array of its own.

    Raises
    ------
    AutodiffError
        If it has another type: the derivative would lose digits or mean nothing.
    """
    leaf = joined(leaf)
    if isinstance(leaf, Traced):
        return leaf
    array = np.array(leaf)
    if array.dtype != np.float64:
        raise AutodiffError(
            f"{what} is {array.dtype}; derivatives are computed in float64: convert it first, "
            "for instance with np.asarray(x, dtype=np.float64) or 3.0 instead of 3"
        )
    return array
