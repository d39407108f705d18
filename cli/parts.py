"""Ratings or interactions to learn from, and the parts that are kept for test and validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .console import Output, counted
from .groups import option, packed
from .options import FILE
from .reading import READING, describe_ratings, read_any, report_reading

if TYPE_CHECKING:
    from funksvd import Interactions, Ratings, ReadOptions
    from funksvd.splitting import Holdout

PARTS = "Test and validation"
"""Heading of these options."""


class Parts(NamedTuple):
    """The parts of the ratings that training must not see, and pairs that it may see besides.

    Parameters
    ----------
    test_file : str or None
        File of test ratings; None to set a random share aside.
    test_fraction : float
        That share; 0 for no test.
    valid_file : str or None
        File of validation ratings; None to leave them to the training.
    interactions_file : str or None
        File of pairs of a user and an item that need no rating.
    positive_from : float or None
        Ratings from this value on become interactions, and the others are left out.
    """

    test_file: str | None
    test_fraction: float
    valid_file: str | None
    interactions_file: str | None
    positive_from: float | None = None

    @property
    def files(self) -> list[str]:
        """The files to read."""
        names = (self.test_file, self.valid_file, self.interactions_file)
        return [name for name in names if name is not None]

    def read(
        self, output: Output, paths: Sequence[str], reading: ReadOptions, seed: int
    ) -> Holdout[Any]:
        """Read ratings, or interactions where there are no ratings, and set the parts aside.

        Parameters
        ----------
        output : Output
            Told what was read and set aside.
        paths : sequence of str
            Files of ratings or of interactions.
        reading : ReadOptions
            How all these files are read.
        seed : int
            Seed of the random share.

        Returns
        -------
        Holdout
            Of ratings or of interactions; those besides ratings are without the pairs of the test.

        Raises
        ------
        click.UsageError
            If interactions are given besides interactions.
        """
        from funksvd import Ratings, hold_out

        everything = read_any(output, paths, reading, self.positive_from)
        output.note(describe_ratings(everything))
        if self.interactions_file is not None and not isinstance(everything, Ratings):
            raise click.UsageError(
                "--interactions goes with ratings, and here all are interactions: name the file "
                "beside the others"
            )

        def part(path: str | None) -> Ratings | Interactions | None:
            return None if path is None else self._read_part(output, path, reading, everything)

        holdout = hold_out(
            everything,
            test=part(self.test_file),
            validation=part(self.valid_file),
            interactions=None
            if self.interactions_file is None
            else _interactions(output, self.interactions_file, reading),
            test_fraction=self.test_fraction,
            seed=seed,
            options=reading,
        )
        if holdout.test is None and self.test_file is None and self.test_fraction:
            output.note(
                f"No test: {counted(len(everything), everything.noun.removesuffix('s'))} are too "
                f"few for a random share of {self.test_fraction:g}; all of them are learned from"
            )
        elif holdout.test is None:
            output.note("No test: all of them are learned from")
        elif self.test_file is None:
            noun = everything.noun.removesuffix("s")
            output.note(f"Set aside {counted(len(holdout.test), noun)} for the test")
        if holdout.interactions is not None:
            n_pairs = counted(len(holdout.interactions), "pair")
            output.note(f"{n_pairs} of a user and an item, rated or not")
        return holdout

    def _read_part(
        self, output: Output, path: str, reading: ReadOptions, whole: Ratings | Interactions
    ) -> Ratings | Interactions:
        """Read a part, and take its rows for what those of the whole were taken for."""
        from funksvd.ratings.io.clicks import read_again

        with output.busy("Reading"):
            part = read_again(path, reading, whole.kind, whole.positive_from)
        report_reading(output, part.report)
        return part


def _interactions(output: Output, path: str, reading: ReadOptions) -> Interactions:
    """Read pairs of users and items."""
    from funksvd import read_interactions

    with output.busy("Reading"):
        interactions = read_interactions(path, reading)
    report_reading(output, interactions.report)
    return interactions


parts_options = packed(
    "parts",
    Parts,
    option(
        "--positive-from",
        metavar="RATING",
        type=float,
        group=READING,
        help="Take ratings from this value on as interactions, and leave the others out.",
    ),
    option(
        "--test",
        "test_file",
        metavar="FILE",
        type=FILE,
        group=PARTS,
        help="Test ratings from a file, instead of a random share.",
    ),
    option(
        "--test-fraction",
        metavar="FRACTION",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.1,
        show_default=True,
        group=PARTS,
        help="Share of the ratings set aside for the test; 0: no test.",
    ),
    option(
        "--valid",
        "valid_file",
        metavar="FILE",
        type=FILE,
        group=PARTS,
        help="Validation ratings from a file, instead of a random share.",
    ),
    option(
        "--interactions",
        "interactions_file",
        metavar="FILE",
        type=FILE,
        group=READING,
        help="Pairs of a user and an item that need no rating, for svd++ and bayes++.",
    ),
)
"""`--positive-from`, `--test`, `--test-fraction`, `--valid` and `--interactions`, as `parts`."""
