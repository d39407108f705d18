"""What training tells whoever watches it."""

from __future__ import annotations

from typing import NamedTuple


class EpochRecord(NamedTuple):
    """What one epoch came to.

    Parameters
    ----------
    epoch : int
        Counted from 1.
    learning_rate : float
        In the middle of the epoch.
    train_rmse : float
        Root mean squared error over the training ratings, in rating units: each taken just before
        its own step, or with batches all of them at the end of the epoch.
    valid_rmse : float or None
        Over the validation part, at the end of the epoch.
    seconds : float
    """

    epoch: int
    learning_rate: float
    train_rmse: float
    valid_rmse: float | None
    seconds: float


class Monitor:
    """Told of each step of training; does nothing. Subclass it to show progress.

    The methods are called in the thread that called `fit`.
    """

    def planning_started(self, n_ratings: int) -> None:
        """So many ratings are going to be sorted into blocks."""

    def member_started(self, member: int, n_members: int) -> None:
        """Training of an ensemble's next member starts; counted from 1."""

    def fit_started(self, purpose: str, n_ratings: int, n_validation: int, n_epochs: int) -> None:
        """Training starts.

        `purpose` is "search" (with a validation part), "refit", "fit" or "update".
        """

    def ratings_done(self, n_ratings: int) -> None:
        """So many more ratings of the current epoch are done."""

    def epoch_done(self, record: EpochRecord, is_best: bool) -> None:
        """An epoch ended; `is_best` where its parameters are the best so far."""

    def snapshot_taken(self, snapshot: int, n_snapshots: int) -> None:
        """A cycle ended whose parameters become a part of the model; counted from 1."""

    def restarted(self, epoch: int, learning_rate: float) -> None:
        """The epoch diverged and starts again from its beginning, with this learning rate."""

    def fit_done(self, best_epoch: int) -> None:
        """Training ended; the parameters of this epoch are kept."""
