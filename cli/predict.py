"""`funksvd predict`: predicted ratings for pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .console import Output, counted
from .groups import GroupedCommand, option
from .models import load, model_option
from .options import FILE, output_options, threads_option
from .reading import reading_options, report_reading
from .tables import Destination, table_options

if TYPE_CHECKING:
    import numpy as np

    from funksvd import ReadOptions

if TYPE_CHECKING:
    from funksvd import FunkSVD, Interactions, Vocabulary

ROWS_PER_BATCH = 1 << 17


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd predict --user 42 --item 318
  funksvd predict pairs.csv -o predictions.csv
  funksvd predict pairs.csv --with-uncertainty --model bayes.funksvd""",
)
@click.argument("pairs", type=FILE, required=False)
@option("--user", metavar="ID", help="Id of one user, with --item.")
@option("--item", metavar="ID", help="Id of one item, with --user.")
@option(
    "--with-uncertainty",
    is_flag=True,
    help="Add a standard deviation to each prediction (algorithms bayes and bayes++).",
)
@model_option
@threads_option
@reading_options
@table_options
@output_options
def predict(
    pairs: str | None,
    *,
    user: str | None,
    item: str | None,
    with_uncertainty: bool,
    model_path: str,
    threads: int | None,
    reading: ReadOptions,
    destination: Destination,
    output: Output,
) -> None:
    """Predict the ratings of users for items.

    PAIRS is a file with a user and an item column. A pair with an id that the model does not know
    is predicted from what is known: the mean and the bias of the other one.

    The standard deviation, column std, is that of the rating without its noise, given all ratings
    that were learned from. In nine cases of ten, the rating without its noise is within 1.645
    standard deviations of the prediction.
    """
    from funksvd.ratings import find, read_coded_pairs

    destination.keep_notes_out(output)
    if (pairs is None) == (user is None and item is None) or (user is None) != (item is None):
        raise click.UsageError("give either a file of PAIRS, or --user and --item")
    model = load(output, model_path, threads)
    if pairs is not None:
        with output.busy("Reading"):
            users, user_index, items, item_index, report = read_coded_pairs(pairs, reading)
        report_reading(output, report)
    elif user is not None and item is not None:
        users, user_index = _single(user, model.user_ids)
        items, item_index = _single(item, model.item_ids)
    known_users = find(model.user_ids, users)[user_index]
    known_items = find(model.item_ids, items)[item_index]
    _warn_of_unknown(output, "user", users, known_users, model.user_ids)
    _warn_of_unknown(output, "item", items, known_items, model.item_ids)
    with output.busy("Predicting"):
        columns = {"prediction": model.predict_index(known_users, known_items)}
        if with_uncertainty:
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
    destination.write(output, batches, inputs=(pairs, model_path), n_rows=n_rows)


def _single(label: str, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One id of the kind that the model has, if it knows it; and the index of the id there, 0."""
    import numpy as np

    def as_known(vocabulary: Vocabulary, label: str) -> int | str:
        row = vocabulary.rows([label])[0]
        return label if row < 0 else vocabulary.label(row)

    return Interactions.from_arrays([as_known(model.users, user)], [as_known(model.items, item)])


def _warn_of_unknown(
    output: Output, what: str, labels: np.ndarray, index: np.ndarray, ids: np.ndarray
) -> None:
    from funksvd.ratings import first_few

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
