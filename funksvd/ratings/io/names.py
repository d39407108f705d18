"""The columns of users, items, ratings and times: by usual names, or by options."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io.options import ReadOptions


class Roles(NamedTuple):
    """The roles whose columns a reader wants.

    Parameters
    ----------
    required : tuple of str
        A source without one of these is refused.
    optional : tuple of str
        These are read where they are found. Without a header, only timestamps behind ratings are.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


RATINGS = Roles(("user", "item", "rating"), ("timestamp",))
CLICKS = Roles(("user", "item"), ("count", "timestamp"))


class MissingColumnsError(RatingsError):
    """A required column was not found.

    Parameters
    ----------
    message : str
    missing : collection of str
        Roles without a column.
    unclear : sequence of str
        Names of columns of numbers that may be what is missing.
    """

    def __init__(
        self, message: str, missing: Collection[str] = (), unclear: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.missing = frozenset(missing)
        self.unclear = tuple(unclear)


FEWEST_OF_MATRIX = 6
"""Least number of columns of which a matrix is thought, where none is called item or rating."""
FROM_MATRIX = (
    "If this is a matrix of users and items, make a row of each rating first, in pandas for "
    'instance by table.melt(id_vars=table.columns[0], var_name="item", value_name="rating")'
    ".dropna(), without zeros that stand for no rating"
)
# Best first: of `userId` and `userName` in one file, the former is meant.
_NAMES = {
    "user": (
        "userid user uid customerid customer custid reviewerid reviewer memberid member "
        "visitorid visitor accountid account profileid personid person viewerid viewer readerid "
        "reader listenerid listener playerid player raterid rater userindex useridx username"
    ),
    "item": (
        "itemid item iid movieid movie filmid film bookid book isbn asin parentasin productid "
        "product songid song trackid track artistid artist albumid album animeid anime gameid "
        "game jokeid joke recipeid recipe businessid business restaurantid articleid article "
        "showid show courseid course beerid itemindex itemidx itemname"
    ),
    "rating": (
        "rating ratings score stars star value overall starrating overallrating userrating "
        "bookrating movierating itemrating reviewscore reviewrating userscore grade rate"
    ),
    "timestamp": (
        "timestamp time date datetime ts unixtime unixreviewtime reviewtime ratingtime "
        "ratingdate ratedat createdat updatedat reviewdate"
    ),
    "count": (
        "count counts plays playcount playcounts nplays numplays timesplayed listens listencount "
        "clicks clickcount nclicks views viewcount nviews visits visitcount purchases quantity qty "
        "frequency freq weight hits streams n"
    ),
    "title": "title name movietitle itemtitle booktitle productname itemname label",
}
_NO_RATINGS = (
    "index row rownumber number order price year age zip zipcode latitude longitude duration "
    "session month day hour quarter"
)
KNOWN_NAMES = {role: names.split() for role, names in _NAMES.items()}


def normalized(name: str) -> str:
    """A column's name in lower case, letters and digits only: `Movie_ID` is `movieid`.

    RecBole writes a column's type behind its name, `item_id:token`, which is left out.
    """
    return re.sub(r"[^a-z0-9]", "", re.sub(r":(token|float)(_seq)?$", "", name.lower()))


def recognized(names: Sequence[str], role: str) -> list[int]:
    """Positions of the columns that the best known name for a role fits; usually one or none."""
    plain = [normalized(name) for name in names]
    for known in KNOWN_NAMES[role]:
        found = [position for position, name in enumerate(plain) if name == known]
        if found:
            return found
    return []


def may_be_rating(name: str) -> bool:
    """Whether a column of numbers may hold ratings, as far as its name tells."""
    plain = normalized(name)
    is_unnamed = re.fullmatch(r"(unnamed[0-9]*)?", plain)  # as pandas calls an index
    if is_unnamed or plain.endswith("id") or plain in _NO_RATINGS.split():
        return False
    return not any(plain in known for role, known in KNOWN_NAMES.items() if role != "rating")


def by_option(
    option: str | int, names: Sequence[str] | None, n_columns: int, role: str, source: str
) -> int:
    """Position of the column that the option for a role asks for.

    Raises
    ------
    RatingsError
        If there is no such column.
    """
    asked = argument(f"{role}_col")
    if isinstance(option, str):
        for match in (str, str.lower, normalized):
            fitting = [i for i, name in enumerate(names or ()) if match(name) == match(option)]
            if len(fitting) == 1 and (match is not normalized or match(option)):
                return fitting[0]
    if isinstance(option, int) or option.isdecimal():
        if 1 <= int(option) <= n_columns:
            return int(option) - 1
        raise RatingsError(
            f"{source}: {asked} asks for column {option}, but there are {n_columns} columns"
        )
    if names is None:
        raise RatingsError(
            f"{source}: {asked} asks for a column called {option!r}, but the file has no header; "
            f"give its position instead, from 1 to {n_columns}"
        )
    raise RatingsError(
        f"{source}: {asked} asks for a column called {option!r}, but the columns are "
        f"{listing(names)}"
    )


def assign(
    names: Sequence[str] | None,
    n_columns: int,
    roles: Roles,
    options: ReadOptions,
    source: str,
) -> dict[str, int]:
    """Position of each role's column.

    Parameters
    ----------
    names : sequence of str, or None for a file without header
    n_columns : int
    roles : Roles
    options : ReadOptions
    source : str
        For messages.

    Raises
    ------
    RatingsError
        If a required role has no column, or two roles have the same one.
    """
    required = roles.required
    ignored = next((role for role in required if options.ignores(role)), None)
    if ignored is not None:
        raise RatingsError(
            f"{source}: {argument(f'{ignored}_col', 'none')} says that there are no {ignored}s, "
            "but they are needed here"
        )
    wanted = [*required, *(role for role in roles.optional if not options.ignores(role))]
    columns = {
        role: by_option(option, names, n_columns, role, source)
        for role in wanted
        if (option := options.column(role)) is not None
    }
    missing: list[str] = []
    for role in wanted:
        if role in columns:
            continue
        if names is None:
            position = wanted.index(role)
            is_told = role in required or "rating" in required
            is_taken = role not in required and position in columns.values()
            is_there = position < n_columns and is_told and not is_taken
            found = [position] if is_there else []
        else:
            found = [at for at in recognized(names, role) if at not in columns.values()]
        if names is not None and len(found) > 1:
            raise RatingsError(
                f"{source}: columns {' and '.join(str(at + 1) for at in found)} are both called "
                f"{names[found[0]]!r}; say which is meant by position, "
                f"{argument(f'{role}_col', found[0] + 1)}"
            )
        if found:
            columns[role] = found[0]
        elif role in required:
            missing.append(role)
    if len(required) == 1 and missing:  # a file of ids, whatever its header says
        columns, missing = {required[0]: 0}, []
    if missing:
        _raise_missing(missing, names, n_columns, required, source)
    taken: dict[int, str] = {}
    for role, position in columns.items():
        if position in taken:
            raise RatingsError(
                f"{source}: column {position + 1} cannot be both {taken[position]} and {role}; "
                f"give {argument(f'{taken[position]}_col')} and {argument(f'{role}_col')}"
            )
        taken[position] = role
    return {role: columns[role] for role in wanted if role in columns}


def listing(names: Sequence[str]) -> str:
    """Column names for a message."""
    shown = [name or "(unnamed)" for name in names[:20]]
    return ", ".join(shown) + (", …" if len(names) > 20 else "")


def _raise_missing(
    missing: Sequence[str],
    names: Sequence[str] | None,
    n_columns: int,
    required: Sequence[str],
    source: str,
) -> None:
    if names is None:
        raise MissingColumnsError(
            f"{source}: too few columns: {', '.join(required)} are needed, but there "
            f"{'is only 1' if n_columns == 1 else f'are only {n_columns}'}. If they are separated "
            f"by something unusual, give it with {argument('sep')}",
            missing,
        )
    options = " and ".join(argument(f"{role}_col") for role in missing)
    may_be_matrix = len(names) >= FEWEST_OF_MATRIX and {"item", "rating"} <= {*missing}
    remedy = f"Say it with {options} (a name, or a position from 1)"
    if may_be_matrix:
        remedy += f". {FROM_MATRIX}"
    raise MissingColumnsError(
        f"{source}: it is not clear which column is the {' and which the '.join(missing)}: the "
        f"columns are {listing(names)}. {remedy}",
        missing,
    )
