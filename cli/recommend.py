"""`funksvd recommend`: the items that users would rate highest."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .console import Output, counted
from .explanations import ratings_of_user, show_explanations, show_reasons
from .features import AskedModel, asked_model
from .filters import Filters, filter_options
from .fold_in import NewRatings, fold_in_options
from .groups import GroupedCommand, option, packed
from .options import FILE, ID, output_options
from .reading import reading_options, report_reading
from .sharding import cluster_option, on_cluster
from .tables import Destination, table_options
from .titles import Titles, items_option, read_titles, with_titles

if TYPE_CHECKING:
    import numpy as np

    from funksvd import FunkSVD, Ratings, ReadOptions, Recommendation

USERS = "Users"
"""Heading of the options that name users."""
RECOMMENDATIONS = "Recommendations"
"""Heading of the options for what is recommended."""


class Users(NamedTuple):
    """Users of the model, as they were given.

    Parameters
    ----------
    named : tuple of str
        Ids, given one by one.
    users_file : str or None
        File with one id a line.
    all_users : bool
        All that the model knows.
    """

    named: tuple[str, ...]
    users_file: str | None
    all_users: bool

    @property
    def n_ways(self) -> int:
        """Number of ways in which users were given."""
        return sum((bool(self.named), self.users_file is not None, self.all_users))

    def known(self, output: Output, model: FunkSVD) -> Sequence[str] | np.ndarray:
        """Ids of these users, as far as the model knows them if they are from a file."""
        if self.named:
            return list(dict.fromkeys(self.named))
        if self.users_file is not None:
            return _known_users(output, model, self.users_file)
        return model.user_ids


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd recommend --user 42 --items movies.csv
  funksvd recommend --user 42 --items movies.csv --where genre=Comedy
  funksvd recommend --user 42 --exclude 318,296 --min-ratings 20
  funksvd recommend --users users.txt -n 5 --format csv
  funksvd recommend --all-users -o recommendations.parquet
  funksvd recommend --ratings mine.csv --items movies.csv --explain
  funksvd recommend --rate "toy story=5" --rate "fargo=1.5" --items movies.csv""",
)
@packed(
    "users",
    Users,
    option(
        "--user",
        "named",
        metavar="ID",
        type=ID,
        multiple=True,
        group=USERS,
        help="Id of a user; may be given several times.",
    ),
    option(
        "--users",
        "users_file",
        metavar="FILE",
        type=FILE,
        group=USERS,
        help="File with the id of one user a line.",
    ),
    option("--all-users", is_flag=True, group=USERS, help="All users that the model knows."),
)
@fold_in_options
@option(
    "-n",
    "n_items",
    metavar="N",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    group=RECOMMENDATIONS,
    help="Number of items for each user.",
)
@option(
    "--include-seen",
    is_flag=True,
    group=RECOMMENDATIONS,
    help="Recommend items that the user has already rated, too.",
)
@option(
    "--explain",
    is_flag=True,
    group=RECOMMENDATIONS,
    help="Show which of the user's items speak for and against each item; for one user.",
)
@filter_options
@asked_model
@cluster_option
@reading_options
@items_option
@table_options
@output_options
def recommend(
    *,
    users: Users,
    new_ratings: NewRatings,
    n_items: int,
    include_seen: bool,
    explain: bool,
    filters: Filters,
    model_file: AskedModel,
    cluster: str | None,
    reading: ReadOptions,
    items_file: str | None,
    destination: Destination,
    output: Output,
) -> None:
    """Recommend items to users, known to the model or new.

    Items that a user has rated are left out, those that were set aside for the test too. The
    predicted rating stands beside the score that a list is ordered by (--by), and so does the
    number of ratings of each item.

    New users are known by ratings in a file (--ratings) or given one by one (--rate). The model
    computes from them what it would have learned; it is not changed. The options for reading files
    are about --ratings.

    --explain shows what each of the user's items adds to the score by which an item is listed, more
    than to the scores of all items. A list by rating is explained by its predictions, each as a
    sum: what everyone thinks of the item, and what each of the user's ratings adds or takes. For a
    user of the model, these are read again from the file that it was trained on.
    """
    _check_together(users, new_ratings, reading)
    if explain and (destination.path or destination.file_format):
        raise click.UsageError("explanations are shown, or with --json printed as JSON")
    inputs = (users.users_file, new_ratings.ratings_file, items_file, *model_file.files)
    destination.prepare(output, inputs)
    model = on_cluster(model_file.load(output, destination.path), cluster)
    titles = read_titles(output, items_file, model.item_ids)
    ratings, asked = None, model
    if new_ratings.are_given:
        ratings = new_ratings.read(output, model, reading, titles)
        asked = model.for_new_users(ratings)
    chosen = filters.for_model(output, model, items_file)
    ids = asked.user_ids if new_ratings.are_given else users.known(output, model)
    if explain:
        if len(ids) != 1:
            raise click.UsageError(f"--explain is for one user, not for {len(ids):,}")
        best = asked.recommend(ids[0], n_items, include_seen=include_seen, **chosen)
        user = None if new_ratings.are_given else ids[0]
        if (by := filters.by or model.rankings[0]) == "rating":
            items = [each.item for each in best]
            _explain(output, model, model_file.model_path, items, user, ratings, titles)
        else:
            _explain_ranking(output, model, by, best, user, ratings, titles)
        return
    batches = asked.recommend_all(ids, n_items, include_seen=include_seen, **chosen)
    if len(ids) == 1 and users.users_file is None and not users.all_users:
        batches = _without_user(batches)
    if titles is not None:
        batches = (with_titles(batch, titles) for batch in batches)
    destination.write(
        output,
        batches,
        n_rows=len(ids) * min(n_items, len(model.item_ids)),
    )


