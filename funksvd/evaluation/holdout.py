"""The test part: set aside before training, found again for evaluation."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from funksvd.errors import DataChangedError, RatingsError
from funksvd.ratings import Ratings, ReadOptions, random_split, read_ratings
from funksvd.scoring import UserItems


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

    @classmethod
    def of(cls, ratings: Ratings) -> Source:
        return cls(ratings.report.files if ratings.report else [], ratings.fingerprint)


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
    """

    ratings: Source
    options: ReadOptions
    test: Source | None
    validation: Source | None
    test_fraction: float
    seed: int

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
    """

    training: Ratings
    validation: Ratings | None
    test: Ratings | None
    provenance: Provenance

    @property
    def all_but_test(self) -> Ratings:
        """Training and validation ratings together."""
        if self.validation is None:
            return self.training
        return self.training.joined_with(self.validation)


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
        If a (user, item) pair of a given test part is also in `ratings`: its rating would be
        learned, and the test would not be honest.
    """
    provenance = Provenance(
        ratings=Source.of(ratings),
        options=options or ReadOptions(),
        test=Source.of(test) if test is not None else None,
        validation=Source.of(validation) if validation is not None else None,
        test_fraction=test_fraction if test is None else 0.0,
        seed=seed,
    )
    training = ratings
    if test is None:
        training, test = random_split(ratings, test_fraction, seed)
    for part in (ratings, validation):
        if provenance.test and part is not None:
            _check_disjoint(part, test)
    return Holdout(training, validation, test if len(test) else None, provenance)


def rebuild(provenance: Provenance, folder: str | os.PathLike = ".") -> Holdout:
    """Read a model's ratings again and split them as they were split for training.

    Parameters
    ----------
    provenance : Provenance
    folder : path
        Where relative paths are looked for if they are not in the current folder: the model
        file's own.

    Raises
    ------
    DataChangedError
        If a file is gone, or its ratings are no longer the same.
    RatingsError
        If a file cannot be read.
    """
    parts = {
        name: _read_again(getattr(provenance, name), provenance.options, Path(folder))
        for name in ("ratings", "test", "validation")
    }
    return hold_out(
        **parts,
        test_fraction=provenance.test_fraction,
        seed=provenance.seed,
        options=provenance.options,
    )


def _read_again(source: Source | None, options: ReadOptions, folder: Path) -> Ratings | None:
    if source is None:
        return None
    if not source.files:
        raise DataChangedError(
            "the model was trained on ratings that did not come from a file, so its test part "
            "cannot be read again; name a file: funksvd evaluate MODEL RATINGS"
        )
    paths = []
    for name in source.files:
        candidates = [Path(name), folder / name]
        found = next((path for path in candidates if path.exists()), None)
        if found is None:
            raise DataChangedError(
                f"{name}: the ratings that the model was trained on are no longer there; put "
                "them back, or name a file: funksvd evaluate MODEL RATINGS"
            )
        paths.append(found)
    ratings = read_ratings(paths, options)
    if ratings.fingerprint != source.fingerprint:
        raise DataChangedError(
            f"{', '.join(map(str, paths))}: the ratings have changed since the model was trained, "
            "so its test part cannot be found again; train again, or name a file of test "
            "ratings: funksvd evaluate MODEL RATINGS"
        )
    return ratings


def _check_disjoint(ratings: Ratings, test: Ratings) -> None:
    user_index, item_index = test.index_for(ratings.user_ids, ratings.item_ids)
    known = UserItems.of(ratings.user_index, ratings.item_index, ratings.n_users)
    n_shared = int(known.contains(user_index, item_index).sum())
    if n_shared:
        raise RatingsError(
            f"{test.source}: {n_shared:,} of {len(test):,} test ratings have a (user, item) pair "
            f"that is also in {ratings.source}; a test on what was learned is not honest. Remove "
            "them from one of the two"
        )
