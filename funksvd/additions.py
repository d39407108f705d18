"""`find_additions`: what is new about ratings, told from those that a model has learned from."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import DataChangedError, FunkSVDError, RatingsError
from funksvd.learned.weighting import rating_levels
from funksvd.model import FunkSVD
from funksvd.ratings import Ratings, ReadOptions, as_ratings
from funksvd.ratings.times import in_one_unit
from funksvd.ratings.vocabulary import CANONICAL_INTEGER
from funksvd.sorting import stable_order
from funksvd.splitting import Holdout, is_in, rebuild, with_whole


@dataclass(frozen=True, eq=False)
class Additions:
    """New ratings for a model, told from those that it knows.

    Parameters
    ----------
    holdout : Holdout
        All ratings, old and new, to give to `update`; the test part is the model's.
    is_whole : bool
        Whether the ratings are a file that has grown: all that the model has learned from, and
        perhaps new ones. Old files are then not needed any more.
    n_new : int
        Ratings of pairs that the model did not know.
    n_changed : int
        Ratings that take the place of older ones, of another value.
    n_same : int
        Ratings that the model has learned from as they are.
    n_older : int
        Ratings of pairs that it knows a later rating of: left out.
    n_in_test : int
        Ratings of pairs of the test part: left out.
    n_gone : int
        Ratings that the model has learned from and that a file that has grown lacks: what was
        learned from them stays.
    n_new_users, n_new_items : int
        Users and items that the model does not know.
    """

    holdout: Holdout = field(repr=False)
    is_whole: bool
    n_new: int
    n_changed: int
    n_same: int
    n_older: int
    n_in_test: int
    n_gone: int
    n_new_users: int
    n_new_items: int

    @property
    def n_to_learn(self) -> int:
        """Ratings that the model has not learned from yet."""
        return self.n_new + self.n_changed


def find_additions(
    model: FunkSVD,
    ratings: Any,
    options: ReadOptions | None = None,
    folder: str | os.PathLike[str] = ".",
    *,
    remedy: str = "train a new model on all ratings",
) -> Additions:
    """Tell what is new about ratings, which may be new ones only or a whole file that has grown.

    They count as a whole file if they hold all pairs that the model has learned from; or half of
    these, where the files that it was trained on can no longer be read.

    Parameters
    ----------
    model : FunkSVD
        One that knows where its ratings came from.
    ratings : Ratings or table
    options : ReadOptions, optional
        How they were read, so that they can be read again.
    folder : path
        The model file's, for `rebuild`.
    remedy : str
        End of messages: what can be done where the old ratings are needed and gone.

    Raises
    ------
    DataChangedError
        If the ratings are not a whole file, and the old ones cannot be read again.
    FunkSVDError
        If the model does not record where its ratings came from.
    """
    provenance = model.provenance
    if provenance is None:
        raise FunkSVDError(f"the model does not record which ratings it was trained on; {remedy}")
    ratings = as_ratings(ratings)
    _check_kinds(model, ratings, remedy)
    options = options or ReadOptions()
    known = _Known.of(model, ratings)
    if known is not None and known.n_gone == 0:
        return _whole(model, known, ratings, options, folder, remedy)
    try:
        old = rebuild(provenance, folder, remedy=remedy)
    except (DataChangedError, RatingsError):
        if known is None or known.n_gone > known.is_found.size / 2:
            raise
        return _whole(model, known, ratings, options, folder, remedy)
    return _added(model, old, ratings, options)


def _check_kinds(model: FunkSVD, ratings: Ratings, remedy: str) -> None:
    """Refuse ids of another kind than the model's, and say which of them make it so."""
    for known, given in ((model.users, ratings.users), (model.items, ratings.items)):
        if known.holds_integers == given.holds_integers:
            continue
        what = known.what
        if given.holds_integers:
            problem = f"has integers for {what} ids (like {given.label(0)}), and the model text"
        else:
            odd = next(label for label in given.ids if not re.match(CANONICAL_INTEGER, label))
            problem = f"has text among its {what} ids (like {odd!r}), and the model integers"
        raise RatingsError(
            f"{ratings.source} {problem} (like {known.label(0)!r}). Correct these ids, or "
            f"{remedy}: read together, old ids and new ones become text"
        )


