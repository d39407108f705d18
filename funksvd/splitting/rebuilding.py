"""A model's ratings, read again and split as they were split for training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from funksvd.errors import DataChangedError, RatingsError
from funksvd.ratings import Interactions, Ratings, ReadOptions, read_interactions, read_ratings
from funksvd.splitting.holdout import Holdout, hold_out
from funksvd.splitting.provenance import Provenance, Source

REMEDY = "evaluate the model on other ratings"
"""End of messages about ratings that cannot be read again: the alternative."""

Some = TypeVar("Some", bound=Interactions)


def rebuild(
    provenance: Provenance,
    folder: str | os.PathLike[str] = ".",
    *,
    remedy: str = REMEDY,
    with_interactions: bool = True,
) -> Holdout:
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
        Whether interactions that the model was trained with are read again: they are for training
        only, and evaluation should not depend on their file.

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
    ratings = again.read(read_ratings, origin, options)
    holdout = _split(provenance, remedy, ratings, *again.parts(provenance, with_interactions))
    for update in later:
        added = again.read(read_ratings, update.ratings, update.options)
        holdout = holdout.with_added(added, update.options)
    return holdout


def with_whole(
    provenance: Provenance,
    ratings: Ratings,
    options: ReadOptions,
    folder: str | os.PathLike[str] = ".",
    *,
    remedy: str = REMEDY,
) -> Holdout:
    """The parts of ratings among which are all that a model knew before: a file that has grown.

    Parameters
    ----------
    provenance : Provenance
        The model's.
    ratings : Ratings
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
    provenance: Provenance, ratings: Ratings, *, remedy: str = REMEDY
) -> Holdout | None:
    """Split a model's ratings, wherever they are now, as they were split for training.

    Parameters
    ----------
    provenance : Provenance
    ratings : Ratings
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
        If NumPy draws another test part than it did then.
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
    ratings: Ratings,
    test: Ratings | None = None,
    validation: Ratings | None = None,
    interactions: Interactions | None = None,
) -> Holdout:
    whole, _ = provenance.whole_and_later
    if whole is not None:
        holdout = Holdout.of_whole(
            provenance, ratings, whole.options, test, validation, interactions
        )
    else:
        holdout = hold_out(
            ratings,
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
            "the test part is not the one that was set aside for training: another version of "
            f"NumPy may draw other random numbers; train again, or {remedy}"
        )
    # Interactions that were not read again are recorded all the same.
    recorded = replace(holdout.provenance, interactions=provenance.interactions)
    return replace(holdout, provenance=recorded)


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
    ) -> tuple[Ratings | None, Ratings | None, Interactions | None]:
        """Test, validation and interactions, as far as they were given as files of their own."""
        options = provenance.options
        test, validation = (
            None if part is None else self.read(read_ratings, part, options)
            for part in (provenance.test, provenance.validation)
        )
        interactions = None
        if with_interactions and provenance.interactions is not None:
            interactions = self.read(read_interactions, provenance.interactions, options)
        return test, validation, interactions

    def read(
        self,
        reader: Callable[[list[Path], ReadOptions], Some],
        source: Source,
        options: ReadOptions,
    ) -> Some:
        """The same ratings or interactions as before, from the first place that has them.

        Rows that have been appended since are left out.
        """
        noun = "ratings" if reader is read_ratings else "interactions"
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
            if source.n_rows is not None and source.n_rows < len(found):  # a file that has grown
                first = found.subset(np.arange(source.n_rows)).compact()
                if first.has_fingerprint(source.fingerprint):
                    return first
            problem = problem or DataChangedError(
                f"{found.source}: the {noun} have changed since the model was trained; train "
                f"again, or {self.remedy}"
            )
        raise problem or DataChangedError(
            f"{', '.join(source.files)}: the {noun} that the model was trained on are no longer "
            f"there; put them back, here or beside the model, or {self.remedy}"
        )


def _candidates(files: list[str], folder: Path) -> Iterator[list[Path]]:
    """Places where all of the files are: below one folder after another, each place once."""
    folder, here = folder.resolve(), Path.cwd()
    bases = [Path(), *(base for base in (folder, *folder.parents) if base != here)]
    places = dict.fromkeys(tuple(base / name for name in files) for base in bases)
    return (
        list(paths) for paths in places if all(path.is_file() or path.is_dir() for path in paths)
    )
