"""Ratings: read from files and tables, checked, held in coordinate form, split, written."""

from funksvd.ratings.adapt import as_interactions, as_pairs, as_ratings
from funksvd.ratings.description import Bar, Description, describe
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.output import write_table
from funksvd.ratings.io.reading import (
    read_coded_pairs,
    read_ids,
    read_interactions,
    read_own_ratings,
    read_pairs,
    read_ratings,
)
from funksvd.ratings.io.report import BadRow, ReadReport
from funksvd.ratings.labels import as_labels, find, first_few, is_integer_ids
from funksvd.ratings.ratings import Ratings
from funksvd.ratings.samples import sample
from funksvd.ratings.title_search import TitleSearch, simplified
from funksvd.ratings.titles import read_titles

__all__ = [
    "BadRow",
    "Bar",
    "Description",
    "Ratings",
    "ReadOptions",
    "ReadReport",
    "TitleSearch",
    "as_interactions",
    "as_labels",
    "as_pairs",
    "as_ratings",
    "describe",
    "find",
    "first_few",
    "is_integer_ids",
    "read_coded_pairs",
    "read_ids",
    "read_interactions",
    "read_own_ratings",
    "read_pairs",
    "read_ratings",
    "read_titles",
    "sample",
    "simplified",
    "write_table",
]
