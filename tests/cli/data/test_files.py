"""`funksvd data split`, `convert` and `sample`: files made of files."""

import gzip
import io
import json
import shlex

import numpy as np
import pytest

from funksvd import (
    by_time,
    leave_last_out,
    per_user_folds,
    random_folds,
    random_split,
    read_data,
)
from funksvd import read_ratings as read


def pairs(ratings):
    users, items = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
    times = [None] * len(ratings) if ratings.timestamps is None else ratings.timestamps.tolist()
    return list(zip(users.tolist(), items.tolist(), ratings.values.tolist(), times, strict=True))


# -- split -----------------------------------------------------------------------------------------


def test_split(cli, here):
    result = cli("data", "split", "ratings.csv")
    assert (result.code, result.err) == (0, "")
    training, test = random_split(read("ratings.csv"), 0.1, seed=0)
    assert pairs(read("ratings.train.csv")) == pairs(training)
    assert pairs(read("ratings.test.csv")) == pairs(test)
    assert "Wrote ratings.test.csv (1,990 ratings)" in result.out


def test_a_missing_folder_is_made(cli, error_of, here):
    assert cli("data", "split", "ratings.csv", "-o", "folds/deep/x").code == 0
    assert (here / "folds/deep/x.train.csv").exists()
    message = error_of("data", "split", "not-there.csv", "-o", "ratings.csv/x")
    assert "the folder ratings.csv cannot be made" in message


def test_the_next_command_of_a_split_works(cli, here, quick):
    for options in ((), ("--folds", "2")):
        out = cli("data", "split", "ratings.csv", *options).out
        program, *arguments = shlex.split(out.splitlines()[-1].removeprefix("Next: "))
        assert program == "funksvd"
        assert cli(*arguments, *quick).code == 0


@pytest.mark.parametrize(
    ("options", "folds_of"),
    [
        (["--split", "per-user", "--seed", "3"], lambda r: per_user_folds(r, 1, seed=3)),
        (["--test-fraction", "0.3"], lambda r: random_folds(r, 1, fraction=0.3)),
        (["--folds", "3"], lambda r: random_folds(r, 3)),
        (["--split", "leave-last-out", "--last", "2"], lambda r: leave_last_out(r, 2)),
        (
            ["--split", "by-time", "--folds", "2", "--test-fraction", "0.2"],
            lambda r: by_time(r, 0.2, n_folds=2),
        ),
    ],
)
def test_kinds_of_split(cli, here, options, folds_of):
    assert cli("data", "split", "ratings.csv", *options, "-o", "part").code == 0
    folds = folds_of(read("ratings.csv"))
    for number, fold in enumerate(folds, 1):
        middle = f"part.{number}" if len(folds) > 1 else "part"
        assert pairs(read(f"{middle}.train.csv")) == pairs(fold.training)
        assert pairs(read(f"{middle}.test.csv")) == pairs(fold.test)


@pytest.mark.parametrize(("kind", "suffix"), [("parquet", "parquet"), ("libmf", "txt")])
def test_formats_of_a_split(cli, here, kind, suffix):
    cli("data", "split", "ratings.csv", "--format", kind, "-o", "a")
    whole = read("ratings.csv")
    parts = [read(f"a.{name}.{suffix}") for name in ("train", "test")]
    assert sorted(row[:3] for part in parts for row in pairs(part)) == sorted(
        row[:3] for row in pairs(whole)
    )


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("folder/u1.base", "u1"),
        ("folder/r.2020.csv.gz", "r.2020"),
        ("folder/", "folder"),
        ("-", "ratings"),
    ],
)
def test_parts_are_called_after_the_source(cli, here, monkeypatch, source, stem):
    content = (here / "ratings.csv").read_bytes()
    (here / "folder").mkdir()
    if source == "-":
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    else:
        path = here / ("folder/ratings.csv" if source == "folder/" else source)
        path.write_bytes(gzip.compress(content) if source.endswith(".gz") else content)
    assert cli("data", "split", source).code == 0
    assert len(read(f"{stem}.train.csv")) == 18_010


def test_json_of_a_split(cli, here):
    found = json.loads(cli("data", "split", "ratings.csv", "--folds", "2", "--json").out)
    assert found == {
        "split": "random",
        "folds": [
            {
                "training": f"ratings.{number}.train.csv",
                "test": f"ratings.{number}.test.csv",
                "n_training": 10_000,
                "n_test": 10_000,
            }
            for number in (1, 2)
        ],
        "remarks": [],
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--last", "2"], "--last goes with"),
        (["--split", "leave-last-out", "--test-fraction", "0.2"], "give --last"),
        (["--folds", "2", "--test-fraction", "0.2"], "several folds"),
        (["--split", "by-time", "--seed", "1"], "nothing is left to chance"),
        (["--folds", "30000"], "has no ratings to test on"),
        (["-o", "ratings.csv/x"], "the folder ratings.csv cannot be made"),
    ],
)
def test_splits_that_make_no_sense(error_of, here, options, said):
    assert said in error_of("data", "split", "ratings.csv", *options)


