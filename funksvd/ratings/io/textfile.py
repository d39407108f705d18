"""A text file of ratings: detected, parsed, checked, and its bad rows found."""

from __future__ import annotations

from collections.abc import Sequence

from funksvd.errors import RatingsError, argument
from funksvd.ratings.io import badrows, checks
from funksvd.ratings.io.checks import BadField, Problem
from funksvd.ratings.io.chunks import Gather, concatenated
from funksvd.ratings.io.columns import Columns, IdColumn
from funksvd.ratings.io.delimited import parse
from funksvd.ratings.io.files import Source
from funksvd.ratings.io.layout import Layout
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.records import records
from funksvd.ratings.io.report import BadRow


def read(
    sources: Sequence[Source],
    layout: Layout,
    options: ReadOptions,
    gather: Gather = concatenated,
) -> Columns:
    """The columns of a text file, or of several in the Netflix layout.

    Parameters
    ----------
    sources : sequence of Source
    layout : Layout
    options : ReadOptions
    gather : callable
        Takes the chunks, as for `delimited.parse`.

    Raises
    ------
    RatingsError
        If there is nothing in it, or something cannot be used and is not to be skipped.
    """
    name = name_of(sources)
    (tally, ids, numbers), n_wrong = parse(sources, layout, options.encoding, gather)
    n_rows, n_bad = tally.n_rows + n_wrong, tally.n_bad + n_wrong
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
    found: list[BadRow] = []
    if n_bad:
        n_wanted = min(badrows.N_KEPT, n_bad)
        found, remedies = _find(sources, layout, options, dict(tally.first_bad), n_wanted)
        may_be_header = found[0].line == layout.first_line
        if may_be_header:
            remedies.insert(0, _name_columns(layout))
        badrows.refuse(found, remedies, n_bad, n_rows, options, name, may_be_header=may_be_header)
    return Columns(
        {role: IdColumn(column.codes, column.values) for role, column in ids.items()},
        numbers.get("rating"),
        numbers.get("timestamp"),
        n_rows,
        n_bad,
        found,
        layout.description,
        _row_numbers(tally.users_count, layout, options, name),
        rounded=tally.rounded,
        counts=numbers.get("count"),
    )


def name_of(sources: Sequence[Source]) -> str:
    """Name of one or several files, for messages."""
    more = len(sources) - 1
    if more == 0:
        return sources[0].name
    return f"{sources[0].name} and {more:,} more file{'s' if more > 1 else ''}"


def _name_columns(layout: Layout) -> str:
    """Advice on a first line that cannot be used: it may be a header without a name we know."""
    roles = [
        argument(f"{role}_col") for role in layout.columns if role not in ("timestamp", "count")
    ]
    return f"if line {layout.first_line} is a header, say by name which columns hold what with " + (
        ", ".join(roles)
    )


def _row_numbers(
    users_count: tuple[int, int] | None, layout: Layout, options: ReadOptions, name: str
) -> list[str]:
    """A warning if the users count the rows, and there are columns that no role needs."""
    n_needed = len(layout.columns.keys() - {"timestamp", "count"})
    if not layout.first_line or options.user_col is not None or layout.n_columns == n_needed:
        return []
    if users_count is None or users_count[0] > 1 or users_count[0] == users_count[1]:
        return []
    first = users_count[0]
    return [
        f"{name}: column {layout.columns['user'] + 1} counts {first}, {first + 1}, … and is read "
        "as the user: every row has a user of its own. If it numbers the rows, say which columns "
        "hold user, item and rating"
    ]


def _find(
    sources: Sequence[Source],
    layout: Layout,
    options: ReadOptions,
    bad: dict[int, BadField],
    n_wanted: int,
) -> tuple[list[BadRow], list[str]]:
    """The first `n_wanted` bad rows, found line by line, and a remedy for each."""
    found, remedies, row = [], [], 0
    for run in records(list(sources), layout, options.encoding):
        if run.cleaned is not None and not any(row <= at < row + run.n_rows for at in bad):
            row += run.n_rows
            continue
        for record in run.rows():
            if record.cleaned is None:
                problem = Problem(record.reason)
            else:
                row += 1
                if row - 1 not in bad:
                    continue
                problem = checks.problem(*bad[row - 1], layout.decimal)
            text = record.raw.decode(errors="replace").strip()
            found.append(BadRow(record.file, record.line, text, problem.reason))
            remedies.append(problem.remedy)
            if len(found) == n_wanted:
                return found, remedies
    return found, remedies