def _check_together(users: Users, new_ratings: NewRatings, reading: ReadOptions) -> None:
    from funksvd import ReadOptions

    if users.n_ways + new_ratings.are_given != 1:
        raise click.UsageError(
            "give one of --user, --users and --all-users, or ratings of someone new with "
            "--ratings or --rate"
        )
    if reading != ReadOptions() and new_ratings.ratings_file is None:
        raise click.UsageError("how to read ratings can be said of --ratings only")


def _explain(
    output: Output,
    model: FunkSVD,
    path: str,
    items: list[int | str],
    user: int | str | None,
    ratings: Ratings | None,
    titles: Titles | None,
) -> None:
    """Explain recommendations to a user of the model, or to a new one by their ratings."""
    if user is None and ratings is not None:
        rated = ratings.item_ids[ratings.item_index], ratings.values
    else:
        with output.busy("Reading"):
            rated = ratings_of_user(model, path, str(user))
        if not len(rated[0]):
            raise click.UsageError(
                f"predictions are explained by ratings, and user {user!r} has none: they come from "
                "features; leave out --explain"
            )
    explanations = model.explain(*rated, items, user=user) if items else []
    show_explanations(output, explanations, titles)


def _explain_ranking(
    output: Output,
    model: FunkSVD,
    by: str,
    best: list[Recommendation],
    user: int | str | None,
    ratings: Ratings | None,
    titles: Titles | None,
) -> None:
    """Explain a list that is not by rating."""
    import numpy as np

    given: dict[str, Any] = {"user": user}
    if user is None and ratings is not None:
        items = ratings.item_ids[ratings.item_index]
        given = {"item_ids": items, "ratings": ratings.values}
    listed = np.array([each.item for each in best], dtype=model.item_ids.dtype)
    because = model.because(listed, by=by, **given)
    show_reasons(output, best, because, titles)


def _without_user(batches: Iterator[dict[str, np.ndarray]]) -> Iterator[dict[str, np.ndarray]]:
    for batch in batches:
        del batch["user"]
        yield batch


def _known_users(output: Output, model: FunkSVD, path: str) -> np.ndarray:
    """Ids of the users of a file, each once, as far as the model knows them."""
    import numpy as np

    from funksvd import read_ids
    from funksvd.ratings import first_few

    users, report = read_ids(path)
    report_reading(output, report)
    if len(users) == 1 and (others := _other_fields(path)):
        output.warn(
            f"{path}: of its only line, the first field is taken for a user, {users[0]}, and the "
            f"others are not ({others}); write the id of one user a line"
        )
    rows = model.users.rows(users)
    model.users.require_some(rows, users, path)
    known = rows >= 0
    if not known.all():
        output.warn(
            f"the model does not know {(~known).sum():,} of {counted(len(users), 'user')} "
            f"({first_few(users[~known])}); they are left out"
        )
    distinct, first = np.unique(rows[known], return_index=True)
    if len(distinct) < known.sum():
        output.note(
            f"{known.sum():,} lines name {counted(len(distinct), 'user')}: each is served once"
        )
    found: np.ndarray = users[known][np.sort(first)]
    return found


def _other_fields(path: str) -> str:
    """What follows the first field of a text file's only line, for a message."""
    if not os.path.isfile(path):
        return ""
    with open(path, "rb") as file:
        text = file.read(1 << 12).decode(errors="replace").strip()
    fields = re.split(r"[,;|\t]", text)[1:]
    return ", ".join(fields[:3]) + (", …" if len(fields) > 3 else "") if "\n" not in text else ""
