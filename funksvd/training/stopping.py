"""Early stopping, and the reasons for which training ends."""

from __future__ import annotations

import math
from enum import StrEnum

from funksvd.hyperparameters.schedules import is_notable


class Stopped(StrEnum):
    """The reason for which training ended."""

    LIMIT = "limit"
    """All epochs were run that the hyperparameters, or a search before, allow."""
    PATIENCE = "patience"
    """The validation value had not become notably better for `patience` epochs."""
    CONVERGED = "converged"
    """Further draws of a sampler would change their mean by little."""
    INTERRUPT = "interrupt"
    """Ctrl-C."""


class EarlyStopping:
    """Follows a validation value; without one, the latest epoch is always the best.

    Parameters
    ----------
    patience : int
        Epochs without a notable improvement after which it is time to stop.
    greater_is_better : bool
        Whether the value is one, such as NDCG, that should rise.
    """

    def __init__(self, patience: int, greater_is_better: bool = False) -> None:
        self.patience = patience
        self.is_exhausted = False
        self._sign = -1.0 if greater_is_better else 1.0
        self._best = self._notable = math.inf
        self._notable_epoch = 0

    def is_best(self, epoch: int, value: float | None) -> bool:
        """Take note of an epoch's value, and tell whether it is the best so far."""
        if value is None:
            return True
        value *= self._sign
        if is_notable(value, self._notable):
            self._notable, self._notable_epoch = value, epoch
        self.is_exhausted = epoch - self._notable_epoch >= self.patience
        if not value < self._best:  # NaN is never best
            return False
        self._best = value
        return True
