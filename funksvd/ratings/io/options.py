"""Options of reading: settings to use instead of detection."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from funksvd.errors import RatingsError, argument
from funksvd.ratings.duplicates import POLICIES

ON_BAD_ROWS = ("error", "skip")
DECIMALS = (".", ",")
ROLES = ("user", "item", "rating", "timestamp", "count")
"""The roles of columns; the option for one is called like it, with "_col" behind."""
OPTIONAL_ROLES = ("rating", "timestamp", "count")
"""Roles whose option may be "none"."""
PROBE = "user,item,rating\r\n" + 20 * "1,2,3\r\n" + "1,2,3.5\r\n"
"""Text that an encoding of text files can write; a host's name is never so long."""
SEPARATOR_NAMES = {
    "\\t": "\t",
    "tab": "\t",
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
    "space": " ",
    "blank": " ",
}


@dataclass(frozen=True)
class ReadOptions:
    """Settings of reading a source of ratings.

    Parameters
    ----------
    sep : str, optional
        Separator of columns: one character, several ("::"), or a name such as "tab".
        " " stands for any run of blanks. Detected by default.
    user_col, item_col, rating_col, timestamp_col, count_col : str or int, optional
        Name of a column, or its 1-based position; a text of digits is a position unless a
        column has that name. Detected by default. "none" for `rating_col`, `timestamp_col` or
        `count_col` ignores such a column. `count_col` holds how often a user has dealt with an
        item, where there are no ratings.
    encoding : str
        Of text files.
    decimal : {".", ","}, optional
        Character before the decimals of ratings in text files. Detected by default, where it is
        clear.
    duplicates : {"last", "first", "mean", "error"}
        Which of several ratings of one item by one user is kept. Interactions without ratings
        are counted instead, unless it is "error".
    on_bad_rows : {"error", "skip"}
        "error" refuses a source with rows that cannot be used; "skip" drops and counts them.

    Raises
    ------
    RatingsError
        If a value is not one of those allowed.
    """

    sep: str | None = None
    user_col: str | int | None = None
    item_col: str | int | None = None
    rating_col: str | int | None = None
    timestamp_col: str | int | None = None
    count_col: str | int | None = None
    encoding: str = "utf-8"
    decimal: str | None = None
    duplicates: str = "last"
    on_bad_rows: str = "error"

    def __post_init__(self) -> None:
        columns = tuple(self.column(role) for role in ROLES)
        if not (isinstance(self.sep, str | None) and isinstance(self.encoding, str)) or not all(
            isinstance(column, str | int | None) for column in columns
        ):
            raise RatingsError("sep and encoding must be text, columns must be names or numbers")
        if self.duplicates not in POLICIES:
            raise RatingsError(
                f"duplicates must be one of {', '.join(POLICIES)}, not {self.duplicates!r}"
            )
        if self.on_bad_rows not in ON_BAD_ROWS:
            raise RatingsError(f"on_bad_rows must be error or skip, not {self.on_bad_rows!r}")
        if self.decimal not in (None, *DECIMALS):
            raise RatingsError(f"decimal must be . or , and not {self.decimal!r}")
        check_separator(self.separator)
        check_encoding(self.encoding)

    @property
    def separator(self) -> str | None:
        """The separator's characters, even if its name was given."""
        return separator_of(self.sep)

    def column(self, role: str) -> str | int | None:
        """The option for one of `ROLES`."""
        option: str | int | None = getattr(self, f"{role}_col")
        return option

    def ignores(self, role: str) -> bool:
        """Whether the column of one of `OPTIONAL_ROLES` is to be left out, if there is one."""
        option = self.column(role)
        return role in OPTIONAL_ROLES and isinstance(option, str) and option.lower() == "none"

    def names(self, role: str) -> bool:
        """Whether the options say which column is that of a role."""
        return self.column(role) is not None and not self.ignores(role)


def separator_of(given: str | None) -> str | None:
    """The characters of a separator of which the name may be given."""
    return None if given is None else SEPARATOR_NAMES.get(given, given)


def check_separator(separator: str | None) -> None:
    """Raise a `RatingsError` unless a text may separate columns; None stands for detection."""
    if separator is None:
        return
    wrong = None
    if separator == "":
        wrong = "must be at least one character; it is detected if none is given"
    elif odd := set(separator) & set('\r\n\0"0123456789'):
        wrong = f"cannot have {min(odd)!r} in it: a quote, a digit and a line's end never separate"
    elif any("\ud800" <= each <= "\udfff" for each in separator):
        wrong = f"{separator!r} is not text in this terminal's encoding"
    if wrong:
        raise RatingsError(f"a separator of columns ({argument('sep')}) {wrong}")


def check_encoding(name: str) -> None:
    """Raise a `RatingsError` unless a text file may have an encoding."""
    try:
        codecs.lookup(name)
    except (LookupError, ValueError):
        raise RatingsError(
            f"there is no encoding called {name!r} ({argument('encoding')}); "
            "common ones are utf-8, latin-1, cp1252 and utf-16"
        ) from None
    try:
        decoder = codecs.getincrementaldecoder(name)()
        pieces = [decoder.decode(bytes([each])) for each in PROBE.encode(name)]
        decoded = "".join(pieces) + decoder.decode(b"", final=True)
    except (LookupError, UnicodeError):  # of bytes, of text for text, of host names
        decoded = ""
    if decoded != PROBE:
        raise RatingsError(
            f"{name!r} ({argument('encoding')}) is not an encoding of text files; "
            "common ones are utf-8, latin-1, cp1252 and utf-16"
        )