def test_a_split_does_not_overwrite_what_it_reads(error_of, here):
    (here / "x.test.csv").write_bytes((here / "ratings.csv").read_bytes())
    assert "x.test.csv is read by this command too" in error_of(
        "data", "split", "x.test.csv", "-o", "x"
    )


# -- convert ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.libmf", "out.txt"])
def test_convert(cli, here, name):
    result = cli("data", "convert", "ratings.csv", "-o", name)
    assert (result.code, result.err) == (0, "")
    assert f"Wrote {name} (20,000 ratings)" in result.out
    whole, converted = read("ratings.csv"), read(name)
    if converted.timestamps is None:
        assert name.endswith((".libmf", ".txt"))
        assert [row[:3] for row in pairs(converted)] == [row[:3] for row in pairs(whole)]
    else:
        assert pairs(converted) == pairs(whole)


def test_there_and_back_is_the_same(cli, here):
    (here / "text.csv").write_text(
        'user,item,rating\n007,"a, ""b""",3.6\nanne–marie,c d,-1e-3\n007,x,4\n'
    )
    cli("data", "convert", "text.csv", "-o", "1.parquet")
    cli("data", "convert", "1.parquet", "-o", "2.csv")
    cli("data", "convert", "2.csv", "-o", "3.csv")
    assert pairs(read("2.csv")) == pairs(read("text.csv"))
    assert (here / "2.csv").read_bytes() == (here / "3.csv").read_bytes()


def test_convert_reads_as_it_is_told(cli, here):
    (here / "odd.txt").write_text("1^10^4\n1^10^5\n2^^3\n")
    options = ("--sep", "^", "--on-bad-rows", "skip", "--duplicates", "first")
    result = cli("data", "convert", "odd.txt", "-o", "out.csv", *options)
    assert result.code == 0
    assert (here / "out.csv").read_text() == "user,item,rating\n1,10,4\n"
    assert "1 of 3 rows was skipped" in result.err


def test_renumbered(cli, error_of, here):
    (here / "text.csv").write_text("user,item,rating\nbob,7,1\nann,-7,2\nbob,-7,3\n")
    assert "--renumber" in error_of("data", "convert", "text.csv", "-o", "out.txt")
    assert not (here / "out.txt").exists()
    assert cli("data", "convert", "text.csv", "--renumber", "-o", "out.txt").code == 0
    assert (here / "out.txt").read_text() == "1 1 1\n0 0 2\n1 0 3\n"
    assert (here / "out.txt.users.csv").read_text() == "number,user\n0,ann\n1,bob\n"
    assert (here / "out.txt.items.csv").read_text() == "number,item\n0,-7\n1,7\n"


def test_to_standard_output(cli, error_of, here):
    cli("data", "convert", "ratings.csv", "-o", "out.csv")
    arguments = ("data", "convert", "ratings.csv", "-o", "-")
    for given in ((), ("--format", "csv")):
        result = cli(*arguments, *given)
        assert (result.code, result.err) == (0, "")
        assert result.out == (here / "out.csv").read_text()
    assert "name it with -o" in error_of(*arguments, "--format", "csv", "--renumber")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("ratings.csv", "ratings.csv is read by this command too"),
        ("out.xml", "the suffix does not tell the format"),
        ("no/out.csv", "no/out.csv cannot be written"),
    ],
)
def test_outputs_that_cannot_be(error_of, here, path, said):
    before = (here / "ratings.csv").read_bytes()
    assert said in error_of("data", "convert", "ratings.csv", "-o", path)
    assert (here / "ratings.csv").read_bytes() == before


def test_json_of_a_conversion(cli, here):
    result = cli("data", "convert", "ratings.csv", "-o", "out.csv", "--json")
    expected = {"output": "out.csv", "format": "csv", "n_ratings": 20_000}
    assert json.loads(result.out) == expected


# -- sample ----------------------------------------------------------------------------------------


def test_sample(cli, here):
    arguments = ("data", "sample", "ratings.csv", "--users", "20", "--ratings", "300")
    result = cli(*arguments, "-o", "a.csv")
    assert (result.code, result.err) == (0, "")
    some, whole = read("a.csv"), set(pairs(read("ratings.csv")))
    assert len(some) == 300
    assert some.n_users <= 20
    assert set(pairs(some)) < whole
    cli(*arguments, "-o", "b.csv")
    cli(*arguments, "-o", "c.csv", "--seed", "1")
    assert (here / "a.csv").read_bytes() == (here / "b.csv").read_bytes()
    assert (here / "a.csv").read_bytes() != (here / "c.csv").read_bytes()


