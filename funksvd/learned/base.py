"""`Learned`: all that one model of one family knows, as named arrays.

A family declares each of its arrays once, with its axes; how rows of it are taken, how several
models become one, how it grows, and how it is written and read again follow from the axes. A model
that learns another array needs one more field, and nothing else.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar, Self

import numpy as np

from funksvd.parallel import all_finite


class Axis(Enum):
    """The things that the positions along one axis of an array stand for."""

    USER = "user"
    ITEM = "item"
    FACTOR = "factor"
    DRAW = "draw"
    FACTOR_OF_DRAW = "factor of a draw"
    USER_FEATURE = "user feature"
    ITEM_FEATURE = "item feature"
    DAY = "day of a user"


OF_DRAWS = {Axis.DRAW, Axis.FACTOR_OF_DRAW}
"""Axes of what is known of each draw."""


@dataclass(frozen=True)
class Declared:
    """The layout of one array of a family.

    Parameters
    ----------
    axes : tuple of Axis
        In order; none for a single number.
    dtype : type
        numpy.float32, numpy.float64, numpy.int32 or numpy.int8.
    tensor : str or None
        Name in a model file; None for the name of the field.
    is_optional : bool
        Whether models of the family can be without it.
    """

    axes: tuple[Axis, ...]
    dtype: type = np.float32
    tensor: str | None = None
    is_optional: bool = False


def number() -> Any:
    """Declare a single number, float64 in a model file."""
    return dataclasses.field(metadata={"declared": Declared((), np.float64)})


def array(*axes: Axis) -> Any:
    """Declare an array, float32, that every model of the family has."""
    return dataclasses.field(metadata={"declared": Declared(axes)})


def optional(*axes: Axis, dtype: type = np.float32, tensor: str | None = None) -> Any:
    """Declare an array that only some models of the family have; the others have None."""
    declared = Declared(axes, dtype, tensor, is_optional=True)
    return dataclasses.field(default=None, metadata={"declared": declared})


class UnknownArrayError(ValueError):
    """An array that the family does not declare; the message is its name in a model file."""


@dataclass(frozen=True, eq=False)
class Learned:
    """Base class of what the models of one family know.

    A subclass is a frozen dataclass whose fields are declared by `number`, `array` and `optional`.
    """

    kind: ClassVar[str]
    """Name of the family, as model files have it."""

    @classmethod
    def declared(cls) -> dict[str, Declared]:
        """The arrays of the family by the names of their fields."""
        return {field.name: field.metadata["declared"] for field in dataclasses.fields(cls)}

    def arrays(self) -> dict[str, Any]:
        """The arrays that this model has, by the names of their fields."""
        values = {name: getattr(self, name) for name in self.declared()}
        return {name: value for name, value in values.items() if value is not None}

    def rows(self, users: np.ndarray, items: np.ndarray) -> Self:
        """The model of some users and items.

        Parameters
        ----------
        users, items : ndarray of shape (n_users,) and (n_items,), int
            Rows, in the order that they are to have.
        """
        chosen = {Axis.USER: users, Axis.ITEM: items}
        return self._along_first_axis(lambda axis, values: values[chosen[axis]])

    def spread_out(self, users: np.ndarray, items: np.ndarray, shape: tuple[int, int]) -> Self:
        """The model over more users and items: rows at their new places, zeros at others.

        Parameters
        ----------
        users, items : ndarray of shape (n_users,) and (n_items,), int
            New row of each old one.
        shape : (int, int)
            Numbers of users and items of the new model.
        """
        places = {Axis.USER: (users, shape[0]), Axis.ITEM: (items, shape[1])}

        def spread(axis: Axis, values: np.ndarray) -> np.ndarray:
            at, n = places[axis]
            out = np.zeros((n, *values.shape[1:]), dtype=values.dtype)
            out[at] = values
            return out

        return self._along_first_axis(spread)

    def _along_first_axis(self, function: Any) -> Self:
        """Apply a function of the axis and the array to each array by user or by item."""
        changed = {}
        for name, values in self.arrays().items():
            axes = self.declared()[name].axes
            if axes[:1] in ((Axis.USER,), (Axis.ITEM,)):
                changed[name] = function(axes[0], values)
        return replace(self, **changed)

    @classmethod
    def mean(cls, members: Sequence[Self]) -> Self:
        """One model whose every prediction is the mean of several models' predictions.

        It has as many factors as they have together: the mean of S products p . q is the product
        of their rows set side by side, each divided by sqrt(S). Draws follow each other; all else
        is averaged. An array that one of them is without, the mean is without.
        """
        if len(members) == 1:
            return members[0]
        together: dict[str, Any] = {}
        for name, declared in cls.declared().items():
            values = [getattr(member, name) for member in members]
            if any(value is None for value in values):
                together[name] = None
            elif Axis.FACTOR in declared.axes:
                together[name] = side_by_side(values)
            elif OF_DRAWS & set(declared.axes):
                together[name] = np.concatenate(values, axis=-1)
            elif declared.axes:
                together[name] = (
                    sum(values[1:], values[0].astype(np.float64)) / len(values)
                ).astype(declared.dtype)
            else:
                together[name] = math.fsum(values) / len(values)
        return cls(**together)

    def members(self, n: int) -> list[Self]:
        """The models that this one is the mean of, as far as it knows them.

        Each has its own factors; all else is the mean's. Draws are left out.
        """
        root = np.float32(np.sqrt(n))

        members = []
        for at in range(n):
            changed: dict[str, Any] = {}
            for name, values in self.arrays().items():
                axes = self.declared()[name].axes
                if Axis.FACTOR in axes:
                    k = values.shape[-1] // n
                    changed[name] = values[:, at * k : (at + 1) * k] * root
                elif OF_DRAWS & set(axes):
                    changed[name] = None
            members.append(replace(self, **changed))
        return members

    def tensors(self) -> dict[str, np.ndarray]:
        """The arrays as a model file has them, by their names there."""
        return {
            self.declared()[name].tensor or name: np.atleast_1d(
                np.asarray(values, self.declared()[name].dtype)
            )
            for name, values in self.arrays().items()
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], n_users: int, n_items: int) -> Self:
        """The opposite of `tensors`: what a file holds, checked, since kernels rely on it.

        Raises
        ------
        KeyError
            If an array that every model of the family has is missing.
        UnknownArrayError
            If there is an array that the family does not declare.
        ValueError
            If an array is of another type or shape than declared, or not finite.
        """
        names = {declared.tensor or name: name for name, declared in cls.declared().items()}
        if unknown := sorted(set(tensors) - set(names)):
            raise UnknownArrayError(f"{cls.kind}.{unknown[0]}")
        lengths: dict[Axis, int] = {Axis.USER: n_users, Axis.ITEM: n_items}
        values: dict[str, Any] = {}
        for tensor, name in names.items():
            declared = cls.declared()[name]
            if declared.is_optional and tensor not in tensors:
                continue
            found = _expect_finite(tensors, tensor, declared, lengths)
            values[name] = found if declared.axes else float(found[0])
        _check_complete(cls, {Axis.DAY}, "days", values)
        has_draws = _check_complete(cls, {Axis.DRAW}, "draws", values)
        has_factors = _check_complete(cls, {Axis.DRAW, Axis.FACTOR_OF_DRAW}, "draws", values)
        _check_draws(has_draws, has_factors, lengths)
        return cls(**values)


def _check_complete(cls: type[Learned], axes: set[Axis], what: str, values: Container[str]) -> bool:
    """The arrays along exactly these axes, besides users and items, are all there, or none is.

    Returns
    -------
    bool
        Whether there are some.
    """
    along = {
        name: declared.tensor or name
        for name, declared in cls.declared().items()
        if set(declared.axes) - {Axis.USER, Axis.ITEM} == axes
    }
    missing = sorted(tensor for name, tensor in along.items() if name not in values)
    if missing and len(missing) < len(along):
        raise ValueError(f"{missing[0]} is missing, where other arrays of {what} are there")
    return bool(along) and not missing


def _check_draws(has_draws: bool, has_factors: bool, lengths: Mapping[Axis, int]) -> None:
    """There are several draws, with factors of their own or in those of the model; or none."""
    n_draws, n_factors = lengths.get(Axis.DRAW, 0), lengths.get(Axis.FACTOR, 0)
    if has_factors and not has_draws:
        raise ValueError("factors of draws are there without draws")
    if has_draws and (n_draws < 2 or (not has_factors and n_factors % n_draws)):
        raise ValueError(f"{n_factors} factors are not those of {n_draws} draws")


def _expect_finite(
    tensors: Mapping[str, np.ndarray], name: str, declared: Declared, lengths: dict[Axis, int]
) -> np.ndarray:
    """An array of a file, if it is as declared; lengths that are first seen here are noted."""
    values = tensors[name]
    if values.dtype != declared.dtype or not values.flags.aligned:
        raise ValueError(f"{name} is not an aligned array of {np.dtype(declared.dtype)}")
    if values.ndim == max(len(declared.axes), 1):
        for axis, length in zip(declared.axes, values.shape, strict=False):
            lengths.setdefault(axis, length)
    shape = tuple(lengths.get(axis, -1) for axis in declared.axes) or (1,)
    if values.shape != shape:
        raise ValueError(f"{name} has the shape {values.shape}, not {shape}")
    if not all_finite(values):
        raise ValueError(f"{name} holds values that are not finite")
    return values


def side_by_side(members: Sequence[np.ndarray]) -> np.ndarray:
    """The factors of a model that is the mean of S others.

    Parameters
    ----------
    members : sequence of ndarray of shape (n, k)

    Returns
    -------
    ndarray of shape (n, S k)
        Divided by sqrt(S), so that products of two such rows are means of products.
    """
    if len(members) == 1:
        return members[0]
    return np.concatenate(members, axis=1) / members[0].dtype.type(np.sqrt(len(members)))
