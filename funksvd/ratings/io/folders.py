"""Finding the ratings in a folder or an archive as it was published."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from funksvd.errors import RatingsError
from funksvd.ratings.io import addresses
from funksvd.ratings.io.files import (
    Source,
    compression,
    decompressed,
    member,
    member_names,
    open_path,
)

RATINGS_NAMES = (
    r"ratings\.csv",
    r"ratings\.dat",
    r"u\.data",
    r"(?:.*[-_ ])?ratings\.(?:csv|tsv|dat|txt|parquet|feather)",
)
CLICKS_NAMES = (
    r"(?:.*[-_ ])?(?:interactions|clicks|plays|events)\.(?:csv|tsv|dat|txt|parquet|feather)",
)
"""Names to look for where there is nothing of `RATINGS_NAMES`."""
NETFLIX_NAMES = r"(?:mv_\d+|combined_data_\d+)\.txt"
TITLES_NAMES = (
    r"movies\.csv",
    r"movies\.dat",
    r"u\.item",
    r"movie_titles\.(?:txt|csv)",
    r"books\.csv",
)
USERS_NAMES = (r"users\.csv", r"users\.dat", r"u\.user", r"bx-users\.csv")
PARTS = re.compile(r".*\.(csv|tsv|parquet|feather|arrow)(?:\.(?:gz|bz2|zst|xz))?", re.IGNORECASE)
SHARDS_LOCK = "funksvd-shards.lock"
"""Name of the file that makes a folder one of shards; it is locked by the process that has it."""
DEPTH, DEPTH_OF_PARTS = 2, 8
"""Levels of folders in which data sets are looked for as they were published, and for parts."""
PACKED = r"(?:\.(?:gz|bz2|zst|xz))?"


def resolve(path: str, names: Sequence[str] = RATINGS_NAMES) -> list[Source]:
    """The decompressed file or files that a path stands for.

    Parameters
    ----------
    path : str
        A file, a folder, a zip archive, an address such as "s3://bucket/ratings/", or "-".
    names : sequence of str
        Regular expressions of the file names to look for in folders and archives, best first.

    Returns
    -------
    list of Source
        More than one for Netflix files, and for a folder of parts.

    Raises
    ------
    RatingsError
        If there is nothing there, or nothing of use.
    """
    if addresses.is_address(path):
        found = addresses.files(path)
        if set(found) != {""}:
            there = list(found)
            near = [name for name in there if len(PurePosixPath(name).parts) <= DEPTH]
            found = {name: found[name] for name in _of_folder(path, near, lambda: there, names)}
        return [each for source in found.values() for each in _unpacked(path, source, names)]
    folder = Path(path)
    if path != "-" and folder.is_dir():
        near, every = _files_in(folder, DEPTH), partial(_files_in, folder, DEPTH_OF_PARTS)
        chosen = _of_folder(path, near, every, names)
        return [unpacked for name in chosen for unpacked in resolve(str(folder / name), names)]
    return _unpacked(path, open_path(path), names)


def _of_folder(
    path: str, near: list[str], every: Callable[[], list[str]], names: Sequence[str]
) -> list[str]:
    """The names of the files to read, of those in a folder and further down."""
    chosen = _chosen(near, names) or (_parts(every()) if names is RATINGS_NAMES else [])
    if not chosen:
        raise RatingsError(
            f"{path}: nothing in this folder looks like {_what(names)}{_some_of(near)}. "
            "Name the file itself"
        )
    return chosen


def _unpacked(path: str, source: Source, names: Sequence[str]) -> list[Source]:
    """The decompressed files of a file."""
    source = decompressed(source)
    if compression(source) != "zip":
        return [source]
    inside = member_names(source)
    if any(name == "[Content_Types].xml" for name in inside):
        raise RatingsError(f"{path} is an office document; save the sheet as CSV first")
    chosen = _chosen(inside, names) or (inside if len(inside) == 1 else [])
    if not chosen:
        raise RatingsError(
            f"{path}: nothing in this archive looks like {_what(names)}{_some_of(inside)}. "
            "Unpack it and name the file itself"
        )
    return [decompressed(member(source, name)) for name in chosen]


def _files_in(folder: Path, depth: int) -> list[str]:
    """Files of a folder, then those of the folders in it, and so on, relative to it."""
    files: list[str] = []
    level = [folder]
    try:
        for _ in range(depth):
            entries = [entry for each in level for entry in sorted(each.iterdir())]
            named = [entry for entry in entries if not entry.name.startswith(".")]
            files += [e.relative_to(folder).as_posix() for e in named if e.is_file()]
            level = [entry for entry in named if entry.is_dir()]
    except OSError as error:
        raise RatingsError(f"{folder}: this folder cannot be read ({error.strerror})") from None
    return files


def _parts(there: list[str]) -> list[str]:
    """The parts of a table that was written as a folder, in the order of their names; or nothing.

    They are files of one kind, perhaps in folders such as date=2024-01-31; those of text must
    have numbers in their names, too. Shards in a folder among them are not parts.
    """
    shards = {path.parent for path in map(PurePosixPath, there) if path.name == SHARDS_LOCK}
    every = map(PurePosixPath, there)
    named = sorted(
        path.as_posix()
        for path in every
        if not any(part[0] in "._" for part in path.parts) and shards.isdisjoint(path.parents)
    )
    found = [PARTS.fullmatch(name) for name in named]
    kinds = {match[1].lower() if match else "" for match in found}
    if len(kinds) != 1 or "" in kinds:
        return []
    is_text = not kinds.isdisjoint({"csv", "tsv"})
    return [] if is_text and not all(re.search(r"\d", name) for name in named) else named


def _chosen(there: list[str], names: Sequence[str]) -> list[str]:
    return _choose(there, names) or (_choose(there, CLICKS_NAMES) if names is RATINGS_NAMES else [])


def _choose(there: list[str], names: Sequence[str]) -> list[str]:
    """The best named file at the smallest depth, or all Netflix files of one folder."""
    depths = {name: len(PurePosixPath(name).parts) for name in there}
    for depth in sorted(set(depths.values())):
        level = [name for name in there if depths[name] == depth]
        for pattern in names:
            found = [n for n in level if _matches(pattern + PACKED, n)]
            folders = {PurePosixPath(n).parent for n in level if _matches_any(names, n)}
            if found and len(folders) > 1:
                raise RatingsError(
                    f"several folders hold {_what(names)}: {', '.join(sorted(map(str, folders)))}. "
                    "Name one of them"
                )
            if found:
                return found[:1]
        if names is RATINGS_NAMES:
            parts = [n for n in level if _matches(NETFLIX_NAMES + PACKED, n)]
            if parts:
                return sorted(parts, key=_by_number)
    return []


def _matches(pattern: str, name: str) -> bool:
    return re.fullmatch(pattern, PurePosixPath(name).name, re.IGNORECASE) is not None


def _matches_any(patterns: Sequence[str], name: str) -> bool:
    return any(_matches(pattern + PACKED, name) for pattern in patterns)


def _by_number(name: str) -> tuple[int, str]:
    number = re.search(r"(\d+)\.txt", name)
    return (int(number[1]) if number else 0, name)


def _what(names: Sequence[str]) -> str:
    if names is CLICKS_NAMES:
        return "interactions (interactions.csv, clicks.csv, plays.csv, events.csv)"
    if names is RATINGS_NAMES:
        return "ratings (ratings.csv, ratings.dat, u.data, mv_*.txt, combined_data_*.txt)"
    if names is USERS_NAMES:
        return "features of users (users.csv, users.dat, u.user)"
    return "titles (movies.csv, movies.dat, u.item, movie_titles.txt, books.csv)"


def _some_of(there: list[str]) -> str:
    if not there:
        return "; it is empty"
    more = ", …" if len(there) > 5 else ""
    return f"; it holds {', '.join(there[:5])}{more}"
