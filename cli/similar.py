"""`funksvd similar`: items like another, or users like another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .console import Output
from .features import FeatureFiles, later_features
from .groups import GroupedCommand, option
from .models import keep_ratings_of, load, model_option
from .options import ID, output_options
from .tables import Destination, table_options
from .titles import Finder, items_option, read_titles, tell_item, with_titles

if TYPE_CHECKING:
    import numpy as np

    from funksvd import SimilarItem, SimilarUser


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd similar 318 --items movies.csv
  funksvd similar "toy story" --items movies.csv
  funksvd similar --user 42""",
)
@click.argument("item", type=ID, required=False)
@option("--user", metavar="ID", type=ID, help="Id of a user, instead of ITEM.")
@option(
    "-n",
    "n_similar",
    metavar="N",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Number of items or users.",
)
@model_option
@later_features
@items_option
@table_options
@output_options
def similar(
    item: str | None,
    *,
    user: str | None,
    n_similar: int,
    model_path: str,
    features: FeatureFiles,
    items_file: str | None,
    destination: Destination,
    output: Output,
) -> None:
    """List items similar to ITEM, or users similar to a user.

    ITEM is an id, or with --items a title or a part of one.

    The similarity is the cosine between their factors: 1 for the same direction, 0 for unrelated,
    -1 for the opposite. Where a model knows choices and ratings, it is the mean of both cosines,
    the one of choices counting twice; that of ratings counts less the fewer ratings there are.
    """
    if (item is None) == (user is None):
        raise click.UsageError("give either ITEM or --user")
    if user is not None and items_file is not None:
        raise click.UsageError("--items has titles of items, but --user asks for users")
    destination.prepare(output, (items_file, model_path, *features.files))
    model = load(output, model_path)
    keep_ratings_of(model, destination.path)
    model = features.add_to(output, model)
    titles = read_titles(output, items_file, model.item_ids)
    if item is not None:
        found = Finder(model, titles).find(item)
        if item != str(found):
            tell_item(output, "Similar to", item, found, titles)
        batch = _table("item", model.similar(found, n_similar))
    elif user is not None:
        batch = _table("user", model.similar_users(user, n_similar))
    batches = [batch if titles is None else with_titles(batch, titles)]
    destination.write(output, batches)


def _table(what: str, found: Sequence[SimilarItem | SimilarUser]) -> dict[str, np.ndarray]:
    import numpy as np

    from funksvd.ratings import as_labels

    table = {
        "rank": np.arange(1, len(found) + 1),
        what: as_labels([each[0] for each in found]),
        "similarity": np.array([each.similarity for each in found], dtype=np.float32),
    }
    counts = [getattr(each, "n_ratings", None) for each in found]
    if counts and None not in counts:
        table["n_ratings"] = np.array(counts)
    return table
