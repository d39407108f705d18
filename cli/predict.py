"""`funksvd predict`: predicted ratings for pairs."""

from __future__ import annotations

from typing import Any

import click

from .console import Output, report_reading
from .options import (
    model_option,
    output_options,
    reading_options,
    take_read_options,
    threads_option,
)
from .tables import emit_table, table_options


@click.command(
    epilog="""\b
Examples:
  funksvd predict --user 42 --item 318
  funksvd predict pairs.csv -o predictions.csv"""
)
@click.argument("pairs", required=False)
@click.option("--user", help="One user, with --item.")
@click.option("--item", help="One item, with --user.")
@table_options
@model_option
@threads_option
@reading_options
@output_options
def predict(pairs: str | None, user: str | None, item: str | None, **options: Any) -> None:
    """Predict the ratings of users for items.

    PAIRS is a file with a user and an item column. A pair with an id that the model does not know
    is predicted from what is known: the mean and the bias of the other one.
    """
    from funksvd import FunkSVD, read_pairs

    output = Output(options.pop("quiet"), options.pop("as_json"))
    read_options = take_read_options(options)
    if (pairs is None) == (user is None and item is None) or (user is None) != (item is None):
        raise click.UsageError("give either a file of PAIRS, or --user and --item")
    model = FunkSVD.load(options["model_path"])
    model.n_threads = options["threads"]
    if pairs is not None:
        users, items, report = read_pairs(pairs, read_options)
        report_reading(output, report)
    else:
        users, items = _as_known(user, model.user_ids), _as_known(item, model.item_ids)
    for what, labels, ids in (("user", users, model.user_ids), ("item", items, model.item_ids)):
        _warn_of_unknown(output, what, labels, ids)
    batch = {"user": users, "item": items, "prediction": model.predict(users, items)}
    inputs = (pairs, options["model_path"])
    emit_table(output, [batch], options["output"], options["file_format"], inputs)


def _as_known(label: str, ids: Any) -> Any:
    """The id as the model has it, so that integers come out as integers."""
    from funksvd.ratings import as_labels, find

    labels = as_labels([label])
    row = find(ids, labels)[0]
    return labels if row < 0 else ids[row : row + 1]


def _warn_of_unknown(output: Output, what: str, labels: Any, ids: Any) -> None:
    from funksvd.ratings import find

    share = (find(ids, labels) < 0).mean()
    if share == 1 and len(labels) == 1:
        output.warn(f"the model does not know {what} {labels[0]}; predicted from what is known")
    elif share == 1:
        output.warn(
            f"the model knows none of these {what}s: are the {what} ids the same as in its "
            f"training data? It knows, for instance, {', '.join(map(str, ids[:3]))}"
        )
    elif share > 0:
        output.warn(
            f"the model does not know the {what} of {share:.1%} of the pairs; they are predicted "
            "from what is known"
        )
