"""Tables that commands print, found in their output."""

import re


def figures(out):
    """The table of errors, without the lines before and after it."""
    lines = out.splitlines()
    start = next(at for at, line in enumerate(lines) if "test ratings" in line and "RMSE" in line)
    return lines[start : start + 5]


def ranking_table(out):
    """Cells of the ranking table by row label, and the lines after it."""
    lines = out.splitlines()
    start = next(at for at, line in enumerate(lines) if "best items" in line)
    assert len({len(line) for line in lines[start : start + 7]}) == 1  # aligned
    rows = [re.split(r" {3,}", line.strip()) for line in lines[start : start + 8]]
    return {label: cells for label, *cells in rows}, lines[start + 8 :]
