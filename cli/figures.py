"""Errors of a model on test ratings: the table, and warnings where they mean little."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import Output

if TYPE_CHECKING:
    from funksvd import Evaluation

BASELINES = {"global_mean": "mean of all ratings", "regularized_biases": "biases only"}
"""Labels of the rows, by the names of the baselines in the library."""
MANY_UNKNOWN = 0.5
"""Share of test ratings from which on it is warned that their user or item is unknown."""
FEW_USERS = 20
"""Number of test users below which it is warned that the intervals are too narrow."""


def show_evaluation(output: Output, evaluation: Evaluation, title: str) -> None:
    """Print errors beside those of the baselines, and the share of unknown users and items."""
    rows = [
        (
            title,
            f"{evaluation.rmse:.4f}",
            "{:.4f} to {:.4f}".format(*evaluation.rmse_interval),
            f"{evaluation.mae:.4f}",
            "{:.4f} to {:.4f}".format(*evaluation.mae_interval),
        )
    ]
    rows += [
        (BASELINES[baseline], f"{errors.rmse:.4f}", "", f"{errors.mae:.4f}", "")
        for baseline, errors in reversed(evaluation.baselines.items())
    ]
    first = f"{evaluation.n_ratings:,} test ratings"
    output.table((first, "RMSE", "95% interval", "MAE", "95% interval"), rows, [first])
    output.note(
        f"Unknown to the model: the user of {evaluation.unknown_users:.2%} and the item of "
        f"{evaluation.unknown_items:.2%} of them"
    )


def warn_of_doubts(
    output: Output, evaluation: Evaluation, other: str = "train a new one with other"
) -> None:
    """Warn of what makes the errors of a test worth little.

    Parameters
    ----------
    output : Output
    evaluation : Evaluation
    other : str
        What to do about hyperparameters, before that word.
    """
    for what, share in (("user", evaluation.unknown_users), ("item", evaluation.unknown_items)):
        if share == 1:
            output.warn(
                f"the model knows none of the {what}s in these ratings: are the {what} ids the "
                "same as in its training data? (`funksvd info` shows some of them)"
            )
        elif share >= MANY_UNKNOWN:
            output.warn(f"the model does not know the {what} of {share:.0%} of these ratings")
    biases_only = evaluation.baselines.get("regularized_biases")
    if biases_only and evaluation.rmse >= biases_only.rmse:
        output.warn(
            f"the model is no better than biases alone: {other} hyperparameters (--reg, "
            "--learning-rate), or there may be too few ratings to learn factors from"
        )
    warn_of_few_users(output, evaluation.n_users)
    if evaluation.already_learned:
        output.warn(
            f"the model was trained on {evaluation.already_learned:.1%} of these ratings; errors "
            "on what was learned are too small. `funksvd evaluate` without a file uses the test "
            "part that was set aside"
        )


def warn_of_few_users(output: Output, n_users: int, noun: str = "ratings") -> None:
    """Warn if there are too few users to be drawn again and again for an interval."""
    if n_users < FEW_USERS:
        users = "one user" if n_users == 1 else f"{n_users} users"
        output.warn(f"these are {noun} by {users} only: the intervals are too narrow")
