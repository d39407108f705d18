"""`funksvd predict`."""

import json
from dataclasses import replace

import numpy as np
import pytest

from funksvd import FunkSVD


@pytest.fixture
def pairs(here):
    """A file of three pairs, with columns in an unusual order."""
    (here / "pairs.csv").write_text("item,user\n7,1\n8,2\n299,3\n")
    return here / "pairs.csv"


def test_one_pair(cli, here):
    result = cli("predict", "--user", 1, "--item", 7)
    ref = FunkSVD.load("model.funksvd").predict(1, 7)
    assert result == (0, f"user   item   prediction\n1      7      {ref:10.3f}\n", "")


def test_a_file_of_pairs(cli, pairs):
    result = cli("predict", "pairs.csv", "--quiet")
    assert result.code == 0
    rows = [line.split() for line in result.out.splitlines()]
    assert rows[0] == ["user", "item", "prediction"]
    ref = FunkSVD.load("model.funksvd").predict([1, 2, 3], [7, 8, 299])
    assert rows[1:] == [
        [str(u), str(i), f"{value:.3f}"]
        for u, i, value in zip([1, 2, 3], [7, 8, 299], ref, strict=True)
    ]


def test_json_has_the_ids_as_the_model_has_them(cli, pairs):
    plain = json.loads(cli("predict", "pairs.csv", "--json").out)
    assert [(row["user"], row["item"]) for row in plain] == [(1, 7), (2, 8), (3, 299)]
    [row] = json.loads(cli("predict", "--user", 3, "--item", 299, "--json").out)
    assert row == plain[2]


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_a_file_is_written(cli, pairs, suffix):
    result = cli("predict", "pairs.csv", "-o", f"out.{suffix}")
    assert result.code == 0
    assert result.out.endswith(f"Wrote out.{suffix} (3 rows)\n")
    if suffix == "csv":
        predictions = np.loadtxt("out.csv", delimiter=",", skiprows=1)[:, 2]
    elif suffix == "json":
        predictions = [
            row["prediction"] for row in json.loads((pairs.parent / "out.json").read_text())
        ]
    else:
        import pyarrow.parquet

        predictions = pyarrow.parquet.read_table("out.parquet")["prediction"].to_pylist()
    ref = FunkSVD.load("model.funksvd").predict([1, 2, 3], [7, 8, 299])
    np.testing.assert_allclose(predictions, ref, rtol=1e-6)


@pytest.mark.parametrize("to", [(), ("-o", "-")], ids=["default", "dash"])
def test_nothing_but_the_file_where_the_file_goes_to_standard_output(cli, pairs, to):
    lines = cli("predict", "pairs.csv", "--format", "csv", *to).out.splitlines()
    assert lines[0] == "user,item,prediction"
    assert len(lines) == 4


def test_unknown_ids_are_predicted_from_what_is_known(cli, here):
    result = cli("predict", "--user", "nobody", "--item", 7, "--json")
    model = FunkSVD.load("model.funksvd")
    row = int(np.flatnonzero(model.item_ids == 7)[0])
    [plain] = json.loads(result.out)
    assert plain["user"] == "nobody"
    assert plain["prediction"] == pytest.approx(
        model.global_mean + model.item_biases[row], rel=1e-6
    )
    assert result.err == (
        "Warning: the model does not know user 'nobody'; predicted from what is known\n"
    )


def test_the_share_of_unknown_ids_is_reported(cli, here):
    (here / "pairs.csv").write_text("user,item\n1,7\n2,888\n3,999\n")
    result = cli("predict", "pairs.csv")
    assert (
        "Warning: the model does not know the item of 2 of 3 pairs; they are predicted"
        in result.err
    )
    assert "user" not in result.err


def test_ids_that_do_not_match_at_all_are_warned_of_loudly(cli, here):
    (here / "pairs.csv").write_text("user,item\nu1,i1\nu2,i2\n")
    result = cli("predict", "pairs.csv")
    assert result.code == 0
    assert "Warning: the model knows none of these users: are the user ids the same" in result.err
    assert "for instance, 1, 2, 3" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--user", "1"],
        ["--item", "1"],
        ["pairs.csv", "--user", "1"],
        ["pairs.csv", "--user", "1", "--item", "1"],
    ],
    ids=" ".join,
)
def test_either_a_file_or_a_pair(error_of, pairs, arguments):
    assert "give either a file of PAIRS, or --user and --item" in error_of("predict", *arguments)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user,item\n1,\n", "line 2"),
        ("", "empty"),
        ("user,item\n", "header"),
        (None, "no such file"),
    ],
)
def test_a_bad_file_is_one_error(error_of, here, text, expected):
    if text is not None:
        (here / "bad.csv").write_text(text)
    message = error_of("predict", "bad.csv")
    assert "bad.csv" in message
    assert expected in message


def test_bad_rows_can_be_skipped(cli, here):
    (here / "pairs.csv").write_text("user,item\n1,7\n2,\n")
    result = cli("predict", "pairs.csv", "--on-bad-rows", "skip", "--json")
    assert len(json.loads(result.out)) == 1
    assert "Warning: 1 of 2 rows was skipped" in result.err


def test_an_empty_id_is_an_error(error_of, here):
    error_of("predict", "--user", "", "--item", "1")


@pytest.fixture
def sampled(cli, pairs):
    """A model that knows how sure it is."""
    options = ("--algorithm", "bayes", "-k", 2, "--n-epochs", 20, "-o", "bayes.funksvd")
    assert cli("train", "ratings.csv", *options, "--quiet").code == 0
    return "bayes.funksvd"


