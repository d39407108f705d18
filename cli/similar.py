"""`funksvd similar`: items like another."""

from __future__ import annotations

from typing import Any

import click

from .console import Output
from .options import model_option, output_options
from .tables import TABLE_FORMATS, add_titles, emit_table


@click.command(
    epilog="""\b
Example:
  funksvd similar 318 --items movies.csv"""
)
@click.argument("item")
@click.option("n", "-n", type=click.IntRange(min=1), default=10, show_default=True, help="Items.")
@click.option("--items", "items_file", help="A file of items, to show their titles.")
@click.option("--output", "-o", help="File to write: .csv, .parquet or .json.")
@click.option("file_format", "--format", type=click.Choice(TABLE_FORMATS), help="Of the output.")
@model_option
@output_options
def similar(item: str, n: int, **options: Any) -> None:
    """List the items most similar to ITEM: the cosine between their factors."""
    import numpy as np

    from funksvd import FunkSVD, read_titles
    from funksvd.ratings import as_labels

    output = Output(options.pop("quiet"), options.pop("as_json"))
    titles = read_titles(options["items_file"]) if options["items_file"] else None
    found = FunkSVD.load(options["model_path"]).similar(item, n)
    batch = {
        "rank": np.arange(1, len(found) + 1),
        "item": as_labels([similar.item for similar in found]),
        "similarity": np.array([similar.similarity for similar in found], dtype=np.float32),
    }
    emit_table(output, add_titles([batch], titles), options["output"], options["file_format"])
