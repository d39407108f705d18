"""Ids that another program may have damaged: integers made floating point, digits rounded away."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from funksvd.ratings.io.arrow import booleans
from funksvd.ratings.vocabulary import CANONICAL_INTEGER, Vocabulary

WHOLE = r"^-?[0-9]+\.0+$"
SCIENTIFIC = r"^-?[0-9]\.[0-9]+[eE]\+?[0-9]+$"
N_LOOKED_AT = 1000
"""Ids at either end of the sorted ids among which one, or the first that is no integer, must look
damaged for all to be tried."""


def damaged_ids(vocabulary: Vocabulary, source: str) -> list[str]:
    """Warnings about ids that are text because of decimals or exponents.

    Parameters
    ----------
    vocabulary : Vocabulary
    source : str
        Where the ids are from, for the warnings.
    """
    if vocabulary.holds_integers:
        return []
    ids, what = vocabulary.ids, vocabulary.what
    either, integer = re.compile(f"{WHOLE}|{SCIENTIFIC}").match, re.compile(CANONICAL_INTEGER).match
    odd = next((label for label in ids if not integer(label)), "")
    if not any(map(either, (odd, *ids[:N_LOOKED_AT], *ids[-N_LOOKED_AT:]))):
        return []
    texts = pa.array(ids, pa.string())
    whole, rounded = (
        ids[booleans(pc.match_substring_regex(texts, pattern))] for pattern in (WHOLE, SCIENTIFIC)
    )
    warnings = []
    plain = np.array([label.partition(".")[0] for label in whole], object)
    twice = np.flatnonzero(vocabulary.rows(plain) >= 0)
    if len(twice):
        pairs = f"{plain[twice[0]]!r} and {whole[twice[0]]!r}"
        more = f", and {len(twice) - 1:,} more such pairs" if len(twice) > 1 else ""
        warnings.append(
            f"{source}: {what}s {pairs}{more} differ only in '.0' and are different {what}s here. "
            "Write each id in one way"
        )
    elif len(whole):
        warnings.append(
            f"{source}: {what} ids look like floating point ({whole[0]!r}): integers that a "
            "program has changed, often where some were missing. Write them as integers"
        )
    if len(rounded):
        warnings.append(
            f"{source}: {what} ids like {rounded[0]!r} look as if a spreadsheet has rounded them, "
            "so that different ids may have become one. Export the column as text"
        )
    return warnings
