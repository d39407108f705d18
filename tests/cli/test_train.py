"""`funksvd train`."""

import io
import json
import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from funksvd import FunkSVD, Ratings
from funksvd.training import Monitor

EPOCH_LINE = re.compile(r" +\d+ +\d\.\d{4} +\d\.\d{4} +0\.\d{5} +\d+\.\d\d( \*)?")


@pytest.fixture
def folder(root, tmp_path, monkeypatch):
    """A current folder with ratings.csv and nothing else."""
    (tmp_path / "ratings.csv").write_bytes((root / "data" / "ratings.csv").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def split_by_hand(folder):
    """Three files out of one: a.csv, b.csv and c.csv, with headers."""
    header, *lines = (folder / "ratings.csv").read_text().splitlines()
    for name, part in (("a", lines[:16_000]), ("b", lines[16_000:18_000]), ("c", lines[18_000:])):
        (folder / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")


def test_what_a_person_sees(cli, folder, quick):
    result = cli("train", "ratings.csv", "--reg", 0.05, *quick)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].startswith("Read ratings.csv: comma-separated, header, columns user item")
    assert lines[1].startswith("20,000 ratings from 0.5 to 5; ")
    assert lines[2] == "Set aside 1,990 ratings for the test"
    assert lines[3] == "Learning from 17,120 ratings, 890 to decide when to stop"
    assert lines[5] == "epoch   train RMSE   valid RMSE   learning rate   seconds   * best so far"
    assert all(EPOCH_LINE.fullmatch(line) for line in lines[6:10]), lines[6:10]
    assert re.fullmatch(r"Best epoch: \d \(\d+\.\d s\)", lines[11])
    assert re.fullmatch(r"Training again on all 18,010 ratings for \d epochs?", lines[12])
    assert lines[13] == "Learning which items people come to, from the same 18,010 pairs"
    assert re.fullmatch(r"Saved model\.funksvd \(0\.\d MB\)", lines[14])
    assert lines[16].split()[:4] == ["1,990", "test", "ratings", "RMSE"]
    assert lines[17].startswith("Funk SVD, 4 factors   ")
    assert lines[18].startswith("biases only   ")
    assert lines[19].startswith("mean of all ratings   ")
    of_lists = r"Lists of 10: NDCG 0\.\d{4}, of the most popular items 0\.\d{4}"
    assert re.fullmatch(of_lists, lines[21])
    assert lines[23] == "Next: funksvd recommend --user 1"
    assert "\x1b" not in result.out
    assert "\r" not in result.out
    assert not any(line.endswith(" ") for line in lines)
    assert max(map(len, lines[1:])) <= 80
    assert sorted(os.listdir(folder)) == ["model.funksvd", "ratings.csv"]


def test_less_regularization_is_tried_aloud(cli, folder, quick):
    lines = cli("train", "ratings.csv", *quick).out.splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("Learning from")]
    assert len(starts) > 1
    why = lines[starts[1] - 2]
    pattern = (
        r"Only (\d\d)% of the variance is left: again with regularization (0\.\d+), not (0\.\d+)"
    )
    share, reg, tried = map(float, re.fullmatch(pattern, why).groups())
    assert 20 < share < 65
    assert reg < 0.85 * tried
    assert sum(line.startswith("Training again on all") for line in lines) == 1


def test_it_is_said_where_less_was_no_better(cli, folder, quick, monkeypatch):
    monkeypatch.setattr("funksvd.training.search.reg_factor", lambda unexplained, gain: 1e-4)
    lines = cli("train", "ratings.csv", *quick, "-k", 64).out.splitlines()
    (why,) = (line for line in lines if "again with regularization" in line)
    tried = why.rsplit(maxsplit=1)[1]
    kept = lines.index(f"That did no better: regularization {tried} is kept")
    assert lines[kept + 1].startswith("Training again on all")


