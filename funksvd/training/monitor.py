"""Messages of training to a person or a program that watches it."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

from funksvd.errors import WriteError


class EpochRecord(NamedTuple):
    """An epoch of training.

    Errors are those by which the loss is watched, and have its name: with metric "rmse", the
    record has the attributes `train_rmse` and `valid_rmse`, and so have JSON and model files.

    Parameters
    ----------
    epoch : int
        Counted from 1.
    learning_rate : float or None
        Learning rate in the middle of the epoch; None where the algorithm has none.
    train : float
        Error over the training ratings, each taken just before its own step; with batches, of all
        at the end of the epoch.
    valid : float or None
        Error over the validation part, at the end of the epoch.
    seconds : float
        Time that the epoch took.
    metric : str
        Name of the training error: `Loss.metric`, for instance "rmse" (in rating units).
    valid_metric : str
        Name of the figure of the validation part: that of the loss, or of another `Validation`.
    """

    epoch: int
    learning_rate: float | None
    train: float
    valid: float | None
    seconds: float
    metric: str
    valid_metric: str

    def __getattr__(self, name: str) -> Any:  # asked only for what is not a field
        part, _, metric = name.partition("_")
        if (part, metric) in (("train", self.metric), ("valid", self.valid_metric)):
            return getattr(self, part)
        raise AttributeError(
            f"an epoch has no {name!r}; its errors are 'train_{self.metric}' and "
            f"'valid_{self.valid_metric}'"
        )

    @property
    def watched(self) -> float:
        """The error that tells how good the epoch was: of validation, if there is a part for it."""
        return self.train if self.valid is None else self.valid

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with the name of the errors in the keys: `train_rmse`."""
        return {
            "epoch": self.epoch,
            "learning_rate": self.learning_rate,
            f"train_{self.metric}": self.train,
            f"valid_{self.valid_metric}": self.valid,
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> EpochRecord:
        """The opposite of `to_dict`; the seconds are NaN."""
        (train,) = (key for key in plain if key.startswith("train_"))
        (valid,) = (key for key in plain if key.startswith("valid_"))
        rate, value = (
            None if number is None else float(number)
            for number in (plain["learning_rate"], plain[valid])
        )
        error = float(plain[train])
        if not all(math.isfinite(number) for number in (error, rate or 0.0, value or 0.0)):
            raise ValueError("history holds values that are not finite")
        names = (train.removeprefix("train_"), valid.removeprefix("valid_"))
        return cls(int(plain["epoch"]), rate, error, value, math.nan, *names)


class Monitor:
    """Is told of each step of training and does nothing. Subclass it to show progress.

    The methods are called in the thread that called `fit`.
    """

    def planning_started(self, n_ratings: int) -> None:
        """Ratings are going to be sorted into blocks: `n_ratings` of them."""

    def member_started(self, member: int, n_members: int) -> None:
        """Training of an ensemble's next member starts; counted from 1."""

    def fit_started(self, purpose: str, n_ratings: int, n_validation: int, n_epochs: int) -> None:
        """Training starts.

        `purpose` is "search" (with a validation part), "refit", "fit" or "update".
        """

    def ratings_done(self, n_ratings: int) -> None:
        """Another `n_ratings` ratings of the current epoch are done."""

    def epoch_done(self, record: EpochRecord, is_best: bool) -> None:
        """An epoch ended; `is_best` where its parameters are the best so far."""

    def snapshot_taken(self, snapshot: int, n_snapshots: int) -> None:
        """A cycle ended, and its parameters become a part of the model; counted from 1."""

    def resumed(self, epoch: int) -> None:
        """A checkpoint tells what came of all epochs up to this one; training goes on after it."""

    def checkpoint_failed(self, error: WriteError) -> None:
        """A checkpoint could not be written; training goes on, and the one before is there.

        This one does something: it warns.
        """
        warnings.warn(str(error), stacklevel=2)

    def restarted(self, epoch: int, learning_rate: float) -> None:
        """The epoch diverged; it starts again from its beginning, with this learning rate."""

    def reg_lowered(self, tried: float, reg: float, unexplained: float) -> None:
        """The search starts again with less regularization than it has tried.

        `unexplained` is the share of the ratings' variance that was left in the validation part.
        """

    def reg_kept(self, reg: float) -> None:
        """Less regularization did no better than `reg`, whose model is kept."""

    def fit_done(self, best_epoch: int) -> None:
        """Training ended; the parameters of this epoch are kept."""
