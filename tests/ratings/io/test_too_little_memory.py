"""Too little memory is an error that says so, where Arrow itself would end the process."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather
import pytest

from funksvd import read_ratings

TEXT = "user,item,rating\n1,2,3\n"
NO_THREAD = pa.ArrowException("Unknown error: Failed to launch worker thread")


def test_memory_is_asked_for_before_the_parser_takes_it(tmp_path, monkeypatch):
    path = tmp_path / "ratings.csv"
    path.write_text(TEXT)
    asked, parsed, read_csv = [], [], pacsv.read_csv

    def allocate(n_bytes):
        asked.append(n_bytes)
        raise pa.ArrowMemoryError("malloc failed")

    monkeypatch.setattr(pa, "allocate_buffer", allocate)
    monkeypatch.setattr(
        pacsv, "read_csv", lambda file, **how: parsed.append(file.size()) or read_csv(file, **how)
    )
    with pytest.raises(MemoryError, match="malloc failed"):
        read_ratings(path)
    assert asked[0] > len("1,2,3\n")
    assert parsed == [len("0\n")]


def fail(*arguments, **options):
    raise NO_THREAD


def test_threads_that_cannot_be_started(tmp_path, monkeypatch):
    text, table = tmp_path / "ratings.csv", tmp_path / "ratings.feather"
    text.write_text(TEXT)
    pyarrow.feather.write_feather(pa.table({"user": [1], "item": [2], "rating": [3]}), str(table))
    monkeypatch.setattr(pacsv, "read_csv", fail)
    monkeypatch.setattr(pa.ipc, "open_file", fail)
    for path in (text, table):
        with pytest.raises(MemoryError, match="Failed to launch worker thread"):
            read_ratings(path)
