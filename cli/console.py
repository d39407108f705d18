"""How output looks: for people, for scripts, on a terminal or not."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from funksvd.evaluation import Evaluation
    from funksvd.ratings import Ratings, ReadReport

WIDTH_OF_A_FILE = 200
"""Columns of a table that does not go to a terminal."""


class Output:
    """Notes for people, results for everyone, JSON for scripts, warnings on standard error.

    Parameters
    ----------
    quiet : bool
        No notes.
    as_json : bool
        No notes either, and results as one JSON value.
    """

    def __init__(self, quiet: bool = False, as_json: bool = False) -> None:
        self.as_json = as_json
        self.notes = not (quiet or as_json)

    @property
    def console(self) -> Console:
        """A console on the standard output of this moment."""
        from rich.console import Console

        terminal = sys.stdout.isatty()
        return Console(
            file=sys.stdout,
            width=None if terminal else WIDTH_OF_A_FILE,
            highlight=False,
            soft_wrap=not terminal,
        )

    def note(self, text: str = "") -> None:
        """Something a person may want to know."""
        if self.notes:
            click.echo(text)

    def warn(self, text: str) -> None:
        """Something that should not be overlooked."""
        click.echo(f"{click.style('Warning:', fg='yellow', bold=True)} {text}", err=True)

    def json(self, value: Any) -> None:
        """The result, for a script."""
        click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
        """The result, for a person; the first `left` columns are text, the others numbers."""
        table = new_table()
        for at, name in enumerate(header):
            table.add_column(name, justify="left" if at < left else "right")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)


def new_table() -> Table:
    """A table without lines."""
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")


def report_reading(output: Output, report: ReadReport | None) -> None:
    """What was detected, skipped and merged while a source was read."""
    if report is None:
        return
    output.note(f"Read {report.detected}")
    if report.n_bad_rows:
        lines = "\n".join(f"  {row}" for row in report.bad_rows)
        output.warn(f"{report.n_bad_rows:,} of {report.n_rows:,} rows were skipped:\n{lines}")
    if report.n_duplicates:
        output.note(f"{report.n_duplicates:,} ratings repeated a (user, item) pair")


def describe_ratings(ratings: Ratings) -> str:
    """Counts and range in one line."""
    share = len(ratings) / max(1, ratings.n_users * ratings.n_items)
    low, high = ratings.values.min(), ratings.values.max()
    return (
        f"{len(ratings):,} ratings from {low:g} to {high:g}; {ratings.n_users:,} users, "
        f"{ratings.n_items:,} items, {share:.2%} of the matrix known"
    )


BASELINE_NAMES = {"global_mean": "mean of all ratings", "regularized_biases": "biases only"}


def show_evaluation(output: Output, evaluation: Evaluation, name: str) -> None:
    """A table of errors, and what to know about them."""
    rows = [
        (
            name,
            f"{evaluation.rmse:.4f}",
            "{:.4f} to {:.4f}".format(*evaluation.rmse_interval),
            f"{evaluation.mae:.4f}",
            "{:.4f} to {:.4f}".format(*evaluation.mae_interval),
        )
    ]
    rows += [
        (BASELINE_NAMES[baseline], f"{errors.rmse:.4f}", "", f"{errors.mae:.4f}", "")
        for baseline, errors in reversed(evaluation.baselines.items())
    ]
    header = (f"{evaluation.n_ratings:,} test ratings", "RMSE", "95 %", "MAE", "95 %")
    output.table(header, rows)
    if evaluation.unknown_users or evaluation.unknown_items:
        output.note(
            f"Unknown to the model: the user of {evaluation.unknown_users:.2%} of the test "
            f"ratings, the item of {evaluation.unknown_items:.2%}; predicted from what is known"
        )


def warn_of_doubts(output: Output, evaluation: Evaluation) -> None:
    """Say aloud what makes the figures worth little."""
    for what, share in (("user", evaluation.unknown_users), ("item", evaluation.unknown_items)):
        if share == 1:
            output.warn(
                f"the model knows none of the {what}s in these ratings: are the {what} ids the "
                "same as in its training data? (`funksvd info` shows some of them)"
            )
        elif share >= 0.5:
            output.warn(f"the model does not know the {what} of {share:.0%} of these ratings")
    if evaluation.already_learned:
        output.warn(
            f"the model was trained on {evaluation.already_learned:.1%} of these ratings; errors "
            "on what was learned are too small. `funksvd evaluate` without a file uses the test "
            "part that was set aside"
        )
