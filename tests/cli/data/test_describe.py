"""`funksvd data describe`."""

import json

from funksvd import read_clicks, read_ratings
from funksvd.ratings import describe
from funksvd.ratings.interaction_description import describe_interactions


def test_for_a_person(cli, here):
    result = cli("data", "describe", "ratings.csv")
    assert (result.code, result.err) == (0, "")
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0][:2] == ["Read", "ratings.csv:"]
    for expected in (
        "ratings 20,000",
        "users 500",
        "items 300",
        "known share of the matrix 13.333%",
        "rows that cannot be used 0",
        "rating number share",
    ):
        assert expected.split() in lines
    bars = {line[0]: line[-1] for line in lines if line and "█" in line[-1]}
    found = describe(read_ratings("ratings.csv"))
    most = max(bar.n_ratings for bar in found.histogram)
    assert len(bars) == len(found.histogram) == 10
    for bar in found.histogram:
        assert len(bars[f"{bar.low:g}"]) == round(40 * bar.n_ratings / most)
    (activity,) = (line[3:] for line in lines if line[:3] == ["of", "a", "user"])
    assert activity == [*map(str, found.activity.quantiles.values()), "40.0", "0"]


def test_json(cli, here):
    plain = json.loads(cli("data", "describe", "ratings.csv", "--json").out)
    assert plain == describe(read_ratings("ratings.csv")).to_dict()


def test_what_is_wrong_is_shown_and_does_not_stop_it(cli, tmp_path):
    path = tmp_path / "bad.csv"
    rows = [f"{n},{n},{1 + n % 5}" for n in range(10)] + ["1,1,99", "1,,4"] + ["x,2,?"] * 6
    path.write_text("user,item,rating\n" + "\n".join(rows) + "\n")
    result = cli("data", "describe", path)
    assert result.code == 0
    assert result.err.count("Warning:") == 7
    assert f"{path}, line 13: item is empty: 1,,4" in result.err
    assert "2 more rows cannot be used" in result.err
    assert "1 of 10 ratings (10.0%) say 99" in result.err
    assert ["repeats", "of", "a", "(user,", "item)", "pair", "1"] in [
        line.split() for line in result.out.splitlines()
    ]


def test_dates(cli, tmp_path):
    path = tmp_path / "dated.csv"
    path.write_text("user,item,rating,timestamp\n1,1,1,1000000000\n1,2,2,1100000000\n")
    assert "2001-09-09 to 2004-11-09" in cli("data", "describe", path).out
    path.write_text("user,item,rating,timestamp\n1,1,1,7\n1,2,2,9\n")
    assert "7 to 9" in cli("data", "describe", path).out


def test_how_to_read_can_be_said(cli, error_of, tmp_path):
    path = tmp_path / "odd.txt"
    path.write_text("1^1^4\n2^2^5\n")
    assert cli("data", "describe", path, "--sep", "^").code == 0
    error_of("data", "describe", path, "--on-bad-rows", "skip")
    error_of("data", "describe", tmp_path / "missing")


def test_interactions(cli, tmp_path):
    path = tmp_path / "plays.csv"
    path.write_text(
        "user,item,plays,time\n1,1,2,1000000000\n1,2,1,1000000001\n1,1,4,1100000000\n2,1,,5\n"
    )
    result = cli("data", "describe", path)
    assert result.code == 0
    assert "line 5: count is empty" in result.err
    assert "There are no ratings: each pair" in result.out
    assert "`funksvd train` learns from them which items users choose" in result.out
    lines = [line.split() for line in result.out.splitlines()]
    for expected in (
        "interactions 2",
        "users 1",
        "items 2",
        "share of all pairs 100.000%",
        "sum of the counts 7",
        "pairs that count more than once 1",
        "dealt with 2001-09-09 to 2004-11-09",
        "rows that cannot be used 1",
        "repeats of a (user, item) pair 1",
        "of a pair 1 1 1 1 6 6 6 3.5",
        "of a user 2 2 2 2 2 2 2 2.0 0",
        "of an item 1 1 1 1 1 1 1 1.0 2",
    ):
        assert expected.split() in lines, expected
    plain = json.loads(cli("data", "describe", path, "--json").out)
    found = read_clicks(path, on_bad_rows="skip")
    assert plain == describe_interactions(found).to_dict()
    assert plain["counts"]["quantiles"]["most"] == 6


def test_interactions_that_count_once_each(cli, tmp_path):
    path = tmp_path / "clicks.csv"
    path.write_text("1,1\n1,2\n2,2\n")
    out = cli("data", "describe", path).out
    assert "share of all pairs" in out
    assert "count " not in out
    path.write_text("user,item,rating\n1,1,5\n1,2,5\n")
    assert "All ratings are 5: they are taken as clicks." in cli("data", "describe", path).out
