"""`TrainingRecord`: how training went, kept as long as the model is there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

from funksvd.training.monitor import EpochRecord
from funksvd.training.stopping import Stopped


@dataclass(frozen=True)
class TrainingRecord:
    """A record of how a model was trained.

    Parameters
    ----------
    history : list of EpochRecord
        The epochs, as far as the validation part was watched: those of a search before a refit.
    best_epoch : int
        The epoch whose parameters were kept, and the length of the refit; counted from 1.
    reg : float
        Regularization of the factors that was used: the one given, or the one chosen by the data.
        A sampler learns its own, and this is for users and items that are folded in.
    spread : float
        Standard deviation of the ratings learned from; lambda of eq. (3) of `objectives.plain` is
        this times `reg`.
    stopped : Stopped or None
        Why training ended; None for models of a time when this was not recorded.
    refitted : bool
        Whether the parameters come from training and validation ratings together.
    n_unrated : int
        Pairs of a user and an item without a rating that were learned from besides.
    n_groups : int or None
        B: groups that users, and items, were dealt to, as given or chosen by the data. None where
        there were none, and for models of a time when this was not recorded.

    Raises
    ------
    ValueError
        If numbers make no sense: they may come from a file.
    """

    history: list[EpochRecord]
    best_epoch: int
    reg: float
    spread: float
    stopped: Stopped | None
    refitted: bool = False
    n_unrated: int = 0
    n_groups: int | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.reg < math.inf and 0 < self.spread < math.inf):
            raise ValueError("reg_used and rating_spread must be finite, and not negative")
        if not all(type(n) is int for n in (self.best_epoch, self.n_unrated, self.n_groups or 0)):
            raise ValueError("best_epoch, n_unrated and n_groups_used must be integers")
        if not 1 <= self.best_epoch <= len(self.history):
            raise ValueError(f"best_epoch is {self.best_epoch} of {len(self.history)}")

    @property
    def was_validated(self) -> bool:
        """True if training watched a validation part."""
        return self.history[0].valid is not None

    @property
    def best(self) -> EpochRecord:
        """The epoch whose parameters were kept."""
        return self.history[self.best_epoch - 1]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a model file: without seconds, which would make each file different."""
        history = [record.to_dict() for record in self.history]
        for record in history:
            del record["seconds"]
        return {
            "history": history,
            "best_epoch": self.best_epoch,
            "refitted": self.refitted,
            "reg_used": self.reg,
            "rating_spread": self.spread,
            "stopped": self.stopped,
            "n_unrated": self.n_unrated,
            "n_groups_used": self.n_groups,
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """The opposite of `to_dict`; the seconds of epochs are NaN."""
        stopped = plain.get("stopped")
        return cls(
            history=[EpochRecord.from_dict(each) for each in plain["history"]],
            best_epoch=plain["best_epoch"],
            reg=float(plain["reg_used"]),
            spread=float(plain["rating_spread"]),
            stopped=None if stopped is None else Stopped(stopped),
            refitted=bool(plain["refitted"]),
            n_unrated=plain.get("n_unrated", 0),
            n_groups=plain.get("n_groups_used"),
        )
