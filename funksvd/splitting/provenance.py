"""Provenance: the record of a model's ratings in its file, by which they can be found again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from funksvd.ratings import Interactions, ReadOptions
from funksvd.ratings.duplicates import COUNT
from funksvd.ratings.io.clicks import read_again
from funksvd.ratings.io.report import KINDS

SOURCES = ("ratings", "test", "validation", "interactions")
"""Fields of a `Provenance` that hold a `Source`."""


@dataclass(frozen=True)
class Source:
    """Files of ratings or interactions, and their fingerprint.

    Parameters
    ----------
    files : list of str
        Paths as they were given; empty where there were none (standard input, a table).
    fingerprint : str
        `Interactions.fingerprint`, of any version.
    n_rows : int or None
        Their number, without repeated pairs: where more have been appended to the files since, it
        is the first ones that have the fingerprint. None in records of earlier programs.
    n_read : int or None
        Number of rows of the files of which interactions were counted; None where none were.
    """

    files: list[str]
    fingerprint: str
    n_rows: int | None = None
    n_read: int | None = None

    def __post_init__(self) -> None:
        if not all(isinstance(text, str) for text in (*self.files, self.fingerprint)):
            raise TypeError("files and fingerprint must be text")
        for n in (self.n_rows, self.n_read):
            if n is not None and (type(n) is not int or n < 0):
                raise TypeError("n_rows and n_read must be whole numbers")

    @classmethod
    def of(cls, found: Interactions) -> Source:
        report = found.report
        if report is None:
            return cls([], found.fingerprint, len(found))
        n_read = report.n_rows - report.n_bad_rows if found.repeats == COUNT else None
        return cls(report.files, found.fingerprint, len(found), n_read)


@dataclass(frozen=True)
class Update:
    """Ratings that a model was given later.

    Parameters
    ----------
    ratings : Source
    options : ReadOptions
        Settings they were read with.
    is_whole : bool
        Whether they hold all ratings that the model knew before, too: a file that has grown.

    Raises
    ------
    TypeError
        If `is_whole` is of another kind: it may come from a file.
    """

    ratings: Source
    options: ReadOptions
    is_whole: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.is_whole, bool):
            raise TypeError("is_whole must be true or false")


@dataclass(frozen=True)
class Provenance:
    """Record of a model's training and test ratings, from which they can be found again.

    Parameters
    ----------
    ratings : Source
        Ratings as they were read, before the test part was taken out of them.
    options : ReadOptions
        Settings they were read with; the given parts and the interactions too.
    test, validation : Source or None
        Parts that were given as files of their own.
    test_fraction : float
        Share of the ratings taken out at random; 0 where there is no such part.
    seed : int
    test_fingerprint : str or None
        `Interactions.fingerprint` of the test part, given or random.
    updates : tuple of Update
        Ratings that came later, in that order; the test part stays as it is.
    interactions : Source or None
        Interactions as they were read, before those of the test part were taken out of them.
    kind : str
        What the rows of the files were taken for, one of `ratings.io.report.KINDS`; the
        interactions that are recorded beside ratings are bare pairs.
    positive_from : float or None
        Ratings below this were left out, where interactions were made of the others.
    test_pairs : ndarray of shape (n_test,), int64, or None
        Hashes of the pairs of a random test part, ascending: it is known again in a file that has
        grown. Not part of `to_dict`.

    Raises
    ------
    TypeError
        If a field is of another kind: they may come from a file.
    """

    ratings: Source
    options: ReadOptions
    test: Source | None
    validation: Source | None
    test_fraction: float
    seed: int
    test_fingerprint: str | None = None
    updates: tuple[Update, ...] = ()
    interactions: Source | None = None
    kind: str = "ratings"
    positive_from: float | None = None
    test_pairs: np.ndarray | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        fits = isinstance(self.test_fraction, float) and isinstance(self.seed, int)
        fits = fits and 0 <= self.test_fraction < 1 and self.seed >= 0
        fits = fits and self.kind in KINDS and isinstance(self.positive_from, float | None)
        if not fits or not isinstance(self.test_fingerprint, str | None):
            raise TypeError("the record of where the ratings came from makes no sense")

    @property
    def whole_and_later(self) -> tuple[Update | None, tuple[Update, ...]]:
        """The last update of all ratings, from which on the others count, and these."""
        for at in reversed(range(len(self.updates))):
            if self.updates[at].is_whole:
                return self.updates[at], self.updates[at + 1 :]
        return None, self.updates

    @property
    def noun(self) -> str:
        """Plural noun for the rows that were learned from."""
        return "ratings" if self.kind == "ratings" else "interactions"

    def read(self, source: Any, options: ReadOptions, n_rows: int | None = None) -> Interactions:
        """Read more of the same kind: files that came later, or the same files again.

        Parameters
        ----------
        source : path, sequence of paths, or table
        options : ReadOptions
        n_rows : int, optional
            Only the first rows that can be used, where interactions are counted.

        Returns
        -------
        Ratings or Interactions
            As the model's own: with the same `positive_from`.

        Raises
        ------
        RatingsError
            If the source cannot be read.
        """
        return read_again(source, options, self.kind, self.positive_from, n_rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON; without `test_pairs`."""
        plain = asdict(replace(self, test_pairs=None))
        del plain["test_pairs"]
        # Earlier programs do not know some fields; they are left out where they say nothing.
        for part in (plain, *plain["updates"]):
            for name in ("decimal", "count_col"):
                if part["options"][name] is None:
                    del part["options"][name]
            for source in (part[name] for name in SOURCES if part.get(name)):
                if source["n_read"] is None:
                    del source["n_read"]
        if self.kind == "ratings":
            del plain["kind"], plain["positive_from"]
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any], test_pairs: np.ndarray | None = None) -> Provenance:
        """The opposite of `to_dict`.

        Records of earlier programs lack interactions, and whether an update is of all ratings.
        """

        def source(name: str) -> Source | None:
            return Source(**plain[name]) if plain.get(name) else None

        return cls(
            ratings=Source(**plain["ratings"]),
            options=ReadOptions(**plain["options"]),
            test=source("test"),
            validation=source("validation"),
            test_fraction=plain["test_fraction"],
            seed=plain["seed"],
            test_fingerprint=plain["test_fingerprint"],
            updates=tuple(
                Update(
                    Source(**update["ratings"]),
                    ReadOptions(**update["options"]),
                    update.get("is_whole", False),
                )
                for update in plain["updates"]
            ),
            interactions=source("interactions"),
            kind=plain.get("kind", "ratings"),
            positive_from=plain.get("positive_from"),
            test_pairs=test_pairs,
        )
