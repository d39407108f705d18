"""`funksvd recommend`: the items that users would rate highest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .console import Output
from .options import model_option, output_options, threads_option
from .tables import add_titles, emit_table, items_option, table_options

if TYPE_CHECKING:
    from funksvd import FunkSVD


@click.command(
    epilog="""\b
Examples:
  funksvd recommend --user 42 --items movies.csv
  funksvd recommend --users users.txt -n 5 --format csv
  funksvd recommend --all-users -o recommendations.parquet"""
)
@click.option("--user", help="One user.")
@click.option("--users", "users_file", metavar="FILE", help="A file with one user a line.")
@click.option("--all-users", is_flag=True, help="All users the model knows.")
@click.option(
    "n", "-n", type=click.IntRange(min=1), default=10, show_default=True, help="Items for each."
)
@click.option("--include-seen", is_flag=True, help="Also items that the user has rated.")
@items_option
@table_options
@model_option
@threads_option
@output_options
def recommend(user: str | None, users_file: str | None, all_users: bool, **options: Any) -> None:
    """Recommend items to one user, to several or to all.

    Items that a user has rated are left out, those that were set aside for the test too.
    """
    from funksvd import FunkSVD

    output = Output.of(options)
    if (user is not None) + (users_file is not None) + all_users != 1:
        raise click.UsageError("give one of --user, --users and --all-users")
    with output.busy("Loading"):
        model = FunkSVD.load(options["model_path"])
    model.n_threads = options["threads"]
    users = None
    if user is not None:
        users = [user]
    elif users_file is not None:
        users = _known_users(output, model, users_file)
    batches = model.recommend_all(users, options["n"], include_seen=options["include_seen"])
    if user is not None:
        batches = _without_user(batches)
    batches = add_titles(output, batches, options["items_file"], model.item_ids)
    inputs = (users_file, options["items_file"], options["model_path"])
    n_users = len(model.user_ids if users is None else users)
    n_rows = n_users * min(options["n"], len(model.item_ids))
    emit_table(output, batches, options["output"], options["file_format"], inputs, n_rows)


def _without_user(batches: Iterator[dict]) -> Iterator[dict]:
    for batch in batches:
        del batch["user"]
        yield batch


def _known_users(output: Output, model: FunkSVD, path: str) -> Any:
    from funksvd import RatingsError, read_ids
    from funksvd.ratings import find

    users, _ = read_ids(path)
    known = find(model.user_ids, users) >= 0
    if not known.any():
        examples = ", ".join(str(label) for label in model.user_ids[:3])
        raise RatingsError(
            f"{path}: the model knows none of these {len(users):,} users; the ids it knows look "
            f"like {examples}"
        )
    if not known.all():
        output.warn(
            f"the model does not know {(~known).sum():,} of {len(users):,} users "
            f"({users[~known][0]}, …); they are left out"
        )
    return users[known]
