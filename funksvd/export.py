"""Factors for other programs: Parquet, NumPy, and the text format of word2vec."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from funksvd.atomic import replacing
from funksvd.errors import FunkSVDError
from funksvd.ratings import write_table
from funksvd.recommender import Recommender

SIDES = ("items", "users")


def export_factors(model: Recommender, path: str | os.PathLike, of: str = "items") -> int:
    """Write the ids, biases and factors of a model's items or users, in the format of the suffix.

    Parquet (.parquet) has a row for each: `id`, `bias` and `factors`, a list of float32. NumPy
    (.npz) has arrays of the same names and `global_mean`; text ids are fixed-width, so that no
    pickle is needed to load them. The text format of word2vec (.txt, .vec), which tools for
    embeddings read, has the number of rows and of factors in the first line, then an id and its
    factors in each, and no biases.

    Parameters
    ----------
    model : Recommender
        Fitted.
    path : path
    of : {"items", "users"}

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    FunkSVDError
        If the suffix or `of` is unknown, or an id has a blank, which the text format cannot hold.
    OSError
        If the file cannot be written; one that was there before is then untouched.
    RatingsError
        Likewise, for Parquet.
    """
    if of not in SIDES:
        raise FunkSVDError(f"of must be one of {', '.join(SIDES)}, not {of!r}")
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in WRITERS:
        raise FunkSVDError(
            f"{path}: the suffix does not tell the format; use one of {', '.join(WRITERS)}"
        )
    side = "item" if of == "items" else "user"
    parts = (getattr(model, f"{side}_{name}") for name in ("ids", "biases", "factors"))
    columns = dict(zip(("id", "bias", "factors"), parts, strict=True))
    WRITERS[suffix](path, columns, model.global_mean)
    return len(columns["id"])


def _write_parquet(path: str | os.PathLike, columns: dict[str, np.ndarray], mean: float) -> None:
    write_table([columns], path, "parquet")


def _write_numpy(path: str | os.PathLike, columns: dict[str, np.ndarray], mean: float) -> None:
    ids = columns["id"]
    plain = {**columns, "id": ids if ids.dtype.kind == "i" else ids.astype(str)}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, global_mean=np.float64(mean), **plain)


def _write_word2vec(path: str | os.PathLike, columns: dict[str, np.ndarray], mean: float) -> None:
    ids, factors = [str(label) for label in columns["id"].tolist()], columns["factors"]
    for label in ids:
        if label.split() != [label]:
            raise FunkSVDError(
                f"{path}: the id {label!r} has a blank, which the text format of word2vec cannot "
                "hold; use .parquet or .npz"
            )
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(f"{len(ids)} {factors.shape[1]}\n")
        for label, row in zip(ids, factors, strict=True):
            file.write(f"{label} {' '.join(row.astype(str))}\n")


WRITERS: dict[str, Callable[[str | os.PathLike, dict[str, np.ndarray], float], None]] = {
    ".parquet": _write_parquet,
    ".npz": _write_numpy,
    ".txt": _write_word2vec,
    ".vec": _write_word2vec,
}