def test_the_best_epoch_has_a_star(cli, folder):
    options = ("-k", 64, "--reg", 0, "--learning-rate", 0.1, "--n-epochs", 30)
    lines = cli("train", "ratings.csv", *options).out.splitlines()
    epochs = [line for line in lines if EPOCH_LINE.fullmatch(line)]
    stars = [int(line.split()[0]) for line in epochs if line.endswith("*")]
    assert len(stars) < len(epochs) < 30  # it stopped early
    best = int(re.search(r"Best epoch: (\d+)", "\n".join(lines))[1])
    assert stars[-1] == best
    valid = [float(line.split()[2]) for line in epochs]
    assert min(valid) == valid[best - 1]


def test_feature_by_feature(cli, folder):
    result = cli("train", "ratings.csv", "--algorithm", "incremental", "-k", 4, "--n-epochs", 30)
    assert (result.code, result.err) == (0, "")
    head = "feature   train RMSE   valid RMSE   learning rate   seconds   * best so far"
    lines = result.out.splitlines()
    start = lines.index(head) + 1
    assert all(EPOCH_LINE.fullmatch(line) for line in lines[start : start + 4])
    best = int(re.findall(r"^Best number of features: (\d) \(", result.out, re.MULTILINE)[-1])
    assert f"Training again on all 18,010 ratings for {best} feature" in result.out
    assert f"Funk SVD, a feature at a time, {best} factors" in result.out
    assert f"Funk SVD, a feature at a time, {best} factors" in cli("evaluate").out
    assert FunkSVD.load("model.funksvd").user_factors.any(axis=0).sum() == best


def test_json_is_one_object_and_nothing_else(cli, folder, quick):
    result = cli("train", "ratings.csv", "--json", "-o", "m.funksvd", *quick)
    assert (result.code, result.err) == (0, "")
    summary = json.loads(result.out)
    assert summary["model"] == "m.funksvd"
    assert summary["n_ratings"] == 18_010
    assert summary["hyperparameters"]["n_factors"] == 4
    assert summary["refitted"] is True
    assert summary["interrupted"] is False
    assert [record["epoch"] for record in summary["history"]] == [1, 2, 3, 4]
    valid = [record["valid_rmse"] for record in summary["history"]]
    assert summary["best_epoch"] == 1 + int(np.argmin(valid))
    test = summary["test"]
    assert test["n_ratings"] == 1990
    assert test["rmse_interval"][0] < test["rmse"] < test["rmse_interval"][1]
    assert test["rmse"] < test["baselines"]["regularized_biases"]["rmse"]
    assert (
        test["baselines"]["regularized_biases"]["rmse"] < test["baselines"]["global_mean"]["rmse"]
    )


def test_quiet_prints_the_result_only(cli, folder, quick):
    result = cli("train", "ratings.csv", "--quiet", *quick)
    assert (result.code, result.err) == (0, "")
    assert result.out.split()[:4] == ["1,990", "test", "ratings", "RMSE"]
    assert len(result.out.splitlines()) == 4
    everything = cli("train", "ratings.csv", "--quiet", "--test-fraction", 0, *quick)
    assert everything == (0, "", "")
    FunkSVD.load("model.funksvd")


def test_the_test_part_is_never_seen(cli, folder, quick, monkeypatch):
    shown = []
    fit = FunkSVD.fit

    def spy(model, ratings, *args, **options):
        shown.append((ratings, options.get("validation")))
        return fit(model, ratings, *args, **options)

    monkeypatch.setattr(FunkSVD, "fit", spy)
    held = []
    evaluate = FunkSVD.evaluate
    monkeypatch.setattr(
        FunkSVD,
        "evaluate",
        lambda model, test, **options: held.append(test) or evaluate(model, test, **options),
    )
    cli("train", "ratings.csv", *quick)
    [(training, validation)], [test] = shown, held
    assert validation is None
    assert len(training) == 18_010
    pairs = [
        set(zip(r.user_index.tolist(), r.item_index.tolist(), strict=True))
        for r in (training, test)
    ]
    assert not pairs[0] & pairs[1]
    assert sum(map(len, pairs)) == 20_000


