"""`funksvd evaluate`."""

import io
import json
import os
import re
import shutil

import numpy as np
import pytest

from funksvd import (
    FunkSVD,
    by_time,
    cross_validate,
    evaluate_ranking,
    hold_out,
    leave_last_out,
    per_user_folds,
    random_folds,
    read_ratings,
)


def figures(out):
    """The table of errors, without what is before and after it."""
    lines = out.splitlines()
    start = next(at for at, line in enumerate(lines) if "test ratings" in line and "RMSE" in line)
    return lines[start : start + 5]


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
        (lambda text: text + "1,299,1.5,0\n", "have changed"),
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
    assert "funksvd evaluate MODEL RATINGS" in message


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
    assert "funksvd evaluate MODEL RATINGS" in message
    # The same ratings from a file: their test part is known, wherever they are now.
    same = cli("evaluate", "model.funksvd", "ratings.csv")
    assert same.code == 0
    assert "testing on the part set aside" in same.out
    assert figures(same.out)[0].startswith("2,000 test ratings")
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


def ranking_table(out):
    """Cells by row label, and the lines after the table."""
    lines = out.splitlines()
    start = next(at for at, line in enumerate(lines) if "best items" in line)
    assert len({len(line) for line in lines[start : start + 7]}) == 1  # aligned
    rows = [re.split(r" {3,}", line.strip()) for line in lines[start : start + 8]]
    return {label: cells for label, *cells in rows}, lines[start + 8 :]


def test_ranking_stands_beside_other_recommenders(cli, here):
    result = cli("evaluate", "--ranking", "-n", 5, "--relevant-from", 3.5)
    assert (result.code, result.err) == (0, "")
    assert figures(result.out) == figures(cli("evaluate").out)
    table, rest = ranking_table(result.out)
    holdout = hold_out(read_ratings("ratings.csv"))
    ref = evaluate_ranking(
        FunkSVD.load("model.funksvd"),
        holdout.test,
        training=holdout.all_but_test,
        n_best=5,
        relevant_from=3.5,
    )
    header = ["Funk SVD, 4 factors", "95% interval", "most popular", "biases only"]
    assert table["5 best items"] == header
    low, high = ref.model.intervals["ndcg"]
    popular, biases = ref.baselines.values()
    assert table["NDCG"] == [
        f"{ref.model.means.ndcg:.4f}",
        f"{low:.4f} to {high:.4f}",
        f"{popular.means.ndcg:.4f}",
        f"{biases.means.ndcg:.4f}",
    ]
    assert table["coverage"] == [
        f"{quality.coverage:.4f}" for quality in (ref.model, popular, biases)
    ]
    labels = ["5 best items", "precision", "recall", "NDCG", "MAP", "MRR", "hit rate", "coverage"]
    assert list(table) == labels
    assert "Relevant: a test rating of at least 3.5; what was not rated is not" in rest
    assert rest[-1].startswith(f"{ref.n_users:,} users count; left out: ")


def test_what_is_relevant_is_said(cli, here):
    out = cli("evaluate", "--ranking").out
    assert "Relevant: a test rating of at least the mean of the user's training ratings" in out
    plain = json.loads(cli("evaluate", "--ranking", "--json").out)
    assert plain["ranking"]["relevant_from"] == "user mean"
    assert plain["ranking"]["n_best"] == 10
    assert plain["rmse"] > 0


def test_ranking_of_a_model_whose_training_ratings_are_gone(cli, error_of, here):
    lines = (here / "ratings.csv").read_text().splitlines()
    (here / "new.csv").write_text("\n".join([lines[0], *(f"{u},{u + 7},5,0" for u in range(99))]))
    os.unlink("ratings.csv")
    assert "--relevant-from" in error_of("evaluate", "model.funksvd", "new.csv", "--ranking")
    arguments = ("evaluate", "model.funksvd", "new.csv", "--ranking", "--relevant-from", 4)
    table, _ = ranking_table(cli(*arguments).out)
    assert table["10 best items"] == ["Funk SVD, 4 factors", "95% interval"]


# -- cross-validation --------------------------------------------------------------------------


