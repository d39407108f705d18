"""Titles of items: shown beside ids, and taken in their place."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import click

from .console import Output, counted, printable
from .groups import option
from .options import FILE, OUTPUT

if TYPE_CHECKING:
    import numpy as np

    from funksvd import FunkSVD
    from funksvd.ratings import TitleSearch

Titles = dict[str, str]
"""Title by id, the ids as text."""
FEW_TITLED = 0.5
"""Share of the model's items up to which it is warned that only these have titles."""

items_option = option(
    "--items",
    "items_file",
    metavar="FILE",
    type=FILE,
    group=OUTPUT,
    help="File of items, to show their titles.",
)
"""The file of titles, as `items_file: str | None`."""


def read_titles(output: Output, path: str | None, item_ids: np.ndarray) -> Titles | None:
    """Read the titles of items.

    Parameters
    ----------
    output : Output
        Warned if the file has a title for none of `item_ids`, or for half of them at most.
    path : str or None
        The file of titles; without one, there are none.
    item_ids : ndarray of shape (n_items,)
        Ids of all items that the model knows.
    """
    from funksvd import read_titles as read
    from funksvd.ratings import first_few

    if path is None:
        return None
    titles = {str(item): title for item, title in read(path).items()}
    n_found = sum(str(item) in titles for item in item_ids.tolist())
    if not n_found:
        output.warn(
            f"{path}: the model knows none of these items; it knows, for instance, "
            f"{first_few(item_ids)}, and the file has {first_few(list(titles))}"
        )
    elif n_found <= FEW_TITLED * len(item_ids):
        output.warn(
            f"{path} has titles for {n_found:,} of the {counted(len(item_ids), 'item')} that the "
            "model knows"
        )
    return titles


def with_titles(batch: dict[str, np.ndarray], titles: Titles) -> dict[str, np.ndarray]:
    """Add a column of titles beside the items of a table."""
    import numpy as np

    columns = {}
    for name, column in batch.items():
        columns[name] = column
        if name == "item":
            found = [titles.get(str(item), "") for item in column.tolist()]
            columns["title"] = np.array(found, dtype=object)
    return columns


def named(item: int | str, titles: Titles | None) -> str:
    """Title and id of an item in one text; without a title, the id."""
    title = (titles or {}).get(str(item))
    return f"{title} ({item})" if title else str(item)


class Finder:
    """Finds the items of a model by id or by title.

    Parameters
    ----------
    model : FunkSVD
    titles : dict of str to str, or None
        Title by id.
    """

    def __init__(self, model: FunkSVD, titles: Titles | None) -> None:
        self.model, self.titles = model, titles

    @cached_property
    def _search(self) -> TitleSearch:
        """The titles of items that the model knows, and their numbers of ratings."""
        import numpy as np

        from funksvd.ratings import TitleSearch

        titles, n_ratings = self.titles or {}, None
        ids = [str(item) for item in self.model.item_ids.tolist()]
        if self.model.seen is not None:
            counts = np.bincount(self.model.seen.columns, minlength=len(ids))
            n_ratings = dict(zip(ids, counts.tolist(), strict=True))
        return TitleSearch({item: titles[item] for item in ids if item in titles}, n_ratings)

    def find(self, text: str, asked_by: str = "") -> int | str:
        """Find one item.

        Parameters
        ----------
        text : str
            An id, or a title or a part of one.
        asked_by : str
            Beginning of the messages of errors.

        Returns
        -------
        int or str
            The id, of the kind that the model has.

        Raises
        ------
        RatingsError
            If the model knows no such item, or it is not clear which one is meant.
        """
        from funksvd import RatingsError

        items = self.model.items
        row = int(items.rows([text])[0])
        if row < 0 and self.titles is None:
            raise RatingsError(
                f"{asked_by}the model knows no item with the id {text!r}; it knows "
                f"{len(items):,}, for instance {items.examples}; to find items by title, "
                "give --items FILE"
            )
        if row < 0:
            try:
                row = items.row(self._search.find(text))
            except RatingsError as error:
                raise RatingsError(f"{asked_by}{error.template}") from None
        return items.label(row)


def tell_item(output: Output, what: str, text: str, item: int | str, titles: Titles | None) -> None:
    """Say which item was found.

    Parameters
    ----------
    output : Output
        If it leaves out notes, an item that was found by a part of its title is named on standard
        error.
    what : str
        Beginning of the line: "Rated 5".
    text : str
        The id or title that was asked for.
    item : int or str
        The id that was found.
    titles : dict of str to str, or None
        Title by id.
    """
    line = f"{what}: {named(item, titles)}"
    title = (titles or {}).get(str(item), "")
    if output.notes:
        output.note(line)
    elif text != str(item) and text.casefold() != title.casefold():
        click.echo(printable(line), err=True)
