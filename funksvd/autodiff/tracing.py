"""Recording: each NumPy operation on a traced array is handed to the array's trace.

A `Traced` array stands for a NumPy array while a function is being differentiated. NumPy passes
every operation on a traced array to `__array_ufunc__` or `__array_function__`, so ordinary NumPy
code can be differentiated as it stands. The trace decides what becomes of an operation: reverse
mode writes it down, forward mode carries a tangent along.

Transforms nest. Each opens a trace of a higher level than all before it, and an operation goes to
the highest level among its arguments; the values that this trace computes with may be traced by
lower levels. Derivatives by different variables therefore never mix.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple, Self

import numpy as np

Function = Callable[..., Any]
"""A function of NumPy arrays, or a rule that is one."""


class AutodiffError(TypeError):
    """A function, or a use of a traced array, cannot be differentiated."""


class NotANumberError(ArithmeticError):
    """A NaN appeared while `nan_errors` was on."""


class Rule(NamedTuple):
    """How a primitive is evaluated and differentiated.

    Parameters
    ----------
    function : callable
        The primitive on plain arrays.
    jvps, vjps : sequence of (callable or None)
        A rule for each argument; None where an argument cannot be differentiated.
    joint : bool
        Whether one JVP and one VJP serve all arguments together: (list of tangents, y, *arguments)
        -> tangent of y, and (g, y, *arguments) -> list of adjoints.
    """

    function: Function
    jvps: Sequence[Function | None]
    vjps: Sequence[Function | None]
    joint: bool = False


RULES: dict[Function, Rule] = {}
"""The rule of each primitive; `rules` fills the table."""

COMPOSITES: dict[Function, Function] = {}
"""The same function made of primitives, by NumPy's function; `rules` fills the table."""

NOT_DIFFERENTIABLE: set[Function] = set()
"""Functions whose derivative is zero wherever it exists; their results are plain arrays."""

_levels = itertools.count(1)
_nan_errors: ContextVar[bool] = ContextVar("nan_errors", default=False)


@contextlib.contextmanager
def nan_errors() -> Iterator[None]:
    """Within this context, the operation that first makes a NaN raises `NotANumberError`.

    The message names the operation, its node in the table of `explain` and the position in the
    array; the traceback leads to the line.
    """
    token = _nan_errors.set(True)
    try:
        yield
    finally:
        _nan_errors.reset(token)


def check_nan(value: Any, where: str) -> None:
    """Raise `NotANumberError` if there is a NaN and `nan_errors` is on."""
    if _nan_errors.get() and len(missing := np.argwhere(np.isnan(raw(value)))):
        at = f" at {tuple(missing[0].tolist())}" if np.ndim(value) else ""
        raise NotANumberError(f"NaN appeared in {where}{at}")


def check_derivative(derivative: Any, value: Any, where: str) -> None:
    """Raise an error if a derivative has another shape than its value, or by `check_nan`."""
    if np.shape(derivative) != np.shape(value):
        raise AutodiffError(
            f"{where} has the shape {np.shape(derivative)} instead of {np.shape(value)}: "
            "its rule is wrong"
        )
    check_nan(derivative, where)


