"""A model's ratings, read again and split as they were split for training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import DataChangedError, RatingsError
from funksvd.ratings import Interactions, ReadOptions, read_interactions
from funksvd.rng import Stream, generator
from funksvd.splitting.holdout import Holdout, set_aside
from funksvd.splitting.pairs import are_among
from funksvd.splitting.provenance import Provenance, Source
from funksvd.splitting.random import random_part

REMEDY = "evaluate the model on other ratings"
"""End of messages about ratings that cannot be read again: the alternative."""


def rebuild(
    provenance: Provenance,
    folder: str | os.PathLike[str] = ".",
    *,
    remedy: str = REMEDY,
    with_interactions: bool = True,
) -> Holdout[Any]:
    """Read a model's ratings again and split them as they were split for training.

    Parameters
    ----------
    provenance : Provenance
    folder : path
        The model file's. Relative paths are looked for in the current folder, then in this one
        and in those above it; files whose ratings are not the same are passed over.
    remedy : str
        End of messages: what can be done without these ratings.
    with_interactions : bool
        Whether interactions that the model was trained with besides ratings are read again: they
        are for training only, and evaluation should not depend on their file.

    Returns
    -------
    Holdout
        Of ratings or of interactions, whichever the model was trained on.

    Raises
    ------
    DataChangedError
        If a file is gone, or its ratings are no longer the same.
    RatingsError
        If a file cannot be read.
    """
    again = _Again(Path(folder), remedy)
    whole, later = provenance.whole_and_later
    origin = provenance.ratings if whole is None else whole.ratings
    options = provenance.options if whole is None else whole.options
    ratings = again.read(provenance.read, origin, options, provenance.noun)
    holdout = _split(provenance, remedy, ratings, *again.parts(provenance, with_interactions))
    for update in later:
        added = again.read(provenance.read, update.ratings, update.options, provenance.noun)
        holdout = holdout.with_added(added, update.options)
    return holdout


def with_whole(
    provenance: Provenance,
    ratings: Interactions,
    options: ReadOptions,
    folder: str | os.PathLike[str] = ".",
    *,
    remedy: str = REMEDY,
) -> Holdout[Any]:
    """The parts of ratings among which are all that a model knew before: a file that has grown.

    Parameters
    ----------
    provenance : Provenance
        The model's.
    ratings : Ratings or Interactions
        As `provenance.read` reads them.
    options : ReadOptions
        How they were read.
    folder, remedy
        As for `rebuild`: parts that were given as files of their own are read again.

    Raises
    ------
    DataChangedError
        If the file of a part is gone, or its ratings are no longer the same.
    RatingsError
        If it cannot be read.
    """
    parts = _Again(Path(folder), remedy).parts(provenance)
    return Holdout.of_whole(provenance, ratings, options, *parts)


def split_again(
    provenance: Provenance, ratings: Interactions, *, remedy: str = REMEDY
) -> Holdout[Any] | None:
    """Split a model's ratings, wherever they are now, as they were split for training.

    Parameters
    ----------
    provenance : Provenance
    ratings : Ratings or Interactions
        As `provenance.read` reads them.
    remedy : str
        End of messages: what can be done without these ratings.

    Returns
    -------
    Holdout or None
        None if these are other ratings, or parts were given as files of their own. Without
        interactions.

    Raises
    ------
    DataChangedError
        If the test part is not the one that was set aside then.
    """
    given = provenance.test is not None or provenance.validation is not None
    whole, _ = provenance.whole_and_later
    origin = provenance.ratings if whole is None else whole.ratings
    if given or not ratings.has_fingerprint(origin.fingerprint):
        return None
    return _split(provenance, remedy, ratings)


def _split(
    provenance: Provenance,
    remedy: str,
    ratings: Interactions,
    test: Interactions | None = None,
    validation: Interactions | None = None,
    interactions: Interactions | None = None,
) -> Holdout[Any]:
    whole, _ = provenance.whole_and_later
    if whole is not None:
        holdout = Holdout.of_whole(
            provenance, ratings, whole.options, test, validation, interactions
        )
    else:
        holdout = set_aside(
            ratings,
            _test_again(provenance, ratings),
            test=test,
            validation=validation,
            test_fraction=provenance.test_fraction,
            seed=provenance.seed,
            options=provenance.options,
            interactions=interactions,
        )
    expected, found = provenance.test_fingerprint, holdout.test
    same = found is None if expected is None else found and found.has_fingerprint(expected)
    if not same:
        raise DataChangedError(
            "the test part is not the one that was set aside for training; train again, or "
            f"{remedy}"
        )
    # Interactions that were not read again are recorded all the same.
    recorded = replace(holdout.provenance, interactions=provenance.interactions)
    return replace(holdout, provenance=recorded)


def _test_again(provenance: Provenance, ratings: Interactions) -> np.ndarray | None:
    """Which ratings are the random test part; None for a model that has none.

    It is known by its pairs, however it was drawn. A model that was saved without the pairs has it
    drawn again: by ids, or by positions, with `Generator.choice`, as earlier programs drew it.
    """
    if provenance.test is not None or provenance.test_fingerprint is None:
        return None
    if provenance.test_pairs is not None:
        return are_among(ratings, provenance.test_pairs)
    drawn = random_part(ratings, provenance.test_fraction, provenance.seed, Stream.TEST)
    if ratings.subset(drawn).has_fingerprint(provenance.test_fingerprint):
        return drawn
    n = len(ratings)
    is_test = np.zeros(n, dtype=bool)
    random = generator(provenance.seed, Stream.TEST)
    n_tested = round(provenance.test_fraction * n)
    is_test[random.choice(n, n_tested, replace=False, shuffle=False)] = True
    return is_test


class _Again(NamedTuple):
    """Reader of files that have been read before.

    Parameters
    ----------
    folder : Path
        The model file's.
    remedy : str
        End of messages: what can be done without these ratings.
    """

    folder: Path
    remedy: str

    def parts(
        self, provenance: Provenance, with_interactions: bool = True
    ) -> tuple[Interactions | None, Interactions | None, Interactions | None]:
        """Test, validation and interactions, as far as they were given as files of their own."""
        options = provenance.options
        test, validation = (
            None if part is None else self.read(provenance.read, part, options, provenance.noun)
            for part in (provenance.test, provenance.validation)
        )
        interactions = None
        if with_interactions and provenance.interactions is not None:
            interactions = self.read(
                read_interactions, provenance.interactions, options, "interactions"
            )
        return test, validation, interactions

    def read(
        self,
        reader: Callable[..., Interactions],
        source: Source,
        options: ReadOptions,
        noun: str,
    ) -> Interactions:
        """The same ratings or interactions as before, from the first place that has them.

        Rows that have been appended since are left out.
        """
        if not source.files:
            raise DataChangedError(
                f"the model was trained on {noun} that did not come from a file, so they cannot "
                f"be read again; {self.remedy}"
            )
        problem: RatingsError | DataChangedError | None = None
        for paths in _candidates(source.files, self.folder):
            try:
                found = reader(paths, options)
            except RatingsError as error:  # perhaps another file of that name
                problem = problem or error
                continue
            if found.has_fingerprint(source.fingerprint):
                return found
            first = _first_rows(found, source, partial(reader, paths, options))
            if first is not None and first.has_fingerprint(source.fingerprint):
                return first
            problem = problem or DataChangedError(
                f"{found.source}: the {noun} have changed since the model was trained; train "
                f"again, or {self.remedy}"
            )
        raise problem or DataChangedError(
            f"{', '.join(source.files)}: the {noun} that the model was trained on are no longer "
            f"there; put them back, here or beside the model, or {self.remedy}"
        )


def _first_rows(
    found: Interactions, source: Source, read: Callable[..., Interactions]
) -> Interactions | None:
    """The first rows of a file that has grown; None if it has not."""
    if source.n_read is not None:  # those that came later may be counted in any row
        report = found.report
        has_grown = report is not None and report.n_rows - report.n_bad_rows > source.n_read
        return read(n_rows=source.n_read) if has_grown else None
    if source.n_rows is None or source.n_rows >= len(found):
        return None
    return found.subset(np.arange(source.n_rows)).compact()


def _candidates(files: list[str], folder: Path) -> Iterator[list[Path]]:
    """Places where all of the files are: below one folder after another, each place once."""
    folder, here = folder.resolve(), Path.cwd()
    bases = [Path(), *(base for base in (folder, *folder.parents) if base != here)]
    places = dict.fromkeys(tuple(base / name for name in files) for base in bases)
    return (
        list(paths) for paths in places if all(path.is_file() or path.is_dir() for path in paths)
    )
