"""Symbolic differentiation: a function of NumPy is evaluated on SymPy's symbols."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


def gradient(function: Callable, arrays: NamedTuple, *constants: Any) -> list[np.ndarray]:
    """The derivative of a function of arrays by each element; needs SymPy.

    Parameters
    ----------
    function : callable
        (arrays, *constants) -> float, of ordinary NumPy expressions.
    arrays : NamedTuple of ndarray or float
        Where to differentiate.

    Returns
    -------
    list of ndarray
        Of the shapes of `arrays`.
    """
    import sympy

    def symbols(name: str, array: Any) -> Any:
        named = [sympy.Symbol(f"{name}_{at}") for at in range(np.size(array))]
        shaped = np.array(named, dtype=object).reshape(np.shape(array))
        return shaped.view(_Symbols) if np.ndim(array) else shaped[()]

    symbolic = type(arrays)(*map(symbols, arrays._fields, arrays))
    result = function(symbolic, *constants)
    everything = [symbol for block in symbolic for symbol in np.ravel(block)]
    numbers = [float(x) for block in arrays for x in np.ravel(block)]
    derivatives = [sympy.diff(result, symbol) for symbol in everything]
    evaluate = sympy.lambdify(everything, derivatives, [_NUMERIC, "math"], cse=True)
    values = np.array(evaluate(*numbers), dtype=np.float64)
    parts = np.split(values, np.cumsum([np.size(array) for array in arrays])[:-1])
    return [part.reshape(np.shape(array)) for part, array in zip(parts, arrays, strict=True)]


class _Symbols(np.ndarray):
    """SymPy's expressions, with functions of NumPy that they lack."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        function = getattr(ufunc, method)
        if ufunc in _functions():
            function = np.frompyfunc(_functions()[ufunc], ufunc.nin, ufunc.nout)
        result = function(*map(np.asarray, inputs), **keywords)
        return result.view(_Symbols) if isinstance(result, np.ndarray) else result


@functools.cache
def _functions() -> dict[np.ufunc, Callable]:
    """By what the functions are replaced.

    SymPy's own Abs and Min would ask for the sign of whole expressions, which takes seconds.
    """
    import sympy

    step = sympy.Function("step")

    class Absolute(sympy.Function):
        def fdiff(self, argindex: int = 1) -> Any:
            return 2 * step(self.args[0]) - 1

    class Minimum(sympy.Function):
        def fdiff(self, argindex: int = 1) -> Any:
            a, b = self.args
            return step(b - a if argindex == 1 else a - b)

    def logaddexp(a: Any, b: Any) -> Any:
        return sympy.log(sympy.exp(a) + sympy.exp(b))

    return {np.absolute: Absolute, np.minimum: Minimum, np.logaddexp: logaddexp}


_NUMERIC = {"Absolute": abs, "Minimum": min, "step": lambda x: 0.5 + math.copysign(0.5, x)}
