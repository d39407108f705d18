"""`funksvd predict`: predicted ratings for pairs."""

from __future__ import annotations

from typing import Any

import click

from .console import Output, counted, report_reading
from .options import (
    FILE,
    model_option,
    output_options,
    reading_options,
    take_read_options,
    threads_option,
)
from .tables import emit_table, table_options

ROWS_PER_BATCH = 1 << 17


@click.command(
    epilog="""\b
Examples:
  funksvd predict --user 42 --item 318
  funksvd predict pairs.csv -o predictions.csv
  funksvd predict pairs.csv --with-uncertainty --model bayes.funksvd"""
)
@click.argument("pairs", type=FILE, required=False)
@click.option("--user", help="One user, with --item.")
@click.option("--item", help="One item, with --user.")
@click.option(
    "--with-uncertainty",
    is_flag=True,
    help="Add a standard deviation to each prediction (algorithms bayes and bayes++).",
)
@table_options
@model_option
@threads_option
@reading_options
@output_options
def predict(pairs: str | None, user: str | None, item: str | None, **options: Any) -> None:
    """Predict the ratings of users for items.

    PAIRS is a file with a user and an item column. A pair with an id that the model does not know
    is predicted from what is known: the mean and the bias of the other one.

    The standard deviation, column std, is that of the rating without its noise, given all ratings
    that were learned from: nine times out of ten it is within 1.645 of them of the prediction.
    """
    from funksvd import FunkSVD
    from funksvd.ratings import find, read_coded_pairs

    output = Output.of(options)
    read_options = take_read_options(options)
    if (pairs is None) == (user is None and item is None) or (user is None) != (item is None):
        raise click.UsageError("give either a file of PAIRS, or --user and --item")
    with output.busy("Loading"):
        model = FunkSVD.load(options["model_path"])
    model.n_threads = options["threads"]
    if pairs is not None:
        with output.busy("Reading"):
            *coded, report = read_coded_pairs(pairs, read_options)
        report_reading(output, report)
    else:
        coded = [*_as_known(user, model.user_ids), *_as_known(item, model.item_ids)]
    users, user_index, items, item_index = coded
    known_users = find(model.user_ids, users)[user_index]
    known_items = find(model.item_ids, items)[item_index]
    _warn_of_unknown(output, "user", users, known_users, model.user_ids)
    _warn_of_unknown(output, "item", items, known_items, model.item_ids)
    with output.busy("Predicting"):
        columns = {"prediction": model.predict_index(known_users, known_items)}
        if options["with_uncertainty"]:
            columns["std"] = model.predict_std_index(known_users, known_items)
    n_rows = len(known_users)
    parts = (slice(at, at + ROWS_PER_BATCH) for at in range(0, n_rows, ROWS_PER_BATCH))
    batches = (
        {
            "user": users[user_index[part]],
            "item": items[item_index[part]],
            **{name: column[part] for name, column in columns.items()},
        }
        for part in parts
    )
    inputs = (pairs, options["model_path"])
    emit_table(output, batches, options["output"], options["file_format"], inputs, n_rows)


def _as_known(label: str, ids: Any) -> tuple[Any, Any]:
    """The id as the model has it, so that integers come out as integers; and its row."""
    import numpy as np

    from funksvd.ratings import as_labels, find

    labels = as_labels([label])
    row = find(ids, labels)[0]
    return labels if row < 0 else ids[row : row + 1], np.zeros(1, np.int32)


def _warn_of_unknown(output: Output, what: str, labels: Any, index: Any, ids: Any) -> None:
    from funksvd.ratings import first_few

    share = (index < 0).mean()
    if share == 1 and len(index) == 1:
        output.warn(f"the model does not know {what} {labels[0]}; predicted from what is known")
    elif share == 1:
        output.warn(
            f"the model knows none of these {what}s: are the {what} ids the same as in its "
            f"training data? It knows, for instance, {first_few(ids)}"
        )
    elif share > 0:
        output.warn(
            f"the model does not know the {what} of {(index < 0).sum():,} of "
            f"{counted(len(index), 'pair')}; they are predicted from what is known"
        )
