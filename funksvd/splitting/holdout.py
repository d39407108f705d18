"""The test part: set aside before training, found again for evaluation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from funksvd.errors import DataChangedError, RatingsError
from funksvd.learned.scoring import UserItems
from funksvd.parallel import available_processors
from funksvd.ratings import Ratings, ReadOptions, read_ratings
from funksvd.splitting.random import random_split

REMEDY = "judge the model on other ratings with `funksvd evaluate MODEL RATINGS`"
"""Right for whatever command needs the ratings."""


@dataclass(frozen=True)
class Source:
    """Where ratings came from, and what they were.

    Parameters
    ----------
    files : list of str
        Paths as they were given; empty where there were none (standard input, a table).
    fingerprint : str
        `Ratings.fingerprint`.
    """

    files: list[str]
    fingerprint: str

    def __post_init__(self) -> None:
        if not all(isinstance(text, str) for text in (*self.files, self.fingerprint)):
            raise TypeError("files and fingerprint must be text")

    @classmethod
    def of(cls, ratings: Ratings) -> Source:
        return cls(ratings.report.files if ratings.report else [], ratings.fingerprint)


@dataclass(frozen=True)
class Update:
    """Ratings that a model was given later.

    Parameters
    ----------
    ratings : Source
    options : ReadOptions
        How they were read.
    """

    ratings: Source
    options: ReadOptions


@dataclass(frozen=True)
class Provenance:
    """All that is needed to find a model's training and test ratings again.

    Parameters
    ----------
    ratings : Source
        What was read, before the test part was taken out of it.
    options : ReadOptions
        How it was read; the given parts too.
    test, validation : Source or None
        Parts that were given as files of their own.
    test_fraction : float
        Size of the part taken out at random; 0 where there is none.
    seed : int
    test_fingerprint : str or None
        `Ratings.fingerprint` of the test part, given or random.
    updates : tuple of Update
        What came later, in that order; the test part stays what it was.

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

    def __post_init__(self) -> None:
        fits = isinstance(self.test_fraction, float) and isinstance(self.seed, int)
        fits = fits and 0 <= self.test_fraction < 1 and self.seed >= 0
        if not fits or not isinstance(self.test_fingerprint, str | None):
            raise TypeError("the record of where the ratings came from makes no sense")

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Provenance:
        """The opposite of `to_dict`."""
        return cls(
            ratings=Source(**plain["ratings"]),
            options=ReadOptions(**plain["options"]),
            test=Source(**plain["test"]) if plain["test"] else None,
            validation=Source(**plain["validation"]) if plain["validation"] else None,
            test_fraction=plain["test_fraction"],
            seed=plain["seed"],
            test_fingerprint=plain["test_fingerprint"],
            updates=tuple(
                Update(Source(**update["ratings"]), ReadOptions(**update["options"]))
                for update in plain["updates"]
            ),
        )


@dataclass(frozen=True)
class Holdout:
    """Ratings to learn from and ratings to test on.

    Parameters
    ----------
    training : Ratings
        To be given to `FunkSVD.fit`.
    validation : Ratings or None
        Likewise; None leaves it to `fit` to set a part aside.
    test : Ratings or None
        Never to be shown to training.
    provenance : Provenance
    added : tuple of Ratings
        What came later: new pairs, and new ratings of old ones. None is in the test part.
    """

    training: Ratings
    validation: Ratings | None
    test: Ratings | None
    provenance: Provenance
    added: tuple[Ratings, ...] = ()

    @property
    def all_but_test(self) -> Ratings:
        """Training and validation ratings and those added later, together."""
        together = self.training
        for part in (self.validation, *self.added):
            if part is not None:
                together = together.joined_with(part)
        return together

    def with_added(self, ratings: Ratings, options: ReadOptions | None = None) -> Holdout:
        """The same with more ratings to learn from; the test part stays as it is.

        Parameters
        ----------
        ratings : Ratings
            Of a pair that is there already, the new rating counts. Pairs of the test part are left
            out: they stay unseen.
        options : ReadOptions, optional
            How they were read.
        """
        kept = ratings
        if self.test is not None:
            kept = ratings.subset(~is_in(ratings, self.test))
        update = Update(Source.of(ratings), options or ReadOptions())
        provenance = replace(self.provenance, updates=(*self.provenance.updates, update))
        return replace(self, provenance=provenance, added=(*self.added, kept))


def hold_out(
    ratings: Ratings,
    *,
    test: Ratings | None = None,
    validation: Ratings | None = None,
    test_fraction: float = 0.1,
    seed: int = 0,
    options: ReadOptions | None = None,
) -> Holdout:
    """Set a test part aside, unless one is given.

    Parameters
    ----------
    ratings : Ratings
    test, validation : Ratings, optional
        Parts given as ratings of their own.
    test_fraction : float
        Part of `ratings` to set aside where `test` is not given; 0 for none.
    seed : int
    options : ReadOptions, optional
        How the ratings were read, so that they can be read again.

    Raises
    ------
    RatingsError
        If a (user, item) pair of a given part is also in another part: the test, or the choice
        of the best epoch, would be made on what was learned.
    """
    for name, part, other in (
        ("test", test, ratings),
        ("test", test, validation),
        ("validation", validation, ratings),
    ):
        if part is not None and other is not None:
            check_disjoint(name, part, other)
    training, given_test = ratings, test
    if test is None:
        training, test = random_split(ratings, test_fraction, seed)
    provenance = Provenance(
        ratings=Source.of(ratings),
        options=options or ReadOptions(),
        test=Source.of(test) if given_test is not None else None,
        validation=Source.of(validation) if validation is not None else None,
        test_fraction=float(test_fraction) if given_test is None else 0.0,
        seed=int(seed),
        test_fingerprint=test.fingerprint if len(test) else None,
    )
    return Holdout(training, validation, test if len(test) else None, provenance)


