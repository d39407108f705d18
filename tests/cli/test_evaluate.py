"""`funksvd evaluate`."""

import io
import json
import os
import re
import shlex
import shutil

import numpy as np
import pandas as pd
import pytest
from printed import figures, ranking_tables

from funksvd import FunkSVD, evaluate_ranking, hold_out, read_clicks, read_ratings


def test_without_arguments_the_figures_are_those_that_train_printed(cli, here, quick):
    trained = cli("train", "ratings.csv", *quick)
    result = cli("evaluate")
    assert (result.code, result.err) == (0, "")
    assert figures(result.out) == figures(trained.out)
    assert figures(result.out)[4].startswith("Unknown to the model: the user of ")
    assert "\x1b" not in result.out


@pytest.mark.parametrize("options", [("--test", "b.csv"), ("--test", "b.csv", "--valid", "c.csv")])
def test_given_parts_are_found_again(cli, here, quick, options):
    header, *lines = (here / "ratings.csv").read_text().splitlines()
    for name, part in (("a", lines[:15_000]), ("b", lines[15_000:18_000]), ("c", lines[18_000:])):
        (here / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
    trained = cli("train", "a.csv", *options, *quick)
    result = cli("evaluate")
    assert result.code == 0, result.err
    assert figures(result.out) == figures(trained.out)
    assert figures(result.out)[0].startswith("3,000 test ratings")


def test_json_is_one_object_with_all_figures(cli, here):
    result = cli("evaluate", "--json")
    assert (result.code, result.err) == (0, "")
    plain = json.loads(result.out)
    model = FunkSVD.load("model.funksvd")
    holdout = hold_out(read_ratings("ratings.csv"))
    ref = model.evaluate(holdout.test, training=holdout.all_but_test)
    assert plain == {"model": "model.funksvd", **ref.to_dict()}
    assert plain["rmse_interval"][0] < plain["rmse"] < plain["rmse_interval"][1]
    assert plain["baselines"].keys() == {"global_mean", "regularized_biases"}


def test_quiet_prints_the_result_only(cli, here):
    assert cli("evaluate", "--quiet").out.splitlines() == figures(cli("evaluate").out)[:4]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: text.rsplit("\n", 2)[0] + "\n", "have changed"),
        (lambda text: text.replace("\n", "\n1,299,1.5,0\n", 1), "have changed"),
        (lambda text: text.replace(",4.0,", ",4.5,", 1), "have changed"),
        (None, "no longer there"),
    ],
    ids=["one less", "one more", "another", "gone"],
)
def test_changed_ratings_stop_it(error_of, here, change, expected):
    text = (here / "ratings.csv").read_text()
    if change is None:
        os.unlink("ratings.csv")
    else:
        assert change(text) != text
        (here / "ratings.csv").write_text(change(text))
    message = error_of("evaluate")
    assert "ratings.csv" in message
    assert expected in message
    assert "funksvd evaluate model.funksvd RATINGS" in message


def test_ratings_that_were_appended_change_nothing(cli, here):
    ref = cli("evaluate").out
    with open("ratings.csv", "a", encoding="utf-8") as file:
        file.write("1,299,1.5,0\n7777,8888,1,0\n")
    assert cli("evaluate").out == ref


def test_a_moved_folder_and_another_current_folder(cli, here, tmp_path, monkeypatch):
    ref = figures(cli("evaluate").out)
    shutil.move(here, tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    result = cli("evaluate", "moved/model.funksvd")
    assert result.code == 0, result.err
    assert figures(result.out) == ref


def test_a_model_trained_on_everything_has_no_test_part(cli, error_of, here, quick):
    cli("train", "ratings.csv", "-q", "--test-fraction", 0, *quick)
    message = error_of("evaluate")
    assert "trained on all ratings and has no test part" in message
    assert "funksvd evaluate model.funksvd RATINGS" in message


def test_a_model_trained_from_standard_input(cli, error_of, here, quick, monkeypatch):
    raw = io.BytesIO((here / "ratings.csv").read_bytes())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(raw))
    cli("train", "-", "-q", *quick)
    message = error_of("evaluate")
    assert "did not come from a file" in message
    assert "funksvd evaluate model.funksvd RATINGS" in message
    # The same ratings from a file: their test part is known, wherever they are now.
    same = cli("evaluate", "model.funksvd", "ratings.csv")
    assert same.code == 0
    assert "testing on the part set aside" in same.out
    assert figures(same.out)[0].startswith("1,990 test ratings")
    (here / "new.csv").write_text("user,item,rating\n1,2,3\n2,3,4\n")
    other = cli("evaluate", "model.funksvd", "new.csv")
    assert "No baselines: the model's training ratings cannot be read again" in other.out
    assert "biases only" not in other.out


