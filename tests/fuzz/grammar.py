"""Ratings files in every layout that is advertised, and what is in them.

Each file is made of rows that are known beforehand. Nothing here looks at the reader: ids, their
kind, values, times and bad lines are those that the rows were made with.
"""

from __future__ import annotations

import random

from fuzz.delimited import delimited
from fuzz.published import packed, published, several
from fuzz.rows import Made
from fuzz.typed import typed


def make(r: random.Random) -> Made:
    """A random file or several, of any kind."""
    choice = r.random()
    if choice < 0.45:
        made = delimited(r)
    elif choice < 0.65:
        made = delimited(r, bad=True)
    elif choice < 0.75:
        made = published(r)
    elif choice < 0.80:
        made = several(r)
    elif choice < 0.93:
        made = typed(r)
    else:
        made = typed(r, bad=True)
    if len(made.files) == 1 and not made.source[0].endswith(".zip") and r.random() < 0.2:
        made = packed(r, made)
    policies = ["last", "last", "last", "first", "error"]
    if all(abs(float(row.rating)) < 1e20 for row in made.rows):
        policies.append("mean")  # else it would depend on the order in which they are added up
    made.options["duplicates"] = r.choice(policies)
    return made
