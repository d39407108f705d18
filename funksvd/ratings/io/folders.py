"""Finding the ratings in a folder or an archive as it was published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from funksvd.errors import RatingsError
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
PACKED = r"(?:\.(?:gz|bz2|zst|xz))?"


def resolve(path: str, names: Sequence[str] = RATINGS_NAMES) -> list[Source]:
    """The decompressed file or files that a path stands for.

    Parameters
    ----------
    path : str
        A file, a folder, a zip archive, or "-".
    names : sequence of str
        Regular expressions of the file names to look for in folders and archives, best first.

    Returns
    -------
    list of Source
        More than one only for Netflix files.

    Raises
    ------
    RatingsError
        If there is nothing there, or nothing of use.
    """
    folder = Path(path)
    if path != "-" and folder.is_dir():
        there = _files_in(folder)
        chosen = _chosen([name.as_posix() for name in there], names)
        if not chosen:
            raise RatingsError(
                f"{path}: nothing in this folder looks like {_what(names)}"
                f"{_some_of([name.as_posix() for name in there])}. Name the file itself"
            )
        return [unpacked for name in chosen for unpacked in resolve(str(folder / name), names)]
    source = decompressed(open_path(path))
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


def _files_in(folder: Path) -> list[Path]:
    """Files of a folder and of the folders in it, relative to it."""
    try:
        entries = sorted(folder.iterdir())
        deeper = [below for entry in entries if entry.is_dir() for below in sorted(entry.iterdir())]
    except OSError as error:
        raise RatingsError(f"{folder}: this folder cannot be read ({error.strerror})") from None
    files = [entry for entry in (*entries, *deeper) if entry.is_file()]
    return [file.relative_to(folder) for file in files if not file.name.startswith(".")]


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