def test_a_file_that_was_moved_is_still_tested_honestly(cli, here):
    as_trained = figures(cli("evaluate").out)
    (here / "ratings.csv").rename(here / "elsewhere.csv")
    moved = cli("evaluate", "model.funksvd", "elsewhere.csv")
    assert "The model was trained on this file: testing on the part set aside" in moved.out
    assert figures(moved.out) == as_trained
    assert moved.err == ""


def test_a_model_saved_from_python_does_not_know_its_file(error_of, here, sample):
    FunkSVD(n_factors=2, n_epochs=1).fit(sample).save("python.funksvd")
    message = error_of("evaluate", "python.funksvd")
    assert "does not record which ratings" in message
    assert "funksvd evaluate python.funksvd RATINGS" in message


def test_any_file_can_be_scored(cli, here):
    (here / "new.csv").write_text("who;what;stars\n1;299;3\n2;298;4\n3;297;2.5\n99999;296;1\n")
    columns = ("--user-col", "who", "--item-col", "what", "--rating-col", "stars", "--sep", ";")
    result = cli("evaluate", "model.funksvd", "new.csv", *columns)
    assert result.code == 0, result.err
    lines = figures(result.out)
    assert lines[0].startswith("4 test ratings ")
    assert lines[2].startswith("biases only ")
    assert lines[4] == "Unknown to the model: the user of 25.00% and the item of 0.00% of them"


def test_scoring_what_was_learned_is_warned_of(cli, here):
    header, *lines = (here / "ratings.csv").read_text().splitlines()
    (here / "half.csv").write_text("\n".join([header, *lines[:10_000]]))
    result = cli("evaluate", "model.funksvd", "half.csv")
    assert result.code == 0
    assert re.search(r"Warning: the model was trained on (89|90|91)\.\d% of these", result.err)


def test_ids_that_do_not_match_at_all_are_warned_of_loudly(cli, here):
    (here / "new.csv").write_text("user,item,rating\nu1,i1,3\nu2,i2,4\n")
    result = cli("evaluate", "model.funksvd", "new.csv")
    assert result.code == 0
    assert "Warning: the model knows none of the users in these ratings" in result.err
    assert "Warning: the model knows none of the items in these ratings" in result.err
    assert (
        json.loads(cli("evaluate", "model.funksvd", "new.csv", "--json").out)["unknown_users"] == 1
    )


def test_many_unknown_ids_are_warned_of(cli, here):
    (here / "new.csv").write_text("user,item,rating\n1,900,3\n2,901,4\n3,299,1\n")
    assert "does not know the item of 67%" in cli("evaluate", "model.funksvd", "new.csv").err


def test_how_to_read_says_nothing_about_the_recorded_file(error_of, here):
    assert "RATINGS only" in error_of("evaluate", "--sep", ";")


def test_a_bad_file_is_one_error(error_of, here):
    (here / "bad.csv").write_text("user,item,rating\n1,2,x\n")
    assert "bad.csv" in error_of("evaluate", "model.funksvd", "bad.csv")


# -- ranking -----------------------------------------------------------------------------------


LABELS = {
    "both": "by both",
    "choice": "by choice",
    "rating": "by rating",
    "most_popular": "most popular",
    "regularized_biases": "biases only",
}


@pytest.fixture
def reference(here):
    """What `evaluate_ranking` finds for the model, with given options."""

    def evaluated(**options):
        holdout = hold_out(read_ratings("ratings.csv"))
        model = FunkSVD.load("model.funksvd")
        return evaluate_ranking(model, holdout.test, training=holdout.all_but_test, **options)

    return evaluated


