"""Interactions without ratings are split, kept apart and found again as ratings are."""

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from funksvd import (
    DataChangedError,
    Interactions,
    Ratings,
    RatingsError,
    ReadOptions,
    by_time,
    hold_out,
    leave_last_out,
    per_user_folds,
    random_folds,
    random_split,
    read_clicks,
    read_data,
    rebuild,
)
from funksvd.splitting import Provenance, split_again, with_whole

ROWS = [(u, (u * i) % 11, u * 100 + i) for u in range(1, 13) for i in range(1, 15)]


def rows(found):
    """Rows of raw ids and of the columns there are, in order."""
    return list(found.to_pandas().itertuples(index=False, name=None))


def write(path, given, header="user,item,time"):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in given)]) + "\n")
    return str(path)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def clicks(here):
    return read_data(write(here / "clicks.csv", ROWS))


def recorded(holdout):
    """A holdout's provenance, as it is read from a model file."""
    plain = json.loads(json.dumps(holdout.provenance.to_dict()))
    return Provenance.from_dict(plain, holdout.provenance.test_pairs)


def same(one, other):
    return one.fingerprint == other.fingerprint


def test_a_tenth_of_the_distinct_pairs_is_the_test(clicks):
    assert len(clicks) < len(ROWS)
    holdout = hold_out(clicks, seed=3)
    assert type(holdout.test) is type(holdout.training) is Interactions
    assert (len(clicks), len(holdout.test)) == (122, 18)
    assert sorted(rows(holdout.training) + rows(holdout.test)) == sorted(rows(clicks))
    pairs = [{row[:2] for row in rows(part)} for part in (holdout.training, holdout.test)]
    assert not pairs[0] & pairs[1]
    assert rows(hold_out(clicks, seed=3).test) == rows(holdout.test)
    assert rows(hold_out(clicks, seed=4).test) != rows(holdout.test)


def test_a_table_is_split_as_what_it_holds():
    frame = pd.DataFrame(ROWS, columns=["user", "item", "time"])
    rest, part = random_split(frame, 0.25, seed=1)
    assert type(part) is Interactions
    assert part.weights is not None
    assert (len(rest), len(part)) == (90, 32)
    assert type(hold_out(frame.assign(rating=frame.item % 5)).training) is Ratings


@pytest.mark.parametrize(
    "split",
    [
        random_folds,
        per_user_folds,
        lambda given, n: leave_last_out(given, n_folds=n),
        lambda given, n: by_time(given, n_folds=n),
    ],
)
@pytest.mark.parametrize("n_folds", [1, 3])
def test_folds(clicks, split, n_folds):
    folds = split(clicks, n_folds)
    assert len(folds) == n_folds
    for fold in folds:
        assert type(fold.training) is type(fold.test) is Interactions
        assert fold.test.weights is not None
        learned, tested = ({row[:2] for row in rows(part)} for part in fold)
        assert not learned & tested
        assert learned | tested <= {row[:2] for row in rows(clicks)}


def test_messages_about_folds_speak_of_interactions():
    pairs = Interactions.from_arrays([1, 1, 2], [1, 2, 1])
    with pytest.raises(RatingsError, match=r"fold 4 of 5 has no interactions to test on"):
        random_folds(pairs, 5)
    with pytest.raises(RatingsError, match="the interactions have no timestamps"):
        by_time(pairs)
    remarks = leave_last_out(pairs).remarks
    assert "each user's interactions are taken as they stand" in remarks[0]
    assert remarks[1] == "1 user has too few interactions to be tested: they are learned from"


def test_read_again_and_split_again(clicks, here):
    holdout = hold_out(clicks, seed=5, options=ReadOptions())
    provenance = recorded(holdout)
    assert (provenance.kind, provenance.positive_from) == ("clicks", None)
    again = rebuild(provenance)
    assert same(again.training, holdout.training)
    assert same(again.test, holdout.test)
    assert again.provenance == provenance
    assert split_again(provenance, read_clicks("clicks.csv")) is not None
    assert split_again(provenance, read_clicks("clicks.csv", timestamp_col="none")) is None


@pytest.mark.parametrize("value", [1, 5])
def test_equal_ratings_are_read_again_as_clicks(here, value):
    path = write(here / "a.csv", [(u, i, value, t) for u, i, t in ROWS], "user,item,rating,time")
    holdout = hold_out(read_data(path), seed=1)
    provenance = recorded(holdout)
    assert provenance.kind == "rated"
    assert same(rebuild(provenance).training, holdout.training)
    # A row that has been appended does not change that, even with another rating.
    with open(path, "a") as file:
        file.write(f"1,1,{value + 1},5000\n")
    assert same(rebuild(provenance).training, holdout.training)


