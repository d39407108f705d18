"""Factors for other programs: Parquet, NumPy, and the text format of word2vec."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from funksvd.atomic import replacing
from funksvd.errors import FunkSVDError, argument
from funksvd.ratings import write_table
from funksvd.recommender import Recommender

SIDES = ("items", "users")
"""Sides of a model that can be written."""
PARTS = ("rating", "choice")
"""Parts of a model that can be written."""


def export_factors(
    model: Recommender,
    path: str | os.PathLike[str],
    of: str = "items",
    *,
    part: str | None = None,
) -> int:
    """Write the ids, biases and factors of a model's items or users to a file.

    The suffix of the file tells the format.

    Parquet (.parquet) has a row for each item or user, with the columns `id`, `bias` and
    `factors`, a list of float32. NumPy (.npz) has arrays of the same names and `global_mean`; text
    ids are fixed-width, so that no pickle is needed to load them. The text format of word2vec
    (.txt, .vec), which tools for embeddings read, has the numbers of rows and of factors in the
    first line, and an id with its factors in each line after it; it has no biases. A choice model
    has neither biases nor a mean: the score of a pair is the product of its two rows of factors.

    Parameters
    ----------
    model : Recommender
        Fitted.
    path : path
        Ends with .parquet, .npz, .txt or .vec.
    of : {"items", "users"}
        Side of the model to write.
    part : {"rating", "choice"}, optional
        Part of the model to write; by default that of ratings, where the model has one.

    Returns
    -------
    int
        Number of rows that were written.

    Raises
    ------
    FunkSVDError
        If the suffix, `of` or `part` is unknown, the model does not have that part, or an id has a
        blank, which the text format cannot hold.
    WriteError
        If the file cannot be written; one that was there before is then untouched.
    """
    if of not in SIDES:
        raise FunkSVDError(f"of must be one of {', '.join(SIDES)}, not {of!r}")
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in WRITERS:
        raise FunkSVDError(
            f"{path}: the suffix does not tell the format; use one of {', '.join(WRITERS)}"
        )
    if part is None:
        part = default_part(model)
    if part not in PARTS:
        raise FunkSVDError(f"{argument('part')} must be one of {', '.join(PARTS)}, not {part!r}")
    fitted = model.fitted
    is_items = of == "items"
    ids = model.item_ids if is_items else model.user_ids
    if part == "rating":
        learned = fitted.rating_model.learned
        biases = learned.item_biases if is_items else learned.user_biases
        factors = learned.item_factors if is_items else learned.user_factors
        side = Side(ids, factors, biases, learned.global_mean)
    else:
        choices = fitted.choice_model.learned
        side = Side(ids, choices.item_factors if is_items else choices.user_factors)
    WRITERS[suffix](path, side)
    return len(side.id)


def default_part(model: Recommender) -> str:
    """The part that is written where none is named: that of ratings, where there is one."""
    return "choice" if model.fitted.rating is None else "rating"


class Side(NamedTuple):
    """The items or the users of a model, as columns of equal length.

    Parameters
    ----------
    id : ndarray of shape (n,), int64 or object (str)
    factors : ndarray of shape (n, n_factors), float32
    bias : ndarray of shape (n,), float32, or None
        None for a choice model, which has no biases.
    global_mean : float or None
        mu, in rating units; None for a choice model, which has no mean.
    """

    id: np.ndarray
    factors: np.ndarray
    bias: np.ndarray | None = None
    global_mean: float | None = None


def _write_parquet(path: str | os.PathLike[str], side: Side) -> None:
    biases = {} if side.bias is None else {"bias": side.bias}
    write_table([{"id": side.id, **biases, "factors": side.factors}], path, "parquet")


def _write_numpy(path: str | os.PathLike[str], side: Side) -> None:
    arrays = {"id": side.id if side.id.dtype.kind == "i" else side.id.astype(str)}
    if side.bias is not None and side.global_mean is not None:
        arrays = {"global_mean": np.array(side.global_mean), **arrays, "bias": side.bias}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, factors=side.factors, **arrays)  # type: ignore[arg-type]


def _write_word2vec(path: str | os.PathLike[str], side: Side) -> None:
    ids = list(map(str, side.id.tolist()))
    for label in ids:
        if label.split() != [label]:
            raise FunkSVDError(
                f"{path}: the id {label!r} has a blank, which the text format of word2vec cannot "
                "hold; use .parquet or .npz"
            )
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(f"{len(ids)} {side.factors.shape[1]}\n")
        for label, row in zip(ids, side.factors, strict=True):
            file.write(f"{label} {' '.join(row.astype(str))}\n")


WRITERS: dict[str, Callable[[str | os.PathLike[str], Side], None]] = {
    ".parquet": _write_parquet,
    ".npz": _write_numpy,
    ".txt": _write_word2vec,
    ".vec": _write_word2vec,
}
"""Writers by the suffix of the file."""