def test_all_recommenders_stand_side_by_side(cli, here, reference):
    result = cli("evaluate", "--ranking", "-n", 5, "--relevant-from", 3.5)
    assert (result.code, result.err) == (0, "")
    assert figures(result.out) == figures(cli("evaluate").out)
    table, rest = ranking_tables(result.out)
    ref = reference(n_best=5, relevant_from=3.5)
    assert list(table) == [LABELS[name] for name in ref.recommenders]
    for name, quality in ref.recommenders.items():
        low, high = quality.intervals["ndcg"]
        assert table[LABELS[name]] == {
            "NDCG": f"{quality.means.ndcg:.4f}",
            "95% interval": f"{low:.4f} to {high:.4f}",
            "precision": f"{quality.means.precision:.4f}",
            "recall": f"{quality.means.recall:.4f}",
            "MAP": f"{quality.means.map:.4f}",
            "MRR": f"{quality.means.mrr:.4f}",
            "hit rate": f"{quality.means.hit_rate:.4f}",
            "coverage": f"{quality.coverage:.4f}",
            "Gini": f"{quality.gini:.4f}",
            "novelty": f"{quality.novelty:.4f}",
            "similarity": f"{quality.intra_list_similarity:.4f}",
        }
    assert "\n5 best items " in result.out
    assert "Relevant: a test rating of at least 3.5; what was not rated is not" in rest
    assert rest[-1].startswith(f"{ref.n_users:,} users count; left out: ")


@pytest.mark.parametrize(
    ("rule", "least", "said"),
    [
        ("liked", 3.875, "a test rating of at least 3.875; what was not rated is not"),
        ("user-mean", "user-mean", "a test rating of at least the mean of the user's training"),
        ("all", "all", "the item of each test pair; what is not in the test is not"),
    ],
)
def test_what_is_relevant_is_said(cli, here, reference, rule, least, said):
    assert f"Relevant: {said}" in cli("evaluate", "--relevant-from", rule).out
    plain = json.loads(cli("evaluate", "--relevant-from", rule, "--json").out)
    assert plain["ranking"] == reference(relevant_from=rule).to_dict()
    assert plain["ranking"]["relevant_from"] == least
    assert plain["ranking"]["n_best"] == 10
    assert plain["rmse"] > 0


def test_items_are_relevant_that_people_like_unless_said_otherwise(cli, here):
    plain = json.loads(cli("evaluate", "--ranking", "--json").out)
    assert plain["ranking"]["relevant_from"] == 3.875  # of 0.5 to 5


def test_ranking_of_a_model_whose_training_ratings_are_gone(cli, error_of, here):
    lines = (here / "ratings.csv").read_text().splitlines()
    (here / "new.csv").write_text("\n".join([lines[0], *(f"{u},{u + 7},5,0" for u in range(99))]))
    os.unlink("ratings.csv")
    arguments = ("evaluate", "model.funksvd", "new.csv", "--relevant-from")
    assert "--relevant-from" in error_of(*arguments, "user-mean")
    table, _ = ranking_tables(cli(*arguments, 4).out)
    assert list(table) == ["by both", "by choice", "by rating", "most popular"]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_figures_of_each_user_are_written(cli, here, reference, suffix):
    result = cli("evaluate", "--per-user", f"users.{suffix}")
    assert (result.code, result.err) == (0, "")
    ref = reference()
    assert f"Wrote users.{suffix} ({5 * ref.n_users:,} rows)" in result.out
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}
    table = read[suffix](f"users.{suffix}")
    assert list(table)[:3] == ["user", "recommender", "precision"]
    for name, quality in ref.recommenders.items():
        part = table[table["recommender"] == name]
        assert part["user"].tolist() == ref.user_ids.tolist()
        np.testing.assert_allclose(part[list(table)[2:]].to_numpy().T, quality.figures, rtol=1e-6)


