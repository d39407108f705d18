"""Symbolic differentiation: a function of NumPy is evaluated on SymPy's symbols.

Arithmetic is SymPy's own; any other function of NumPy needs a symbolic form (`_forms`), and one
without a form is an error that names it. A function with a kink has slopes made of `sign`, whose
own slope is 0: right everywhere but at the kink itself.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from funksvd.autodiff.tracing import AutodiffError, Function

ARITHMETIC = {np.add, np.subtract, np.multiply, np.divide, np.power, np.square}
ARITHMETIC |= {np.negative, np.positive, np.reciprocal, np.matmul}


def gradient(function: Function, arrays: NamedTuple, *constants: Any) -> list[np.ndarray]:
    """The derivative of a function of arrays by each of their elements; needs SymPy.

    Parameters
    ----------
    function : callable
        (arrays, *constants) -> float, made of ordinary NumPy expressions.
    arrays : NamedTuple of ndarray or float
        The point at which the derivative is taken.
    *constants
        Further arguments of `function`, by which nothing is differentiated.

    Returns
    -------
    list of ndarray
        The shapes are those of `arrays`.

    Raises
    ------
    AutodiffError
        If `function` cannot be evaluated on symbols; the message says which operation cannot.
    """
    import sympy

    def symbols(name: str, array: Any) -> Any:
        named = [sympy.Symbol(f"{name}_{at}") for at in range(np.size(array))]
        shaped = np.array(named, dtype=object).reshape(np.shape(array))
        return shaped.view(_Symbols) if np.ndim(array) else shaped[()]

    symbolic = type(arrays)(*map(symbols, arrays._fields, arrays))
    try:
        result = function(symbolic, *constants)
    except AutodiffError:
        raise
    except Exception as error:  # what NumPy and SymPy raise here is of many types
        raise AutodiffError(str(error).partition("\n")[0]) from error
    everything = [symbol for block in symbolic for symbol in np.ravel(block)]
    derivatives = [sympy.diff(result, symbol) for symbol in everything]
    evaluate = sympy.lambdify(everything, derivatives, "numpy")
    values = np.array(evaluate(*np.concatenate([np.ravel(block) for block in arrays])), np.float64)
    parts = np.split(values, np.cumsum([np.size(array) for array in arrays])[:-1])
    return [part.reshape(np.shape(array)) for part, array in zip(parts, arrays, strict=True)]


class _Symbols(np.ndarray):
    """An array of SymPy's expressions."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: Any, *inputs: Any, **keywords: Any) -> Any:
        if ufunc in ARITHMETIC:
            function: Any = ufunc
        elif ufunc.__name__ in _forms():
            function = np.frompyfunc(_forms()[ufunc.__name__], ufunc.nin, ufunc.nout)
        else:
            raise AutodiffError(f"{ufunc.__name__} has no symbolic form")
        if "out" in keywords:
            keywords["out"] = tuple(map(np.asarray, keywords["out"]))
        result = getattr(function, method)(*map(np.asarray, inputs), **keywords)
        return result.view(_Symbols) if isinstance(result, np.ndarray) else result


@functools.cache
def _forms() -> dict[str, Function]:
    """Symbolic forms of functions, by the names that NumPy and SciPy have for them.

    SymPy's own Abs, Max and Min would ask for the sign of whole expressions, which takes seconds.
    """
    import sympy

    def with_slopes(name: str, *slopes: Function) -> Any:
        """A function by its partial derivatives; NumPy's function of that name evaluates it."""

        def fdiff(self: Any, argindex: int = 1) -> Any:
            return slopes[argindex - 1](*self.args)

        return type(name, (sympy.Function,), {"fdiff": fdiff})

    sign = with_slopes("sign", lambda x: sympy.S.Zero)

    def is_larger(a: Any, b: Any) -> Any:  # 1 or 0, and ½ where they are equal
        return (1 + sign(a - b)) / 2

    maximum = with_slopes("maximum", is_larger, lambda a, b: is_larger(b, a))
    minimum = with_slopes("minimum", lambda a, b: is_larger(b, a), is_larger)
    same = "exp log sqrt sin cos tan sinh cosh tanh"
    inverse = ("sin", "cos", "tan", "sinh", "cosh", "tanh")
    return {
        **{name: getattr(sympy, name) for name in same.split()},
        **{f"arc{name}": getattr(sympy, f"a{name}") for name in inverse},
        "arctan2": sympy.atan2,
        "hypot": lambda a, b: sympy.sqrt(a * a + b * b),
        "exp2": lambda x: 2**x,
        "expm1": lambda x: sympy.exp(x) - 1,
        "log1p": lambda x: sympy.log(1 + x),
        "log2": lambda x: sympy.log(x, 2),
        "log10": lambda x: sympy.log(x, 10),
        "expit": lambda x: 1 / (1 + sympy.exp(-x)),
        "logaddexp": lambda a, b: sympy.log(sympy.exp(a) + sympy.exp(b)),
        "sign": sign,
        "absolute": with_slopes("absolute", sign),
        "maximum": maximum,
        "minimum": minimum,
        "clip": lambda x, low, high: minimum(maximum(x, low), high),
    }
