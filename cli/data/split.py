"""`funksvd data split`: files to learn from and files to test on."""

from __future__ import annotations

import os
import shlex
from typing import Any

import click
from click.core import ParameterSource

from ..console import Output, describe_ratings
from ..options import FILE, output_options, reading_options, refuse_to_overwrite, take_read_options
from ..splitting import SPLITS, split_ratings
from .files import FORMATS, read, write

PACKED = (".gz", ".bz2", ".xz", ".zst")
SUFFIXES = {"csv": ".csv", "parquet": ".parquet", "libmf": ".txt"}


@click.command(
    epilog="""\b
Examples:
  funksvd data split ratings.csv
  funksvd data split ratings.csv --split by-time --test-fraction 0.2
  funksvd data split ml-1m.zip --folds 5 -o folds/ml-1m --format parquet"""
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="random",
    show_default=True,
    help="Which ratings to test on.",
)
@click.option(
    "--folds",
    "n_folds",
    metavar="K",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="So many pairs of files.",
)
@click.option(
    "--test-fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="Part to test on, of a single fold and by time.",
)
@click.option(
    "--last",
    "n_last",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Ratings of each user to test on, with leave-last-out.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Same seed, same parts.",
)
@click.option(
    "--output",
    "-o",
    "prefix",
    metavar="PREFIX",
    type=FILE,
    help="Write PREFIX.train.csv and PREFIX.test.csv; a folder that is missing is made.  "
    "[default: the name of RATINGS]",
)
@click.option(
    "file_format",
    "--format",
    type=click.Choice(FORMATS),
    default="csv",
    show_default=True,
    help="Format of the files.",
)
@reading_options
@output_options
def split(ratings: tuple[str, ...], **options: Any) -> None:
    """Write a part of RATINGS to learn from, and a part to test on.

    The test part is a random one, a random share of each user's ratings, each user's last ratings
    (leave-last-out), or all ratings after a point in time (by-time). With --folds there are
    several pairs of files, PREFIX.1.train.csv and so on: each rating is in one of the test parts,
    or, in time, one test part follows the other, and what comes later is not learned from.
    The parts are those of `funksvd evaluate` with the same options and seed.
    """
    output = Output.of(options)
    read_options = take_read_options(options)
    n_folds = options["n_folds"]
    _check_together(options["split"], n_folds)
    prefix = options["prefix"] or _stem(ratings[0])
    paths = _paths(prefix, n_folds, SUFFIXES[options["file_format"]])
    for path in (path for pair in paths for path in pair):
        refuse_to_overwrite(path, ratings)
    _make_folder(os.path.dirname(prefix))
    found = read(output, ratings, read_options)
    output.note(describe_ratings(found))
    folds = split_ratings(
        found,
        options["split"],
        n_folds=n_folds,
        fraction=options["test_fraction"],
        n_last=options["n_last"],
        seed=options["seed"],
    )
    for remark in folds.remarks:
        output.note(remark)
    written = []
    for pair, fold in zip(paths, folds, strict=True):
        for path, part in zip(pair, fold, strict=True):
            write(output, part, path, options["file_format"], ratings)
        sizes = {"n_training": len(fold.training), "n_test": len(fold.test)}
        written.append({"training": pair[0], "test": pair[1], **sizes})
    if output.as_json:
        output.json({"split": options["split"], "folds": written, "remarks": list(folds.remarks)})
    output.note(f"\nNext: {_next_step(paths)}")


def _check_together(split: str, n_folds: int) -> None:
    """Refuse options that would come to nothing."""
    context = click.get_current_context()

    def is_given(name: str) -> bool:
        return context.get_parameter_source(name) is ParameterSource.COMMANDLINE

    if is_given("n_last") and split != "leave-last-out":
        raise click.UsageError("--last goes with --split leave-last-out")
    if is_given("test_fraction") and split == "leave-last-out":
        raise click.UsageError("--test-fraction does not go with leave-last-out; give --last")
    if is_given("test_fraction") and n_folds > 1 and split != "by-time":
        raise click.UsageError(
            "--test-fraction does not go with several folds, which share all ratings"
        )
    if is_given("seed") and split in ("leave-last-out", "by-time"):
        raise click.UsageError(f"--seed does not go with {split}: nothing is left to chance")


def _stem(source: str) -> str:
    """What the parts are called where nothing is said: as the source, in the current folder."""
    name = os.path.basename(os.path.normpath(source))
    stem, suffix = os.path.splitext(name)
    if suffix in PACKED:
        stem = os.path.splitext(stem)[0]
    return "ratings" if stem in ("-", "", ".", "..") else stem


def _make_folder(folder: str) -> None:
    """Make it before the ratings are read, or say that it cannot be made."""
    try:
        os.makedirs(folder or ".", exist_ok=True)
    except OSError as error:
        raise click.BadParameter(
            f"the folder {folder} cannot be made ({error.strerror})", param_hint="-o"
        ) from None


def _paths(prefix: str, n_folds: int, suffix: str) -> list[tuple[str, str]]:
    numbers = [""] if n_folds == 1 else [f".{number + 1}" for number in range(n_folds)]
    return [
        (f"{prefix}{number}.train{suffix}", f"{prefix}{number}.test{suffix}") for number in numbers
    ]


def _next_step(paths: list[tuple[str, str]]) -> str:
    if len(paths) == 1:
        training, test = paths[0]
        return shlex.join(["funksvd", "train", training, "--test", test])
    folds = [word for training, test in paths for word in ("--fold", training, test)]
    return shlex.join(["funksvd", "evaluate", *folds])
