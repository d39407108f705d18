"""Test ratings: set aside before training, and kept apart from what is learned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.parallel import available_processors
from funksvd.ratings import (
    CompressedRows,
    Interactions,
    Ratings,
    ReadOptions,
    as_interactions,
    as_ratings,
)
from funksvd.ratings.data import as_data
from funksvd.rng import Stream
from funksvd.splitting.kind import Kind_co
from funksvd.splitting.pairs import are_among, pair_hashes
from funksvd.splitting.provenance import Provenance, Source, Update
from funksvd.splitting.random import part_to_spare

Some = TypeVar("Some", bound=Interactions)


@dataclass(frozen=True)
class Holdout(Generic[Kind_co]):
    """Ratings, or interactions, to learn from and others to test on: all of one kind.

    Parameters
    ----------
    training : Ratings or Interactions
        To be given to `FunkSVD.fit`.
    validation : Ratings, Interactions or None
        To be given to `FunkSVD.fit` as `validation`; with None, `fit` sets a part aside itself.
    test : Ratings, Interactions or None
        Kept from training.
    provenance : Provenance
    added : tuple of Ratings or Interactions
        What came later: new pairs, and old pairs again. None is in the test part.
    interactions : Interactions or None
        To be given to `FunkSVD.fit` besides ratings: pairs that users have dealt with, without
        those of the test.
    """

    training: Kind_co
    validation: Kind_co | None
    test: Kind_co | None
    provenance: Provenance
    added: tuple[Kind_co, ...] = ()
    interactions: Interactions | None = None

    @property
    def all_but_test(self) -> Kind_co:
        """The training and validation parts and what was added later, together.

        Of a pair that came again, the later rating counts; interactions are counted.
        """
        together = self.training
        for part in (self.validation, *self.added):
            if part is not None:
                together = together.joined_with(part, together.repeats)
        return together

    def with_added(
        self, ratings: Interactions, options: ReadOptions | None = None
    ) -> Holdout[Kind_co]:
        """The same with more to learn from; the test part stays as it is.

        Parameters
        ----------
        ratings : Ratings or Interactions
            Of the kind of the others. Of a pair that is there already, the new rating counts;
            interactions add up. Pairs of the test part are left out: they stay unseen.
        options : ReadOptions, optional
            How they were read.
        """
        kept = cast("Kind_co", _without(ratings, self.test))
        update = Update(Source.of(ratings), options or ReadOptions())
        provenance = replace(self.provenance, updates=(*self.provenance.updates, update))
        return replace(self, provenance=provenance, added=(*self.added, kept))

    @classmethod
    def of_whole(
        cls,
        provenance: Provenance,
        ratings: Some,
        options: ReadOptions,
        test: Some | None = None,
        validation: Some | None = None,
        interactions: Interactions | None = None,
    ) -> Holdout[Some]:
        """The parts of ratings among which are all that a model knew before.

        Parameters
        ----------
        provenance : Provenance
            The model's. Its random test part is known again by its pairs.
        ratings : Ratings or Interactions
        options : ReadOptions
            How they were read.
        test, validation : Ratings or Interactions, optional
            Parts that were given as files of their own. Of a pair that `ratings` has too, a
            validation rating is left out, and one of the test stays.
        interactions : Interactions, optional
        """
        whole = ratings
        if test is None and provenance.test_pairs is not None:
            is_test = are_among(ratings, provenance.test_pairs)
            ratings, test = ratings.subset(~is_test), ratings.subset(is_test)
            test = test if len(test) else None
        else:
            ratings = _without(ratings, test)
        update = Update(Source.of(whole), options, is_whole=True)
        return Holdout(
            training=ratings,
            validation=None if validation is None else _without(validation, ratings),
            test=test,
            provenance=replace(
                provenance,
                updates=(update,),
                test_fingerprint=None if test is None else test.fingerprint,
            ),
            interactions=None if interactions is None else _without(interactions, test),
        )


def hold_out(
    ratings: Any,
    *,
    test: Any = None,
    validation: Any = None,
    test_fraction: float = 0.1,
    seed: int = 0,
    options: ReadOptions | None = None,
    interactions: Interactions | None = None,
) -> Holdout[Any]:
    """Set a test part aside, unless one is given.

    Parameters
    ----------
    ratings : Ratings, Interactions or table
    test, validation : Ratings, Interactions or table, optional
        Parts of their own, of the same kind.
    test_fraction : float
        Share of `ratings`, or of the distinct pairs, to set aside if `test` is not given, as
        `random_split` does; 0 for none. Of a few ratings, there is no test part where none is
        drawn, or where nothing could be learned from the others.
    seed : int
    options : ReadOptions, optional
        How the ratings and interactions were read, so that they can be read again.
    interactions : Interactions, optional
        Pairs that users have dealt with, rated or not. Those of the test part are left out.

    Raises
    ------
    RatingsError
        If a (user, item) pair of a given part is also in another part: the test, or the choice
        of the best epoch, would be made on ratings that were learned from. If one part holds
        ratings and another interactions.
    """
    ratings = as_data(ratings)
    is_test = None
    if test is None:
        is_test = part_to_spare(ratings, test_fraction, seed, Stream.TEST)
    return set_aside(
        ratings,
        is_test,
        test=test,
        validation=validation,
        test_fraction=test_fraction,
        seed=seed,
        options=options,
        interactions=interactions,
    )


def set_aside(
    ratings: Interactions,
    is_test: np.ndarray | None,
    *,
    test: Any,
    validation: Any,
    test_fraction: float,
    seed: int,
    options: ReadOptions | None,
    interactions: Interactions | None,
) -> Holdout[Any]:
    """Set a known test part aside.

    Parameters
    ----------
    ratings : Ratings or Interactions
    is_test : ndarray of shape (n,), bool, or None
        Which of them are the test part, where `test` is not given.
    test, validation, test_fraction, seed, options, interactions
        As for `hold_out`; the share and the seed are only recorded.
    """
    if interactions is not None and not isinstance(ratings, Ratings):
        raise RatingsError(
            f"{argument('interactions')} are pairs to learn from besides ratings, but "
            f"{ratings.source} holds interactions: give all of them together"
        )
    test, validation = (
        None if part is None else _alike(part, ratings) for part in (test, validation)
    )
    for name, part, other in (
        ("test", test, ratings),
        ("test", test, validation),
        ("validation", validation, ratings),
    ):
        if part is not None and other is not None:
            check_disjoint(name, part, other)
    training, given_test = ratings, test
    if is_test is not None:
        training, test = ratings.subset(~is_test), ratings.subset(is_test)
    elif test is not None and not len(test):
        test = None
    provenance = Provenance(
        ratings=Source.of(ratings),
        options=options or ReadOptions(),
        test=Source.of(test) if given_test is not None else None,
        validation=Source.of(validation) if validation is not None else None,
        test_fraction=float(test_fraction) if given_test is None else 0.0,
        seed=int(seed),
        test_fingerprint=None if test is None else test.fingerprint,
        interactions=Source.of(interactions) if interactions is not None else None,
        kind=ratings.kind,
        positive_from=ratings.positive_from,
        test_pairs=None if test is None or given_test is not None else np.sort(pair_hashes(test)),
    )
    if interactions is not None:
        interactions = _without(interactions, test)
    return Holdout(training, validation, test, provenance, interactions=interactions)


def _alike(part: Any, whole: Interactions) -> Interactions:
    """A part in the kind of the whole: ratings, or interactions."""
    if isinstance(whole, Ratings):
        return as_ratings(part)
    if isinstance(part, Ratings):
        raise RatingsError(
            f"{part.source} holds ratings and {whole.source} interactions; "
            "Ratings.to_interactions makes interactions of ratings"
        )
    return as_interactions(part)


def is_in(given: Interactions, other: Interactions) -> np.ndarray:
    """Which interactions have a (user, item) pair that is also among others.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    n_threads = available_processors()
    user_index, item_index = other.index_for(given.users, given.items)
    pairs = CompressedRows.from_pairs(user_index, item_index, given.n_users, n_threads=n_threads)
    return pairs.contains(given.user_index, given.item_index, n_threads)


def _without(given: Some, other: Interactions | None) -> Some:
    """Interactions whose pairs are not among others."""
    return given if other is None else given.subset(~is_in(given, other))


def check_disjoint(name: str, part: Interactions, other: Interactions) -> None:
    """Make sure that no pair of a part to judge by is also learned from.

    Raises
    ------
    RatingsError
        If a (user, item) pair is in both; `name` is that of the part, "test" or "validation".
    """
    n_shared = int(is_in(other, part).sum())  # the part is what is sorted: it is the smaller one
    if n_shared:
        raise RatingsError(
            f"{part.source}: {n_shared:,} of {len(part):,} {name} {part.noun} have a (user, item) "
            f"pair that is also in {other.source}; a {name} on what was learned is not honest. "
            "Remove them from one of the two"
        )
