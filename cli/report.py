"""`funksvd report`: a page about a model, to be looked at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from .console import Output
from .options import DEFAULT_MODEL, FILE, check_writable, output_options, threads_option
from .reproduce import reproducing_command
from .tables import items_option, titles_of

if TYPE_CHECKING:
    from funksvd import FunkSVD
    from funksvd.splitting import Holdout


@click.command(
    epilog="""\b
Examples:
  funksvd report
  funksvd report model.funksvd -o report.html --items movies.csv
  funksvd report --png pictures"""
)
@click.argument("model_path", metavar="[MODEL]", type=FILE, default=DEFAULT_MODEL)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=FILE,
    default="report.html",
    show_default=True,
    help="Where to write the page.",
)
@click.option(
    "--png", metavar="DIR", type=FILE, help="Write the pictures as PNG files too, into a folder."
)
@items_option
@threads_option
@output_options
def report(model_path: str, **options: Any) -> None:
    """Write a page about MODEL, to be looked at.

    How good it is, what it has learned and how it was made, as one HTML file that holds all
    pictures and needs no network. The test part and the training ratings
    are found again as `funksvd evaluate` finds them; without them, the page says what is missing.

    Needs Jinja2 and matplotlib: pip install ".[report]".
    """
    from funksvd import FunkSVD, __version__
    from funksvd.report import check_installed, gather, is_report, write_pictures, write_report

    output = Output.of(options)
    path, folder, items = options["output"], options["png"], options["items_file"]
    check_installed()
    check_writable(path, (model_path, items), is_report, "a report")
    if folder is not None and os.path.exists(folder) and not os.path.isdir(folder):
        raise click.BadParameter(f"{folder} is there already and is no folder", param_hint="--png")
    with output.busy("Loading"):
        model = FunkSVD.load(model_path)
    model.hyperparameters.n_threads = options["threads"]
    titles = {} if items is None else titles_of(output, items, model.item_ids)
    with output.busy("Reading"):
        holdout, missing = _find_ratings(model, model_path)
    if missing:
        output.warn(missing)
    with output.busy("Drawing"):
        content = gather(
            model,
            holdout=holdout,
            missing=missing,
            titles=titles,
            name=os.path.basename(model_path),
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


def _find_ratings(model: FunkSVD, path: str) -> tuple[Holdout | None, str]:
    """The ratings the model learned from and is tested on; or why they cannot be had."""
    from funksvd import FunkSVDError, rebuild

    if model.provenance is None:
        return None, "The model does not record which ratings it was trained on."
    try:
        folder = os.path.dirname(os.path.realpath(path))
        return rebuild(model.provenance, folder, with_interactions=False), ""
    except FunkSVDError as error:
        return None, f"The model's ratings cannot be read again: {error}"
