"""The error for rows that cannot be used: how many, the first of them, and what helps."""

from __future__ import annotations

from collections.abc import Sequence

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.report import BadRow
from funksvd.ratings.io.sample import shortened

N_KEPT = 5
N_SHOWN = 3
CHECK_COLUMNS = f"check {argument('sep')} and the columns ({argument('user_col')} and so on)"
SKIP_THEM = f"drop such rows with {argument('on_bad_rows', 'skip')}"


def refuse(
    bad_rows: Sequence[BadRow],
    remedies: Sequence[str],
    n_bad: int,
    n_rows: int,
    options: ReadOptions,
    source: str,
    *,
    may_be_header: bool = False,
) -> None:
    """Raise an error about bad rows, unless they may be skipped.

    Whether the first of them may be a header, which must not be skipped, is `may_be_header`.

    Raises
    ------
    RatingsError
        If there are bad rows and `options` do not allow to skip them, or there are no others.
    """
    if n_bad == 0 or (options.on_bad_rows == "skip" and n_bad < n_rows):
        return
    shown = "\n".join(
        f"  {_place(row, source)} {row.line}: {row.reason}: {shortened(row.text)}"
        for row in bad_rows[:N_SHOWN]
    )
    specific = [remedy for remedy in dict.fromkeys(remedies) if remedy]
    if n_bad == n_rows:
        what = "its only row" if n_rows == 1 else f"none of its {n_rows:,} rows"
        verb = "cannot" if n_rows == 1 else "can"
        first = f"{source}: {what} {verb} be used"
        if n_bad > len(bad_rows[:N_SHOWN]):
            first += "; the first are"
        remedy = "; ".join(specific) or CHECK_COLUMNS
        raise RatingsError(f"{first}:\n{shown}\n{_sentence(remedy)}")
    count = f"{n_bad:,} of {n_rows:,} rows cannot be used"
    if n_bad > N_SHOWN:
        count += f"; the first {N_SHOWN} are"
    remedy = "; or ".join(specific if may_be_header else [*specific, SKIP_THEM])
    if not specific:
        remedy = "correct them, or " + remedy
    raise RatingsError(f"{source}: {count}:\n{shown}\n{_sentence(remedy)}")


def _place(row: BadRow, source: str) -> str:
    """The place of a bad row; with its file only if the source has several."""
    return row.place if row.file == source else f"{row.file}, {row.place}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
