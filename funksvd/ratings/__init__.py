"""Ratings and other interactions: read from files and tables, checked, held, described, written."""

from funksvd.ratings.adapt import (
    as_interactions,
    as_pairs,
    as_ratings,
    times_of_table,
)
from funksvd.ratings.attributes import ItemAttributes, read_attributes
from funksvd.ratings.compressed import CompressedRows
from funksvd.ratings.data import as_data
from funksvd.ratings.description import Bar, Description, describe
from funksvd.ratings.feature_table import FeatureTable, read_features
from funksvd.ratings.features import Encoding
from funksvd.ratings.interactions import Interactions
from funksvd.ratings.io.options import ReadOptions
from funksvd.ratings.io.output import write_table
from funksvd.ratings.io.reading import (
    read_ids,
    read_interactions,
    read_own_ratings,
    read_pair_rows,
    read_pairs,
    read_ratings,
)
from funksvd.ratings.io.report import BadRow, ReadReport
from funksvd.ratings.ratings import Ratings
from funksvd.ratings.samples import sample
from funksvd.ratings.times import as_timestamp
from funksvd.ratings.title_search import TitleSearch
from funksvd.ratings.titles import read_titles
from funksvd.ratings.vocabulary import Vocabulary, as_labels, first_few, quoted

__all__ = [
    "BadRow",
    "Bar",
    "CompressedRows",
    "Description",
    "Encoding",
    "FeatureTable",
    "Interactions",
    "ItemAttributes",
    "Ratings",
    "ReadOptions",
    "ReadReport",
    "TitleSearch",
    "Vocabulary",
    "as_data",
    "as_interactions",
    "as_labels",
    "as_pairs",
    "as_ratings",
    "as_timestamp",
    "describe",
    "first_few",
    "quoted",
    "read_attributes",
    "read_features",
    "read_ids",
    "read_interactions",
    "read_own_ratings",
    "read_pair_rows",
    "read_pairs",
    "read_ratings",
    "read_titles",
    "sample",
    "times_of_table",
    "write_table",
]
