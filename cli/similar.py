"""`funksvd similar`: items like another, or users like another."""

from __future__ import annotations

from typing import Any

import click

from .console import Output
from .newcomers import find_item, tell_item
from .options import model_option, output_options
from .tables import emit_table, items_option, table_options, titles_of, with_titles


@click.command(
    epilog="""\b
Examples:
  funksvd similar 318 --items movies.csv
  funksvd similar "toy story" --items movies.csv
  funksvd similar --user 42"""
)
@click.argument("item", required=False)
@click.option("--user", help="A user instead of an item.")
@click.option(
    "n", "-n", type=click.IntRange(min=1), default=10, show_default=True, help="How many."
)
@items_option
@table_options
@model_option
@output_options
def similar(item: str | None, user: str | None, n: int, **options: Any) -> None:
    """List the items most similar to ITEM, or users.

    ITEM is an id, or with --items a title or a part of one.

    The similarity is the cosine between their factors: 1 for the same direction, 0 for unrelated,
    -1 for the opposite.
    """
    import numpy as np

    from funksvd import FunkSVD
    from funksvd.ratings import as_labels

    output = Output.of(options)
    if (item is None) == (user is None):
        raise click.UsageError("give either ITEM or --user")
    if user is not None and options["items_file"] is not None:
        raise click.UsageError("--items has titles of items, but --user asks for users")
    model = FunkSVD.load(options["model_path"])
    titles = titles_of(output, options["items_file"], model.item_ids)
    what = "item" if user is None else "user"
    if item is not None:
        name, item = item, find_item(model, item, titles)
        if name != str(item):
            tell_item(output, "Similar to", name, item, titles)
    found = model.similar(item, n) if user is None else model.similar_users(user, n)
    batch = {
        "rank": np.arange(1, len(found) + 1),
        what: as_labels([label for label, _ in found]),
        "similarity": np.array([similarity for _, similarity in found], dtype=np.float32),
    }
    batches = [batch if titles is None else with_titles(batch, titles)]
    inputs = (options["items_file"], options["model_path"])
    emit_table(output, batches, options["output"], options["file_format"], inputs)