def test_folds_are_shown_as_a_table(cli, here, quick):
    result = cli("evaluate", "ratings.csv", "--folds", 3, *quick)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("fold "))
    header, *folds, mean, std, biases = lines[start : start + 7]
    columns = ["learned from", "tested on", "RMSE", "MAE", "epochs", "training s", "testing s"]
    assert re.split(r" {2,}", header) == ["fold", *columns]
    ref = cross_validate(
        FunkSVD(n_factors=4, n_epochs=4, learning_rate=0.1),
        random_folds(read_ratings("ratings.csv"), 3),
    )
    for number, (line, fold) in enumerate(zip(folds, ref.folds, strict=True), start=1):
        assert line.split()[:5] == [
            str(number),
            f"{fold.n_training:,}",
            f"{fold.evaluation.n_ratings:,}",
            f"{fold.evaluation.rmse:.4f}",
            f"{fold.evaluation.mae:.4f}",
        ]
    assert mean.split()[:1] + mean.split()[3:5] == [
        "mean",
        f"{ref.mean['rmse']:.4f}",
        f"{ref.mean['mae']:.4f}",
    ]
    assert std.split()[:3] == ["std", f"{ref.std['rmse']:.4f}", f"{ref.std['mae']:.4f}"]
    biases_rmse = ref.mean["baselines"]["regularized_biases"]["rmse"]
    assert biases.split()[:3] == ["biases", "only", f"{biases_rmse:.4f}"]
    at = header.index("RMSE") + len("RMSE")
    assert all(line[at - 6 : at].strip().startswith("0.") for line in (*folds, mean, std, biases))
    assert lines[start + 7].startswith("Unknown to the models: ")


def test_cross_validation_as_json(cli, here, quick):
    arguments = ("evaluate", "ratings.csv", "--folds", 2, "--seed", 3, "--ranking", "--json")
    result = cli(*arguments, *quick)
    assert (result.code, result.err) == (0, "")
    plain = json.loads(result.out)
    assert plain["split"] == "random"
    assert plain["hyperparameters"]["n_factors"] == 4
    folds = random_folds(read_ratings("ratings.csv"), 2, seed=3)
    ref = FunkSVD(n_factors=4, n_epochs=4, learning_rate=0.1, seed=3).fit(folds[1].training)
    assert plain["folds"][1]["rmse"] == ref.evaluate(folds[1].test).rmse
    rmses = [fold["rmse"] for fold in plain["folds"]]
    assert plain["mean"]["rmse"] == pytest.approx(sum(rmses) / 2)
    assert plain["std"]["rmse"] == pytest.approx(abs(rmses[0] - rmses[1]) / 2**0.5)
    assert plain["mean"]["ranking"]["baselines"]["most_popular"]["ndcg"] > 0
    assert plain["folds"][0]["training_seconds"] > 0


def test_quiet_cross_validation_prints_the_tables_only(cli, here, quick):
    result = cli("evaluate", "ratings.csv", "--folds", 2, "--ranking", "-q", *quick)
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines[:6]] == ["fold", "1", "2", "mean", "std", "biases"]
    table, rest = ranking_table(result.out)
    assert table["10 best items"] == ["mean", "std", "most popular", "biases only"]
    assert rest == []


@pytest.mark.parametrize(
    ("options", "cut"),
    [
        (("--split", "random"), lambda r: random_folds(r, 1)),
        (
            ("--split", "per-user", "--test-fraction", 0.3),
            lambda r: per_user_folds(r, 1, fraction=0.3),
        ),
        (("--split", "per-user", "--folds", 2), lambda r: per_user_folds(r, 2)),
        (("--split", "leave-last-out", "--last", 2), lambda r: leave_last_out(r, 2)),
        (("--split", "leave-last-out", "--folds", 2), lambda r: leave_last_out(r, n_folds=2)),
        (("--split", "by-time", "--test-fraction", 0.2), lambda r: by_time(r, 0.2)),
        (("--split", "by-time", "--folds", 3), lambda r: by_time(r, 0.1, n_folds=3)),
    ],
)
def test_each_way_to_split(cli, here, options, cut, quick):
    plain = json.loads(cli("evaluate", "ratings.csv", *options, *quick, "--json").out)
    folds = cut(read_ratings("ratings.csv"))
    sizes = [(fold["n_training"], fold["n_ratings"]) for fold in plain["folds"]]
    assert sizes == [(len(training), len(test)) for training, test in folds]
    ref = FunkSVD(n_factors=4, n_epochs=4, learning_rate=0.1).fit(folds[-1].training)
    assert plain["folds"][-1]["rmse"] == ref.evaluate(folds[-1].test).rmse
    assert plain["split"] == options[1]
    assert plain["remarks"] == list(folds.remarks)


