"""Random ratings: ids, values and times of every kind, as they are written."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One rating: its ids as text without blanks around, its rating and its time as written."""

    user: str
    item: str
    rating: str
    time: str = ""


@dataclass
class Made:
    """Files that hold ratings, how they are to be read, and what is in them.

    Parameters
    ----------
    files : dict of str to bytes
        By name, which may have folders in it.
    source : list of str
        Names of files or folders that are given to the reader.
    rows : list of Row
        Good rows in their order, repeats included.
    options : dict
        Of `read_ratings`.
    bad_lines : list of int
        Lines that cannot be used, ascending; in tables, rows.
    kinds : dict of str to str
        For "user" and "item": "text" or "integer" in tables, where types say so; "" in text.
    spans : list of (int, int)
        Where each good row stands in the only file, in bytes, without its line's end; only for
        plain text that a mutation of one line can be judged by.
    layout : str
        What kind of file it is, in a few words.
    has_times : bool
    is_named : bool
        Whether a header names the users and the items.
    """

    files: dict[str, bytes]
    source: list[str]
    rows: list[Row]
    options: dict[str, Any] = field(default_factory=dict)
    bad_lines: list[int] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=lambda: {"user": "", "item": ""})
    spans: list[tuple[int, int]] = field(default_factory=list)
    layout: str = ""
    has_times: bool = False
    is_named: bool = False


def words(text: str) -> list[str]:
    return text.split()


WORDS = words(
    "alice bob Carol d'Arc x-1 A_b.c user@example.org B00005N5PF 3f2504e0-4f89 é Zoë 漢字 "
    "Ωmega naïve שלום привет 😀 e\u0301 a\u200bb x/y?z=1&w=2 (c) 50% ~t ^u $5 * #tag"
)
TRAPS = words(
    "nan NaN NULL null None NA true False inf -inf 1.0 2.50 1e3 +5 -0 0x1F 1_000 ½ ٣ 007 00"
)
MANY_LINES = ("a\x85b", "a\u2028b", "a\u2029b", "a\x1cb", "a\x1eb")
"""Characters that end a line for `str.splitlines`, and for no format of ratings."""
BLANKS_INSIDE = ("New York", "a  b", "The Lord of the Rings")

Draw = Callable[[random.Random], str]


def _integers(low: int, high: int) -> Draw:
    return lambda r: str(r.randint(low, high))


def _mostly(usual: Draw, odd: Sequence[str], share: float) -> Draw:
    return lambda r: r.choice(odd) if r.random() < share else usual(r)


def _decimal(r: random.Random) -> str:
    return f"{r.uniform(-10, 10):.{r.randint(0, 12)}f}"


IDS: dict[str, Draw] = {
    "small": _integers(1, 30),
    "from zero": _integers(0, 9),
    "gaps": _integers(1, 10**5),
    "about 2^24": _integers(2**24 - 3, 2**24 + 3),
    "about 2^31": _integers(2**31 - 3, 2**31 + 3),
    "about 2^53": _integers(2**53 - 3, 2**53 + 3),
    "largest": _integers(2**63 - 5, 2**63 - 1),
    "too large": _integers(2**63 - 2, 2**63 + 2),
    "smallest": _integers(-(2**63), -(2**63) + 3),
    "negative": _integers(-20, 20),
    "zeros in front": lambda r: f"{r.randint(1, 30):0{r.randint(1, 6)}d}",
    "twenty digits": _integers(10**19, 10**20),
    "text": lambda r: r.choice(WORDS),
    "more text": lambda r: f"{r.choice(WORDS)}{r.randint(1, 99)}",
    "a trap": _mostly(_integers(1, 30), TRAPS, 0.1),
    "traps": lambda r: r.choice(TRAPS),
    "one is text": _mostly(_integers(1, 30), WORDS, 0.1),
    "line ends of Unicode": _mostly(lambda r: r.choice(WORDS), MANY_LINES, 0.3),
    "blanks inside": _mostly(lambda r: r.choice(WORDS), BLANKS_INSIDE, 0.3),
}
RATINGS: dict[str, Draw] = {
    "stars": _integers(1, 5),
    "halves": lambda r: str(r.randint(1, 10) / 2),
    "liked": _integers(0, 1),
    "decimals": _decimal,
    "long": lambda r: f"{r.uniform(0, 5):.25f}",
    "signs": lambda r: f"{r.choice('+-')}{r.randint(0, 5)}",
    "exponents": lambda r: (
        f"{r.randint(1, 9)}{r.choice(('', '.', '.5'))}{r.choice('eE')}"
        f"{r.choice(('', '+', '-'))}{r.randint(0, 9)}"
    ),
    "bare points": lambda r: r.choice((".5", "5.", "-.25", "+3.")),
    "far": lambda r: r.choice(("3.4e38", "-3.4e38", "1e-50", "1e-40", "16777217", "0.1", "1e30")),
}
TIMES: dict[str, Draw] = {
    "seconds": _integers(800_000_000, 1_700_000_000),
    "milliseconds": _integers(800_000_000_000, 1_700_000_000_000),
    "few seconds": _integers(0, 5),
    "before 1970": _integers(-(10**9), 10**9),
    "plus": lambda r: f"{r.choice(('', '+'))}{r.randint(1, 10**9)}",
    "fractions": lambda r: f"{r.randint(1, 10**9)}{r.choice(('', '.', '.0', '.5'))}",
    "dates": lambda r: moment_of(r).strftime("%Y-%m-%d"),
    "moments": lambda r: moment_of(r).strftime(
        f"%Y-%m-%d{r.choice(' T')}%H:%M{r.choice(('', ':%S', ':%S.5', ':%S.123456789'))}"
    ),
    "zones": lambda r: (
        moment_of(r).strftime("%Y-%m-%dT%H:%M:%S")
        + r.choice(("Z", "+02:00", "-0530", " UTC", "+00:00"))
    ),
}


