"""A text file of ratings: detected, parsed, checked, and its bad rows found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from funksvd.errors import RatingsError
from funksvd.ratings import badrows, checks
from funksvd.ratings.checks import Checked, Problem
from funksvd.ratings.columns import Columns, IdColumn
from funksvd.ratings.delimited import RawColumns, parse
from funksvd.ratings.files import Source
from funksvd.ratings.layout import Layout
from funksvd.ratings.options import ReadOptions
from funksvd.ratings.records import records
from funksvd.ratings.report import BadRow

CHECKS = {
    "user": checks.ids,
    "item": checks.ids,
    "rating": checks.ratings,
    "timestamp": checks.timestamps,
}


def read(sources: Sequence[Source], layout: Layout, options: ReadOptions) -> Columns:
    """The columns of a text file, or of several in the Netflix layout.

    Raises
    ------
    RatingsError
        If there is nothing in it, or something cannot be used and is not to be skipped.
    """
    name = name_of(sources)
    raw = parse(sources, layout, options.encoding)
    n_rows = raw.n_rows + raw.n_wrong
    if n_rows == 0:
        raise RatingsError(
            f"{name}: there is a header but no row below it"
            if layout.skip_lines
            else f"{name}: there are no rows in this file"
        )
    if layout.n_declared is not None and n_rows != layout.n_declared:
        raise RatingsError(
            f"{name}: this file says it has {layout.n_declared:,} entries, but has {n_rows:,}; "
            "it may be incomplete. Copy or download it again"
        )
    checked = {role: CHECKS[role](column) for role, column in raw.columns.items()}
    bad = np.zeros(raw.n_rows, bool)
    for column in checked.values():
        if column.bad.any():
            bad |= column.bad[column.codes]
    n_bad = int(bad.sum()) + raw.n_wrong
    found: list[BadRow] = []
    if n_bad:
        found, remedies = _find(sources, layout, options, bad, checked, raw)
        badrows.refuse(found, remedies, n_bad, n_rows, options, name)
    keep = ~bad if bad.any() else slice(None)
    rating, time = checked.get("rating"), checked.get("timestamp")
    times = raw.times if raw.times is None else raw.times[keep]
    return Columns(
        {
            role: IdColumn(checked[role].codes[keep], checked[role].values)
            for role in ("user", "item")
            if role in checked
        },
        None if rating is None else rating.values[rating.codes[keep]],
        times if time is None else time.values[time.codes[keep]],
        n_rows,
        n_bad,
        found,
        layout.description,
    )


def name_of(sources: Sequence[Source]) -> str:
    """One or several files, for messages."""
    more = len(sources) - 1
    if more == 0:
        return sources[0].name
    return f"{sources[0].name} and {more:,} more file{'s' if more > 1 else ''}"


def _find(
    sources: Sequence[Source],
    layout: Layout,
    options: ReadOptions,
    bad: np.ndarray,
    checked: dict[str, Checked],
    raw: RawColumns,
) -> tuple[list[BadRow], list[str]]:
    """The first bad rows, by going through the lines until there are enough of them."""
    n_wanted = min(badrows.N_KEPT, int(bad.sum()) + raw.n_wrong)
    found, remedies, row = [], [], 0
    bad_values = set(np.flatnonzero(bad)[:n_wanted].tolist())
    for run in records(list(sources), layout, options.encoding):
        if run.cleaned is not None and not any(row <= at < row + run.n_rows for at in bad_values):
            row += run.n_rows
            continue
        for record in run.rows():
            if record.cleaned is None:
                problem = Problem(record.reason)
            else:
                row += 1
                if row - 1 not in bad_values:
                    continue
                problem = _problem(row - 1, checked)
            text = record.raw.decode(errors="replace").strip()
            found.append(BadRow(record.file, record.line, text, problem.reason))
            remedies.append(problem.remedy)
            if len(found) == n_wanted:
                return found, remedies
    return found, remedies


def _problem(row: int, checked: dict[str, Checked]) -> Problem:
    for role in ("user", "item", "rating", "timestamp"):
        column = checked.get(role)
        if column is not None and column.bad[column.codes[row]]:
            return checks.problem(role, column.texts[int(column.codes[row])].as_py())
    raise AssertionError(f"row {row} is not bad")