def test_a_single_split_looks_like_a_test(cli, here, quick):
    trained = cli("train", "ratings.csv", *quick)
    result = cli("evaluate", "ratings.csv", "--split", "random", *quick)
    assert figures(result.out) == figures(trained.out)
    assert "Learned from 18,000 ratings, " in result.out
    remarked = cli(
        "evaluate", "ratings.csv", "--split", "per-user", "--test-fraction", 0.01, *quick
    )
    assert "too few ratings to be tested: they are learned from" in remarked.out


def test_given_folds(cli, error_of, here, quick):
    header, *lines = (here / "ratings.csv").read_text().splitlines()
    for name, part in (("a", lines[:10_000]), ("b", lines[10_000:])):
        (here / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
    arguments = ("--fold", "a.csv", "b.csv", "--fold", "b.csv", "a.csv")
    plain = json.loads(cli("evaluate", *arguments, *quick, "--json").out)
    assert plain["split"] == "given"
    model = FunkSVD(n_factors=4, n_epochs=4, learning_rate=0.1)
    a, b = read_ratings("a.csv"), read_ratings("b.csv")
    refs = [model.fit(training).evaluate(test).rmse for training, test in ((a, b), (b, a))]
    assert [fold["rmse"] for fold in plain["folds"]] == refs
    message = error_of("evaluate", "--fold", "a.csv", "b.csv", "--fold", "a.csv", "ratings.csv")
    assert "fold 2 of 2: ratings.csv" in message
    assert "not honest" in message


def test_cross_validation_leaves_no_file_behind(cli, here, quick):
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    cli("evaluate", "ratings.csv", "--folds", 2, *quick)
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_doubts_about_the_folds_are_said(cli, here):
    lines = [f"{user},{item},{1 + (user + item) % 5},{user}" for user, item in np.ndindex(60, 3)]
    (here / "waves.csv").write_text("\n".join(["user,item,rating,timestamp", *lines]))
    result = cli("evaluate", "waves.csv", "--split", "by-time", "-k", 2)
    assert "Warning: the model knows none of the users in these ratings" in result.err
    unlearned = ("--n-epochs", 1, "--learning-rate", 1e-6)
    result = cli("evaluate", "ratings.csv", "--folds", 2, "-k", 4, *unlearned)
    assert "Warning: the model is no better than biases alone" in result.err


def test_doubts_are_about_the_mean_of_the_folds(cli, here, quick):
    """One fold whose users are unknown, and one that leaves no doubt."""
    header, *lines = (here / "ratings.csv").read_text().splitlines()
    parts = {"a": lines[:10_000], "b": lines[10_000:], "c": ["u1,i1,3,0", "u2,i2,4,0", "u3,i3,5,0"]}
    for name, part in parts.items():
        (here / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
    folds = ("--fold", "a.csv", "b.csv", "--fold", "a.csv", "c.csv")
    assert "the model does not know the item of 5" in cli("evaluate", *folds, *quick).err
    assert "Warning" not in cli("evaluate", *folds, "--fold", "b.csv", "a.csv", *quick).err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("ratings.csv",), "Error: ratings.csv is no model. To learn from it and test: funksvd"),
        (("model.funksvd", "ratings.csv", "--folds", 2), "model.funksvd is a model; with --folds"),
        (("--folds", 2), "RATINGS are missing"),
        (("--fold", "a", "b", "ratings.csv"), "--fold names its files itself"),
        (("--fold", "a", "b", "--folds", 2), "--folds does not go with --fold"),
        (("--n-factors", 3), "--n-factors goes with --folds, --split or --fold"),
        (("--no-refit",), "--refit goes with --folds"),
        (("-n", 3), "-n goes with --ranking"),
        (("--relevant-from", 3), "--relevant-from goes with --ranking"),
        (("ratings.csv", "--split", "random", "--last", 2), "--last goes with --split leave-last"),
        (
            ("ratings.csv", "--split", "leave-last-out", "--test-fraction", 0.2),
            "--test-fraction does not go with leave-last-out; give --last",
        ),
        (("ratings.csv", "--folds", 3, "--test-fraction", 0.2), "which share all ratings"),
        (("ratings.csv", "--folds", 2, "-k", 0), "n_factors must be a whole number"),
        (("ratings.csv", "--folds", 30_000), "has no ratings to test on"),
        (("ratings.csv", "--split", "by-time", "--timestamp-col", "none"), "no timestamps"),
        (("nosuch.csv", "--folds", 2), "nosuch.csv"),
    ],
)
def test_what_does_not_go_together_is_refused(error_of, here, arguments, expected):
    assert expected in error_of("evaluate", *arguments)
