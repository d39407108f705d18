"""`Ratings`: the observed entries of the rating matrix, in coordinate (COO) form."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike

from funksvd.errors import RatingsError, argument, counted
from funksvd.parallel import PIECE
from funksvd.ratings.interactions import Interactions

if TYPE_CHECKING:
    import scipy.sparse


@dataclass(frozen=True, eq=False, repr=False)
class Ratings(Interactions):
    """Interactions that have values: ratings as (user, item, value) triples.

    Made by `read_ratings`, `Ratings.from_arrays` or `Ratings.from_scipy`; the bare constructor
    trusts its arguments, which are those of `Interactions`.
    """

    values: np.ndarray = field()
    noun = "ratings"

    def __post_init__(self) -> None:
        if self.values is None:
            raise RatingsError("ratings must have values; Interactions may be without")

    def is_learnable(self, left_out: np.ndarray | None = None) -> bool:
        """Whether something can be learned from them: ratings that are all equal tell nothing."""
        return differ(self.values, left_out)

    @classmethod
    def from_arrays(  # type: ignore[override]  # values are required here
        cls,
        users: ArrayLike,
        items: ArrayLike,
        values: ArrayLike,
        timestamps: ArrayLike | None = None,
        *,
        weights: ArrayLike | None = None,
        duplicates: str = "last",
    ) -> Self:
        """Ratings from arrays of the same length.

        Parameters
        ----------
        users, items : array-like of shape (n_ratings,)
            Raw ids, integers or text.
        values : array-like of shape (n_ratings,)
            Ratings; any finite numbers.
        timestamps : array-like of shape (n_ratings,), optional
            Integers, since 1970, in seconds or whole parts of them.
        weights : array-like of shape (n_ratings,), optional
            Finite numbers of at least 0.
        duplicates : {"last", "first", "mean", "error"}
            What to keep of several ratings of one item by one user.

        Raises
        ------
        RatingsError
            If the lengths differ, an id is missing, or a value or weight is not allowed; the
            message names the position.

        Examples
        --------
        >>> ratings = Ratings.from_arrays(["ann", "bob", "ann"], [10, 10, 20], [4, 2, 5])
        >>> ratings.n_users, ratings.n_items, len(ratings)
        (2, 2, 3)
        """
        return super().from_arrays(
            users, items, values, timestamps, weights=weights, duplicates=duplicates
        )

    @classmethod
    def from_scipy(cls, matrix: scipy.sparse.sparray | scipy.sparse.spmatrix) -> Self:
        """Ratings from a SciPy sparse matrix: its stored entries, explicit zeros included.

        Row numbers become user ids and column numbers item ids.

        Raises
        ------
        RatingsError
            If it is no sparse matrix, or an entry is stored twice or is not a finite number.
        """
        if not hasattr(matrix, "tocoo"):
            raise RatingsError(
                "from_scipy takes a sparse matrix or array of SciPy, not an object of type "
                f"{type(matrix).__name__}. Of a dense array of users × items whose zeros are no "
                "ratings, scipy.sparse.coo_array(matrix) makes one; a table of ratings is for "
                "read_ratings"
            )
        coo = matrix.tocoo()
        return cls.from_arrays(
            coo.row.astype(np.int64), coo.col.astype(np.int64), coo.data, duplicates="error"
        )

    @property
    def kind(self) -> str:
        return "ratings"

    @property
    def repeats(self) -> str:
        """Policy of `joined_with` for pairs that come again: the later rating counts."""
        return "last"

    @property
    def n_ratings(self) -> int:
        return len(self)

    def to_interactions(self, positive_from: float | None = None) -> Interactions:
        """Interactions of these ratings, one each, without values and weights.

        Parameters
        ----------
        positive_from : float, optional
            Ratings below this are left out, with the ids that then are unused; in rating units.
            By default all ratings count.

        Returns
        -------
        Interactions
            With the times of the ratings, and a report that says how they were made.

        Raises
        ------
        RatingsError
            If no rating is left, or `positive_from` is not a finite number.

        Examples
        --------
        >>> ratings = Ratings.from_arrays(["ann", "bob", "ann"], [10, 10, 20], [4, 2, 5])
        >>> ratings.to_interactions(positive_from=4)
        <Interactions: 2 interactions, 1 users, 2 items>
        """
        least = float(self.values.min(initial=np.inf)) if positive_from is None else positive_from
        if positive_from is not None and not np.isfinite(positive_from):
            raise RatingsError(f"{argument('positive_from')} must be finite, not {positive_from}")
        is_kept = self.values >= least
        if not is_kept.any():
            span = ""
            if len(self):
                span = f"; they are from {self.values.min():g} to {self.values.max():g}"
            raise RatingsError(
                f"{self.source}: none of {len(self):,} ratings is at least {least:g} "
                f"({argument('positive_from')}){span}"
            )
        n_below = len(self) - int(is_kept.sum())
        report = self.report
        if report is not None:
            note = (
                f"{counted(n_below, 'rating')} below {least:g} left out: each of the other "
                f"{len(self) - n_below:,} counts as an interaction"
            )
            report = replace(report, kind="rated", positive_from=float(least), notes=[note])
        made = Interactions(
            self.users,
            self.items,
            self.user_index,
            self.item_index,
            timestamps=self.timestamps,
            report=report,
        )
        return made.subset(is_kept).compact() if n_below else made

    def to_scipy(self) -> scipy.sparse.csr_array:
        """A sparse array of shape (n_users, n_items), float32; a rating of 0 is kept."""
        import scipy.sparse

        coordinates = (self.user_index, self.item_index)
        return scipy.sparse.csr_array(
            (self.values, coordinates), shape=(self.n_users, self.n_items)
        )


def differ(values: np.ndarray, left_out: np.ndarray | None = None) -> bool:
    """Whether two ratings are not equal.

    Parameters
    ----------
    values : ndarray of shape (n,), float32
    left_out : ndarray of shape (n,), bool, optional
        Ratings that do not count.
    """
    first = None
    for start in range(0, len(values), PIECE):  # nearly always, the first piece is enough
        part = values[start : start + PIECE]
        if left_out is not None:
            part = part[~left_out[start : start + PIECE]]
        if part.size and first is None:
            first = part[0]
        if (part != first).any():
            return True
    return False
