"""`funksvd export`: factors for other programs."""

from __future__ import annotations

import click

from .console import Output
from .groups import GroupedCommand, option
from .models import keep_ratings_of, load, model_argument
from .options import FILE, OUTPUT, light_output_options
from .writing import check_output


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd export -o items.parquet
  funksvd export model.funksvd --users -o users.npz
  funksvd export --part choice -o choices.parquet""",
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
    help="File to write: .parquet, .npz (NumPy), or .txt or .vec (word2vec's text format).",
)
@light_output_options
def export(model_path: str, *, users: bool, part: str | None, path: str, output: Output) -> None:
    """Write MODEL's ids, biases and factors for other programs.

    A choice model has no biases: the score of a user and an item is the product of their factors.
    """
    from funksvd import export_factors
    from funksvd.export import default_part

    check_output(path, [model_path])
    model = load(output, model_path)
    keep_ratings_of(model, path)
    of, part = "users" if users else "items", part or default_part(model)
    n_rows = export_factors(model, path, of, part=part)
    if output.as_json:
        output.json({"path": path, "of": of, "part": part, "n_rows": n_rows})
    else:
        output.note(f"Wrote {path} ({n_rows:,} {of})")
