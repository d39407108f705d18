"""`funksvd similar`: items like another."""

from __future__ import annotations

from typing import Any

import click

from .console import Output
from .options import model_option, output_options
from .tables import add_titles, emit_table, items_option, table_options


@click.command(
    epilog="""\b
Example:
  funksvd similar 318 --items movies.csv"""
)
@click.argument("item")
@click.option(
    "n", "-n", type=click.IntRange(min=1), default=10, show_default=True, help="How many."
)
@items_option
@table_options
@model_option
@output_options
def similar(item: str, n: int, **options: Any) -> None:
    """List the items most similar to ITEM.

    The similarity is the cosine between the items' factors: 1 for the same direction, 0 for
    unrelated, -1 for the opposite.
    """
    import numpy as np

    from funksvd import FunkSVD
    from funksvd.ratings import as_labels

    output = Output.of(options)
    model = FunkSVD.load(options["model_path"])
    found = model.similar(item, n)
    batch = {
        "rank": np.arange(1, len(found) + 1),
        "item": as_labels([similar.item for similar in found]),
        "similarity": np.array([similar.similarity for similar in found], dtype=np.float32),
    }
    batches = add_titles(output, [batch], options["items_file"], model.item_ids)
    inputs = (options["items_file"], options["model_path"])
    emit_table(output, batches, options["output"], options["file_format"], inputs)
