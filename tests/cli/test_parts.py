"""The parts of the data that `train` and `tune` set aside: of ratings, or of interactions."""

from __future__ import annotations

import click
import pytest

from funksvd import Interactions, Ratings, RatingsError, ReadOptions
from funksvd_cli.console import Output
from funksvd_cli.parts import Parts

CLICKS = "user,item\n" + "".join(f"{u},{u * i % 13}\n" for u in range(1, 21) for i in range(1, 11))
RATINGS = "user,item,rating\n" + "".join(
    f"{u},{i},{(u + i) % 5 + 1}\n" for u in range(20) for i in range(10)
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clicks.csv").write_text(CLICKS)
    (tmp_path / "ratings.csv").write_text(RATINGS)
    return tmp_path


def parts(test=None, fraction=0.1, valid=None, interactions=None, positive_from=None):
    return Parts(test, fraction, valid, interactions, positive_from)


def read(given, path):
    return given.read(Output(), [path], ReadOptions(), seed=0)


def test_a_tenth_of_the_clicks(here, capsys):
    holdout = read(parts(), "clicks.csv")
    assert type(holdout.training) is type(holdout.test) is Interactions
    told = capsys.readouterr().out
    n = len(holdout.training) + len(holdout.test)
    assert "There are no ratings: each pair of a user and an item counts" in told
    assert f"{n} interactions; 20 users, " in told or f"{n} interactions with counts from" in told
    assert f"Set aside {len(holdout.test)} interactions for the test" in told


def test_repeats_of_clicks_are_counted_and_told(here, capsys):
    (here / "again.csv").write_text("user,item\n1,2\n1,2\n1,3\n2,2\n1,2\n")
    holdout = read(parts(fraction=0), "again.csv")
    assert holdout.training.weights.tolist() == [3, 1, 1]
    told = capsys.readouterr().out
    assert "2 rows repeated a (user, item) pair: counted" in told
    assert "3 interactions with counts from 1 to 3; 2 users, 2 items, 75.00% of all pairs" in told
    assert "No test: all of them are learned from" in told


def test_good_ratings_only(here, capsys):
    holdout = read(parts(positive_from=4), "ratings.csv")
    assert type(holdout.training) is Interactions
    assert len(holdout.training) + len(holdout.test) == 80
    assert holdout.provenance.positive_from == 4
    told = capsys.readouterr().out
    assert "120 ratings below 4 left out: each of the other 80 counts as an interaction" in told
    assert "Set aside 11 interactions" in told


def test_ratings_as_before(here, capsys):
    holdout = read(parts(), "ratings.csv")
    assert type(holdout.training) is Ratings
    assert "Set aside 24 ratings for the test" in capsys.readouterr().out


def test_no_test_part_of_a_few_ratings_is_told(here, capsys):
    (here / "few.csv").write_text("user,item,rating\n1,1,1\n1,2,5\n")
    told = set()
    for seed in range(20):
        holdout = parts(fraction=0.4).read(Output(), ["few.csv"], ReadOptions(), seed)
        assert holdout.test is None  # nothing could be learned from the other
        told.add(capsys.readouterr().out.splitlines()[-1])
    assert told == {
        "No test: 2 ratings are too few for a random share of 0.4; all of them are learned from"
    }


def test_given_parts_are_taken_for_what_the_whole_is(here):
    (here / "train.csv").write_text("user,item,rating\n1,1,1\n1,2,5\n2,1,3\n")
    (here / "test.csv").write_text("user,item,rating\n2,2,5\n3,3,5\n")  # all equal, by chance
    holdout = read(parts(test="test.csv"), "train.csv")
    assert type(holdout.test) is Ratings
    (here / "equal.csv").write_text("user,item,rating\n1,1,1\n1,2,1\n2,1,1\n")
    (here / "other.csv").write_text("user,item,rating\n2,2,1\n3,3,2\n")
    holdout = read(parts(test="other.csv"), "equal.csv")
    assert type(holdout.test) is Interactions
    assert len(holdout.test) == 2
    holdout = read(parts(test="other.csv", positive_from=2), "train.csv")
    assert holdout.test.item_ids.tolist() == [3]


def test_a_test_without_ratings_does_not_go_with_ratings(here):
    (here / "test.csv").write_text("user,item\n99,2\n")
    with pytest.raises(RatingsError, match="too few columns"):
        read(parts(test="test.csv"), "ratings.csv")


def test_interactions_besides_interactions(here):
    with pytest.raises(click.UsageError, match="--interactions goes with ratings"):
        read(parts(interactions="clicks.csv"), "clicks.csv")
    holdout = read(parts(interactions="clicks.csv"), "ratings.csv")
    assert holdout.interactions.columns == {}
