"""Rankings: the orders in which items are listed for users.

By rating alone, items win that few people have rated, and luckily so. What a person wants is the
product of two things: how likely they are to come to an item, and how likely they are to like it if
they do::

    both      max(s, 0.01) P^(1/3)       s: score of the choice model; P: probability of liking
    choice    s
    rating    predicted rating less the margin of its error: what it is likely to be at least

P is that of a normal number, with the predicted rating as its mean and the rating model's error as
its standard deviation, to be above a threshold: halfway between the lowest liked rating and the
rating below. The power 1/3 and the floor of 0.01 were chosen on parts of the training ratings of
five data sets.

The margin is `CAUTION` standard deviations of the ratings, divided by the root of 1 plus the
number of ratings of the item; or, where a model is the mean of draws, `DEVIATIONS` times the
standard deviation of the prediction.

A ranking that is not a product of factors is made from one that is and that bounds it from above:
of the first m items by the bound, the best n are sure once the n-th of them beats the bound of the
m-th. If not, m is made larger.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from funksvd.kernels import LEAST_CHOICE, diversify, score_both
from funksvd.learned.choice_model import ChoiceModel
from funksvd.learned.choices import products
from funksvd.learned.rating_model import RatingModel
from funksvd.learned.scoring import Best, best_items, predict_pairs
from funksvd.objectives.parameters import Parameters
from funksvd.ratings import CompressedRows

CAUTION = 4.0
"""Margin of an item without ratings, in standard deviations of the ratings.

NDCG@10 of liked items, by rating, on a tenth of the training ratings of MovieLens 100K's u1 and of
latest-small: 0 gives .051 and .029; 2, .071 and .065; 4, .078 and .080; 8, .093 and .088. The more,
the closer the order comes to that of the number of ratings, and the less it tells of taste.
"""
DEVIATIONS = 2.0
"""Margin of a model that is the mean of draws, in standard deviations of the prediction.

