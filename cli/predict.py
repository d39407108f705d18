"""`funksvd predict`: predicted ratings for pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from funksvd import FunkSVD, Interactions, Vocabulary

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
    from funksvd.ratings import read_pair_rows

    output = Output.of(options)
    read_options = take_read_options(options)
    if (pairs is None) == (user is None and item is None) or (user is None) != (item is None):
        raise click.UsageError("give either a file of PAIRS, or --user and --item")
    with output.busy("Loading"):
        model = FunkSVD.load(options["model_path"])
    model.hyperparameters.n_threads = options["threads"]
    if pairs is not None:
        with output.busy("Reading"):
            rows = read_pair_rows(pairs, read_options)
        report_reading(output, rows.report)
    else:
        rows = _single_pair(model, user, item)
    known_users, known_items = rows.index_for(model.users, model.items)
    _warn_of_unknown(output, rows.users, known_users, model.users)
    _warn_of_unknown(output, rows.items, known_items, model.items)
    with output.busy("Predicting"):
        columns = {"prediction": model.predict_index(known_users, known_items)}
        if options["with_uncertainty"]:
            columns["std"] = model.predict_std_index(known_users, known_items)
    n_rows = len(known_users)
    parts = (slice(at, at + ROWS_PER_BATCH) for at in range(0, n_rows, ROWS_PER_BATCH))
    batches = (
        {
            "user": rows.users.labels(rows.user_index[part]),
            "item": rows.items.labels(rows.item_index[part]),
            **{name: column[part] for name, column in columns.items()},
        }
        for part in parts
    )
    inputs = (pairs, options["model_path"])
    emit_table(output, batches, options["output"], options["file_format"], inputs, n_rows)


def _single_pair(model: FunkSVD, user: str, item: str) -> Interactions:
    """A pair with ids as the model has them, so that integers come out as integers."""
    from funksvd import Interactions

    def as_known(vocabulary: Vocabulary, label: str) -> int | str:
        row = vocabulary.rows([label])[0]
        return label if row < 0 else vocabulary.label(row)

    return Interactions.from_arrays([as_known(model.users, user)], [as_known(model.items, item)])


def _warn_of_unknown(output: Output, asked: Vocabulary, index: Any, known: Vocabulary) -> None:
    what = known.what
    share = (index < 0).mean()
    if share == 1 and len(index) == 1:
        output.warn(
            f"the model does not know {what} {asked.label(0)}; predicted from what is known"
        )
    elif share == 1:
        output.warn(
            f"the model knows none of these {what}s: are the {what} ids the same as in its "
            f"training data? It knows, for instance, {known.examples}"
        )
    elif share > 0:
        output.warn(
            f"the model does not know the {what} of {(index < 0).sum():,} of "
            f"{counted(len(index), 'pair')}; they are predicted from what is known"
        )
