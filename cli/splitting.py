"""Splits of ratings into parts to learn from and parts to test on, and their options."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .groups import option

if TYPE_CHECKING:
    from funksvd import Interactions, Ratings
    from funksvd.splitting import Folds

SPLIT = "Split"
"""Heading of these options."""
_option = partial(option, group=SPLIT)
SPLITS = ("random", "per-user", "leave-last-out", "by-time")
IN_TIME = ("leave-last-out", "by-time")
"""Splits that leave nothing to chance."""
DEFAULT_FRACTION = 0.1


class Split(NamedTuple):
    """A way to split ratings into folds.

    Parameters
    ----------
    kind : str
        One of `SPLITS`.
    n_folds : int
        Number of folds.
    test_fraction : float
        Share of the ratings in the test part of a single random fold, and of each fold by time.
    n_last : int
        Number of each user's last ratings in the test part, for leave-last-out.
    """

    kind: str
    n_folds: int
    test_fraction: float
    n_last: int

    @classmethod
    def from_options(
        cls,
        kind: str,
        n_folds: int,
        test_fraction: float | None,
        n_last: int | None,
    ) -> Split:
        """Refuse options that would have no effect; those that were not given are None."""
        if n_last is not None and kind != "leave-last-out":
            raise click.UsageError("--last goes with --split leave-last-out")
        if test_fraction is not None and kind == "leave-last-out":
            raise click.UsageError("--test-fraction does not go with leave-last-out; give --last")
        if test_fraction is not None and kind != "by-time" and n_folds > 1:
            raise click.UsageError(
                "--test-fraction does not go with several folds, which share all ratings; give it "
                "with --folds 1"
            )
        return cls(kind, n_folds, test_fraction or DEFAULT_FRACTION, n_last or 1)

    def folds(self, ratings: Ratings | Interactions, seed: int) -> Folds[Any]:
        """Split ratings or interactions; the seed matters to random and per-user splits."""
        from funksvd import by_time, leave_last_out, per_user_folds, random_folds

        if self.kind == "by-time":
            return by_time(ratings, self.test_fraction, n_folds=self.n_folds)
        if self.kind == "leave-last-out":
            return leave_last_out(ratings, self.n_last, n_folds=self.n_folds)
        folds = per_user_folds if self.kind == "per-user" else random_folds
        return folds(ratings, self.n_folds, fraction=self.test_fraction, seed=seed)


def split_options(about_folds: str) -> tuple[Callable[[Any], Any], ...]:
    """Make `--split`, `--folds`, `--test-fraction` and `--last`.

    Parameters
    ----------
    about_folds : str
        Help text of `--folds`.
    """
    return (
        _option(
            "--split",
            "kind",
            type=click.Choice(SPLITS),
            help="Ratings to test on: random ones, a random share of each user's, each user's "
            "last ones, or all after a point in time.  [default: random]",
        ),
        _option(
            "--folds",
            "n_folds",
            metavar="K",
            type=click.IntRange(min=1),
            help=about_folds,
        ),
        _option(
            "--test-fraction",
            metavar="FRACTION",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            help="Share of the ratings to test on, for a single fold and for by-time.  "
            f"[default: {DEFAULT_FRACTION}]",
        ),
        _option(
            "--last",
            "n_last",
            metavar="N",
            type=click.IntRange(min=1),
            help="Number of each user's last ratings to test on, for leave-last-out.  [default: 1]",
        ),
    )
