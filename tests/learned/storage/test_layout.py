"""The header of safetensors: written as the library does, and never believed."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from funksvd.learned.storage import files, layout


def test_the_bytes_are_those_of_the_safetensors_library(tmp_path):
    random = np.random.default_rng(0)
    tensors = {
        f"{name} {dtype}": random.integers(0, 100, shape).astype(dtype)
        for name in "ba"
        for dtype in (np.uint8, np.int32, np.float32, np.float64, np.int64)
        for shape in [(3, 5)]
    }
    tensors |= {"empty": np.zeros((0, 4), np.float32), "one": np.ones((), np.int64)}
    info = {"text": 'é " \\ \n \x7f', "n": 1.5}
    metadata = {"funksvd": json.dumps(info, sort_keys=True)}
    save_file(tensors, tmp_path / "theirs", metadata)
    with open(tmp_path / "ours", "wb") as file:
        files.write(file, layout.lay_out(tensors, info))
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


ENTRIES = {
    "b": {"dtype": "F32", "shape": [2, 3], "data_offsets": [8, 32]},
    "a": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
    "c": {"dtype": "U8", "shape": [0], "data_offsets": [8, 8]},
}


def header(**changed):
    """A header with some facts of the tensor b changed."""
    entries = {"__metadata__": {"funksvd": "{}"}, **ENTRIES, "b": ENTRIES["b"] | changed}
    raw = json.dumps(entries).encode()
    return raw + b" " * (-len(raw) % 8)


def test_entries_come_in_the_order_of_the_data():
    found = layout.parse(header())
    assert found == [
        ("a", "<i8", (1,), 0, 8),
        ("c", "|u1", (0,), 8, 8),
        ("b", "<f4", (2, 3), 8, 32),
    ]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"data_offsets": [0, 32]}, "b is not where"),
        ({"data_offsets": [12, 32]}, "b is not where"),
        ({"data_offsets": [16, 40]}, "b is not where"),
        ({"data_offsets": [8, 31]}, "b is not where"),
        ({"shape": [2, 4]}, "b is not where"),
        ({"shape": [-2, -3]}, "not of whole numbers"),
        ({"shape": [2.0, 3]}, "not of whole numbers"),
        ({"shape": [True, 6]}, "not of whole numbers"),
        ({"data_offsets": [8, 32.0]}, "not of whole numbers"),
    ],
    ids=str,
)
def test_a_header_that_lies(changed, why):
    with pytest.raises(ValueError, match=why):
        layout.parse(header(**changed))


def test_a_header_that_is_not_padded():
    with pytest.raises(ValueError, match="not padded to a multiple of 8 bytes"):
        layout.parse(header() + b" ")
