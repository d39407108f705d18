"""The model file: one safetensors file, nothing in it is ever executed.

A large model is a folder instead, with the same content: see `folders`.

Tensors
    user_ids (int64) or, for text, user_ids.utf8 (uint8) with user_ids.offsets (int64); item_ids in
    the same two forms; seen.indptr, seen.items: the pairs learned from; seen.levels (uint8): their
    ratings, in 256 steps of the rating scale, or their counts; item_counts (int32): how many of
    them each item has, if they are not there; held_out.indptr, held_out.items: the pairs that were
    rated but set aside for the test; test_pairs (int64): hashes of the pairs of the test part,
    ascending; features.users, features.items (int32): rows known from their features alone,
    ascending. The names of the arrays of a part begin with its kind: rating.user_factors, …
    (`LearnedRatings`), choice.user_factors, … (`LearnedChoices`).
Metadata
    One entry, `funksvd`: JSON with the format version; `parts`, for each kind the version of its
    own and all that it needs to know; the number of ratings, where they came from, and a SHA-256
    digest of everything.

Which files are read
    The format version changes when a program that knows only the old one would misread a file, and
    the version of a part when it would misread that part. A file of an older format is read if
    `UPGRADES` leads from it to the present one, step by step, and refused otherwise. A newer format
    or part, a part of an unknown kind, and a tensor or a hyperparameter that this program does not
    know are refused: whatever wrote them meant something by them.
"""

from funksvd.learned.storage.content import FORMAT_VERSION, UPGRADES, Part, SavedModel
from funksvd.learned.storage.damage import MALFORMED, newer, telling_of_damage
from funksvd.learned.storage.models import copy_model, is_model, read_model, size_of, write_model

__all__ = [
    "FORMAT_VERSION",
    "MALFORMED",
    "UPGRADES",
    "Part",
    "SavedModel",
    "copy_model",
    "is_model",
    "newer",
    "read_model",
    "size_of",
    "telling_of_damage",
    "write_model",
]
