"""Functions of functions: gradients, products with Jacobians, Jacobians, Hessians.

Arguments and results are trees: arrays, or tuples, NamedTuples, lists and dicts of arrays. A
gradient has the form of the argument that it was taken by. Transforms nest: `grad(grad(f))` is
right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from funksvd.autodiff.forward import Duals
from funksvd.autodiff.reverse import Graph, table
from funksvd.autodiff.tracing import AutodiffError, Function, Traced
from funksvd.autodiff.trees import as_float64, flatten, flatten_like


def value_and_grad(function: Function, argnum: int | Sequence[int] = 0) -> Function:
    """A function that returns a scalar function's value and its gradient, by reverse mode.

    Parameters
    ----------
    function : callable
        Returns a scalar.
    argnum : int or tuple of int
        Position of the argument to differentiate by, a tree of float64 arrays; of several
        arguments for the tuple of their gradients.

    Returns
    -------
    callable
        Takes the same arguments and returns (value, gradient). It raises `AutodiffError` if the
        value is not a scalar, the argument or the value is not float64 (an integer has no
        derivative, nor does a bool), or an operation has no rule.
    """

    def differentiated(*arguments: Any, **keywords: Any) -> tuple[Any, Any]:
        argument, of_argument = _choose(function, argnum, arguments, keywords)
        value, pull = _pull_back(lambda argument: _scalar(of_argument(argument)), argument)
        return value, pull(1.0)

    return differentiated


def grad(function: Function, argnum: int | Sequence[int] = 0) -> Function:
    """A function that returns a scalar function's gradient; arguments as for `value_and_grad`.

    Examples
    --------
    >>> float(grad(lambda x: (x**2 + 1) ** 2)(1.0))
    8.0
    """
    both = value_and_grad(function, argnum)
    return lambda *arguments, **keywords: both(*arguments, **keywords)[1]


def vjp(function: Function, *arguments: Any) -> tuple[Any, Function]:
    """A function's value, and the function that multiplies its transposed Jacobian by a vector.

    Returns
    -------
    value : array or tree
    pull_back : callable
        (cotangent in the form of the value) -> tuple of adjoints, one for each argument.
    """
    return _pull_back(lambda inputs: function(*inputs), tuple(arguments))


def jvp(
    function: Function, arguments: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[Any, Any]:
    """A function's value and its derivative in a direction, by forward mode.

    Parameters
    ----------
    function : callable
    arguments, tangents : tuple
        The point and the direction, of the same form.

    Returns
    -------
    value, tangent : array or tree
    """
    leaves, rebuild = flatten(tuple(arguments))
    leaves = [as_float64(leaf, "an argument") for leaf in leaves]
    directions = flatten_like(tuple(tangents), tuple(arguments), "a tangent")
    with Duals() as duals:
        inputs = map(duals.variable, leaves, directions)
        outputs, put = _flatten_result(function(*rebuild(list(inputs))))
    slopes = [out.mark if duals.follows(out) else np.zeros(np.shape(out)) for out in outputs]
    return put([_own(duals.lower(out)) for out in outputs]), put(list(map(_own, slopes)))


def jacobian(
    function: Function, argnum: int | Sequence[int] = 0, mode: str | None = None
) -> Function:
    """A function that returns the Jacobian.

    Parameters
    ----------
    function : callable
    argnum : int or tuple of int
        Position of the argument to differentiate by, or of several.
    mode : {"forward", "reverse"}, optional
        Default: forward if the argument has no more elements than the result.

    Returns
    -------
    callable
        Returns the form of the function's result, in which each array is replaced by the form of
        the argument, with arrays of shape (*result's shape, *argument's shape).
    """
    if mode not in (None, "forward", "reverse"):
        raise ValueError(f'mode must be "forward" or "reverse", not {mode!r}')

    def differentiated(*arguments: Any, **keywords: Any) -> Any:
        argument, of_argument = _choose(function, argnum, arguments, keywords)
        if mode == "forward":
            value, pull = of_argument(argument), None
        else:
            value, pull = _pull_back(of_argument, argument)
        (leaves, rebuild), (outputs, put) = flatten(argument), flatten(value)
        n_in, n_out = (sum(np.size(x) for x in xs) for xs in (leaves, outputs))
        if pull is None or (mode is None and n_in <= n_out):
            columns = [
                flatten(jvp(of_argument, (argument,), (rebuild(basis),))[1])[0]
                for basis in _bases(leaves)
            ]
            blocks = [_blocks(columns, at, leaves, outputs) for at in range(len(outputs))]
        else:
            rows = [flatten(pull(put(basis)))[0] for basis in _bases(outputs)]
            by_input = [_blocks(rows, at, outputs, leaves) for at in range(len(leaves))]
            blocks = [
                [_last_first(by_input[i][o], np.ndim(output)) for i in range(len(leaves))]
                for o, output in enumerate(outputs)
            ]
        return put([rebuild(of_output) for of_output in blocks])

    return differentiated


def hessian(function: Function, argnum: int | Sequence[int] = 0) -> Function:
    """A function that returns a scalar function's second derivatives: forward over reverse."""
    return jacobian(grad(function, argnum), argnum, mode="forward")


def hvp(function: Function, argument: Any, vector: Any) -> Any:
    """The product of a scalar function's Hessian with a vector, without the Hessian.

    Forward over reverse (Pearlmutter, 1994): the cost is that of a few gradients.

    Parameters
    ----------
    function : callable
        Takes one argument.
    argument, vector : array or tree
        The point and the vector, of the same form.
    """
    return jvp(grad(function), (argument,), (vector,))[1]