def test_uncertainty_is_one_more_column(cli, sampled):
    result = cli("predict", "pairs.csv", "--with-uncertainty", "-m", sampled, "--json")
    model = FunkSVD.load(sampled)
    rows = json.loads(result.out)
    assert list(rows[0]) == ["user", "item", "prediction", "std"]
    ref = model.predict_std([1, 2, 3], [7, 8, 299])
    np.testing.assert_allclose([row["std"] for row in rows], ref, rtol=1e-6)
    assert all(0.05 < row["std"] < 2 for row in rows)
    plain = json.loads(cli("predict", "pairs.csv", "-m", sampled, "--json").out)
    assert [row["prediction"] for row in plain] == [row["prediction"] for row in rows]


def test_of_unknown_ids_there_is_a_larger_uncertainty(cli, sampled):
    stds = [
        json.loads(cli("predict", *ids, "-m", sampled, "--with-uncertainty", "--json", "-q").out)[
            0
        ]["std"]
        for ids in (("--user", 1, "--item", 7), ("--user", "nobody", "--item", "nothing"))
    ]
    assert stds[0] < stds[1]


def test_a_model_without_uncertainty_says_so(error_of, pairs):
    message = error_of("predict", "pairs.csv", "--with-uncertainty")
    assert "the model (Funk SVD, 4 factors) does not know how sure its predictions are" in message
    assert "--algorithm bayes" in message


def test_with_probability(cli, pairs):
    [row, *_] = json.loads(cli("predict", "pairs.csv", "--with-probability", 4, "--json").out)
    ref = FunkSVD.load("model.funksvd").predict_probability(1, 7, at_least=4)
    assert list(row) == ["user", "item", "prediction", "probability"]
    assert row["probability"] == pytest.approx(ref, abs=1e-6)
    result = cli("predict", "--user", 1, "--item", 7, "--with-probability", 5.5)
    ref = "Error: --with-probability must be a rating of the model's scale, 0.5 to 5, not 5.5\n"
    assert result == (2, "", ref)


def test_probabilities_that_are_not_calibrated_come_with_a_warning(cli, here):
    model = FunkSVD.load("model.funksvd")
    model._fitted = replace(model.fitted, calibration=None)
    model.save("model.funksvd")
    result = cli("predict", "--user", 1, "--item", 7, "--with-probability", 4)
    assert result.code == 0
    assert "the probabilities are not calibrated, since the model had no ratings" in result.err


@pytest.fixture
def on_days(here, with_days):
    """The model with biases of users 1 and 2 on 2005-09-06."""
    model = FunkSVD.load("model.funksvd", in_memory=True)
    with_days(model, {(1, 13_032): 0.75, (2, 13_032): -0.5}).save("days.funksvd")
    return FunkSVD.load("days.funksvd")


def prediction(result):
    assert result.code == 0, result.err
    [row] = json.loads(result.out)
    return row["prediction"]


def test_a_pair_at_a_time(cli, on_days):
    pair = ("predict", "-m", "days.funksvd", "--user", 1, "--item", 7, "--json")
    plain = prediction(cli(*pair))
    assert plain == pytest.approx(on_days.predict(1, 7), abs=1e-6)
    for time in ("2005-09-06", "2005-09-06 23:59", "2005-09-06T23:59:59+00:00", 1126000000):
        assert prediction(cli(*pair, "--time", time)) == pytest.approx(plain + 0.75, abs=1e-6)
    for time in ("2005-09-07", "2005-09-06T23:59:59-03:00", 1126100000, 0):
        assert prediction(cli(*pair, "--time", time)) == plain


def test_pairs_at_their_own_times(cli, here, on_days):
    (here / "pairs.csv").write_text(
        "item,user,time\n7,1,2005-09-06\n8,2,2005-09-06T10:30\n299,3,2005-09-06\n7,1,2005-09-07\n"
    )
    command = ("predict", "pairs.csv", "-m", "days.funksvd", "--json")
    found = {}
    for chosen in ((), ("--timestamp-col", "none")):
        result = cli(*command, *chosen, "--quiet")
        found[chosen] = np.array([row["prediction"] for row in json.loads(result.out)])
    comp, plain = found.values()
    np.testing.assert_allclose(plain, on_days.predict([1, 2, 3, 1], [7, 8, 299, 7]), rtol=1e-6)
    np.testing.assert_allclose(comp, np.add(plain, [0.75, -0.5, 0, 0]), rtol=1e-6)


def test_a_column_of_times_is_passed_over_where_a_model_has_no_days(cli, here):
    (here / "pairs.csv").write_text("item,user,time\n7,1,soon\n")
    assert cli("predict", "pairs.csv", "--quiet")[0] == 0
    result = cli("predict", "--user", 1, "--item", 7, "--time", "2005-09-06")
    assert result.code == 0
    assert "Warning: the model knows no days of users: the time makes no diff" in result.err


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ("soon", "timestamp 'soon' is neither an integer nor like 2005-09-06; give a date"),
        ("2005-13-01", "timestamp '2005-13-01' is neither an integer nor like 2005-09-06"),
        ("-5", "timestamp -5 is negative; give a date, or seconds since 1970"),
        ("13032", "timestamps are of 1970-01-01 or before (like 13032), but the model's days"),
    ],
)
def test_a_time_that_is_none(error_of, on_days, time, message):
    pair = ("--user", 1, "--item", 7, f"--time={time}")
    assert message in error_of("predict", "-m", "days.funksvd", *pair)


def test_a_time_goes_with_a_pair(error_of, pairs):
    message = error_of("predict", "pairs.csv", "--time", "2005-09-06")
    assert "--time goes with --user and --item; the times of PAIRS are a column" in message
