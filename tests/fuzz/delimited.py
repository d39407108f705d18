"""Delimited text: separators, headers, quotes, encodings, line ends, and bad lines."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from fuzz.rows import Made, Row, table, words

HEADERS = {
    "user": words("userId user_id USER User-ID customer_id reviewerID uid MemberId account_id"),
    "item": words("movieId item_id ITEM Item-ID asin ISBN book_id Track_ID songId product_id"),
    "rating": words("rating Rating ratings score STARS overall Book-Rating user_rating grade"),
    "time": words("timestamp Timestamp date unixReviewTime rating_date created_at"),
}
TYPES = {"rating": "float", "time": "float"}
"""Types that RecBole writes behind the names of columns."""
NUMERIC = r"[+-]?[0-9.]+(e[0-9]+)?"
FURTHER = words("genre comment price helpful verified city Zip-Code")
SEPARATORS = (",", ",", ",", ";", "\t", "::", "|", " ", "\t\t")
ODD_SEPARATORS = ("###", "~", "\x01", "||", "^", "&", "=>")
ENCODINGS = (
    "latin-1",
    "cp1252",
    "utf-16",
    "utf-16-le",
    "utf-8-sig",
    "shift_jis",
    "utf-32",
    "cp037",
)


def _length(r: random.Random, bad: bool) -> int:
    """Number of rows; 0 for a usual one."""
    if r.random() < 0.01:
        return r.randint(200, 2000)
    return r.randint(8, 60) if bad else 0


def delimited(r: random.Random, *, bad: bool = False) -> Made:
    """A delimited text file.

    Parameters
    ----------
    bad : bool
        Whether to put lines into it that cannot be used.
    """
    separator = r.choice(SEPARATORS) if r.random() < 0.9 else r.choice(ODD_SEPARATORS)
    quoting = len(separator) == 1 and separator != " "
    encoding = "utf-8" if r.random() < 0.8 else r.choice(ENCODINGS)
    given = separator in ODD_SEPARATORS or r.random() < 0.4
    without = {"::", "\t", ",", ";", "|", "\n", '"', "[", "{", "<", "%", "="}
    if given and quoting:
        without -= {",", ";", "|", "="}
    without |= {separator}
    may_quote = quoting and r.random() < 0.4
    if may_quote and given:
        without -= {separator, '"'}
    if separator == " " or (bad and not given):
        without |= {" "}
    made = table(r, without=sorted(without), encoding=encoding, n=_length(r, bad))
    if may_quote and given:
        odd = [f"a{separator}b", 'say "x"', '"', f"{separator}x", 'x"y']
        odd = [text.strip() for text in odd]
        made.rows = [
            row._replace(item=r.choice(odd)) if r.random() < 0.2 else row for row in made.rows
        ]
    rest = [re.fullmatch(NUMERIC, row.user) for row in made.rows[1:]]
    if rest and all(rest):  # else the first row might be a header of numbers, as a matrix has
        made.rows[0] = made.rows[0]._replace(user=made.rows[1].user)
    columns = _columns(r, separator, bool(made.times))
    options = columns.options
    decimal = "."
    if separator != "," and (r.random() < 0.1 or made.ratings == "halves"):
        decimal = ","
        if made.ratings != "halves" or bad or r.random() < 0.5:
            options["decimal"] = ","
    if given:
        names = {"\t": "tab", ",": "comma", " ": "blank"} if r.random() < 0.3 else {}
        options["sep"] = names.get(separator, separator)
    if encoding != "utf-8":
        options["encoding"] = encoding
    if bad:
        options["on_bad_rows"] = r.choice(("skip", "skip", "error"))
    writer = _Writer(r, separator, encoding, given=given, may_quote=may_quote, bad=bad)
    written = [row._replace(rating=row.rating.replace(".", decimal)) for row in made.rows]
    file, spans, bad_lines = writer.write(written, columns)
    has_times = bool(made.times) and options.get("timestamp_col") != "none"
    described = [
        repr(separator),
        "header" if columns.names else "no header",
        "quotes" if may_quote else "no quotes",
        encoding,
        made.users,
        made.items,
        made.ratings,
        made.times or "no times",
    ]
    return Made(
        {"ratings.csv": file},
        ["ratings.csv"],
        [row if has_times else row._replace(time="") for row in made.rows],
        options,
        bad_lines,
        spans=spans,
        layout=", ".join(described),
        has_times=has_times,
        is_named=bool(columns.names) and "user_col" not in options,
    )


class _Columns(NamedTuple):
    """The columns of a file.

    Parameters
    ----------
    order : list of str
        Roles; those of further columns are like "further 1".
    names : dict of str to str
        Names of the columns by role; empty without a header.
    above : list of str
        Lines above the header.
    options : dict
        That say which columns are meant.
    """

    order: list[str]
    names: dict[str, str]
    above: list[str]
    options: dict[str, Any]


def _columns(r: random.Random, separator: str, has_times: bool) -> _Columns:
    roles = ["user", "item", "rating"] + (["time"] if has_times else [])
    order, above = list(roles), []
    names: dict[str, str] = {}
    options: dict[str, Any] = {}
    has_header = r.random() < 0.6
    by_position = not has_header and r.random() < 0.4
    if has_header or by_position:
        r.shuffle(order)
        for at in range(r.choice((0, 0, 1, 3))):
            order.insert(r.randint(0, len(order)), f"further {at}")
    if has_header:
        spare = r.sample(FURTHER, 3)
        names = {role: r.choice(HEADERS.get(role) or [spare.pop()]) for role in order}
        choice = r.random()
        if choice < 0.1:
            names = {role: f"{name}:{TYPES.get(role, 'token')}" for role, name in names.items()}
        elif choice < 0.35:
            above = _above(r, separator)
        elif choice < 0.5:
            names |= {"user": "Wer", "item": "Was", "rating": "Wie"}  # nobody could guess them
            options = {f"{role}_col": names[role] for role in ("user", "item", "rating")}
        else:
            by_position = r.random() < 0.15
    if by_position:
        as_text = r.random() < 0.3
        for at, role in enumerate(order, 1):
            if role in roles:
                name = "timestamp_col" if role == "time" else f"{role}_col"
                options[name] = str(at) if as_text else at
        if not has_times:
            options["timestamp_col"] = "none"
    if has_times and r.random() < 0.1:
        options["timestamp_col"] = "none"
    return _Columns(order, names, above, options)


def _above(r: random.Random, separator: str) -> list[str]:
    """Lines above a header: comments, Excel's line, a title."""
    above = [f"# comment {at}" for at in range(r.randint(0, 2))]
    if len(separator) == 1 and separator not in " \x01" and r.random() < 0.5:
        above.insert(0, f"sep={separator}")
    return above or (["Ratings"] if separator != " " else [])