def moment_of(r: random.Random) -> datetime:
    return datetime(1960, 1, 1, tzinfo=UTC) + timedelta(seconds=r.randint(0, 2 * 10**9))


def seconds(time: str) -> int:
    """Seconds since 1970 of a time as it is written; of an integer, itself."""
    if "-" not in time[1:]:
        return int(time.partition(".")[0])
    zone = UTC
    moment, plus_or_minus, offset = time, "", ""
    if time.endswith("Z"):
        moment = time[:-1]
    elif time.endswith(" UTC"):
        moment = time[:-4]
    elif len(time) > 10 and (at := max(time.rfind("+"), time.rfind("-"))) > 10:
        moment, plus_or_minus, offset = time[:at], time[at], time[at + 1 :].replace(":", "")
        shift = timedelta(hours=int(offset[:2]), minutes=int(offset[2:]))
        zone = timezone(-shift if plus_or_minus == "-" else shift)
    day, _, clock = moment.replace("T", " ").partition(" ")
    year, month, date = map(int, day.split("-"))
    hour, minute, second = (
        int(float(part)) for part in ([*clock.split(":"), "0", "0"][:3] if clock else "000")
    )
    return int(datetime(year, month, date, hour, minute, second, tzinfo=zone).timestamp() // 1)


@dataclass
class Table:
    """Rows, and which kinds of fields they are made of."""

    rows: list[Row]
    users: str
    items: str
    ratings: str
    times: str

    @property
    def plain(self) -> bool:
        """Whether no field has a blank."""
        return not any(" " in field for row in self.rows for field in row)


def table(
    r: random.Random, *, without: Sequence[str] = (), encoding: str = "utf-8", n: int = 0
) -> Table:
    """Random rows, some of which repeat a pair.

    Parameters
    ----------
    without : sequence of str
        Characters or texts that ids must not have.
    encoding : str
        Encoding in which ids can be written.
    n : int
        Number of rows; random if 0.
    """
    users, items = r.choice(list(IDS)), r.choice(list(IDS))
    if r.random() < 0.5:
        users = items = r.choice(("small", "gaps", "text", "from zero"))
    ratings = r.choice(list(RATINGS)) if r.random() < 0.6 else "stars"
    times = r.choice(list(TIMES)) if r.random() < 0.5 else ""
    if " " in without and times in ("moments", "zones"):
        times = "seconds"
    n = n or r.choice(
        (1, 2, 3, r.randint(4, 20), r.randint(4, 20), r.randint(4, 20), r.randint(20, 120))
    )

    def label(draw: Draw) -> str:
        while True:
            text = draw(r)
            if not any(each in text for each in without) and encodable(text, encoding):
                return text

    rows = [
        Row(
            label(IDS[users]),
            label(IDS[items]),
            RATINGS[ratings](r),
            TIMES[times](r) if times else "",
        )
        for _ in range(n)
    ]
    for _ in range(r.choice((0, 0, 0, 1, 3))):  # repeats
        again = r.choice(rows)
        rows.insert(
            r.randint(0, len(rows)),
            again._replace(rating=RATINGS[ratings](r), time=TIMES[times](r) if times else ""),
        )
    return Table(rows, users, items, ratings, times)


def encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
