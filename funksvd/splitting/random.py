"""Random parts of the ratings: drawn by hashes of ids, so that no other rating matters.

Whether a pair of a user and an item is in a part depends on the two ids, the seed and the use of
the part, and on nothing else: it stays in it in a reordered file, in one that has grown, and in
any piece of one, as long as ids keep their kind (7 is another id than "7").
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar, overload

import numpy as np

from funksvd.errors import RatingsError, argument
from funksvd.parallel import in_pieces
from funksvd.ratings import Interactions
from funksvd.ratings.data import as_data
from funksvd.ratings.hashing import HASHED_AT_ONCE, joint_hashes, mixed
from funksvd.rng import Stream

CHANCE = 50
"""Ratings to be expected on either side of a draw from which on it is no chance if none is there:
its probability is below 1e-21."""

Some = TypeVar("Some", bound=Interactions)


@overload
def random_split(
    ratings: Some, fraction: float, seed: int, stream: Stream = Stream.TEST
) -> tuple[Some, Some]: ...


@overload
def random_split(
    ratings: object, fraction: float, seed: int, stream: Stream = Stream.TEST
) -> tuple[Any, Any]: ...


def random_split(
    ratings: Any, fraction: float, seed: int, stream: Stream = Stream.TEST
) -> tuple[Any, Any]:
    """Set a random part of the ratings, or of the interactions, aside.

    Both parts keep their rows' order, and all ids of the whole.

    Parameters
    ----------
    ratings : Ratings, Interactions or table
    fraction : float
        Probability of each rating, or distinct pair, to be in the part, 0 <= fraction < 1. The size
        of the part is near that share, by chance: of 100,000 ratings, a tenth is mostly 9,800 to
        10,200.
    seed : int
        The same seed and fraction put a pair of a user and an item into the same part, whatever
        else there is, in whatever order, in any process.
    stream : Stream
        Random numbers to use: those for test parts or those for validation parts.

    Returns
    -------
    rest, part : Ratings or Interactions

    Raises
    ------
    RatingsError
        If the fraction is out of range, or the ratings are a part that was drawn with the same
        seed: the same draw takes nothing of what it has left.
    """
    ratings = as_data(ratings)
    chosen = random_part(ratings, fraction, seed, stream)
    return ratings.subset(~chosen), ratings.subset(chosen)


def random_part(ratings: Interactions, fraction: float, seed: int, stream: Stream) -> np.ndarray:
    """Which ratings are in a random part; otherwise as `random_split`.

    Returns
    -------
    ndarray of shape (n_ratings,), bool
    """
    if not 0 <= fraction < 1:
        raise RatingsError(
            f"a part must be at least 0 and less than 1 of the whole, not {fraction}"
        )
    users, items = mixed(ratings.users.hashes ^ _key(seed, stream)), ratings.items.hashes
    bound, chosen = _bound(fraction), np.empty(len(ratings), bool)

    def draw(piece: slice) -> None:
        """`in_part`, with users mixed once for all of their ratings."""
        of_users, of_items = users[ratings.user_index[piece]], items[ratings.item_index[piece]]
        chosen[piece] = mixed(of_users ^ of_items) < bound

    in_pieces(draw, len(ratings), HASHED_AT_ONCE)
    n_drawn = int(np.count_nonzero(chosen))
    check_drawn(n_drawn, len(ratings), fraction, seed, ratings.source, ratings.noun)
    return chosen


def check_drawn(
    n_drawn: int, n: int, fraction: float, seed: int, source: str, noun: str = "ratings"
) -> None:
    """Make sure that a part was drawn from ratings of which it had not been drawn before.

    Parameters
    ----------
    n_drawn, n : int
        Size of the part, and of the whole.
    fraction : float
    seed : int
    source, noun : str
        For messages.

    Raises
    ------
    RatingsError
        If the part is empty, or is the whole, and ratings are too many for that to be chance.
    """
    for size, share, how_many in (
        (n_drawn, fraction, "none"),
        (n - n_drawn, 1 - fraction, "all"),
    ):
        if share * n > CHANCE and not size:
            raise RatingsError(
                f"{source}: of {n:,} {noun}, {how_many} would be in a part drawn at random "
                f"with seed {seed}: they have been drawn, or left, with this seed before. Give "
                f"another {argument('seed')}"
            )


def part_to_spare(
    ratings: Interactions, fraction: float, seed: int, stream: Stream
) -> np.ndarray | None:
    """A random part to be kept from learning, as `random_part` draws it.

    None where none is drawn, or where nothing could be learned from the others: of a few ratings.
    """
    drawn = random_part(ratings, fraction, seed, stream)
    return drawn if drawn.any() and ratings.is_learnable(drawn) else None


def in_part(
    user_hashes: np.ndarray, item_hashes: np.ndarray, fraction: float, seed: int, stream: Stream
) -> np.ndarray:
    """Which pairs are in a random part.

    Parameters
    ----------
    user_hashes, item_hashes : ndarray of shape (n,), uint64
        Of their ids, by `hashing.id_hashes`.
    fraction : float
        Probability of a pair to be in the part, 0 <= fraction < 1.
    seed : int
    stream : Stream
        Parts for different uses do not depend on each other.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    return draws(user_hashes, item_hashes, seed, stream) < _bound(fraction)


def draws(
    user_hashes: np.ndarray, item_hashes: np.ndarray | np.uint64, seed: int, stream: Stream
) -> np.ndarray:
    """A random number from 0 up to 2**64 for each pair; parameters are those of `in_part`.

    Returns
    -------
    ndarray of shape (n,), uint64
    """
    return joint_hashes(user_hashes ^ _key(seed, stream), item_hashes)


def _key(seed: int, stream: Stream) -> np.uint64:
    digest = hashlib.blake2b(f"{seed} {int(stream)}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def _bound(fraction: float) -> np.uint64:
    return np.uint64(int(fraction * 2.0**64))