class Trace(ABC):
    """One level of differentiation; subclasses say what happens to its operations."""

    def __init__(self) -> None:
        self.level, self.is_open = next(_levels), True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.is_open = False
        if isinstance(error, ValueError) and isinstance(error.__cause__, AutodiffError):
            raise error.__cause__  # NumPy has wrapped it: out[0] = x[0] into a plain array
        if type(error) is TypeError and "ufunc" in str(error):
            raise AutodiffError(
                f"{error}; where traced numbers were made an array by np.array, or given to a "
                "function of SciPy, use np.stack, and functions that have a rule"
            ) from error

    @abstractmethod
    def apply(self, rule: Rule, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Carry out an operation at least one of whose arguments is traced by this trace."""

    @abstractmethod
    def describe(self, result: Any) -> str:
        """The place of a result, for messages."""

    def follows(self, value: Any) -> bool:
        """Whether a value is traced by this trace."""
        return isinstance(value, Traced) and value.tracer is self

    def lower(self, value: Any) -> Any:
        """The value that an array traced by this trace stands for; anything else as it is."""
        return value.value if self.follows(value) else value

    def derivatives(
        self, rules: Sequence[Function | None], rule: Rule, arguments: tuple[Any, ...]
    ) -> list[tuple[int, Function]]:
        """Position, and JVP or VJP, of each argument that an operation is differentiated by."""
        positions = [at for at, argument in enumerate(arguments) if self.follows(argument)]
        if not rule.joint and positions and positions[-1] >= len(rules):
            raise AutodiffError(
                f"{name_of(rule.function)} has no rule for its argument {positions[-1] + 1}; "
                "give it one with funksvd.autodiff.register"
            )
        found = ((at, rules[0 if rule.joint else at]) for at in positions)
        return [(at, derivative) for at, derivative in found if derivative is not None]


def dispatch(function: Function, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Carry out what NumPy asks of a traced array, by the rule of the function."""
    if function in RULES:
        return _call(RULES[function], arguments, keywords)
    if function in COMPOSITES:
        _check_arguments(function, COMPOSITES[function], arguments, keywords)
        return COMPOSITES[function](*arguments, **keywords)
    if function in NOT_DIFFERENTIABLE:
        return function(*map(raw, arguments), **{key: raw(v) for key, v in keywords.items()})
    home = {"numpy": "np.", "numpy.linalg": "np.linalg."}.get(
        getattr(function, "__module__", ""), ""
    )
    raise AutodiffError(
        f"{home}{function.__name__} has no differentiation rule; give it one with "
        f"funksvd.autodiff.register({home}{function.__name__}, jvps=…, vjps=…)"
    )


def _call(rule: Rule, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """Carry out an operation at the highest level among its arguments."""
    name = name_of(rule.function)
    traces = [argument.tracer for argument in arguments if isinstance(argument, Traced)]
    if not traces:
        raise AutodiffError(f"give traced arrays to {name} by position, not by name")
    trace = max(traces, key=operator.attrgetter("level"))
    if not trace.is_open:
        raise AutodiffError(
            f"{name} is given a traced array of a differentiation that has ended; let the "
            "differentiated function return what is needed of it"
        )
    if (keywords or len(arguments) != len(rule.vjps)) and any(rule.vjps):
        accepting = next(filter(None, rule.vjps))
        _check_arguments(rule.function, accepting, (None, None, *arguments), keywords, skip=2)
    result = trace.apply(rule, arguments, keywords)
    if isinstance(result, Traced) and result.dtype != np.float64:
        raise AutodiffError(f"{name} gives {result.dtype} here; derivatives are of float64 arrays")
    check_nan(result, f"{name} ({trace.describe(result)})")
    return result


def _check_arguments(
    function: Function,
    accepting: Function,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    skip: int = 0,
) -> None:
    """Raise an error for arguments that NumPy's function takes but its rule does not."""
    signature = _signature(accepting)
    if signature is None:
        return
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as error:
        name, parameters = name_of(function), list(signature.parameters.values())[skip:]
        bare = inspect.Signature([p.replace(annotation=p.empty) for p in parameters])
        raise AutodiffError(f"{name} can be differentiated only as {name}{bare}: {error}") from None


@functools.cache
def _signature(function: Function) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except ValueError:  # a ufunc that serves as a rule does not show its arguments
        return None


def name_of(function: Function) -> str:
    """The name of a function, for messages and tables."""
    return function.__name__.strip("_")


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """A float64 array whose operations are followed.

    Parameters
    ----------
    value : ndarray or Traced
        The array that it stands for; traced itself where transforms nest.
    tracer : Trace
        The trace that follows it.
    mark : object
        Number of its node in reverse mode, its tangent in forward mode.
    """

    __slots__ = ("mark", "tracer", "value")
    __hash__ = None  # type: ignore[assignment]  # an ndarray cannot be hashed either

    def __init__(self, value: Any, tracer: Trace, mark: Any) -> None:
        self.value, self.tracer, self.mark = value, tracer, mark

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **keywords: Any) -> Any:
        if "out" in keywords:
            raise AutodiffError(
                "no array can be changed in place (out=, +=, …) by or with a traced one: earlier "
                "values are needed for the derivative; write x = x + y instead"
            )
        if method != "__call__" or keywords:
            details = method if method != "__call__" else f"with {', '.join(keywords)}="
            raise AutodiffError(f"the ufunc {ufunc.__name__} {details} cannot be differentiated")
        return dispatch(ufunc, tuple(map(operand, inputs)), keywords)

    def __array_function__(
        self, function: Function, types: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        return dispatch(function, arguments, keywords)

    def __getitem__(self, key: Any) -> Any:
        return dispatch(operator.getitem, (self, key), {})

    def __setitem__(self, key: Any, value: Any) -> None:
        raise AutodiffError(
            "a traced array cannot be assigned to: earlier values are needed for the derivative; "
            "build a new array with np.where, np.concatenate or np.stack"
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        """A number as an array of objects: so `np.array` takes them, and the derivative is kept."""
        if self.shape or dtype not in (None, np.dtype(object)):
            self._lose_derivative()
        array = np.empty((), dtype=object)
        array[()] = self
        return array

    def _lose_derivative(self, *arguments: Any, **keywords: Any) -> Any:
        raise AutodiffError(
            "a traced array cannot become a plain one (by np.array, float, if, math.sin, a "
            "function of SciPy, assignment into an ndarray): the derivative would be lost; "
            "use NumPy's functions, and np.stack or np.concatenate to join arrays"
        )

    __float__ = __int__ = __index__ = __bool__ = __complex__ = __reduce_ex__ = _lose_derivative

    def __copy__(self, memo: Any = None) -> Self:
        return self  # it is never changed, and a copied trace would not be followed

    __deepcopy__ = __copy__

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[at] for at in range(len(self)))

    def __repr__(self) -> str:
        return f"Traced({raw(self)!r})"

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)
    T = property(lambda self: np.transpose(self))
    mT = property(lambda self: np.swapaxes(self, -1, -2))  # noqa: N815
    flatten = property(lambda self: self.ravel)

    def reshape(self, *shape: Any, **keywords: Any) -> Any:
        """Reshape as `ndarray.reshape` does: the lengths as a tuple or one by one."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **keywords)

    def transpose(self, *axes: Any) -> Any:
        """Transpose as `ndarray.transpose` does: the axes as a tuple or one by one."""
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def astype(self, dtype: Any) -> Self:
        """The array itself as float64; it has no other type."""
        return self if np.dtype(dtype) == np.float64 else self._lose_derivative()


def _method(function: Function) -> Function:
    return lambda self, *arguments, **keywords: function(self, *arguments, **keywords)


for _function in (
    np.all, np.any, np.argmax, np.argmin, np.argsort, np.clip, np.copy, np.cumsum, np.diagonal,
    np.dot, np.max, np.mean, np.min, np.prod, np.ravel, np.repeat, np.round, np.squeeze, np.std,
    np.sum, np.swapaxes, np.take, np.trace, np.var,
):  # fmt: skip
    setattr(Traced, _function.__name__, _method(_function))
for _function in vars(np).values():  # NumPy calls these for each element of an array of objects
    if isinstance(_function, np.ufunc) and (_function.nin, _function.nout) == (1, 1):
        setattr(Traced, _function.__name__, _method(_function))


def _in_place(name: str) -> Function:
    """The operation x += y or its like: a number gets a new value; an array is not changed."""
    of_array = getattr(Traced, name)
    of_number = getattr(Traced, name.replace("__i", "__"))
    return lambda self, other: (of_array if self.ndim else of_number)(self, other)


for _name in ("__iadd__", "__isub__", "__imul__", "__itruediv__", "__ipow__", "__imod__"):
    setattr(Traced, _name, _in_place(_name))


def joined(value: Any) -> Any:
    """An array of objects some of which are traced numbers, as one traced array."""
    if isinstance(value, np.ndarray) and value.dtype == object and value.size:
        return np.reshape(np.stack(value.ravel().tolist()), value.shape)
    return value


def operand(value: Any) -> Any:
    """An operand as a traced array, an array or a number."""
    if isinstance(value, (Traced, int, float, complex, np.generic)):
        return value
    return joined(np.asarray(value))


def raw(value: Any) -> Any:
    """The plain array under all levels of tracing."""
    while isinstance(value, Traced):
        value = value.value
    return value