def test_good_ratings_are_read_again_as_such(here):
    path = write(here / "a.csv", [(u, i, t % 5, t) for u, i, t in ROWS], "user,item,rating,time")
    found = read_data(path, positive_from=3)
    holdout = hold_out(found, seed=1)
    provenance = recorded(holdout)
    assert (provenance.kind, provenance.positive_from) == ("rated", 3.0)
    assert same(rebuild(provenance).training, holdout.training)
    assert same(provenance.read(path, ReadOptions()), found)
    assert same(rebuild(recorded(hold_out(Ratings.to_interactions(read_ratings_of(path))))).test,
                hold_out(read_ratings_of(path).to_interactions()).test)  # fmt: skip


def read_ratings_of(path):
    found = read_data(path)
    assert type(found) is Ratings
    return found


def test_rows_appended_later_are_left_out_even_where_pairs_are_counted(clicks, here):
    holdout = hold_out(clicks, seed=5)
    with open("clicks.csv", "a") as file:
        file.write("1,1,9999\n1,99,9999\n")  # an old pair again, and a new one
    again = rebuild(recorded(holdout))
    assert same(again.training, holdout.training)
    assert same(again.test, holdout.test)
    assert again.training.timestamps.max() < 9999


def test_changed_clicks_are_told(clicks, here):
    provenance = recorded(hold_out(clicks))
    write(here / "clicks.csv", ROWS[1:])
    with pytest.raises(DataChangedError, match="the interactions have changed since"):
        rebuild(provenance)


def test_given_parts(here):
    parts = [
        read_clicks(write(here / f"{name}.csv", [row for row in ROWS if row[1] % 3 == at]))
        for at, name in enumerate("abc")
    ]
    holdout = hold_out(parts[0], test=parts[1], validation=parts[2])
    again = rebuild(recorded(holdout))
    assert same(again.training, parts[0])
    assert same(again.test, parts[1])
    assert same(again.validation, parts[2])
    assert len(again.all_but_test) == len(parts[0]) + len(parts[2])


def test_parts_must_be_of_one_kind():
    pairs = Interactions.from_arrays([1, 2], [1, 2])
    ratings = Ratings.from_arrays([3], [3], [5])
    with pytest.raises(RatingsError, match="to_interactions makes interactions of ratings"):
        hold_out(pairs, test=ratings)
    with pytest.raises(RatingsError, match=r"these are interactions|ratings cannot be read"):
        hold_out(ratings, test=pairs)
    with pytest.raises(RatingsError, match="1 of 2 test interactions have a"):
        hold_out(pairs, test=Interactions.from_arrays([1, 9], [1, 9]))
    with pytest.raises(RatingsError, match=r"interactions= are pairs to learn from besides"):
        hold_out(pairs, interactions=pairs)


def test_what_comes_later_adds_up(clicks, here):
    holdout = hold_out(clicks, seed=5)
    old, tested = rows(holdout.training)[0], rows(holdout.test)[0]
    later = write(here / "later.csv", [(*old[:2], 9998), (*tested[:2], 9999), (77, 1, 9997)])
    holdout = holdout.with_added(read_clicks(later), ReadOptions())
    counts = Counter({row[:2]: row[2] for row in rows(holdout.all_but_test)})
    assert counts[old[:2]] == old[2] + 1
    assert counts[77, 1] == 1
    assert tested[:2] not in counts
    again = rebuild(recorded(holdout))
    assert same(again.all_but_test, holdout.all_but_test)


def test_a_file_that_has_grown_keeps_its_test_part(clicks, here):
    holdout = hold_out(clicks, seed=5)
    write(here / "grown.csv", [*ROWS, (1, 500, 1), (99, 1, 2)])
    provenance = recorded(holdout)
    grown = with_whole(provenance, provenance.read("grown.csv", ReadOptions()), ReadOptions())
    assert rows(grown.test) == rows(holdout.test)
    assert len(grown.training) == len(holdout.training) + 2
    assert same(rebuild(recorded(grown)).training, grown.training)


def test_records_of_ratings_are_as_earlier_programs_know_them(here):
    path = write(here / "a.csv", [(1, 2, 3), (1, 3, 4), (2, 2, 5)], "user,item,rating")
    plain = hold_out(read_data(path), options=ReadOptions()).provenance.to_dict()
    assert set(plain) == {
        "ratings", "options", "test", "validation", "test_fraction", "seed", "test_fingerprint",
        "updates", "interactions",
    }  # fmt: skip
    assert set(plain["ratings"]) == {"files", "fingerprint", "n_rows"}
    assert "count_col" not in plain["options"]
    assert Provenance.from_dict(plain).kind == "ratings"


def test_records_of_other_kinds_are_refused(clicks):
    plain = hold_out(clicks).provenance.to_dict()
    for wrong in ({"kind": "songs"}, {"positive_from": "4"}):
        with pytest.raises(TypeError):
            Provenance.from_dict(plain | wrong)


def test_bits_do_not_depend_on_the_order_of_columns(here):
    one = read_clicks(write(here / "a.csv", ROWS))
    other = read_clicks(write(here / "b.csv", [(t, i, u) for u, i, t in ROWS], "time,item,user"))
    assert same(hold_out(one).training, hold_out(other).training)
    assert np.array_equal(one.weights, other.weights)
