"""Parquet and Feather files: columns of every type that ids, ratings and times may have."""

from __future__ import annotations

import io
import random
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
from fuzz.delimited import HEADERS
from fuzz.rows import IDS, WORDS, Made, Row

INTEGER_TYPES = (
    pa.int8(),
    pa.int16(),
    pa.int32(),
    pa.int64(),
    pa.uint8(),
    pa.uint32(),
    pa.uint64(),
)
TEXT_TYPES = (pa.string(), pa.large_string(), pa.string_view())


def typed(r: random.Random, *, bad: bool = False) -> Made:
    """A Parquet or Feather file."""
    n = r.randint(8, 40) if bad else r.choice((1, 2, r.randint(3, 40)))
    times = r.random() < 0.5
    columns: dict[str, pa.Array] = {}
    kinds, texts = {}, {}
    for role in ("user", "item"):
        kinds[role] = r.choice(("integer", "text"))
        columns[role], texts[role] = _typed_ids(r, n, kinds[role])
    ratings = [r.randint(1, 10) / 2 for _ in range(n)]
    kind = r.choice((pa.float32(), pa.float64(), pa.int8(), pa.int64(), pa.decimal128(5, 2)))
    if pa.types.is_integer(kind):
        ratings = [float(int(value)) for value in ratings]
    columns["rating"] = pa.array(ratings, pa.float64()).cast(kind)
    moments = [r.randint(0, 2 * 10**9) for _ in range(n)]
    if times:
        columns["time"] = _typed_times(r, moments)
        if pa.types.is_date(columns["time"].type):
            moments = [moment // 86_400 * 86_400 for moment in moments]
    bad_rows: list[int] = []
    if bad:
        bad_rows = sorted(r.sample(range(n), r.randint(1, n // 3)))
        for at in bad_rows:
            role = r.choice(list(columns))
            cells = columns[role].to_pylist()
            cells[at] = None
            columns[role] = pa.array(cells, columns[role].type)
    order = list(columns)
    r.shuffle(order)
    names = {role: r.choice(HEADERS[role]) for role in order}
    chosen = {names[role]: columns[role] for role in order}
    if r.random() < 0.4:
        chosen["genre"] = pa.array([r.choice(WORDS) for _ in range(n)])
    whole = pa.table(chosen)
    file, name = _typed_file(r, whole)
    good = [at for at in range(n) if at not in bad_rows]
    rows = [
        Row(
            texts["user"][at],
            texts["item"][at],
            repr(ratings[at]),
            str(moments[at]) if times else "",
        )
        for at in good
    ]
    options: dict[str, Any] = {"on_bad_rows": r.choice(("skip", "error"))} if bad else {}
    return Made(
        {name: file},
        [name],
        rows,
        options,
        [at + 1 for at in bad_rows],
        kinds,
        layout=f"{name}, {', '.join(str(column.type) for column in whole.columns)}",
        has_times=times,
        is_named=True,
    )


def _typed_ids(r: random.Random, n: int, kind: str) -> tuple[pa.Array, list[str]]:
    if kind == "integer":
        type_ = r.choice(INTEGER_TYPES)
        draw = (
            IDS["small"] if type_.bit_width < 32 else IDS[r.choice(("small", "gaps", "about 2^24"))]
        )
        if type_ == pa.int64():
            draw = IDS[r.choice(("small", "gaps", "largest", "smallest", "negative", "about 2^31"))]
        texts = [draw(r) for _ in range(n)]
        return pa.array([int(text) for text in texts]).cast(type_), texts
    draw = IDS[r.choice(("text", "more text", "traps", "small", "blanks inside"))]
    texts = [draw(r) for _ in range(n)]
    array = pa.array(texts).cast(r.choice(TEXT_TYPES))
    if array.type == pa.string() and r.random() < 0.4:
        array = array.dictionary_encode()
    return array, texts


def _typed_times(r: random.Random, moments: list[int]) -> pa.Array:
    kind = r.choice(("int64", "int32", "date", "s", "us", "ns", "float", "text"))
    if kind == "date":
        return pa.array([moment // 86_400 for moment in moments], pa.int32()).cast(pa.date32())
    if kind in ("s", "us", "ns"):
        zone = r.choice((None, "UTC"))
        return pa.array(moments, pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp(kind, zone))
    if kind == "float":
        return pa.array([float(moment) for moment in moments])
    if kind == "text":
        return pa.array([str(moment) for moment in moments])
    return pa.array(moments, pa.int64())


def _typed_file(r: random.Random, whole: pa.Table) -> tuple[bytes, str]:
    buffer = io.BytesIO()
    kind = r.choice(("parquet", "feather", "feather", "arrow"))
    if kind == "parquet":
        if any(pa.types.is_string_view(column.type) for column in whole.columns):
            whole = whole.cast(
                pa.schema(
                    [
                        f.with_type(pa.string() if f.type == pa.string_view() else f.type)
                        for f in whole.schema
                    ]
                )
            )
        pyarrow.parquet.write_table(
            whole,
            buffer,
            row_group_size=r.choice((3, 1000)),
            compression=r.choice(("none", "snappy", "zstd", "gzip")),
            use_dictionary=r.random() < 0.5,
            data_page_version=r.choice(("1.0", "2.0")),
        )
        return buffer.getvalue(), "ratings.parquet"
    if kind == "feather":
        pyarrow.feather.write_feather(
            whole,
            buffer,
            compression=r.choice(("uncompressed", "uncompressed", "lz4", "zstd")),
            chunksize=r.choice((3, 1000)),
        )
        return buffer.getvalue(), "ratings.feather"
    with pa.ipc.new_file(buffer, whole.schema) as writer:
        writer.write_table(whole, max_chunksize=r.choice((3, 1000)))
    return buffer.getvalue(), "ratings.arrow"
