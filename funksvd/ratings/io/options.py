"""Options of reading: settings to use instead of detection."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from funksvd.errors import RatingsError
from funksvd.ratings.duplicates import POLICIES

ON_BAD_ROWS = ("error", "skip")
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
    user_col, item_col, rating_col, timestamp_col : str or int, optional
        Name of a column, or its 1-based position; a text of digits is a position unless a
        column has that name. `timestamp_col="none"` ignores timestamps. Detected by default.
    encoding : str
        Of text files.
    duplicates : {"last", "first", "mean", "error"}
        Which of several ratings of one item by one user is kept.
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
    encoding: str = "utf-8"
    duplicates: str = "last"
    on_bad_rows: str = "error"

    def __post_init__(self) -> None:
        columns = (self.user_col, self.item_col, self.rating_col, self.timestamp_col)
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
        if self.sep == "":
            raise RatingsError(
                "a separator must be at least one character; it is detected if none is given"
            )
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise RatingsError(
                f"there is no encoding called {self.encoding!r}; "
                "common ones are utf-8, latin-1, cp1252 and utf-16"
            ) from None

    @property
    def separator(self) -> str | None:
        """The separator's characters, even if its name was given."""
        return None if self.sep is None else SEPARATOR_NAMES.get(self.sep, self.sep)

    def column(self, role: str) -> str | int | None:
        """The option for "user", "item", "rating" or "timestamp"."""
        option: str | int | None = getattr(self, f"{role}_col")
        return option

    @property
    def ignores_timestamps(self) -> bool:
        return isinstance(self.timestamp_col, str) and self.timestamp_col.lower() == "none"
