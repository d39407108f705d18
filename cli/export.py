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
  funksvd export model.funksvd --users -o users.npz""",
)
@model_argument
@option("--users", is_flag=True, help="Write the users' factors rather than the items'.")
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
def export(model_path: str, *, users: bool, path: str, output: Output) -> None:
    """Write MODEL's ids, biases and factors for other programs."""
    from funksvd import export_factors

    check_output(path, [model_path])
    model = load(output, model_path)
    keep_ratings_of(model, path)
    of = "users" if users else "items"
    n_rows = export_factors(model, path, of)
    if output.as_json:
        output.json({"path": path, "of": of, "n_rows": n_rows})
    else:
        output.note(f"Wrote {path} ({n_rows:,} {of})")