def explain(function: Function, *arguments: Any) -> str:
    """A table of a scalar function's evaluation: value and adjoint of each node, in order.

    Examples
    --------
    >>> print(explain(lambda x, y: x * np.sin(y), 2.0, 0.5))
    node  operation  operands  value     adjoint
    v0    input                2.        0.479426
    v1    input                0.5       1.755165
    v2    sin        v1        0.479426  2.
    v3    multiply   v0 v2     0.958851  1.
    """
    with Graph() as graph:
        result = function(*(graph.variable(as_float64(a, "an argument")) for a in arguments))
        ((output,), _) = _flatten_result(_scalar(result))
    if not graph.follows(output):
        raise AutodiffError("the function's result does not depend on its arguments")
    return table(graph, output.mark)


def _choose(
    function: Function,
    argnum: int | Sequence[int],
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
) -> tuple[Any, Function]:
    """The argument, or tuple of them, to differentiate by, and the function of these alone."""
    several = list(argnum) if isinstance(argnum, (tuple, list)) else None
    chosen: list[Any] = [argnum] if several is None else several
    for at in chosen:
        if not isinstance(at, (int, np.integer)) or isinstance(at, bool) or chosen.count(at) > 1:
            raise AutodiffError(
                f"argnum must be the position of an argument, or a tuple of them, not {argnum!r}"
            )
        if not 0 <= at < len(arguments):
            raise AutodiffError(
                f"there is no argument {at} to differentiate by among the {len(arguments)} that "
                "are given by position"
            )

    def of_argument(argument: Any) -> Any:
        given = list(arguments)
        for at, one in zip(chosen, [argument] if several is None else argument, strict=True):
            given[at] = one
        return function(*given, **keywords)

    values = tuple(arguments[at] for at in chosen)
    return values if several is not None else values[0], of_argument


def _scalar(value: Any) -> Any:
    """A function's result, which must be a scalar."""
    if not isinstance(value, (int, float, np.ndarray, np.generic, Traced)) or np.shape(value):
        form = f"an array of shape {value.shape}" if hasattr(value, "shape") else repr(value)
        raise AutodiffError(
            f"a gradient needs a function with a scalar result, but the result is {form}; for "
            "an array use jacobian, or sum it"
        )
    return value


def _flatten_result(result: Any) -> tuple[list[Any], Function]:
    """The leaves of a function's result, float64 arrays, and the function that puts them back."""
    leaves, put = flatten(result)
    return [as_float64(leaf, "the function's result") for leaf in leaves], put


def _pull_back(function: Function, argument: Any) -> tuple[Any, Function]:
    """A function's value, and the function from its cotangent to the argument's adjoint."""
    leaves, rebuild = flatten(argument)
    leaves = [as_float64(leaf, "an argument") for leaf in leaves]
    with Graph() as graph:
        outputs, put = _flatten_result(function(rebuild(list(map(graph.variable, leaves)))))

    def pull(cotangent: Any) -> Any:
        seeds: dict[int, Any] = {}
        for output, seed in zip(
            outputs, flatten_like(cotangent, put(outputs), "a cotangent"), strict=True
        ):
            if graph.follows(output):
                seeds[output.mark] = seeds[output.mark] + seed if output.mark in seeds else seed
        adjoints = graph.adjoints(seeds)
        return rebuild(
            [_own(adjoints.get(at, np.zeros(np.shape(leaf)))) for at, leaf in enumerate(leaves)]
        )

    return put([_own(graph.lower(output)) for output in outputs]), pull


def _own(result: Any) -> Any:
    """A copy of a result, which may be a read-only view or share memory with another one."""
    return result if isinstance(result, Traced) else np.array(result)[()]


def _bases(arrays: list[Any]) -> Iterator[list[Any]]:
    """For each element of each array: arrays of zeros with a one at that element."""
    for at, array in enumerate(arrays):
        for position in np.ndindex(np.shape(array)):
            basis = [np.zeros(np.shape(a)) for a in arrays]
            basis[at][position] = 1.0
            yield basis


def _blocks(by_element: list[list[Any]], at: int, fasts: list[Any], slows: list[Any]) -> list[Any]:
    """Stack the derivatives of one array by single elements into its derivatives by whole arrays.

    Parameters
    ----------
    by_element : list of list of array
        For each element of each of `fasts`, arrays of the shapes of `slows`.
    at : int
        Position among `slows` of the array whose derivatives are stacked.

    Returns
    -------
    list of array of shape (*shape of the slow array, *shape of the fast array)
        One for each of `fasts`.
    """
    shape, rest = np.shape(slows[at]), iter(by_element)
    blocks = []
    for fast in fasts:
        parts = [next(rest)[at] for _ in range(np.size(fast))]
        stacked = np.stack(parts, axis=-1) if parts else np.zeros((*shape, 0))
        blocks.append(np.reshape(stacked, (*shape, *np.shape(fast))))
    return blocks


def _last_first(block: Any, ndim: int) -> Any:
    """Move the last `ndim` axes of an array to the front."""
    axes = range(np.ndim(block))
    return np.transpose(block, (*axes[np.ndim(block) - ndim :], *axes[: np.ndim(block) - ndim]))
