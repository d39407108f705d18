"""`funksvd data split`: files to learn from and files to test on."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import click

from ..console import Output
from ..groups import GroupedCommand, option, packed
from ..options import FILE, OUTPUT, output_options
from ..reading import describe_ratings, read_any, reading_options
from ..splitting import IN_TIME, SPLIT, Split, split_options
from .files import FORMATS, RatingsFile, warn_of_rounding

if TYPE_CHECKING:
    from funksvd import ReadOptions

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
"""Suffixes that are no part of the names of the files to write."""
SUFFIXES = {"csv": ".csv", "parquet": ".parquet", "libmf": ".txt"}


def _split(
    kind: str | None,
    n_folds: int | None,
    test_fraction: float | None,
    n_last: int | None,
) -> Split:
    return Split.from_options(kind or "random", n_folds or 1, test_fraction, n_last)


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd data split ratings.csv
  funksvd data split ratings.csv --split by-time --test-fraction 0.2
  funksvd data split ml-1m.zip --folds 5 -o folds/ml-1m --format parquet""",
)
@click.argument("ratings", type=FILE, nargs=-1, required=True)
@packed("how", _split, *split_options("Number of folds: pairs of files to write.  [default: 1]"))
@option(
    "--seed",
    metavar="N",
    type=click.IntRange(min=0),
    group=SPLIT,
    help="Same seed, same parts.  [default: 0]",
)
@reading_options
@option(
    "--output",
    "-o",
    "prefix",
    metavar="PREFIX",
    type=FILE,
    group=OUTPUT,
    help="Write PREFIX.train.csv and PREFIX.test.csv; a folder that is missing is made.  "
    "[default: the name of RATINGS]",
)
@option(
    "--format",
    "file_format",
    type=click.Choice(FORMATS),
    default="csv",
    show_default=True,
    group=OUTPUT,
    help="Format of the files.",
)
@output_options
def split(
    ratings: tuple[str, ...],
    *,
    how: Split,
    seed: int | None,
    reading: ReadOptions,
    prefix: str | None,
    file_format: str,
    output: Output,
) -> None:
    """Write a part of RATINGS to learn from, and a part to test on.

    The test part is a random one, a random share of each user's ratings, each user's last ratings
    (leave-last-out), or all ratings after a point in time (by-time).

    With --folds there are several pairs of files, PREFIX.1.train.csv and so on. Each rating is in
    one of the test parts. In time, one test part follows the other, and what comes later is not
    learned from.

    The parts are those of `funksvd cross-validate` with the same options and seed.
    """
    if seed is not None and how.kind in IN_TIME:
        raise click.UsageError(f"--seed does not go with {how.kind}: nothing is left to chance")
    prefix = prefix or _stem(ratings[0])
    pairs = _pairs(prefix, how.n_folds, file_format)
    _make_folder(os.path.dirname(prefix))
    for target in (target for pair in pairs for target in pair):
        target.prepare(output, ratings)
    found = read_any(output, ratings, reading, keep_equal=True)
    warn_of_rounding(output, found)
    output.note(describe_ratings(found))
    folds = how.folds(found, seed or 0)
    for remark in folds.remarks:
        output.note(remark)
    written = []
    for (training, test), fold in zip(pairs, folds, strict=True):
        training.write(output, fold.training)
        test.write(output, fold.test)
        sizes = {"n_training": len(fold.training), "n_test": len(fold.test)}
        written.append({"training": training.path, "test": test.path, **sizes})
    if output.as_json:
        output.json({"split": how.kind, "folds": written, "remarks": list(folds.remarks)})
    output.note(f"\nNext: {_next_step(pairs)}")


def _stem(source: str) -> str:
    """The default prefix of the files: the name of the source, without its folder."""
    name = os.path.basename(os.path.normpath(source))
    stem, suffix = os.path.splitext(name)
    if suffix in COMPRESSED:
        stem = os.path.splitext(stem)[0]
    return "ratings" if stem in ("-", "", ".", "..") else stem


def _make_folder(folder: str) -> None:
    """Make a folder before the ratings are read, or say that it cannot be made."""
    try:
        os.makedirs(folder or ".", exist_ok=True)
    except OSError as error:
        raise click.BadParameter(
            f"the folder {folder} cannot be made ({error.strerror})", param_hint="-o"
        ) from None


def _pairs(prefix: str, n_folds: int, file_format: str) -> list[tuple[RatingsFile, RatingsFile]]:
    """Of each fold, the file to learn from and the file to test on."""
    suffix = SUFFIXES[file_format]
    stems = [prefix] if n_folds == 1 else [f"{prefix}.{n + 1}" for n in range(n_folds)]
    return [
        (
            RatingsFile(f"{stem}.train{suffix}", file_format),
            RatingsFile(f"{stem}.test{suffix}", file_format),
        )
        for stem in stems
    ]


def _next_step(pairs: list[tuple[RatingsFile, RatingsFile]]) -> str:
    if len(pairs) == 1:
        training, test = pairs[0]
        return shlex.join(["funksvd", "train", training.path, "--test", test.path])
    folds = [word for training, test in pairs for word in ("--fold", training.path, test.path)]
    return shlex.join(["funksvd", "cross-validate", *folds])
