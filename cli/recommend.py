"""`funksvd recommend`: the items that users would rate highest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .console import Output
from .explanations import ratings_of_user, show_explanations
from .newcomers import newcomer_options, read_newcomers
from .options import (
    FILE,
    model_option,
    output_options,
    reading_options,
    take_read_options,
    threads_option,
)
from .tables import emit_table, items_option, table_options, titles_of, with_titles

if TYPE_CHECKING:
    from funksvd import FunkSVD, Ratings, ReadOptions


@click.command(
    epilog="""\b
Examples:
  funksvd recommend --user 42 --items movies.csv
  funksvd recommend --users users.txt -n 5 --format csv
  funksvd recommend --all-users -o recommendations.parquet
  funksvd recommend --ratings mine.csv --items movies.csv --explain
  funksvd recommend --rate "toy story=5" --rate "fargo=1.5" --items movies.csv"""
)
@click.option("--user", help="One user.")
@click.option(
    "--users", "users_file", metavar="FILE", type=FILE, help="A file with one user a line."
)
@click.option("--all-users", is_flag=True, help="All users the model knows.")
@newcomer_options
@click.option(
    "n", "-n", type=click.IntRange(min=1), default=10, show_default=True, help="Items for each."
)
@click.option("--include-seen", is_flag=True, help="Also items that the user has rated.")
@click.option(
    "--explain", is_flag=True, help="Which ratings speak for and against each item; for one user."
)
@items_option
@table_options
@model_option
@threads_option
@reading_options
@output_options
def recommend(**options: Any) -> None:
    """Recommend items to users, or to someone new.

    Items that a user has rated are left out, those that were set aside for the test too.

    Someone new gives ratings, in a file (--ratings) or one by one (--rate), and the model computes
    from them what it would have learned; it is not changed. How the file is to be read can be said
    as for `funksvd train`.

    --explain shows the prediction as a sum: what everyone thinks of the item, and what each of the
    user's ratings adds or takes. For a user of the model, they are read again from the file that it
    was trained on.
    """
    from funksvd import FunkSVD

    output = Output.of(options)
    read_options = take_read_options(options)
    _check_together(options, read_options)
    with output.busy("Loading"):
        model = FunkSVD.load(options["model_path"])
    model.hyperparameters.n_threads = options["threads"]
    titles = titles_of(output, options["items_file"], model.item_ids)
    users, asked, newcomers = None, model, None
    if options["ratings_file"] or options["rates"]:
        newcomers = read_newcomers(
            output, model, options["ratings_file"], options["rates"], read_options, titles
        )
        asked = model.for_new_users(newcomers)
    elif options["user"] is not None:
        users = [options["user"]]
    elif options["users_file"] is not None:
        users = _known_users(output, model, options["users_file"])
    n_users = len(asked.user_ids if users is None else users)
    if options["explain"]:
        if n_users != 1:
            raise click.UsageError(f"--explain is for one user, not for {n_users:,}")
        user = (asked.user_ids if users is None else users)[0]
        _explain(output, (model, asked), newcomers, user, titles, options)
        return
    batches = asked.recommend_all(users, options["n"], include_seen=options["include_seen"])
    if n_users == 1 and options["users_file"] is None and not options["all_users"]:
        batches = _without_user(batches)
    if titles is not None:
        batches = (with_titles(batch, titles) for batch in batches)
    inputs = (
        options["users_file"],
        options["ratings_file"],
        options["items_file"],
        options["model_path"],
    )
    n_rows = n_users * min(options["n"], len(model.item_ids))
    emit_table(output, batches, options["output"], options["file_format"], inputs, n_rows)


def _check_together(options: dict[str, Any], read_options: ReadOptions) -> None:
    from funksvd import ReadOptions

    is_new = bool(options["ratings_file"] or options["rates"])
    known = (options["user"] is not None, options["users_file"] is not None, options["all_users"])
    if sum(known) + is_new != 1:
        raise click.UsageError(
            "give one of --user, --users and --all-users, or ratings of someone new with "
            "--ratings or --rate"
        )
    if read_options != ReadOptions() and options["ratings_file"] is None:
        raise click.UsageError("how to read ratings can be said of --ratings only")
    if options["explain"] and (options["output"] or options["file_format"]):
        raise click.UsageError("explanations are shown, or with --json printed as JSON")


def _explain(
    output: Output,
    models: tuple[FunkSVD, FunkSVD],
    newcomers: Ratings | None,
    user: int | str,
    titles: dict[str, str] | None,
    options: dict[str, Any],
) -> None:
    """Recommend to a user of the model, or to someone new by a model of their own; and say why."""
    model, asked = models
    best = asked.recommend(user, options["n"], include_seen=options["include_seen"])
    if newcomers is None:
        with output.busy("Reading"):
            rated = ratings_of_user(model, options["model_path"], user)
    else:
        rated = newcomers.item_ids[newcomers.item_index], newcomers.values
        user = None
    explanations = []
    if best:
        explanations = model.explain(*rated, [item for item, _ in best], user=user)
    show_explanations(output, explanations, titles)


def _without_user(batches: Iterator[dict]) -> Iterator[dict]:
    for batch in batches:
        del batch["user"]
        yield batch


def _known_users(output: Output, model: FunkSVD, path: str) -> Any:
    from funksvd import read_ids
    from funksvd.ratings import first_few

    users, _ = read_ids(path)
    rows = model.users.rows(users)
    model.users.require_some(rows, users, path)
    known = rows >= 0
    if not known.all():
        output.warn(
            f"the model does not know {(~known).sum():,} of {len(users):,} users "
            f"({first_few(users[~known])}); they are left out"
        )
    return users[known]
