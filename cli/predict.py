"""`funksvd predict`: predicted ratings for pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .console import Output, counted
from .features import AskedModel, asked_model
from .groups import GroupedCommand, option
from .options import FILE, ID, output_options
from .reading import reading_options, report_reading
from .sharding import cluster_option, on_cluster
from .tables import Destination, table_options

if TYPE_CHECKING:
    import numpy as np

    from funksvd import FunkSVD, Interactions, ReadOptions, Vocabulary

ROWS_PER_BATCH = 1 << 17


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd predict --user 42 --item 318
  funksvd predict --user 42 --item 318 --time 2005-09-06
  funksvd predict pairs.csv -o predictions.csv
  funksvd predict pairs.csv --with-probability 4
  funksvd predict pairs.csv --with-uncertainty --model bayes.funksvd""",
)
@click.argument("pairs", type=FILE, required=False)
@option("--user", metavar="ID", type=ID, help="Id of one user, with --item.")
@option("--item", metavar="ID", type=ID, help="Id of one item, with --user.")
@option(
    "--time",
    metavar="TIME",
    help="Time of the rating, with --user and --item: a date such as 2005-09-06, with or without a "
    "time of day (UTC), or seconds since 1970.",
)
@option(
    "--with-uncertainty",
    is_flag=True,
    help="Add a standard deviation to each prediction (algorithms bayes and bayes++).",
)
@option(
    "--with-probability",
    "at_least",
    metavar="RATING",
    type=float,
    help="Add the probability that the user's rating is at least RATING.",
)
@asked_model
@cluster_option
@reading_options
@table_options
@output_options
def predict(
    pairs: str | None,
    *,
    user: str | None,
    item: str | None,
    time: str | None,
    with_uncertainty: bool,
    at_least: float | None,
    model_file: AskedModel,
    cluster: str | None,
    reading: ReadOptions,
    destination: Destination,
    output: Output,
) -> None:
    """Predict the ratings of users for items.

    PAIRS is a file with a user and an item column. A pair with an id that the model does not know
    is predicted from what is known: the mean and the bias of the other one.

    A model that was trained with --days, as by default where ratings have timestamps, knows what a
    user's ratings of a day have in common. This counts where PAIRS has a column of timestamps, or
    --time is given, and the user has rated something on that day.

    The standard deviation, column std, is that of the rating without its noise, given all ratings
    that were learned from. In nine cases of ten, the rating without its noise is within 1.645
    standard deviations of the prediction.

    The probability, column probability, is calibrated on ratings that the model has not learned
    from: of all pairs with a probability of 0.8, about 80 % are rated RATING or higher.
    """
    from funksvd.given import times_of_pairs, times_of_rows
    from funksvd.ratings import read_pair_rows

    if (pairs is None) == (user is None and item is None) or (user is None) != (item is None):
        raise click.UsageError("give either a file of PAIRS, or --user and --item")
    if pairs is not None and time is not None:
        raise click.UsageError(
            "--time goes with --user and --item; the times of PAIRS are a column of the file"
        )
    destination.prepare(output, (pairs, *model_file.files))
    model = on_cluster(model_file.load(output, destination.path), cluster)
    learned = model.fitted.rating_model.learned
    if pairs is not None:
        with output.busy("Reading"):
            rows = read_pair_rows(pairs, reading, with_times=learned.days is not None)
        report_reading(output, rows.report)
        times = times_of_rows(rows.timestamps)
    elif user is not None and item is not None:
        rows = _single_pair(model, user, item, time)
        if time is not None and learned.days is None:
            output.warn("the model knows no days of users: the time makes no difference")
        times = rows.timestamps
    known_users, known_items = rows.index_for(model.users, model.items)
    _warn_of_unknown(output, rows.users, known_users, model.users)
    _warn_of_unknown(output, rows.items, known_items, model.items)
    if times is not None:
        times = times_of_pairs(times, len(times), learned)
    with output.busy("Predicting"):
        columns = {"prediction": model.predict_index(known_users, known_items, times)}
        if with_uncertainty:
            columns["std"] = model.predict_std_index(known_users, known_items)
        if at_least is not None:
            predictions = columns["prediction"]
            columns["probability"] = model.probabilities(predictions, at_least)
    if at_least is not None and not model.fitted.is_calibrated:
        output.warn(
            "the probabilities are not calibrated, since the model had no ratings to check them "
            "with: it was trained with --valid-fraction 0 or by an earlier version. Train it again"
        )
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
    destination.write(output, batches, n_rows=n_rows)


def _single_pair(model: FunkSVD, user: str, item: str, time: str | None) -> Interactions:
    """A pair with ids as the model has them, so that integers come out as integers."""
    from funksvd import Interactions
    from funksvd.ratings import as_timestamp

    def as_known(vocabulary: Vocabulary, label: str) -> int | str:
        row = vocabulary.rows([label])[0]
        return label if row < 0 else vocabulary.label(row)

    return Interactions.from_arrays(
        [as_known(model.users, user)],
        [as_known(model.items, item)],
        timestamps=None if time is None else [as_timestamp(time)],
    )


def _warn_of_unknown(
    output: Output, asked: Vocabulary, index: np.ndarray, known: Vocabulary
) -> None:
    from funksvd.ratings import quoted

    what = known.what
    share = (index < 0).mean()
    if share == 1 and len(index) == 1:
        output.warn(
            f"the model does not know {what} {quoted(asked.label(0))}; predicted from what is known"
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
