"""The errors of a model on ratings that it has not learned from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from funksvd.metrics import Errors, Interval


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on ratings it has not learned from.

    Parameters
    ----------
    n_ratings : int
    rmse, mae : float
        In rating units.
    rmse_interval, mae_interval : Interval
        95 % bootstrap intervals; users are drawn, not ratings, since those of one user go
        together. (Those of one item do too, which they leave out of account.) With fewer than
        about 20 users they are too narrow.
    n_users : int
        Number of different users among the ratings.
    unknown_users, unknown_items : float
        Share of the ratings whose user, or item, the model does not know; they are predicted
        from what is known.
    already_learned : float or None
        Share of the ratings whose (user, item) pair the model was trained on; None where the
        model does not know its pairs.
    baselines : dict of str to Errors
        The same figures for simpler predictors.
    """

    n_ratings: int
    rmse: float
    mae: float
    rmse_interval: Interval
    mae_interval: Interval
    n_users: int
    unknown_users: float
    unknown_items: float
    already_learned: float | None = None
    baselines: dict[str, Errors] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        plain = asdict(self)
        plain["rmse_interval"] = list(self.rmse_interval)
        plain["mae_interval"] = list(self.mae_interval)
        plain["baselines"] = {name: errors._asdict() for name, errors in self.baselines.items()}
        return plain
