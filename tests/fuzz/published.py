"""The layouts of published data sets; several files; compressed files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import zipfile
from collections.abc import Callable, Sequence

import pyarrow as pa
from fuzz.rows import Made, Row, moment_of


def published(r: random.Random) -> Made:
    """Files as MovieLens, the Netflix Prize, Jester, goodbooks, LIBMF and SciPy write them."""
    return r.choice((_movielens, _netflix, _matrix_market, _libmf, _jester))(r)


def _small_rows(r: random.Random, *, times: bool = True) -> list[Row]:
    return [
        Row(
            str(r.randint(1, 20)),
            str(r.randint(1, 40)),
            str(r.randint(1, 5)),
            str(r.randint(874_724_710, 1_500_000_000)) if times else "",
        )
        for _ in range(r.randint(3, 60))
    ]


def _text(rows: Sequence[Sequence[str]], separator: str, end: str = "\n") -> str:
    return "".join(separator.join(row) + end for row in rows)


def _movielens(r: random.Random) -> Made:
    rows = _small_rows(r)
    name, separator, header = r.choice(
        (
            ("ml-100k/u.data", "\t", ""),
            ("ml-1m/ratings.dat", "::", ""),
            ("ml-latest-small/ratings.csv", ",", "userId,movieId,rating,timestamp\n"),
        )
    )
    text = header + _text(rows, separator)
    files = {
        name: text.encode(),
        f"{name.partition('/')[0]}/README.txt": b"Terms of use: none\n",
        f"{name.partition('/')[0]}/{'u.item' if 'u.data' in name else 'movies.csv'}": b"1|A\n",
    }
    source = name.partition("/")[0]
    if r.random() < 0.4:
        files = {f"{source}.zip": zipped(files)}
        source = f"{source}.zip"
    return Made(files, [source], rows, layout=f"MovieLens {name}", has_times=True)


def _netflix(r: random.Random) -> Made:
    end = r.choice(("\n", "\n", "\r\n", "\r"))
    n_columns = r.choice((3, 3, 2))
    movies = r.sample(range(1, 1000), r.randint(1, 8))
    blocks, by_movie = [], {}
    for movie in movies:
        those = []
        for _ in range(r.randint(1, 12)):
            time = moment_of(r).strftime("%Y-%m-%d") if n_columns == 3 else ""
            those.append(Row(str(r.randint(1, 3000)), str(movie), str(r.randint(1, 5)), time))
        by_movie[movie] = those
        fields = [(row.user, row.rating, row.time)[:n_columns] for row in those]
        blank = end if r.random() < 0.1 else ""
        blocks.append(f"{movie}:{end}{_text(fields, ',', end)}{blank}")
    shape = r.choice(("one file", "a folder", "combined"))
    if shape == "a folder":
        movies.sort()
        files = {f"set/mv_{movie:07d}.txt": b"" for movie in movies}
        for movie in movies:
            fields = [(row.user, row.rating, row.time)[:n_columns] for row in by_movie[movie]]
            files[f"set/mv_{movie:07d}.txt"] = f"{movie}:{end}{_text(fields, ',', end)}".encode()
        source = "set"
    elif shape == "combined":
        half = len(blocks) // 2
        files = {"set/combined_data_1.txt": "".join(blocks[half:]).encode()}
        if half:
            files |= {
                "set/combined_data_1.txt": "".join(blocks[:half]).encode(),
                "set/combined_data_2.txt": "".join(blocks[half:]).encode(),
            }
        source = "set"
    else:
        files, source = {"netflix.txt": "".join(blocks).encode()}, "netflix.txt"
    rows = [row for movie in movies for row in by_movie[movie]]
    return Made(
        files, [source], rows, layout=f"Netflix, {shape}, {end!r}", has_times=n_columns == 3
    )


def _matrix_market(r: random.Random) -> Made:
    rows = _small_rows(r, times=False)
    kind = r.choice(("real", "integer"))
    comments = "% made here\n%\n" if r.random() < 0.5 else ""
    banner = f"%%MatrixMarket matrix coordinate {kind} general\n"
    body = _text([row[:3] for row in rows], r.choice((" ", "  ", "\t")))
    return Made(
        {"ratings.mtx": f"{banner}{comments}20 40 {len(rows)}\n{body}".encode()},
        ["ratings.mtx"],
        rows,
        layout="Matrix Market",
    )


def _libmf(r: random.Random) -> Made:
    rows = _small_rows(r, times=False)
    text = _text([row[:3] for row in rows], " ")
    return Made({"ratings.txt": text.encode()}, ["ratings.txt"], rows, layout="LIBMF")


def _jester(r: random.Random) -> Made:
    rows = [row._replace(rating=f"{r.uniform(-10, 10):.3f}") for row in _small_rows(r, times=False)]
    text = _text([row[:3] for row in rows], "\t\t", "\r\n" if r.random() < 0.5 else "\n")
    name = "jester/jester_ratings.dat"
    return Made({name: text.encode()}, ["jester"], rows, layout="Jester")


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _gzipped(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": _gzipped,
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
    "zst": lambda data: pa.compress(data, "zstd", asbytes=True),
    "zip": lambda data: zipped({"inside.csv": data}),
    "gz twice": lambda data: _gzipped(data[: len(data) // 2]) + _gzipped(data[len(data) // 2 :]),
    "gz.zst": lambda data: pa.compress(_gzipped(data), "zstd", asbytes=True),
    "gz.zip": lambda data: zipped({"inside.csv.gz": _gzipped(data)}),
}


def packed(r: random.Random, made: Made) -> Made:
    """The same file, compressed."""
    (name,) = made.files
    kind = r.choice(list(PACKERS))
    suffix = kind.split()[0] if r.random() < 0.8 else "csv"  # the content counts, not the name
    made.files = {f"{name}.{suffix}": PACKERS[kind](made.files[name])}
    made.source = list(made.files)
    made.spans, made.layout = [], f"{kind} of {made.layout}"
    return made


def several(r: random.Random) -> Made:
    """Several files of the same layout, read one after the other."""
    parts, rows = {}, []
    times = r.random() < 0.5
    for at in range(r.randint(2, 4)):
        some = _small_rows(r, times=times)
        fields = [row if times else row[:3] for row in some]
        separator = r.choice((",", "\t", "::"))
        header = r.random() < 0.5
        names = ("userId", "movieId", "rating", "timestamp")[: len(fields[0])]
        text = _text([names, *fields] if header else fields, separator)
        parts[f"part{at}.csv"] = text.encode()
        rows += some
    return Made(parts, list(parts), rows, layout="several files", has_times=times)