def test_a_sample_larger_than_the_whole_is_told_of(cli, here):
    result = cli("data", "sample", "ratings.csv", "--users", "5000", "--items", 3, "-o", "a.csv")
    assert "There are only 500 users: all of them are kept\n" in result.out
    assert result.out.count("There are only") == 1
    result = cli("data", "sample", "ratings.csv", "--ratings", "20001", "-o", "a.csv")
    assert "There are only 20,000 ratings: all of them are kept\n" in result.out


def test_json_of_a_sample(cli, here):
    found = json.loads(
        cli("data", "sample", "ratings.csv", "--items", "7", "-o", "a.parquet", "--json").out
    )
    some = read("a.parquet")
    assert np.unique(some.item_index).size == found["n_items"] == 7
    assert (found["n_ratings"], found["n_users"]) == (len(some), some.n_users)


def test_how_large_a_sample_has_to_be_said(error_of, here):
    assert "how much?" in error_of("data", "sample", "ratings.csv", "-o", "a.csv")


def test_digits_that_are_lost_are_told_of(cli, here):
    (here / "in.csv").write_text("user,item,rating\n1,10,0.1234567891\n2,10,3.5\n1,20,4\n")
    says = "more digits than such numbers hold: 0.1234567891 becomes 0.12345679"
    for command in (
        "convert in.csv -o a.csv",
        "sample in.csv --ratings 2 -o b.csv",
        "split in.csv",
    ):
        assert says in cli("data", *command.split()).err
    assert "digits" not in cli("data", "convert", "a.csv", "-o", "c.csv").err


# -- interactions ----------------------------------------------------------------------------------


@pytest.fixture
def plays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{u},{u * i % 23},{i},{u * i}\n" for u in range(1, 21) for i in range(1, 11)]
    (tmp_path / "plays.csv").write_text("".join(["user,item,plays,time\n", *rows, rows[0]]))
    return read_data("plays.csv")


def test_interactions_are_converted(cli, plays):
    for name in ("copy.csv", "copy.parquet"):
        result = cli("data", "convert", "plays.csv", "-o", name)
        assert result.code == 0
        assert f"Wrote {name} (200 interactions)" in result.out
        assert read_data(name).fingerprint == plays.fingerprint
    assert json.loads(cli("data", "convert", "plays.csv", "-o", "x.csv", "--json").out) == {
        "output": "x.csv",
        "format": "csv",
        "n_interactions": 200,
    }
    cli("data", "convert", "plays.csv", "-o", "libmf.txt")
    first = (plays.user_ids[plays.user_index[0]], plays.item_ids[plays.item_index[0]])
    with open("libmf.txt") as file:
        assert file.readline().split() == [*map(str, first), "2"]
    cli("data", "convert", "plays.csv", "--count-col", "none", "-o", "once.csv")
    with open("once.csv") as file:
        assert file.readline() == "user,item,weight,timestamp\n"
    with open("pairs.csv", "w") as file:
        file.write("user,item\n1,2\n3,4\n")
    result = cli("data", "convert", "pairs.csv", "--format", "libmf", "-o", "-")
    assert result.out == "1 2 1\n3 4 1\n"


def test_equal_ratings_stay_ratings_in_a_copy(cli, here):
    (here / "equal.csv").write_text("user,item,rating\n1,2,5\n3,4,5\n")
    assert cli("data", "convert", "equal.csv", "-o", "-").out == "user,item,rating\n1,2,5\n3,4,5\n"


def test_interactions_are_split(cli, plays):
    result = cli("data", "split", "plays.csv", "--split", "by-time")
    assert result.code == 0
    (fold,) = by_time(plays)
    assert read_data("plays.test.csv").fingerprint == fold.test.compact().fingerprint
    assert f"Wrote plays.test.csv ({len(fold.test)} interactions)" in result.out


def test_a_sample_of_interactions(cli, error_of, plays):
    result = cli("data", "sample", "plays.csv", "--users", 5, "--ratings", 999, "-o", "few.csv")
    assert "There are only 200 interactions: all of them are kept" in result.out
    found = read_data("few.csv")
    assert (found.n_users, len(found)) == (5, 50)
    with open("lone.csv", "w") as file:
        file.write("".join(f"{n},{n}\n" for n in range(100)))
    message = error_of("data", "sample", "lone.csv", "--users", 1, "--items", 1, "-o", "x.csv")
    assert "the users chosen have not dealt with any of the items chosen" in message