class _Writer:
    """Delimited text, line by line."""

    def __init__(
        self,
        r: random.Random,
        separator: str,
        encoding: str,
        *,
        given: bool,
        may_quote: bool,
        bad: bool,
    ) -> None:
        self.r, self.separator, self.encoding = r, separator, encoding
        self.may_quote, self.bad = may_quote, bad
        self.quote_all = may_quote and r.random() < 0.3
        self.multiline = may_quote and not bad and r.random() < 0.3
        self.padding = r.random() < 0.2 and separator in ",;|::"
        self.tabs = given  # else they might be taken for the separator
        self.end = r.choice(("\n", "\n", "\n", "\r\n", "\r"))

    def write(
        self, rows: Sequence[Row], columns: _Columns
    ) -> tuple[bytes, list[tuple[int, int]], list[int]]:
        """The file, where each good row stands in it, and the numbers of bad lines."""
        r, (order, names, above, _) = self.r, columns
        lines = [(line, "above") for line in above]
        if names:
            header = [f'"{names[c]}"' if self.quote_all else names[c] for c in order]
            lines.append((self.separator.join(header), "header"))
        n_bad = r.randint(1, 6) if self.bad else 0
        bad_at = sorted(r.sample(range(1, len(rows)), min(n_bad, len(rows) // 4)))
        for at, row in enumerate(rows):
            while bad_at and bad_at[0] == at:
                bad_at.pop(0)
                lines.append((self._bad(row, order), "bad"))
            lines.append((self._row(row, order), "good"))
        blank_lines = r.random() < 0.15
        text, spans, bad_lines, number, at = [], [], [], 1, 0
        bom = self.encoding in ("utf-8",) and r.random() < 0.1
        if bom:
            text.append("\ufeff")
            at += 3
        for line, kind in lines:
            if blank_lines and r.random() < 0.2:
                blank = r.choice(("", " ", "  ")) + self.end
                text.append(blank)
                at += len(blank.encode(self.encoding, "replace"))
                number += 1
            if kind == "bad":
                bad_lines.append(number)
            size = len(line.encode(self.encoding, "surrogateescape"))
            if kind == "good":
                spans.append((at, at + size))
            text.append(line + self.end)
            at += size + len(self.end)
            number += 1 + line.count("\n")
        if r.random() < 0.2:
            text[-1] = text[-1].removesuffix(self.end)
        elif blank_lines:
            text.append(self.end)
        whole = "".join(text).encode(self.encoding, "surrogateescape")
        judged = self.encoding in ("utf-8", "latin-1", "cp1252") and not self.multiline
        return whole, spans if judged else [], bad_lines

    def _row(self, row: Row, order: Sequence[str]) -> str:
        fields = []
        for column in order:
            value = getattr(row, column) if column in Row._fields else self._further()
            fields.append(self._field(value))
        line = self.separator.join(fields)
        if self.separator == " " and self.r.random() < 0.2:
            blanks = ("  ", " \t", "\t") if self.tabs else ("  ", "   ")
            line = self.r.choice(blanks).join(fields)
            line = self.r.choice(("", " ")) + line + self.r.choice(("", *blanks))
        return line

    def _further(self) -> str:
        r = self.r
        if self.multiline and r.random() < 0.2:
            return f"two{r.choice(('', self.separator))}\nlines"
        if self.separator == "\t\t" or self.separator == " ":
            return r.choice(("x", "12", "1.5"))
        return r.choice(("x", "12", "", "1.5", "word"))

    def _field(self, text: str) -> str:
        must = any(each in text for each in (self.separator, "\n")) or text.startswith('"')
        if self.may_quote and (must or self.quote_all or self.r.random() < 0.2):
            inner = text.replace('"', '""')
            if self.padding and self.r.random() < 0.3:
                inner = f" {inner} "
            return f'"{inner}"'
        if self.padding and self.r.random() < 0.3:
            return self.r.choice((" ", "  ")) + text + self.r.choice(("", " "))
        return text

    def _bad(self, row: Row, order: Sequence[str]) -> str:
        """A line that cannot be used, made of a good row."""
        r = self.r
        columns = {"user": row.user, "item": row.item, "rating": row.rating}
        kinds = ["word", "nan", "infinite", "too large", "too few", "too many", "comma"]
        if self.separator != " ":
            kinds += ["no user", "no item", "no rating"]
        if self.encoding == "utf-8":
            kinds.append("not utf-8")
        kind = r.choice(kinds)
        if kind == "too few":
            return self.separator.join("7" for _ in order[1:])
        if kind == "too many":
            return self._row(row, order) + self.separator + "7"
        if kind in ("no user", "no item", "no rating"):
            columns[kind[3:]] = r.choice(("", " ")) if self.separator not in "\t\t" else ""
        elif kind == "not utf-8":
            columns[r.choice(("user", "item"))] = "a\udcff\udce9"
        else:
            wrong = {"word": "good", "infinite": "-Infinity", "too large": "4e38"}
            columns["rating"] = wrong.get(kind, "nan")
            if kind == "comma" and self.separator != ",":
                columns["rating"] = "4.5.1"
        return self._row(row._replace(**columns), order)
