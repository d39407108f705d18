"""`find_additions`: what is new about ratings or clicks, told from those that a model knows."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from funksvd.errors import DataChangedError, FunkSVDError, RatingsError
from funksvd.learned.weighting import Weighting
from funksvd.model import FunkSVD
from funksvd.ratings import Interactions, Ratings, ReadOptions, as_interactions, as_ratings
from funksvd.ratings.duplicates import COUNT
from funksvd.ratings.times import in_one_unit
from funksvd.ratings.vocabulary import CANONICAL_INTEGER
from funksvd.sorting import stable_order
from funksvd.splitting import Holdout, Provenance, is_in, rebuild, with_whole


@dataclass(frozen=True, eq=False)
class Additions:
    """New ratings or interactions for a model, told from those that it knows.

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
        Ratings that take the place of older ones, of another value; of interactions that are
        counted, known pairs that came again; in a file that has grown, those that weigh more by
        it, or less.
    n_same : int
        Ratings that the model has learned from as they are; or all interactions, if just these
        were added before.
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

    holdout: Holdout[Any] = field(repr=False)
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

    They count as a whole file if they hold all pairs that the model has learned from, and of
    interactions that are counted no lower counts; or half of these, where the files that it was
    trained on can no longer be read. Otherwise counts of new interactions are added to the old.

    Parameters
    ----------
    model : FunkSVD
        One that knows where its ratings came from.
    ratings : Ratings, Interactions or table
        Of the kind that the model has learned from: `model.provenance.read` reads it.
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
    RatingsError
        If there are ratings and the model has learned from none, or the other way round; or if
        ids are of another kind.
    """
    provenance = model.provenance
    if provenance is None:
        raise FunkSVDError(f"the model does not record which ratings it was trained on; {remedy}")
    ratings = _alike(provenance, ratings, remedy)
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


def _alike(provenance: Provenance, given: Any, remedy: str) -> Interactions:
    """What is given, if it is of the kind that the model has learned from."""
    if provenance.kind == "ratings":
        if isinstance(given, Interactions) and not isinstance(given, Ratings):
            raise RatingsError(
                f"{given.source}: the model has learned from ratings, and here are none; {remedy}"
            )
        return as_ratings(given)
    if isinstance(given, Ratings):
        raise RatingsError(
            f"{given.source}: the model has learned from interactions without ratings, and these "
            "are ratings; Ratings.to_interactions makes interactions of them"
        )
    return as_interactions(given)


def _check_kinds(model: FunkSVD, ratings: Interactions, remedy: str) -> None:
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
        Which of the model's ratings are there; interactions are not, if they are counted and the
        count is lower.
    is_same : ndarray of shape (n_ratings,), bool
        Which of the ratings are the model's own, as they are.
    """

    places: np.ndarray
    is_found: np.ndarray
    is_same: np.ndarray

    @classmethod
    def of(cls, model: FunkSVD, ratings: Interactions) -> _Known | None:
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
        is_known = places >= 0
        before, now = model.seen.values[places], _levels(model, ratings)
        is_there = is_known & (now >= before) if _is_counted(ratings) else is_known
        is_found = np.zeros(len(model.seen.columns), dtype=bool)
        is_found[places[is_there]] = True
        return cls(places, is_found, is_known & (now == before))

    @property
    def n_gone(self) -> int:
        return int((~self.is_found).sum())


def _is_counted(found: Interactions) -> bool:
    """Whether pairs that come again count more."""
    return not isinstance(found, Ratings) and found.repeats == COUNT


def _levels(model: FunkSVD, ratings: Interactions) -> np.ndarray:
    """Level of each rating or count, by the model's weighting."""
    fitted = model.fitted
    if fitted.rating is not None:
        weighting = Weighting("rating", *fitted.rating.limits)
    else:
        weighting = fitted.choice_model.weighting
    if weighting.kind == "rating":
        return weighting.levels(ratings.values, len(ratings))
    if weighting.kind == "none":  # nearly all pairs have come as often; perhaps no longer
        weighting = Weighting.of("count", ratings.weights)
    return weighting.levels(ratings.weights, len(ratings))


def _whole(
    model: FunkSVD,
    known: _Known,
    ratings: Interactions,
    options: ReadOptions,
    folder: str | os.PathLike[str],
    remedy: str,
) -> Additions:
    """The parts of a file that has grown."""
    provenance, seen = model.provenance, model.seen
    assert provenance is not None
    assert seen is not None
    holdout = with_whole(provenance, ratings, options, folder, remedy=remedy)
    is_known, n_same = known.places >= 0, int(known.is_same.sum())
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


def _added(
    model: FunkSVD, old: Holdout[Any], ratings: Interactions, options: ReadOptions
) -> Additions:
    """The parts of the old ratings and of new ones beside them."""
    holdout = old.with_added(ratings, options)
    added, before = holdout.added[-1], old.all_but_test
    is_known = is_in(added, before)
    if not isinstance(ratings, Ratings):
        return _counted(model, old, holdout, ratings, is_known)
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


def _counted(
    model: FunkSVD,
    old: Holdout[Any],
    holdout: Holdout[Any],
    given: Interactions,
    is_known: np.ndarray,
) -> Additions:
    """The same for interactions: counts are added up, unless just these were added before."""
    added = holdout.added[-1]
    recorded = [update.ratings for update in old.provenance.updates]
    is_again = any(given.has_fingerprint(source.fingerprint) for source in recorded)
    counts_more = _is_counted(given) and not is_again
    n_known = int(is_known.sum())
    n_new, n_changed = len(added) - n_known, n_known if counts_more else 0
    return Additions(
        holdout if n_new + n_changed else old,
        is_whole=False,
        n_new=n_new,
        n_changed=n_changed,
        n_same=n_known - n_changed,
        n_older=0,
        n_in_test=len(given) - len(added),
        n_gone=0,
        **_unknown_ids(model, added.subset(~is_known)),
    )


def _by_pair(ratings: Ratings) -> Ratings:
    return ratings.subset(stable_order(ratings.user_index, ratings.item_index))


def _unknown_ids(model: FunkSVD, new: Interactions) -> dict[str, int]:
    new = new.compact()
    return {
        "n_new_users": int((model.users.rows(new.user_ids) < 0).sum()),
        "n_new_items": int((model.items.rows(new.item_ids) < 0).sum()),
    }
