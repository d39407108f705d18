"""`--max-rmse`: a model that is worse than that on its test part is not saved."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import click

from .console import Output
from .groups import option
from .options import OUTPUT

if TYPE_CHECKING:
    from funksvd import Evaluation
    from funksvd.splitting import Holdout


class _Limit(click.FloatRange):
    """A number above 0 and not NaN."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number, from text."""
        limit = float(super().convert(value, param, ctx))
        if math.isnan(limit):
            self.fail(f"{value} is no RMSE", param, ctx)
        return limit


max_rmse_option = option(
    "--max-rmse",
    metavar="RMSE",
    type=_Limit(0, min_open=True),
    group=OUTPUT,
    help="Save the model only if its RMSE on the test part is at most this, else exit with 1.",
)
"""The largest test RMSE with which a model is saved, as `max_rmse: float | None`."""


def check_judgeable(max_rmse: float | None, holdout: Holdout, learns: str = "rating") -> None:
    """Refuse a limit of the test RMSE where there is no test part.

    Raises
    ------
    click.BadParameter
        If nothing was set aside, or the model predicts no ratings.
    """
    if max_rmse is not None and learns != "rating":
        raise click.BadParameter(
            "looks at errors of predicted ratings, and a choice model predicts none",
            param_hint="--max-rmse",
        )
    if max_rmse is not None and holdout.test is None:
        raise click.BadParameter(
            "looks at the ratings that were set aside for the test, and there are none",
            param_hint="--max-rmse",
        )


def passes(
    output: Output, evaluation: Evaluation | None, max_rmse: float | None, path: str
) -> bool:
    """Whether a model is good enough to be saved; says so if it is not."""
    if evaluation is None or max_rmse is None or evaluation.rmse <= max_rmse:
        return True
    stays = ", which stays as it was" if os.path.exists(path) else ""
    output.warn(
        f"the test RMSE is {evaluation.rmse:.4f}, more than the {max_rmse:g} of --max-rmse: the "
        f"new model was not saved to {path}{stays}"
    )
    return False
