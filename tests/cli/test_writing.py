"""Files that cannot be written: found out before the work where possible, and always named."""

import os
import resource

import pytest

UNREAD = "not-there.csv"


@pytest.mark.parametrize(
    "line",
    [
        f"train {UNREAD} -o PLACE",
        f"update model.funksvd {UNREAD} -o PLACE",
        f"tune {UNREAD} --study PLACE",
        f"report {UNREAD} -o PLACE",
        f"export {UNREAD} -o PLACE.npz",
        f"export {UNREAD} --as folder -o PLACE",
        f"predict {UNREAD} -o PLACE.csv",
        f"recommend --user 1 --model {UNREAD} -o PLACE.csv",
        f"similar 7 --model {UNREAD} -o PLACE.csv",
        f"data convert {UNREAD} -o PLACE.csv",
        f"data convert {UNREAD} -o PLACE.parquet",
        f"data sample {UNREAD} --ratings 5 -o PLACE.csv",
    ],
)
def test_a_bad_place_is_found_out_before_anything_is_read(error_of, here, line):
    message = error_of(*line.replace("PLACE", "nowhere/out").split())
    assert "nowhere does not exist" in message
    assert UNREAD not in message


@pytest.mark.parametrize("option", ["-o", "--png"])
def test_a_bad_place_for_a_report(error_of, here, option):
    (here / "file").write_text("precious")
    message = error_of("report", UNREAD, option, "file/pictures")
    assert f"'{option}'" in message or option in message
    assert "file/pictures" in message
    assert UNREAD not in message


@pytest.mark.parametrize("beside", ["out.csv", "out.csv.users.csv", "out.csv.items.csv"])
def test_each_file_that_convert_writes_is_looked_at_first(error_of, here, beside):
    (here / beside).mkdir()
    message = error_of("data", "convert", UNREAD, "--renumber", "-o", "out.csv")
    assert f"{beside} is a folder" in message


@pytest.fixture
def full(here):
    """No file can be longer than this many bytes; all those that were there before stay."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = {path: path.read_bytes() for path in here.iterdir()}
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert {path: path.read_bytes() for path in here.iterdir()} == files


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("train ratings.csv -q -k 4 --n-epochs 2", "model.funksvd"),
        ("train ratings.csv -q -k 4 --n-epochs 2 --as folder", "model.funksvd"),
        ("update model.funksvd ratings.csv -q", "model.funksvd"),
        ("export --as folder -o out.funksvd", "out.funksvd"),
        ("export --as file -o out.funksvd", "out.funksvd"),
        ("export -o out.npz", "out.npz"),
        ("export -o out.vec", "out.vec"),
        ("export -o out.parquet", "out.parquet"),
        ("data convert ratings.csv -q -o out.csv", "out.csv"),
        ("data convert ratings.csv -q -o out.parquet", "out.parquet"),
        ("data convert ratings.csv -q -o out.csv --renumber", "out.csv.users.csv"),
        ("data split ratings.csv -q -o out", "out.train.csv"),
        ("predict ratings.csv -q -o out.csv", "out.csv"),
        ("predict ratings.csv -q -o out.json", "out.json"),
        ("recommend --all-users -o out.csv", "out.csv"),
    ],
)
def test_a_full_disk_exits_with_1_and_names_the_file(error_of, line, file):
    message = error_of(*line.split(), code=1)
    assert f"Error: {file}" in message
    assert f"{os.strerror(27)}" in message
    assert ".tmp" not in message
