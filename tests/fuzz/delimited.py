"""Delimited text: separators, headers, quotes, encodings, line ends, and bad lines."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from fuzz.rows import Made, Row, table, words

HEADERS = {
    "user": words("userId user_id USER User-ID customer_id reviewerID uid MemberId account_id"),
    "item": words("movieId item_id ITEM Item-ID asin ISBN book_id Track_ID songId product_id"),
    "rating": words("rating Rating ratings score STARS overall Book-Rating user_rating grade"),
    "time": words("timestamp Timestamp date unixReviewTime rating_date created_at"),
}
TYPES = {"rating": "float", "time": "float"}
"""Types that RecBole writes behind the names of columns."""
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
    rest = [row.user.lstrip("+-").isdecimal() for row in made.rows[1:]]
    if rest and all(rest):  # else the first row might be a header of numbers, as a matrix has
        made.rows[0] = made.rows[0]._replace(user=made.rows[1].user)
    has_times = bool(made.times)
    roles = ["user", "item", "rating"] + (["time"] if has_times else [])
    has_header = r.random() < 0.6
    positions_given = not has_header and r.random() < 0.4
    order = list(roles)
    n_further = 0
    if has_header or positions_given:
        r.shuffle(order)
        n_further = r.choice((0, 0, 1, 3))
        for at in range(n_further):
            order.insert(r.randint(0, len(order)), f"further {at}")
    options: dict[str, Any] = {}
    names: dict[str, str] = {}
    above: list[str] = []
    if has_header:
        spare = r.sample(FURTHER, n_further)
        names = {
            role: r.choice(HEADERS[role]) if role in HEADERS else spare.pop() for role in order
        }
        if r.random() < 0.1:
            names = {role: f"{name}:{TYPES.get(role, 'token')}" for role, name in names.items()}
        elif r.random() < 0.3:
            above = [f"# comment {at}" for at in range(r.randint(0, 2))]
            if len(separator) == 1 and separator not in " \x01" and r.random() < 0.5:
                above.insert(0, f"sep={separator}")
            if not above and separator != " ":
                above = ["Ratings"]
        elif r.random() < 0.2:  # columns that nobody could guess
            names |= {
                "user": "Wer",
                "item": "Was",
                "rating": "Wie gut" if separator != " " else "Wie",
            }
            options = {f"{role}_col": names[role] for role in ("user", "item", "rating")}
    if positions_given or (has_header and not options and r.random() < 0.15):
        as_text = r.random() < 0.3
        for role in order:
            if role in roles:
                at = order.index(role) + 1
                name = "timestamp_col" if role == "time" else f"{role}_col"
                options[name] = str(at) if as_text else at
    if "timestamp_col" not in options and positions_given and not has_times:
        options["timestamp_col"] = "none"
    if has_times and r.random() < 0.1 and (has_header or positions_given or len(order) == 4):
        options["timestamp_col"] = "none"
        has_times = False
    decimal = "."
    if separator != "," and (r.random() < 0.1 or made.ratings == "halves"):
        decimal = ","
        if made.ratings != "halves" or bad or r.random() < 0.5:
            options["decimal"] = ","
    if given:
        options["sep"] = (
            {"\t": "tab", ",": "comma", " ": "blank"}.get(separator, separator)
            if (r.random() < 0.3)
            else separator
        )
    if encoding != "utf-8":
        options["encoding"] = encoding
    writer = _Writer(r, separator, encoding, given=given, may_quote=may_quote, bad=bad)
    written = [row._replace(rating=row.rating.replace(".", decimal)) for row in made.rows]
    file, spans, bad_lines = writer.write(written, order, names if has_header else None, above)
    rows = [row if has_times else row._replace(time="") for row in made.rows]
    if bad:
        options["on_bad_rows"] = r.choice(("skip", "skip", "error"))
    return Made(
        {"ratings.csv": file},
        ["ratings.csv"],
        rows,
        options,
        bad_lines,
        spans=spans,
        layout=f"{separator!r}{', header' if has_header else ''}"
        f"{', quotes' if may_quote else ''}{', ' + encoding if encoding != 'utf-8' else ''}"
        f"; {made.users}, {made.items}, {made.ratings}, {made.times or 'no times'}",
        has_times=has_times,
        is_named=has_header and "user_col" not in options,
    )


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
        self,
        rows: Sequence[Row],
        order: Sequence[str],
        names: dict[str, str] | None,
        above: Sequence[str],
    ) -> tuple[bytes, list[tuple[int, int]], list[int]]:
        r = self.r
        lines = [(line, "above") for line in above]
        if names is not None:
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
