"""When to stop."""

from __future__ import annotations

import math

NOTABLE_IMPROVEMENT = 1e-4
"""An epoch whose validation error is not lower by this share counts against the patience."""


class EarlyStopping:
    """Follows the validation error; without one, the latest epoch is always the best.

    Parameters
    ----------
    patience : int
        Epochs without a notable improvement after which it is time to stop.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.is_exhausted = False
        self._best = self._notable = math.inf
        self._notable_epoch = 0

    def is_best(self, epoch: int, valid_error: float | None) -> bool:
        """Take note of an epoch; whether it is the best so far."""
        if valid_error is None:
            return True
        if valid_error < self._notable * (1 - NOTABLE_IMPROVEMENT):
            self._notable, self._notable_epoch = valid_error, epoch
        self.is_exhausted = epoch - self._notable_epoch >= self.patience
        if not valid_error < self._best:  # NaN is never best
            return False
        self._best = valid_error
        return True
