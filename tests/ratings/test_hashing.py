"""Hashes and sums of rows, against plain Python; pieces that are put together."""

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from funksvd import Interactions, Ratings
from funksvd.ratings.hashing import RowSums, id_hashes, smallest_hashes

USERS, ITEMS = ["b", "a", "b", "ö"], [20, 10, 10, -3]
COLUMNS = {
    "values": [4.0, 3.5, -0.5, 0.0],
    "weights": [1.0, 0.0, 2.5, 1e9],
    "timestamps": [-1, 0, 10**9, 2**62],
}


def ref_fingerprint(columns):
    first = second = 0
    for row, (user, item) in enumerate(zip(USERS, ITEMS, strict=True)):
        z = naive.hash_of_pair(user, item)
        for name in sorted(columns):  # timestamps, values, weights
            number = columns[name][row]
            if name == "timestamps":
                bits = number % 2**64
            else:
                (bits,) = struct.unpack("<I", struct.pack("<f", number))
            z = naive.mixed(z ^ bits)
        first, second = (first + z) % 2**64, (second + naive.mixed(z)) % 2**64
    text = f"{len(USERS)} {first} {second} {' '.join(sorted(columns))}"
    return "3:" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@pytest.mark.parametrize("names", [(), ("values",), ("timestamps", "weights"), tuple(COLUMNS)])
def test_a_fingerprint_is_that_of_the_rule(names):
    columns = {name: COLUMNS[name] for name in names}
    found = Interactions.from_arrays(USERS, ITEMS, **columns)
    assert found.fingerprint == ref_fingerprint(columns)
    assert found.subset(np.array([2, 0, 3, 1])).fingerprint == found.fingerprint


@given(st.lists(st.integers(0, 400), max_size=5), st.randoms())
def test_sums_of_pieces_are_those_of_the_whole(edges, random):
    n = 400
    hashes = id_hashes(np.arange(n)), id_hashes(np.arange(n) % 7)
    columns = {"values": np.arange(n, dtype=np.float32), "timestamps": np.arange(n)}
    whole = RowSums.of(*hashes, columns)
    rows = np.array(random.sample(range(n), n))
    parts = [
        RowSums.of(*(each[at] for each in hashes), {k: each[at] for k, each in columns.items()})
        for at in np.split(rows, sorted(edges))
    ]
    assert sum(parts, RowSums()) == whole
    assert sum(parts[:1], RowSums()) == parts[0]


def test_ids_without_rows_do_not_count():
    whole = Ratings.from_arrays(USERS, ITEMS, COLUMNS["values"])
    part = whole.subset(np.array([0, 1]))
    assert part.fingerprint == part.compact().fingerprint
    assert part.fingerprint == Ratings.from_arrays(USERS[:2], ITEMS[:2], [4.0, 3.5]).fingerprint
    assert part.fingerprint != whole.fingerprint


@given(st.lists(st.integers(0, 2**64 - 1), unique=True, max_size=60), st.integers(0, 70), st.data())
def test_the_smallest_of_pieces_hold_the_smallest_of_all(hashes, n, data):
    hashes = np.array(hashes, np.uint64)
    assert hashes[smallest_hashes(hashes, n)].tolist() == sorted(hashes.tolist())[:n]
    cut = data.draw(st.integers(0, len(hashes)))
    kept = [part[smallest_hashes(part, n)] for part in np.split(hashes, [cut])]
    joined = np.concatenate(kept)
    assert joined[smallest_hashes(joined, n)].tolist() == sorted(hashes.tolist())[:n]


def test_hashes_go_with_the_ids_that_are_selected():
    users = Interactions.from_arrays(USERS, ITEMS).users
    for hashed in (False, True):  # before and after they were asked for
        assert ("hashes" in vars(users)) == hashed
        selected = users.select(np.array([0, 2]))
        assert selected.hashes.tolist() == [naive.hash_of_id("a"), naive.hash_of_id("ö")]
        assert users.hashes.tolist() == [naive.hash_of_id(each) for each in ("a", "b", "ö")]
