"""What training tells whoever watches it."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from funksvd.training.hyperparameters import LOSSES


class EpochRecord(NamedTuple):
    """What one epoch came to.

    Errors are those that the loss is watched by: the RMSE, in rating units, for the squared loss;
    `Hyperparameters` tells of the others.

    Parameters
    ----------
    epoch : int
        Counted from 1.
    learning_rate : float or None
        In the middle of the epoch; None where the algorithm has none.
    train_error : float
        Over the training ratings: each taken just before its own step, or with batches all of them
        at the end of the epoch.
    valid_error : float or None
        Over the validation part, at the end of the epoch.
    seconds : float
    """

    epoch: int
    learning_rate: float | None
    train_error: float
    valid_error: float | None
    seconds: float

    def to_dict(self, loss: str) -> dict[str, Any]:
        """Plain data, with the name of the loss's error: `train_rmse` for the squared one."""
        return {of_error(name, loss): value for name, value in self._asdict().items()}

    @classmethod
    def from_dict(cls, plain: dict[str, Any], loss: str) -> EpochRecord:
        """The opposite, without seconds."""
        epoch, rate, train, valid = (plain[of_error(name, loss)] for name in cls._fields[:-1])
        rate, valid = (None if number is None else float(number) for number in (rate, valid))
        return cls(int(epoch), rate, float(train), valid, math.nan)


def of_error(name: str, loss: str) -> str:
    """The name of a figure, with that of the loss's error in it: "valid_error" is "valid_mae"."""
    return name.replace("error", LOSSES[loss].lower().replace(" ", "_"))


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

    def reg_lowered(self, tried: float, reg: float, unexplained: float) -> None:
        """The search starts again with less regularization than it has tried.

        For so large a share of the variance, `unexplained`, it was too much.
        """

    def reg_kept(self, reg: float) -> None:
        """Less regularization did no better than this: what was found with it is kept."""

    def fit_done(self, best_epoch: int) -> None:
        """Training ended; the parameters of this epoch are kept."""
