"""Tables that commands print, found in their output."""

import re


def figures(out):
    """The table of errors, without the lines before and after it."""
    lines = out.splitlines()
    start = next(at for at, line in enumerate(lines) if "test ratings" in line and "RMSE" in line)
    return lines[start : start + 5]


def ranking_tables(out):
    """Cells of both tables of recommenders, by row and column label, and the lines after them."""
    lines = out.splitlines()
    start = next(at for at, line in enumerate(lines) if "best items" in line)
    blank = lines.index("", start)
    end = next((at for at, line in enumerate(lines) if line.startswith("Coverage: ")), len(lines))
    cells = {}
    for table in (lines[start:blank], lines[blank + 1 : end]):
        assert len({len(line) for line in table}) == 1  # aligned
        (_, *header), *rows = (re.split(r" {3,}", line.strip()) for line in table)
        for label, *row in rows:
            cells.setdefault(label, {}).update(zip(header, row, strict=True))
    return cells, lines[end:]