def test_a_file_for_each_user_is_checked_before_the_work(error_of, here):
    assert "must end in .csv, .parquet or .json" in error_of("evaluate", "--per-user", "users.txt")
    shutil.copy("model.funksvd", "model.csv")
    for name, message in (("ratings.csv", "ratings that the model"), ("model.csv", "is a model")):
        before = (here / name).read_bytes()
        assert message in error_of("evaluate", "--per-user", name)
        assert (here / name).read_bytes() == before


# -- without ratings ---------------------------------------------------------------------------


@pytest.fixture
def clicks(here):
    """A model of choices, and the pairs that it has learned from and is tested on."""
    rows = [line.split(",")[:2] for line in (here / "ratings.csv").read_text().splitlines()]
    (here / "clicks.csv").write_text("".join(f"{user},{item}\n" for user, item in rows))
    holdout = hold_out(read_clicks("clicks.csv"))
    model = FunkSVD(algorithm="ials", n_factors=4).fit(holdout.training)
    model.remember_origin(holdout)
    model.save("clicks.funksvd")
    return evaluate_ranking(model, holdout.test, training=holdout.all_but_test)


def test_a_model_that_predicts_no_ratings_is_tested_by_its_lists(cli, here, clicks):
    result = cli("evaluate", "clicks.funksvd")
    assert (result.code, result.err) == (0, "")
    table, rest = ranking_tables(result.out)
    assert list(table) == ["by choice", "most popular"]
    assert "Relevant: the item of each test pair; what is not in the test is not" in rest
    assert "RMSE" not in result.out
    for arguments in ((), ("clicks.csv",)):
        plain = json.loads(cli("evaluate", "clicks.funksvd", *arguments, "--json").out)
        assert plain == {"model": "clicks.funksvd", "ranking": clicks.to_dict()}


def test_on_pairs_without_ratings_lists_are_tested(cli, here, clicks):
    result = cli("evaluate", "model.funksvd", "clicks.csv")
    assert (result.code, result.err) == (0, "")
    table, _ = ranking_tables(result.out)
    assert list(table) == list(LABELS.values())
    assert "RMSE" not in result.out


# -- what does not go together -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            "ratings.csv",
            "Error: ratings.csv is no model. To learn from it and test: funksvd cross-",
        ),
        ("--relevant-from x", "'x' is neither a rating nor liked, user-mean or all"),
        ("model.funksvd --n-factors 3", "--n-factors goes with funksvd train and funksvd cross-"),
        ("-k5", "-k goes with funksvd train and funksvd cross-validate: a model that is there"),
        ("--no-refit", "--no-refit goes with funksvd train"),
        ("--last 2", "--last goes with"),
    ],
)
def test_what_does_not_go_together_is_refused(error_of, here, arguments, expected):
    assert expected in error_of("evaluate", *arguments.split())


def test_an_option_that_nobody_has_is_no_such_option(error_of, here):
    assert "No such option '--foldz'" in error_of("evaluate", "--foldz", "5")


@pytest.mark.parametrize(
    ("arguments", "instead"),
    [
        ("ratings.csv --folds 5", ""),
        ("ratings.csv -k 4 --folds=2 --seed 3 --ranking --json", ""),
        ("'my ratings.csv' --folds 3", ""),
        ("ratings.csv --split per-user --folds 2", ""),
        ("ratings.csv --split per-user", " --folds 1"),
        ("ratings.csv --split=by-time --test-fraction 0.2", " --folds 1"),
        ("--fold a.csv b.csv --fold b.csv a.csv -k 4", ""),
        ("model.funksvd --folds 5", ""),
    ],
)
def test_cross_validation_is_named_with_what_was_given(error_of, here, arguments, instead):
    message = error_of("evaluate", *shlex.split(arguments))
    command = f"funksvd cross-validate {arguments}{instead}"
    assert f"cross-validation has a command of its own: {command}\n" in message


def test_the_command_that_is_named_does_what_was_asked_for(cli, error_of, here, quick):
    asked = ("ratings.csv", "--split", "random", "--test-fraction", "0.2", *quick)
    named = error_of("evaluate", *asked).rpartition("funksvd ")[2]
    plain = json.loads(cli(*shlex.split(named), "--json").out)
    assert [fold["n_ratings"] for fold in plain["folds"]] == [3_988]  # a single fold, as before
