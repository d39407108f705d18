"""`funksvd export`: factors for other programs, and the model as a file or a folder."""

from __future__ import annotations

import click

from .console import Output
from .groups import GroupedCommand, option
from .models import keep_ratings_of, load, model_argument, saved_as
from .options import FILE, OUTPUT, light_output_options
from .writing import check_output, check_writable


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd export -o items.parquet
  funksvd export model.funksvd --users -o users.npz
  funksvd export --part choice -o choices.parquet
  funksvd export model.funksvd --as folder -o mapped.funksvd""",
)
@model_argument
@option("--users", is_flag=True, help="Write the users' factors rather than the items'.")
@option(
    "--part",
    type=click.Choice(["rating", "choice"]),
    help="Part whose factors are written.  [default: rating, where there is one]",
)
@option(
    "--output",
    "-o",
    "path",
    metavar="FILE",
    type=FILE,
    required=True,
    group=OUTPUT,
    help="File to write: .parquet, .npz (NumPy), or .txt or .vec (word2vec's text format); "
    "with --as, any name.",
)
@saved_as(
    "Write MODEL itself instead, as one file, or as a folder with a file for each array; the same "
    "bytes either way."
)
@light_output_options
def export(
    model_path: str,
    *,
    users: bool,
    part: str | None,
    path: str,
    as_folder: bool | None,
    output: Output,
) -> None:
    """Write MODEL's ids, biases and factors for other programs.

    A choice model has no biases: the score of a user and an item is the product of their factors.

    With --as, MODEL is copied: from a file to a folder, which can be larger than the memory and is
    read from where it lies, or from a folder to a file. There and back again, it is the same file.
    """
    from funksvd import export_factors
    from funksvd.export import default_part

    if as_folder is not None:
        if users or part:
            raise click.UsageError("--as writes the whole model; leave out --users and --part")
        _copy(output, model_path, path, as_folder)
        return
    check_output(path, [model_path])
    model = load(output, model_path)
    keep_ratings_of(model, path)
    of, part = "users" if users else "items", part or default_part(model)
    n_rows = export_factors(model, path, of, part=part)
    if output.as_json:
        output.json({"path": path, "of": of, "part": part, "n_rows": n_rows})
    else:
        output.note(f"Wrote {path} ({n_rows:,} {of})")


def _copy(output: Output, model_path: str, path: str, as_folder: bool) -> None:
    """Write the model as a file or a folder."""
    from funksvd import copy_model
    from funksvd.learned.storage import is_model, size_of

    check_writable(path, [model_path], is_model, "a model")
    with output.busy("Copying"):
        copy_model(model_path, path, as_folder=as_folder)
    what, size = "folder" if as_folder else "file", size_of(path)
    if output.as_json:
        output.json({"path": path, "as": what, "size_bytes": size})
    else:
        output.note(f"Wrote {path} (a {what}, {size / 1e6:,.1f} MB)")
