"""`funksvd export`: factors for other programs."""

from __future__ import annotations

from typing import Any

import click

from .console import Output
from .options import DEFAULT_MODEL, FILE, output_options, refuse_to_overwrite


@click.command(
    epilog="""\b
Examples:
  funksvd export -o items.parquet
  funksvd export model.funksvd --users -o users.npz"""
)
@click.argument("model_path", metavar="[MODEL]", type=FILE, default=DEFAULT_MODEL)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=FILE,
    required=True,
    help="File to write: .parquet, .npz (NumPy), or .txt or .vec (word2vec's text format).",
)
@click.option(
    "--users", "of", flag_value="users", help="The users' factors rather than the items'."
)
@output_options
def export(model_path: str, of: str | None, **options: Any) -> None:
    """Write MODEL's ids, biases and factors for other programs."""
    from funksvd import FunkSVD, export_factors

    output, path = Output(options["quiet"], options["as_json"]), options["output"]
    refuse_to_overwrite(path, [model_path])
    of = of or "items"
    n_rows = export_factors(FunkSVD.load(model_path), path, of)
    if output.as_json:
        output.json({"path": path, "of": of, "n_rows": n_rows})
    else:
        output.note(f"Wrote {path} ({n_rows:,} {of})")
