"""Which items may be recommended, and in which order: the options of lists."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from funksvd.rankings import RANKINGS

from .console import Output, counted
from .groups import option, packed

if TYPE_CHECKING:
    from funksvd import FunkSVD

FILTERS = "Filters"
"""Heading of these options."""
_option = partial(option, group=FILTERS)


class Filters(NamedTuple):
    """Filters and order of items, as they were given.

    Parameters
    ----------
    by : str or None
        Name of the ranking; None for the best that a model has.
    where : tuple of str
        Conditions on the columns of the file of items, all of which have to be true.
    exclude, among : tuple of str
        Each an id, several with commas between them, or a file with one id a line.
    min_ratings : int
        Least number of ratings of an item.
    diversify : float
        How much unlike each other the items of a list shall be, from 0 to less than 1.
    """

    by: str | None
    where: tuple[str, ...]
    exclude: tuple[str, ...]
    among: tuple[str, ...]
    min_ratings: int
    diversify: float

    def for_model(self, output: Output, model: FunkSVD, items_file: str | None) -> dict[str, Any]:
        """The same as arguments of `recommend` and `recommend_all`.

        Parameters
        ----------
        output : Output
            Warned of ids that the model does not know.
        model : FunkSVD
        items_file : str or None
            The file that has the columns of `where`.

        Returns
        -------
        dict
            `by`; `exclude` and `among`, lists of ids of the model, or None; `min_ratings`;
            `diversify`.

        Raises
        ------
        click.UsageError
            If there are conditions, but no file of items.
        RatingsError
            If a file or a condition cannot be read, or no item is left.
        """
        if self.where and items_file is None:
            raise click.UsageError("--where asks for columns of a file of items: give --items FILE")
        among = _rows(output, model, self.among, "--among") if self.among else None
        if self.where and items_file is not None:
            fitting = _rows_where(model, self.where, items_file)
            among = fitting if among is None else among & fitting
        if among is not None and not among:
            options = " and ".join(
                name for name, given in (("--among", self.among), ("--where", self.where)) if given
            )
            raise click.UsageError(f"of the items that the model knows, none is left by {options}")
        exclude = _rows(output, model, self.exclude, "--exclude") if self.exclude else None
        return {
            "by": self.by,
            "exclude": _labels(model, exclude),
            "among": _labels(model, among),
            "min_ratings": self.min_ratings,
            "diversify": self.diversify,
        }


filter_options = packed(
    "filters",
    Filters,
    option(
        "--by",
        type=click.Choice(RANKINGS),
        group="Recommendations",
        help="Order by how likely the user is to come to an item and to like it (both), to come to "
        "it (choice), or by the least rating that the user is likely to give it (rating).  "
        "[default: both, if the model knows both]",
    ),
    _option(
        "--where",
        metavar="CONDITION",
        multiple=True,
        help="Items of which a column of --items has a value: genre=Comedy, genre!=Horror, "
        "year>=1990; of several conditions, all.",
    ),
    _option(
        "--exclude",
        metavar="IDS",
        multiple=True,
        help="Items to leave out: an id, several as 1,2,3, or a file with one a line; may be given "
        "several times.",
    ),
    _option(
        "--among",
        metavar="IDS",
        multiple=True,
        help="The only items to choose from, given as for --exclude.",
    ),
    _option(
        "--min-ratings",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        help="Items with at least this number of ratings.",
    ),
    _option(
        "--diversify",
        metavar="X",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.0,
        help="How much unlike each other the items of a list shall be, 0 to less than 1.",
    ),
)
"""The order and the filters of items, as `filters: Filters`."""


def _rows(output: Output, model: FunkSVD, given: Sequence[str], name: str) -> set[int]:
    """Rows of the items that an option names, as far as the model knows them.

    Raises
    ------
    UnknownIdError
        If it knows none of them.
    """
    import numpy as np

    from funksvd.ratings import as_labels, first_few

    ids = as_labels([item for text in given for item in _ids(model, text)], "item ids")
    rows = model.items.rows(ids)
    model.items.require_some(rows, ids, name)
    unknown = np.unique(ids[rows < 0])
    if len(unknown):
        output.warn(
            f"{name}: the model does not know {len(unknown):,} of "
            f"{counted(len(np.unique(ids)), 'item')} ({first_few(unknown)})"
        )
    return set(rows[rows >= 0].tolist())


def _ids(model: FunkSVD, text: str) -> list[str]:
    """The ids that one text stands for: an id of the model, a file of ids, or ids and commas."""
    from funksvd import read_ids

    text = text.strip()
    if model.items.rows([text])[0] >= 0:
        return [text]
    if text == "-" or os.path.isfile(text):
        return [str(item) for item in read_ids(text)[0].tolist()]
    ids = [item.strip() for item in text.split(",")]
    return [item for item in ids if item] or [text]


def _rows_where(model: FunkSVD, conditions: Sequence[str], path: str) -> set[int]:
    """Rows of the items that meet all conditions."""
    from funksvd.ratings import read_attributes

    items = read_attributes(path).where_all(conditions)
    return set(model.items.rows(items).tolist()) - {-1} if items else set()


def _labels(model: FunkSVD, rows: set[int] | None) -> list[int | str] | None:
    if rows is None:
        return None
    import numpy as np

    labels: list[int | str] = model.items.labels(np.array(sorted(rows), np.int32)).tolist()
    return labels
