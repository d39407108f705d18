"""`funksvd compare`."""

import json
import os
import re
import shutil

import pytest

from funksvd import FunkSVD, hold_out, read_ratings
from funksvd.evaluation import compare_models

OTHER = ("-k", "8", "--n-epochs", "12", "--learning-rate", "0.1", "-q")


@pytest.fixture(scope="module")
def other_models(trained_folder, tmp_path_factory):
    """Models that were trained otherwise: as long, with another test part, with no test part."""
    from funksvd_cli.main import run

    folder = tmp_path_factory.mktemp("others")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained_folder)
        for name, options in (
            ("better", ()),
            ("other-test", ("--seed", "3")),
            ("no-test", ("--test-fraction", "0")),
            ("no-seen", ("--no-seen",)),
        ):
            path = str(folder / f"{name}.funksvd")
            assert run(["train", "ratings.csv", *OTHER, *options, "-o", path]) == 0
    return folder


@pytest.fixture
def models(here, other_models):
    """The current folder, with all of these models in it."""
    for path in other_models.iterdir():
        shutil.copy(path, here)
    return here


def tables(out):
    """Rows of both tables by their first cell, each by the labels of its columns."""
    rows, header = {}, []
    for line in out.splitlines():
        cells = re.split(r" {3,}", line)
        if cells[1:3] == ["A", "B"]:
            header = cells[1:]
        elif len(cells) == 6:
            rows[cells[0]] = dict(zip(header, cells[1:], strict=True))
    return rows


@pytest.fixture
def reference(models):
    def compared(a="model.funksvd", b="better.funksvd", **options):
        test = hold_out(read_ratings("ratings.csv")).test
        return compare_models(FunkSVD.load(a), FunkSVD.load(b), test, **options)

    return compared


def test_the_test_part_of_both_is_what_they_are_compared_on(cli, models, reference):
    result = cli("compare", "model.funksvd", "better.funksvd", "-n", 5, "--relevant-from", 3)
    assert (result.code, result.err) == (0, "")
    ref = reference(n_best=5, relevant_from=3)
    shown = tables(result.out)
    assert list(shown) == [
        *("RMSE", "MAE", "NDCG", "precision", "recall", "MAP", "MRR", "hit rate")
    ]
    for label, found in (("RMSE", ref.errors["rmse"]), ("NDCG", ref.ranking.metrics["ndcg"])):
        low, high = found.interval
        assert shown[label] == {
            "A": f"{found.a:.4f}",
            "B": f"{found.b:.4f}",
            "B - A": f"{found.difference:+.4f}",
            "95% interval": f"{low:+.4f} to {high:+.4f}",
            "verdict": {
                "better": "B is better",
                "worse": "B is worse",
                "undecided": "no difference that could not be chance",
            }[found.verdict],
        }
    assert shown["RMSE"]["verdict"] == "B is better"
    assert "\nA: model.funksvd (Funk SVD, 4 factors)\nB: better.funksvd (Funk SVD, 8" in result.out
    assert "1,990 test ratings " in result.out
    assert "Relevant: a test rating of at least 3; what was not rated is not" in result.out
    assert f"{ref.ranking.n_users:,} users count" in result.out
    assert "Left out" not in result.out


def test_the_verdict_turns_round_with_the_models(cli, models):
    shown = tables(cli("compare", "better.funksvd", "model.funksvd").out)
    assert shown["RMSE"]["verdict"] == "B is worse"
    shown = tables(cli("compare", "model.funksvd", "model.funksvd").out)
    assert {row["verdict"] for row in shown.values()} == {"no difference that could not be chance"}


def test_a_comparison_as_json(cli, models, reference):
    arguments = ("compare", "model.funksvd", "better.funksvd", "--seed", 3, "--json")
    result = cli(*arguments)
    assert (result.code, result.err) == (0, "")
    plain = json.loads(result.out)
    assert plain == {
        "a": {"path": "model.funksvd", "title": "Funk SVD, 4 factors"},
        "b": {"path": "better.funksvd", "title": "Funk SVD, 8 factors"},
        **reference(seed=3).to_dict(),
    }
    assert plain["errors"]["rmse"]["b_is"] == "better"
    assert cli(*arguments, "--threads", 1).out == result.out