The same NDCG@10, of lists by Bayesian SVD++: 0 gives .071 and .053; 1, .075 and .066; 2, .079 and
.073; 4, .084 and .079. With 2, a noise-free rating is above the score nearly always (97.7 %).
"""
FIRST_CANDIDATES, PER_PLACE = 40, 4
"""Candidates that are looked at first: this number, and this many for each place of a list."""
MORE_CANDIDATES = 4
"""Factor by which candidates become more where they were too few."""
DIVERSITY_CANDIDATES = 10
"""Candidates for each place of a diversified list."""
USERS_AT_ONCE = 4096


class Ranking:
    """An order of the items for each user: by products of factors, with biases.

    Parameters
    ----------
    base : Parameters
        Their predictions are the scores; in subclasses, what scores are made from.
    """

    def __init__(self, base: Parameters) -> None:
        self.base = base
        self._norms: np.ndarray | None = None

    @property
    def item_norms(self) -> np.ndarray:
        """Lengths of the base's item factors: ndarray of shape (n_items,), float32."""
        if self._norms is None:
            self._norms = np.linalg.norm(self.base.item_factors, axis=1)
        return self._norms

    def take_norms(self, other: Ranking) -> None:
        """Take `item_norms` from a ranking of the same items for other users.

        They take longer to find than the list of one user.
        """
        assert self.base.item_factors is other.base.item_factors, "other items have other norms"
        self._norms = other.item_norms

    def best_items(
        self,
        users: np.ndarray,
        n: int,
        *,
        exclude: tuple[CompressedRows, ...] = (),
        allowed: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> Iterator[Best]:
        """The items with the highest scores for each user, batch by batch.

        Parameters
        ----------
        users : ndarray of shape (n_users,), int32
            Rows.
        n : int
            Largest number of items for each user.
        exclude : tuple of CompressedRows
            Items left out, by user.
        allowed : ndarray of shape (n_items,), bool, optional
            Items that may be listed; by default all.
        n_threads : int
            Does not change the result.

        Yields
        ------
        Best
            Its predictions are scores.
        """
        yield from best_items(
            self.base,
            users,
            n,
            exclude=exclude,
            allowed=allowed,
            item_norms=self.item_norms,
            n_threads=n_threads,
        )


class Bounded(Ranking, ABC):
    """An order by scores that a function of the base's predictions bounds from above."""

    @abstractmethod
    def score(
        self, users: np.ndarray, items: np.ndarray, base: np.ndarray, n_threads: int
    ) -> np.ndarray:
        """Scores of pairs.

        Parameters
        ----------
        users, items : ndarray of shape (n,), int32
        base : ndarray of shape (n,), float32
            Scores by the base.
        n_threads : int

        Returns
        -------
        ndarray of shape (n,), float32
        """

    @abstractmethod
    def bound(self, base: np.ndarray) -> np.ndarray:
        """The largest scores that go with scores by the base; it does not fall as these rise."""

    def best_items(
        self,
        users: np.ndarray,
        n: int,
        *,
        exclude: tuple[CompressedRows, ...] = (),
        allowed: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> Iterator[Best]:
        """As `Ranking.best_items`."""
        n_items = len(self.base.item_biases)
        n = min(n, n_items)
        for start in range(0, len(users), USERS_AT_ONCE):
            batch = users[start : start + USERS_AT_ONCE]
            items = np.full((len(batch), n), -1, np.int32)
            scores = np.full((len(batch), n), -np.inf, np.float32)
            open_ = np.arange(len(batch))
            m = FIRST_CANDIDATES + PER_PLACE * n
            while len(open_):
                at = 0
                unsure = []
                for found in super().best_items(
                    batch[open_], m, exclude=exclude, allowed=allowed, n_threads=n_threads
                ):
                    rows = open_[at : at + len(found.users)]
                    at += len(found.users)
                    items[rows], scores[rows], is_sure = self._best_of(found, n, n_threads)
                    unsure.append(rows[~is_sure])
                open_ = np.concatenate(unsure)
                m *= MORE_CANDIDATES
            yield Best(batch, items, scores)

    def _best_of(
        self, found: Best, n: int, n_threads: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The best n of candidates, their scores, and whether no other item can be better."""
        is_there = found.items >= 0
        scores = np.full(found.items.shape, -np.inf, np.float32)
        users = np.repeat(found.users, is_there.sum(axis=1))
        scores[is_there] = self.score(
            users, found.items[is_there], found.predictions[is_there], n_threads
        )
        order = np.lexsort((found.items, -scores), axis=1)[:, :n]
        items = np.take_along_axis(found.items, order, axis=1)
        scores = np.take_along_axis(scores, order, axis=1)
        is_all = ~is_there[:, -1] | (found.items.shape[1] == len(self.base.item_biases))
        last = self.bound(np.where(is_all, -np.inf, found.predictions[:, -1]).astype(np.float32))
        return items, scores, is_all | (scores[:, -1] > last)


@dataclass(frozen=True)
class Liking:
    """When a rating is a liked one, and how sure a predicted rating is.

    Parameters
    ----------
    liked_from : float
        Lowest liked rating.
    threshold : float
        Halfway between it and the rating below.
    error : float
        Standard deviation of ratings about their predictions; 0 where a prediction is itself the
        probability of liking.

    Raises
    ------
    ValueError
        If numbers make no sense: they may come from a file.
    """

    liked_from: float
    threshold: float
    error: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value) or (name == "error" and value < 0):
                raise ValueError(f"{name} of liking is {value}")


class ByBoth(Bounded):
    """By choice and rating: how likely somebody is to come to an item and to like it."""

    def __init__(self, choice: ChoiceModel, rating: RatingModel, liking: Liking) -> None:
        super().__init__(choice.learned.parameters)
        self._rating, self._liking = rating, liking

    def score(
        self, users: np.ndarray, items: np.ndarray, base: np.ndarray, n_threads: int
    ) -> np.ndarray:
        """Scores of pairs."""
        predictions = self._rating.predict(users, items, n_threads=n_threads)
        scores = np.empty(len(users), np.float32)
        score_both(base, predictions, self._liking.threshold, self._liking.error, scores)
        return scores

    def bound(self, base: np.ndarray) -> np.ndarray:
        """The choice's own score: nobody likes a thing with a probability above 1."""
        return np.maximum(base, np.float32(LEAST_CHOICE))


class ByCautiousRating(Bounded):
    """By predicted rating less a multiple of its standard deviation over the draws."""

    def __init__(self, rating: RatingModel) -> None:
        super().__init__(rating.learned.parameters)
        self._rating = rating

    def score(
        self, users: np.ndarray, items: np.ndarray, base: np.ndarray, n_threads: int
    ) -> np.ndarray:
        """Scores of pairs."""
        deviations = self._rating.deviations(users, items, n_threads=n_threads)
        return base - np.float32(DEVIATIONS) * deviations

    def bound(self, base: np.ndarray) -> np.ndarray:
        """The predicted rating itself."""
        return base


def by_choice(choice: ChoiceModel) -> Ranking:
    """The ranking by the scores of a choice model."""
    return Ranking(choice.learned.parameters)


def by_rating(rating: RatingModel, item_counts: np.ndarray | None, spread: float) -> Ranking:
    """The ranking by what ratings are likely to be at least.

    Parameters
    ----------
    rating : RatingModel
    item_counts : ndarray of shape (n_items,), int, or None
        Number of ratings of each item. Where it is not known, and the model has no draws, the
        ranking is by the predicted rating itself.
    spread : float
        Standard deviation of the ratings.
    """
    if rating.learned.draws is not None:
        return ByCautiousRating(rating)
    parameters = rating.learned.parameters
    if item_counts is None:
        return Ranking(parameters)
    margins = CAUTION * spread / np.sqrt(item_counts + 1.0)
    biases = (parameters.item_biases - margins).astype(np.float32)
    return Ranking(parameters._replace(item_biases=biases))


def diversified(
    ranking: Ranking,
    item_factors: np.ndarray,
    users: np.ndarray,
    n: int,
    diversity: float,
    *,
    exclude: tuple[CompressedRows, ...] = (),
    allowed: np.ndarray | None = None,
    n_threads: int = 1,
) -> Iterator[Best]:
    """Lists whose items are less like each other, by maximal marginal relevance.

    Parameters
    ----------
    ranking : Ranking
    item_factors : ndarray of shape (n_items, n_factors), float32
        Items are as similar as the cosine of these.
    users, n, exclude, allowed, n_threads
        As for `Ranking.best_items`.
    diversity : float
        From 0, the ranking itself, to less than 1.

    Yields
    ------
    Best
        Predictions are the ranking's scores, which do not fall from place to place any more.

    References
    ----------
    J. Carbonell, J. Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents
    and Producing Summaries", 1998.
    """
    m = DIVERSITY_CANDIDATES * n
    for found in ranking.best_items(
        users, m, exclude=exclude, allowed=allowed, n_threads=n_threads
    ):
        width = min(n, found.items.shape[1])
        items = np.full((len(found.users), width), -1, np.int32)
        scores = np.full((len(found.users), width), -np.inf, np.float32)
        for row, candidates in enumerate(found.items):
            candidates = candidates[candidates >= 0]
            order = np.empty(min(width, len(candidates)), np.int64)
            if len(candidates):
                given = found.predictions[row, : len(candidates)]
                diversify(given, _cosines(item_factors[candidates]), diversity, order)
            items[row, : len(order)] = candidates[order]
            scores[row, : len(order)] = found.predictions[row, order]
        yield Best(found.users, items, scores)


def _cosines(rows: np.ndarray) -> np.ndarray:
    """Cosines between all rows: ndarray of shape (n, n), float32; 0 for a row of zeros."""
    n = len(rows)
    at = np.arange(n, dtype=np.int32)
    dots = predict_pairs(products(rows, rows), np.repeat(at, n), np.tile(at, n)).reshape(n, n)
    norms = np.sqrt(np.diag(dots))
    norms = np.where(norms > 0, norms, np.float32(np.inf))
    return dots / norms[:, None] / norms[None, :]
