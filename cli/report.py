"""`funksvd report`: a page about a model, to be looked at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from .console import Output
from .groups import GroupedCommand, option
from .models import load, model_argument, ratings_of
from .options import FILE, OUTPUT, output_options, threads_option
from .titles import items_option, read_titles
from .wording import message_of
from .writing import check_output, check_writable

if TYPE_CHECKING:
    from funksvd import FunkSVD
    from funksvd.splitting import Holdout


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd report
  funksvd report model.funksvd -o report.html --items movies.csv
  funksvd report --png pictures""",
)
@model_argument
@threads_option
@option(
    "--output",
    "-o",
    "path",
    metavar="FILE",
    type=FILE,
    default="report.html",
    show_default=True,
    group=OUTPUT,
    help="File to write the page to.",
)
@option(
    "--png",
    "folder",
    metavar="DIR",
    type=FILE,
    group=OUTPUT,
    help="Folder to write the pictures to as PNG files, too.",
)
@items_option
@output_options
def report(
    model_path: str,
    *,
    threads: int | None,
    path: str,
    folder: str | None,
    items_file: str | None,
    output: Output,
) -> None:
    """Write a page with figures and pictures about MODEL.

    It shows how good MODEL is, what it has learned and how it was made, as one HTML file that
    holds all pictures and needs no network. The test part and the training ratings are found again
    as `funksvd evaluate` finds them; without them, the page says what is missing.

    Needs Jinja2 and matplotlib: pip install ".[report]".
    """
    from funksvd import __version__
    from funksvd.report import check_installed, gather, is_report, write_pictures, write_report

    from .reproduce import reproducing_command

    check_installed()
    check_writable(path, (model_path, items_file), is_report, "a report")
    if folder is not None:
        _make_folder(folder)
    model = load(output, model_path, threads)
    titles = read_titles(output, items_file, model.item_ids)
    with output.busy("Reading"):
        holdout, missing = _find_ratings(model, model_path)
    if missing:
        output.warn(missing)
    with output.busy("Drawing"):
        content = gather(
            model,
            holdout=holdout,
            missing=missing,
            titles=titles or {},
            name=os.path.basename(os.path.normpath(model_path)),
            command=reproducing_command(model, model_path),
            version=__version__,
        )
        write_report(content, path)
        pictures = [] if folder is None else write_pictures(content, folder)
    if output.as_json:
        output.json(
            {
                "report": path,
                "size_bytes": os.path.getsize(path),
                "pictures": [str(picture) for picture in pictures],
                "missing": content.without_test or None,
            }
        )
        return
    output.note(f"Wrote {path} ({os.path.getsize(path) / 1e6:.1f} MB)")
    if pictures:
        output.note(f"Wrote {len(pictures)} pictures into {folder}")


def _make_folder(folder: str) -> None:
    """Make the folder for the pictures before the work is done, or say that it cannot be used."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        if os.path.exists(folder):
            message = f"{folder} is there already and is no folder"
        else:
            message = f"the folder {folder} cannot be made ({error.strerror})"
        raise click.BadParameter(message, param_hint="--png") from None
    check_output(os.path.join(folder, "picture.png"), [], "--png")


def _find_ratings(model: FunkSVD, path: str) -> tuple[Holdout | None, str]:
    """The ratings that the model was trained on and is tested on, or why they are missing."""
    from funksvd import FunkSVDError

    if model.provenance is None:
        return None, "The model does not record which ratings it was trained on."
    remedy = f"judge the model on other ratings with `funksvd evaluate {path} RATINGS`"
    try:
        return ratings_of(model, path, remedy), ""
    except FunkSVDError as error:
        return None, f"The model's ratings cannot be read again: {message_of(error)}"
