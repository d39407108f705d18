"""The judge of the fuzzer: it passes what is right, and sees each kind of wrong answer."""

import random
from dataclasses import replace

import numpy as np
import pytest
from fuzz import grammar, oracle
from fuzz.rows import Made, Row

from funksvd import Ratings, RatingsError
from funksvd.ratings.io.report import BadRow, ReadReport

ROWS = [Row("a", "1", "4", "10"), Row("b", "2", "3", "20"), Row("a", "1", "5", "5")]


def made(**more) -> Made:
    return Made({}, [], ROWS, has_times=True, **more)


def found(**changed) -> Ratings:
    columns = {"values": [4, 3], "timestamps": [10, 20]} | changed
    ratings = Ratings.from_arrays(["a", "b"], [1, 2], **columns)
    return replace(ratings, report=ReadReport("x.csv", "", n_rows=3, n_duplicates=1))


def test_what_is_right_passes():
    assert oracle.check(made(), found()) == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (found(values=[4, 3.0000002]), "rating 1 is"),
        (found(timestamps=[10, 21]), "rating 1 is"),
        (found(timestamps=None), "rating 0 is"),
        (found().subset(np.array([1, 0])), "rating 0 is"),
        (found().subset(np.array([0])), "1 ratings instead of 2"),
        (replace(found(), report=ReadReport("x.csv", "", n_rows=3)), "counted"),
        (RatingsError("x.csv: nothing"), "refused"),
    ],
)
def test_what_is_wrong_is_seen(wrong, said):
    assert said in oracle.check(made(), wrong)


def test_ids_of_another_kind_are_seen():
    texts = Ratings.from_arrays(["a", "b"], ["1", "2"], [4, 3], timestamps=[10, 20])
    assert "rating 0 is" in oracle.check(made(), replace(texts, report=found().report))


def test_bad_lines_must_be_the_right_ones():
    bad = {"bad_lines": [3], "options": {"on_bad_rows": "skip"}}
    report = replace(found().report, n_rows=4, n_bad_rows=1)
    for line, right in ((3, True), (4, False)):
        row = BadRow("x.csv", line, "", "")
        read = replace(found(), report=replace(report, bad_rows=[row]))
        assert (oracle.check(made(**bad), read) == "") == right
    strict = made(bad_lines=[3])
    assert oracle.check(strict, RatingsError("x.csv: 1 of 4 rows:\n  line 3: rating")) == ""
    assert "not by" in oracle.check(strict, RatingsError("x.csv: 1 of 4 rows:\n  line 4: rating"))
    assert "not refused" in oracle.check(strict, found())


def test_a_change_must_stay_in_its_row():
    rows = [Row(user, "1", "4") for user in "abcd"]
    before = Made({}, [], rows)
    after = Ratings.from_arrays(["a", "x", "c", "d"], [1, 1, 1, 1], [4, 9, 4, 4])
    assert oracle.others_changed(before, 1, after) == ""
    assert "2 new ratings" in oracle.others_changed(before, 2, after)
    assert "takes away" in oracle.others_changed(before, 1, after.subset(np.array([0, 1, 2])))
    two = Ratings.from_arrays(["a", "x", "y", "d"], [1, 1, 1, 1], [4, 9, 4, 4])
    assert "2 new ratings" in oracle.others_changed(before, 1, two)


@pytest.mark.parametrize("policy", ["last", "first", "mean"])
def test_repeats_go_by_time_and_then_by_place(policy):
    ref = {"last": (4, 10), "first": (5, 5), "mean": (4.5, 10)}[policy]
    kept = oracle.without_repeats(oracle.rated(made()), policy)
    assert [rating[2:] for rating in kept if rating.user == "a"] == [ref]


def test_the_same_seed_makes_the_same_files():
    for seed in range(30):
        assert grammar.make(random.Random(seed)) == grammar.make(random.Random(seed))