def test_what_a_model_has_learned_from_is_left_out_and_counted(cli, models, reference):
    """Of the ratings that both were trained on, the test part is left."""
    given = cli("compare", "model.funksvd", "better.funksvd", "ratings.csv")
    assert (given.code, given.err) == (0, "")
    assert "Left out: 18,010 test pairs that a model has learned from\n" in given.out
    assert tables(given.out) == tables(cli("compare", "model.funksvd", "better.funksvd").out)
    plain = json.loads(
        cli("compare", "model.funksvd", "other-test.funksvd", "ratings.csv", "--json").out
    )
    assert plain["n_pairs"] + plain["n_learned"] == 20_000
    assert 100 < plain["n_pairs"] < 300  # in the test part of both


def test_the_test_part_is_known_again_in_a_file_that_has_grown(cli, models):
    """The other model was trained on a file with more rows, and the same test pairs."""
    before = tables(cli("compare", "model.funksvd", "better.funksvd").out)
    with open("ratings.csv", "a") as file:
        file.write("77777,88888,3,0\n")
    assert cli("update", "better.funksvd", "ratings.csv", "-q").code == 0
    after = cli("compare", "model.funksvd", "better.funksvd")
    assert (after.code, after.err) == (0, "")
    assert after.out.count("1,990 test ratings") == 1
    assert tables(after.out)["RMSE"]["A"] == before["RMSE"]["A"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            "model.funksvd other-test.funksvd",
            "were trained with different test parts: one may have learned what the other is tested "
            "on; name a file of test ratings: funksvd compare model.funksvd other-test.funksvd RAT",
        ),
        ("model.funksvd no-test.funksvd", "no-test.funksvd: the model was trained on all ratings"),
        ("no-test.funksvd model.funksvd", "no-test.funksvd: the model was trained on all ratings"),
        ("model.funksvd no-seen.funksvd", "train it again, without --no-seen"),
        ("model.funksvd no-test.funksvd ratings.csv", "have learned from all of its 20,000 pairs"),
        ("model.funksvd", "Missing argument 'MODEL_B'"),
        ("model.funksvd ratings.csv", "ratings.csv"),
        ("model.funksvd better.funksvd --sep ;", "of RATINGS only"),
        ("model.funksvd better.funksvd -n 0", "0 is not in the range x>=1"),
        (
            "model.funksvd better.funksvd --relevant-from user-mean",
            "'user-mean' is neither a rating nor liked or all",
        ),
        ("model.funksvd better.funksvd --by popularity", "'popularity' is not one of"),
    ],
)
def test_what_cannot_be_compared_says_why(error_of, models, arguments, expected):
    assert expected in error_of("compare", *arguments.split())


def test_without_the_ratings_of_the_models_a_file_has_to_be_named(cli, error_of, models):
    os.rename("ratings.csv", "elsewhere.csv")
    assert "RATINGS" in error_of("compare", "model.funksvd", "better.funksvd")
    assert cli("compare", "model.funksvd", "better.funksvd", "elsewhere.csv").code == 0


def test_rankings_are_chosen(cli, models, reference):
    for by in ("both", "choice", "rating"):
        result = cli("compare", "model.funksvd", "better.funksvd", "--by", by)
        assert (result.code, result.err) == (0, "")
        ndcg = reference(by=by).ranking.metrics["ndcg"]
        assert tables(result.out)["NDCG"]["A"] == f"{ndcg.a:.4f}"
        assert f"Lists by {by}; best of 300 items that both models know" in result.out


def test_without_relevant_items_errors_alone_are_shown(cli, models):
    result = cli("compare", "model.funksvd", "better.funksvd", "--relevant-from", 9)
    assert (result.code, result.err) == (0, "")
    assert list(tables(result.out)) == ["RMSE", "MAE"]
    assert "Lists are not compared: no user has a relevant item" in result.out
