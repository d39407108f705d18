"""`funksvd train` of clicks: what is said of options and files that are for ratings."""

import pytest

from funksvd import FunkSVD

QUICK = ("-k", 4, "-q")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """clicks.csv; counts.csv; equal.csv, whose ratings are all the same; ratings.csv."""
    monkeypatch.chdir(tmp_path)
    pairs = [(user, item) for user in range(12) for item in range(9) if (user + item) % 3]
    for name, header, of_pair in (
        ("clicks", "", lambda at: ""),
        ("counts", ",count", lambda at: f",{1 + at % 7}"),
        ("equal", ",rating", lambda at: ",4"),
        ("ratings", ",rating", lambda at: f",{1 + at % 5}"),
    ):
        rows = [f"{user},{item}{of_pair(at)}\n" for at, (user, item) in enumerate(pairs)]
        (tmp_path / f"{name}.csv").write_text(f"user,item{header}\n" + "".join(rows))
    return tmp_path


def test_a_hyperparameter_of_choices_needs_no_algorithm_for_clicks(cli, folder):
    assert cli("train", "clicks.csv", *QUICK, "--unobserved-weight", 0.1).code == 0
    assert FunkSVD.load("model.funksvd").hyperparameters.unobserved_weight == 0.1


def test_a_hyperparameter_of_choices_is_refused_for_ratings(error_of, folder):
    message = error_of("train", "ratings.csv", *QUICK, "--unobserved-weight", 0.1)
    assert "--unobserved-weight is for --algorithm 'ials' only, not for 'sgd'" in message


def test_its_range_is_checked_before_anything_is_read(error_of, folder):
    message = error_of("train", "nothing.csv", "--unobserved-weight", 1e30)
    assert "--unobserved-weight must be at most 1e+06" in message


@pytest.mark.parametrize("file", ["clicks.csv", "equal.csv"])
def test_an_option_for_ratings_is_refused_with_the_reason(error_of, folder, file):
    message = error_of("train", file, "--no-choice")
    assert f"{file} has no ratings that differ, so that a choice model is learned" in message
    assert "'ials' learns a choice model and nothing else; leave --choice out" in message
    message = error_of("train", file, "--algorithm", "sgd")
    assert f"--algorithm sgd learns from ratings that differ, and {file} has none" in message


def test_a_test_part_of_other_ids_is_warned_of(cli, folder):
    (folder / "other.csv").write_text("user,item\nann,thing\nbob,thing\n")
    result = cli("train", "clicks.csv", "--test", "other.csv", *QUICK)
    assert result.code == 0
    assert "Warning: the model was not tested: other.csv: no user has a relevant item" in result.err


@pytest.mark.parametrize("file", ["clicks.csv", "counts.csv", "equal.csv"])
def test_lists_of_a_model_without_ratings_are_explained(cli, folder, file):
    cli("train", file, *QUICK)
    for who in (("--user", 1), ("--rate", 1), ("--rate", "1=3")):
        result = cli("recommend", *who, "--explain", "-n", 2)
        assert result.code == 0
        assert "score" in result.out


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_that_is_none_is_refused(cli, error_of, folder, count):
    cli("train", "counts.csv", *QUICK)
    message = error_of("recommend", "--rate", f"1={count}")
    assert f"more than 0, not {count}" in message