class _Known(NamedTuple):
    """The ratings among some that the model has learned from.

    Parameters
    ----------
    places : ndarray of shape (n_ratings,), int64
        Position of each rating among the model's, -1 for a pair that it has not seen.
    is_found : ndarray of shape (n_seen,), bool
        Which of the model's ratings are there.
    """

    places: np.ndarray
    is_found: np.ndarray

    @classmethod
    def of(cls, model: FunkSVD, ratings: Ratings) -> _Known | None:
        """None for a model that does not hold what is needed to know ratings again."""
        provenance = model.provenance
        assert provenance is not None
        has_random_test = provenance.test is None and provenance.test_fingerprint is not None
        if model.seen is None or model.seen.values is None:
            return None
        if has_random_test and provenance.test_pairs is None:
            return None
        index = ratings.index_for(model.users, model.items)
        places = model.seen.places(*index, model.thread_count())
        is_found = np.zeros(len(model.seen.columns), dtype=bool)
        is_found[places[places >= 0]] = True
        return cls(places, is_found)

    @property
    def n_gone(self) -> int:
        return int((~self.is_found).sum())


def _whole(
    model: FunkSVD,
    known: _Known,
    ratings: Ratings,
    options: ReadOptions,
    folder: str | os.PathLike[str],
    remedy: str,
) -> Additions:
    """The parts of a file that has grown."""
    provenance, seen = model.provenance, model.seen
    assert provenance is not None
    assert seen is not None
    assert seen.values is not None
    holdout = with_whole(provenance, ratings, options, folder, remedy=remedy)
    is_known = known.places >= 0
    levels = rating_levels(ratings.values[is_known], model.rating_scale)
    n_same = int((levels == seen.values[known.places[is_known]]).sum())
    if holdout.validation is not None:  # learned from, but in a file of its own
        index = holdout.validation.index_for(model.users, model.items)
        places = seen.places(*index)
        known.is_found[places[places >= 0]] = True
    others = ratings.subset(~is_known)
    is_new = np.ones(len(others), dtype=bool)
    if holdout.test is not None:
        is_new &= ~is_in(others, holdout.test)
    if model.held_out is not None:  # validation ratings of a model that was not fitted again
        is_new &= ~model.held_out.contains(*others.index_for(model.users, model.items))
    return Additions(
        holdout,
        is_whole=True,
        n_new=int(is_new.sum()),
        n_changed=int(is_known.sum()) - n_same,
        n_same=n_same,
        n_older=0,
        n_in_test=0,
        n_gone=known.n_gone,
        **_unknown_ids(model, others.subset(is_new)),
    )


def _added(model: FunkSVD, old: Holdout, ratings: Ratings, options: ReadOptions) -> Additions:
    """The parts of the old ratings and of new ones beside them."""
    holdout = old.with_added(ratings, options)
    added, before = holdout.added[-1], old.all_but_test
    is_known = is_in(added, before)
    mine, theirs = added.subset(is_known), before.subset(is_in(before, added))
    mine = _by_pair(mine.over(theirs.users, theirs.items))
    theirs = _by_pair(theirs)
    is_older = np.zeros(len(mine), dtype=bool)
    if mine.timestamps is not None and theirs.timestamps is not None:
        my_times, their_times = in_one_unit([mine.timestamps, theirs.timestamps])
        is_older = my_times < their_times
    is_same = (mine.values == theirs.values) & ~is_older
    n_new, n_changed = int((~is_known).sum()), int((~is_same & ~is_older).sum())
    return Additions(
        holdout if n_new + n_changed else old,
        is_whole=False,
        n_new=n_new,
        n_changed=n_changed,
        n_same=int(is_same.sum()),
        n_older=int(is_older.sum()),
        n_in_test=len(ratings) - len(added),
        n_gone=0,
        **_unknown_ids(model, added.subset(~is_known)),
    )


def _by_pair(ratings: Ratings) -> Ratings:
    return ratings.subset(stable_order(ratings.user_index, ratings.item_index))


def _unknown_ids(model: FunkSVD, new: Ratings) -> dict[str, int]:
    new = new.compact()
    return {
        "n_new_users": int((model.users.rows(new.user_ids) < 0).sum()),
        "n_new_items": int((model.items.rows(new.item_ids) < 0).sum()),
    }
