"""Factors for other programs: Parquet, NumPy, and the text format of word2vec."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from funksvd.atomic import replacing
from funksvd.errors import FunkSVDError
from funksvd.ratings import write_table
from funksvd.recommender import Recommender

SIDES = ("items", "users")
"""Sides of a model that can be written."""


def export_factors(model: Recommender, path: str | os.PathLike[str], of: str = "items") -> int:
    """Write the ids, biases and factors of a model's items or users to a file.

    The suffix of the file tells the format.

    Parquet (.parquet) has a row for each item or user, with the columns `id`, `bias` and
    `factors`, a list of float32. NumPy (.npz) has arrays of the same names and `global_mean`; text
    ids are fixed-width, so that no pickle is needed to load them. The text format of word2vec
    (.txt, .vec), which tools for embeddings read, has the numbers of rows and of factors in the
    first line, and an id with its factors in each line after it; it has no biases.

    Parameters
    ----------
    model : Recommender
        Fitted.
    path : path
        Ends with .parquet, .npz, .txt or .vec.
    of : {"items", "users"}
        Side of the model to write.

    Returns
    -------
    int
        Number of rows that were written.

    Raises
    ------
    FunkSVDError
        If the suffix or `of` is unknown, or an id has a blank, which the text format cannot hold.
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
    if of == "items":
        side = Side(model.item_ids, model.item_biases, model.item_factors)
    else:
        side = Side(model.user_ids, model.user_biases, model.user_factors)
    WRITERS[suffix](path, side, model.global_mean)
    return len(side.id)


class Side(NamedTuple):
    """The items or the users of a model, as columns of equal length.

    Parameters
    ----------
    id : ndarray of shape (n,), int64 or object (str)
    bias : ndarray of shape (n,), float32
    factors : ndarray of shape (n, n_factors), float32
    """

    id: np.ndarray
    bias: np.ndarray
    factors: np.ndarray


def _write_parquet(path: str | os.PathLike[str], side: Side, global_mean: float) -> None:
    write_table([side._asdict()], path, "parquet")


def _write_numpy(path: str | os.PathLike[str], side: Side, global_mean: float) -> None:
    ids = side.id if side.id.dtype.kind == "i" else side.id.astype(str)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(
            file,
            global_mean=np.float64(global_mean),
            id=ids,
            bias=side.bias,
            factors=side.factors,
        )


def _write_word2vec(path: str | os.PathLike[str], side: Side, global_mean: float) -> None:
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


WRITERS: dict[str, Callable[[str | os.PathLike[str], Side, float], None]] = {
    ".parquet": _write_parquet,
    ".npz": _write_numpy,
    ".txt": _write_word2vec,
    ".vec": _write_word2vec,
}
"""Writers by the suffix of the file."""