def rebuild(
    provenance: Provenance, folder: str | os.PathLike = ".", *, remedy: str = REMEDY
) -> Holdout:
    """Read a model's ratings again and split them as they were split for training.

    Parameters
    ----------
    provenance : Provenance
    folder : path
        The model file's. Relative paths are looked for in the current folder, then in this one
        and in those above it; files whose ratings are not the same are passed over.
    remedy : str
        What else can be done, for messages.

    Raises
    ------
    DataChangedError
        If a file is gone, or its ratings are no longer the same.
    RatingsError
        If a file cannot be read.
    """
    parts = {
        name: _read_again(getattr(provenance, name), provenance.options, Path(folder), remedy)
        for name in ("ratings", "test", "validation")
    }
    holdout = _split(provenance, **parts)
    for update in provenance.updates:
        ratings = _read_again(update.ratings, update.options, Path(folder), remedy)
        holdout = holdout.with_added(ratings, update.options)
    return holdout


def split_again(provenance: Provenance, ratings: Ratings) -> Holdout | None:
    """Split a model's ratings, wherever they are now, as they were split for training.

    Returns
    -------
    Holdout or None
        None if these are other ratings, or parts were given as files of their own.

    Raises
    ------
    DataChangedError
        If NumPy draws another test part than it did then.
    """
    given = provenance.test is not None or provenance.validation is not None
    if given or ratings.fingerprint != provenance.ratings.fingerprint:
        return None
    return _split(provenance, ratings)


def _split(
    provenance: Provenance,
    ratings: Ratings,
    test: Ratings | None = None,
    validation: Ratings | None = None,
) -> Holdout:
    holdout = hold_out(
        ratings,
        test=test,
        validation=validation,
        test_fraction=provenance.test_fraction,
        seed=provenance.seed,
        options=provenance.options,
    )
    if holdout.provenance.test_fingerprint != provenance.test_fingerprint:
        raise DataChangedError(
            "the test part is not the one that was set aside for training: another version of "
            f"NumPy may draw other random numbers; train again, or {REMEDY}"
        )
    return holdout


def _read_again(
    source: Source | None, options: ReadOptions, folder: Path, remedy: str
) -> Ratings | None:
    if source is None:
        return None
    if not source.files:
        raise DataChangedError(
            "the model was trained on ratings that did not come from a file, so they cannot be "
            f"read again; {remedy}"
        )
    problem = None
    for paths in _candidates(source.files, folder):
        try:
            ratings = read_ratings(paths, options)
        except RatingsError as error:  # perhaps another file of that name
            problem = problem or error
            continue
        if ratings.fingerprint == source.fingerprint:
            return ratings
        problem = problem or DataChangedError(
            f"{ratings.source}: the ratings have changed since the model was trained; train "
            f"again, or {remedy}"
        )
    raise problem or DataChangedError(
        f"{', '.join(source.files)}: the ratings that the model was trained on are no longer "
        f"there; put them back, here or beside the model, or {remedy}"
    )


def _candidates(files: list[str], folder: Path) -> Iterator[list[Path]]:
    """Where the files may be: all of them under the same folder, each place once."""
    folder, here = folder.resolve(), Path.cwd()
    bases = [Path(), *(base for base in (folder, *folder.parents) if base != here)]
    places = dict.fromkeys(tuple(base / name for name in files) for base in bases)
    return (
        list(paths) for paths in places if all(path.is_file() or path.is_dir() for path in paths)
    )


def is_in(ratings: Ratings, other: Ratings) -> np.ndarray:
    """Which ratings have a (user, item) pair that is also in another's.

    Returns
    -------
    ndarray of shape (n_ratings,), bool
    """
    n_threads = available_processors()
    user_index, item_index = other.index_for(ratings.user_ids, ratings.item_ids)
    pairs = UserItems.of(user_index, item_index, ratings.n_users, n_threads)
    return pairs.contains(ratings.user_index, ratings.item_index, n_threads)


def check_disjoint(name: str, part: Ratings, other: Ratings) -> None:
    """Make sure that what is to be judged is not learned.

    Raises
    ------
    RatingsError
        If a (user, item) pair is in both; `name` is that of the part, "test" or "validation".
    """
    n_shared = int(is_in(other, part).sum())  # the part is what is sorted: it is the smaller one
    if n_shared:
        raise RatingsError(
            f"{part.source}: {n_shared:,} of {len(part):,} {name} ratings have a (user, item) pair "
            f"that is also in {other.source}; a {name} on what was learned is not honest. Remove "
            "them from one of the two"
        )