def test_given_parts(cli, folder, quick):
    split_by_hand(folder)
    result = cli("train", "a.csv", "--test", "b.csv", "--valid", "c.csv", *quick)
    assert result.code == 0, result.err
    assert "Learning from 16,000 ratings, 2,000 to decide when to stop" in result.out
    assert "Training again on all 18,000 ratings" in result.out
    assert "2,000 test ratings" in result.out
    assert "Set aside" not in result.out
    assert [line.split(":")[0] for line in result.out.splitlines() if line[:4] == "Read"] == [
        "Read a.csv",
        "Read b.csv",
        "Read c.csv",
    ]


def test_several_files_are_one_set(cli, folder, quick):
    split_by_hand(folder)
    cli("train", "ratings.csv", "-q", *quick)
    assert cli("train", "a.csv", "b.csv", "c.csv", "-q", "-o", "m2.funksvd", *quick).code == 0
    ref, comp = FunkSVD.load("model.funksvd"), FunkSVD.load("m2.funksvd")
    np.testing.assert_array_equal(comp.user_factors, ref.user_factors)


@pytest.mark.parametrize("option", ["--test", "--valid"])
def test_a_given_part_that_is_learned_too_is_refused(error_of, folder, quick, option):
    split_by_hand(folder)
    assert "2,000 of 2,000" in error_of("train", "ratings.csv", option, "b.csv", *quick)
    assert not os.path.exists("model.funksvd")


def test_a_test_part_of_other_ids_is_warned_of_loudly(cli, folder, quick):
    (folder / "other.csv").write_text("user,item,rating\nann,thing,3\nbob,thing,4\n")
    result = cli("train", "ratings.csv", "--test", "other.csv", *quick)
    assert result.code == 0
    assert "Warning: the model knows none of the users" in result.err
    assert "Warning: the model knows none of the items" in result.err


def test_without_a_test_part(cli, folder, quick):
    result = cli("train", "ratings.csv", "--test-fraction", 0, *quick)
    assert result.code == 0
    assert "No test: all of them are learned from" in result.out
    assert "Training again on all 20,000 ratings" in result.out
    assert "test ratings" not in result.out
    assert (
        json.loads(cli("train", "ratings.csv", "--test-fraction", 0, "--json", *quick).out)["test"]
        is None
    )


def test_refit_and_no_refit(cli, folder, quick):
    runs = {}
    for option in ("--refit", "--no-refit"):
        assert cli("train", "ratings.csv", "-q", option, *quick).code == 0
        runs[option] = FunkSVD.load("model.funksvd")
    assert (runs["--refit"].refitted, runs["--refit"].n_ratings) == (True, 18_010)
    assert (runs["--no-refit"].refitted, runs["--no-refit"].n_ratings) == (False, 17_120)
    assert runs["--refit"].best_epoch == runs["--no-refit"].best_epoch


def test_without_a_validation_part_all_epochs_are_run(cli, folder, quick):
    result = cli("train", "ratings.csv", "--valid-fraction", 0, *quick)
    lines = [line for line in result.out.splitlines() if re.match(r" +\d+ +\d\.\d{4} ", line)]
    assert [line.split()[2] for line in lines] == ["-"] * 4
    assert "Training again" not in result.out


def test_options_reach_the_model(cli, folder):
    options = {
        "n_factors": 3, "n_epochs": 4, "learning_rate": 0.02, "learning_rate_decay": 0.9,
        "reg": 0.2, "bias_reg": 0.3, "init_std": 0.04, "patience": 7, "ensemble": 2, "seed": 5,
        "algorithm": "sgd", "bias_learning_rate": 0.03, "schedule": "cyclic", "cycle_epochs": 2,
        "plateau_epochs": 3, "optimizer": "adam", "batch_size": 64, "loss": "squared",
        "huber_delta": 0.7, "n_groups": 2,
    }  # fmt: skip
    flags = [
        part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)
    ]
    extra = ("--no-biases", "--no-refit", "--no-choice", "--valid-fraction", 0.2)
    extra = (*extra, "--ensemble-snapshots", "--no-days")
    assert cli("train", "ratings.csv", "-q", *flags, *extra).code == 0
    model = FunkSVD.load("model.funksvd")
    switched = {"biases": False, "refit": False, "ensemble_snapshots": True, "nonnegative": False}
    switched |= {"choice": False, "days": False, "unobserved_weight": None}
    expected = {**options, **switched, "validation_fraction": 0.2}
    assert model.get_params() == {**expected, "n_threads": None}
    assert model.global_mean == 0


