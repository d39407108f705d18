"""Ratings to learn from, and the parts that are kept from it: the same for several commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from .console import Output, counted, describe_ratings, report_reading
from .options import FILE

if TYPE_CHECKING:
    from funksvd import Interactions, Ratings, ReadOptions
    from funksvd.splitting import Holdout

PARTS = (
    click.option(
        "--test",
        "test_file",
        metavar="FILE",
        type=FILE,
        help="Test ratings, instead of a random part.",
    ),
    click.option(
        "--test-fraction",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.1,
        show_default=True,
        help="Part to test on; 0: none.",
    ),
    click.option(
        "--valid", "valid_file", metavar="FILE", type=FILE, help="Validation ratings, likewise."
    ),
    click.option(
        "--interactions",
        "interactions_file",
        metavar="FILE",
        type=FILE,
        help="Pairs of user and item that need no rating, for svd++ and bayes++.",
    ),
)


def parts_options(command: Callable) -> Callable:
    """`--test`, `--test-fraction`, `--valid` and `--interactions`."""
    for option in reversed(PARTS):
        command = option(command)
    return command


def given_files(options: dict[str, Any]) -> list[str | None]:
    """The files that these options name."""
    return [options[f"{part}_file"] for part in ("test", "valid", "interactions")]


def read_parts(
    output: Output,
    paths: Sequence[str],
    options: dict[str, Any],
    read_options: ReadOptions,
    seed: int,
) -> tuple[Holdout, Interactions | None]:
    """Read ratings, and set aside what `parts_options` say; read interactions, if there are any."""
    from funksvd import hold_out, read_ratings

    def read(source: Any) -> Ratings | None:
        if source is None:
            return None
        with output.busy("Reading"):
            found = read_ratings(source, read_options)
        report_reading(output, found.report)
        return found

    everything = read(list(paths))
    output.note(describe_ratings(everything))
    holdout = hold_out(
        everything,
        test=read(options["test_file"]),
        validation=read(options["valid_file"]),
        test_fraction=options["test_fraction"],
        seed=seed,
        options=read_options,
        interactions=_read_interactions(output, options["interactions_file"], read_options),
    )
    if holdout.test is None:
        output.note("No test: all of them are learned from")
    elif options["test_file"] is None:
        output.note(f"Set aside {counted(len(holdout.test), 'rating')} for the test")
    if holdout.interactions is not None:
        n_pairs = counted(len(holdout.interactions), "pair")
        output.note(f"{n_pairs} of a user and an item, rated or not")
    return holdout, holdout.interactions


def _read_interactions(
    output: Output, path: str | None, read_options: ReadOptions
) -> Interactions | None:
    from funksvd import read_interactions

    if path is None:
        return None
    with output.busy("Reading"):
        interactions = read_interactions(path, read_options)
    report_reading(output, interactions.report)
    return interactions