def test_threads_do_not_change_a_byte_and_the_seed_does(cli, folder, quick):
    files = []
    for options in (("--threads", 1), ("--threads", 2), ("--seed", 1)):
        assert cli("train", "ratings.csv", "-q", *options, *quick).code == 0
        files.append((folder / "model.funksvd").read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_no_seen_makes_the_file_smaller(cli, folder, quick):
    cli("train", "ratings.csv", "-q", *quick)
    cli("train", "ratings.csv", "-q", "--no-seen", "-o", "small.funksvd", *quick)
    assert os.path.getsize("small.funksvd") < os.path.getsize("model.funksvd") - 18_000 * 4
    assert FunkSVD.load("small.funksvd").seen is None


def test_standard_input(cli, folder, quick, monkeypatch):
    raw = io.BytesIO((folder / "ratings.csv").read_bytes())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(raw))
    result = cli("train", "-", *quick)
    assert result.code == 0, result.err
    assert "20,000 ratings" in result.out


def test_bad_rows_are_counted_and_the_first_shown(cli, folder, quick):
    with open("ratings.csv", "a") as file:
        file.write("1,,3,0\n" + "2,3,good,0\n")
    result = cli("train", "ratings.csv", "--on-bad-rows", "skip", *quick)
    assert result.code == 0
    assert "Warning: 2 of 20,002 rows were skipped:" in result.err
    assert "line 20002" in result.err
    assert "line 20003" in result.err


def test_repeated_pairs_are_counted(cli, folder, quick):
    lines = (folder / "ratings.csv").read_text().splitlines()
    with open("ratings.csv", "a") as file:
        file.write("\n".join(lines[1:4]) + "\n")
    assert "3 ratings repeated a (user, item) pair" in cli("train", "ratings.csv", *quick).out


BAD_FILES = {
    "missing": (None, "no such file"),
    "empty": ("", "empty"),
    "header only": ("user,item,rating\n", "header"),
    "one column": ("user\n1\n2\n", "column"),
    "no items": ("user,rating\n1,2\n2,3\n", "item"),
    "ratings or not": ("user,item,points\n1,2,3\n2,3,4\n", "--rating-col none"),
    "a word": ("user,item,rating\n1,2,3\n1,3,good\n", "line 3"),
    "NaN": ("user,item,rating\n1,2,nan\n", "line 2"),
    "infinity": ("user,item,rating\n1,2,inf\n", "line 2"),
    "no id": ("user,item,rating\n,2,3\n", "line 2"),
}


@pytest.mark.parametrize(("text", "expected"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_input_is_one_error_and_leaves_no_model(
    error_of, tmp_path, monkeypatch, text, expected
):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "bad.csv").write_text(text)
    message = error_of("train", "bad.csv", "--test-fraction", 0)
    assert "bad.csv" in message
    assert expected in message
    assert not os.path.exists("model.funksvd")


def test_equal_ratings_that_are_said_to_be_ratings_teach_nothing(error_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("user,item,rating\n1,2,3\n2,2,3\n2,3,3\n")
    message = error_of("train", "bad.csv", "--rating-col", "rating", "--test-fraction", 0)
    assert "bad.csv" in message
    assert "--rating-col" in message
    assert not os.path.exists("model.funksvd")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--n-factors", 0, "--n-factors"),
        ("--n-epochs", 0, "--n-epochs"),
        ("--learning-rate", "nan", "--learning-rate"),
        ("--learning-rate", -1, "--learning-rate"),
        ("--reg", -1, "--reg"),
        ("--seed", -1, "--seed"),
        ("--patience", 0, "--patience"),
        ("--test-fraction", 1, "--test-fraction"),
        ("--valid-fraction", -0.1, "--valid-fraction"),
        ("--threads", 0, "--threads"),
        ("--n-factors", "many", "--n-factors"),
        ("--encoding", "klingon", "klingon"),
    ],
)
def test_a_value_out_of_range_is_an_error_before_anything_is_read(
    error_of, tmp_path, monkeypatch, option, value, expected
):
    monkeypatch.chdir(tmp_path)
    message = error_of("train", "not-there.csv", option, value)
    assert expected in message
    assert "not-there.csv" not in message


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nowhere/m.funksvd", "does not exist"),
        (".", "is a folder"),
        ("", "is a folder"),
        ("pipe", "not a regular file"),
    ],
)
def test_a_bad_place_for_the_model_is_found_before_training(error_of, folder, path, expected):
    os.mkfifo("pipe")
    message = error_of("train", "not-there.csv", "-o", path)
    assert "-o" in message
    assert expected in message


def test_a_folder_that_cannot_be_written_to(error_of, folder, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("funksvd.atomic._create", refuse)  # the superuser may write anywhere
    assert "model.funksvd cannot be written: Permission denied" in error_of("train", "not-there")


def test_a_save_that_fails_exits_with_1(error_of, folder, quick, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("funksvd.learned.storage.files.write", full)
    message = error_of("train", "ratings.csv", *quick, code=1)
    assert "model.funksvd: cannot write the model: No space left on device" in message
    assert os.listdir(folder) == ["ratings.csv"]


def test_divergence_is_said_and_mended(cli, folder):
    result = cli("train", "ratings.csv", "-k", 4, "--n-epochs", 2, "--learning-rate", 30)
    assert result.code == 0
    assert "Warning: epoch 1 diverged; starting it again with a learning rate of 15" in result.err


def test_hopeless_divergence_exits_with_1(error_of, folder):
    message = error_of("train", "ratings.csv", "-k", 4, "--learning-rate", 1e30, code=1)
    assert "diverges" in message
    assert not os.path.exists("model.funksvd")


def interrupt_after(n_epochs, purpose):
    """A `Monitor.epoch_done` that is like Ctrl-C in the epoch after this one."""

    def epoch_done(monitor, record, is_best):
        if monitor.purpose == purpose and record.epoch == n_epochs:
            raise KeyboardInterrupt

    return epoch_done


@pytest.mark.parametrize("purpose", ["search", "refit"])
def test_an_interrupt_keeps_the_best_epoch(cli, folder, quick, monkeypatch, purpose):
    from funksvd_cli.progress import TrainingProgress

    monkeypatch.setattr(TrainingProgress, "epoch_done", interrupt_after(2, purpose))
    result = cli("train", "ratings.csv", *quick)
    assert result.code == 130
    model = FunkSVD.load("model.funksvd")
    assert f"Warning: interrupted; keeping epoch {model.best_epoch}, the best" in result.err
    assert model.refitted is False
    assert "Saved model.funksvd" in result.out
    assert "1,990 test ratings" in result.out
    assert json.loads(cli("train", "ratings.csv", "--json", *quick).out)["interrupted"] is True


def test_an_interrupt_before_the_first_epoch_saves_nothing(cli, folder, quick, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Monitor, "ratings_done", interrupt)
    monkeypatch.setattr("funksvd_cli.progress.TrainingProgress.ratings_done", interrupt)
    result = cli("train", "ratings.csv", *quick)
    assert (result.code, result.err.strip()) == (130, "Interrupted.")
    assert os.listdir(folder) == ["ratings.csv"]


def test_the_next_step_can_be_pasted(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    users = [f"a b{n}" for n in generator.integers(0, 9, 200)]
    ratings = Ratings.from_arrays(users, generator.integers(0, 30, 200), generator.random(200))
    ratings.to_pandas().to_csv("r.csv", index=False)
    result = cli("train", "r.csv", "-k", 2, "--n-epochs", 2, "-o", "my model.funksvd")
    assert "Next: funksvd recommend --user 'a b0' --model 'my model.funksvd'" in result.out
    assert cli("recommend", "--user", "a b0", "--model", "my model.funksvd").code == 0


def test_nothing_but_a_model_is_overwritten(error_of, cli, folder, quick):
    before = (folder / "ratings.csv").read_bytes()
    assert "is read by this command too" in error_of("train", "ratings.csv", "-o", "./ratings.csv")
    (folder / "notes.txt").write_text("precious")
    assert "is not a model" in error_of("train", "ratings.csv", "-o", "notes.txt")
    assert (folder / "notes.txt").read_text() == "precious"
    assert (folder / "ratings.csv").read_bytes() == before
    for _ in range(2):  # a model, or an empty file, may be
        assert cli("train", "ratings.csv", "-o", "m.funksvd", *quick).code == 0


def test_a_named_pipe_is_not_recorded_as_a_file(cli, error_of, folder, quick):
    os.mkfifo(folder / "pipe")
    content = (folder / "ratings.csv").read_bytes()
    writer = threading.Thread(target=(folder / "pipe").write_bytes, args=(content,))
    writer.start()
    assert cli("train", "pipe", "-q", *quick).code == 0
    writer.join()
    assert "did not come from a file" in error_of("evaluate")


def test_a_model_that_loses_against_biases_is_not_praised(cli, folder):
    result = cli("train", "ratings.csv", "-k", 4, "--n-epochs", 1, "--learning-rate", 0.0001)
    assert "the model is no better than biases alone" in result.err


def test_a_doubt_comes_before_the_next_command(folder):
    command = ["train", "ratings.csv", "-k", "4", "--n-epochs", "1", "--learning-rate", "0.0001"]
    text = subprocess.run(
        [sys.executable, "-m", "funksvd", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    ).stdout
    places = [text.index(part) for part in ("Unknown to the model", "no better than", "Next:")]
    assert places == sorted(places)


def test_escape_codes_in_ids_do_not_reach_the_terminal(error_of, cli, folder, quick):
    lines = (folder / "ratings.csv").read_text().replace("\n", "\n\x1b]0;gotcha\x07u")
    (folder / "odd.csv").write_text(lines.rsplit("\n", 1)[0] + "\n")
    assert "\x1b" not in cli("train", "odd.csv", *quick).out
    assert "\x1b" not in error_of("recommend", "--user", "x")


def test_interactions_for_svd_plus_plus_without_the_pairs_of_the_test(cli, folder, quick):
    from funksvd import hold_out, read_ratings

    rows = (folder / "ratings.csv").read_text().splitlines()
    pairs = [",".join(row.split(",")[:2]) for row in rows]
    (folder / "pairs.csv").write_text("\n".join(pairs) + "\n")
    options = ("train", "ratings.csv", "--algorithm", "svd++", *quick)
    out = {}
    for name in ("pairs.csv", None):
        given = ("--interactions", name) if name else ()
        result = cli(*options, *given, "--json")
        assert result.code == 0
        out[name] = json.loads(result.out)
    n_test = len(hold_out(read_ratings("ratings.csv")).test)
    text = cli(*options, "--interactions", "pairs.csv").out
    assert f"{len(rows) - 1 - n_test:,} pairs of a user and an item" in text
    assert out["pairs.csv"]["test"]["rmse"] == out[None]["test"]["rmse"]  # the test taught nothing
    assert out[None]["hyperparameters"]["algorithm"] == "svd++"


def test_interactions_that_are_gone_stop_an_update_and_nothing_else(cli, error_of, folder, quick):
    rows = (folder / "ratings.csv").read_text().splitlines()
    (folder / "pairs.csv").write_text("\n".join([rows[0], *rows[5:50]]))
    (folder / "new.csv").write_text("\n".join([rows[0], "1,2,3,0"]))
    given = ("--algorithm", "svd++", "--interactions", "pairs.csv")
    assert cli("train", "ratings.csv", *given, *quick).code == 0
    (folder / "pairs.csv").unlink()
    for command in ("evaluate", "recommend --user 1 --explain"):
        assert cli(*command.split()).code == 0
    assert "pairs.csv" in error_of("update", "model.funksvd", "new.csv")


def test_interactions_are_for_svd_plus_plus_only(cli, folder, quick):
    result = cli("train", "ratings.csv", "--interactions", "ratings.csv", *quick)
    assert result.code == 2
    assert (
        "--algorithm sgd has no use for interactions; "
        "--algorithm svd++ and --algorithm bayes++ learn from them"
    ) in result.err
