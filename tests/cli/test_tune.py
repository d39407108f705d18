"""`funksvd tune`."""

import json
import os
import re
import shlex
import signal
import sys

import pytest

from funksvd import FunkSVD, Monitor, TuningMonitor, read_ratings, tune
from funksvd.splitting import hold_out

ROW = re.compile(r" +(\d+) +(\d\.\d{4}|stopped) .* +\d+(-\d+)? +\d+\.\d\d( \*)?")


@pytest.fixture
def folder(root, tmp_path, monkeypatch):
    """A current folder with ratings.csv and nothing else."""
    lines = (root / "data" / "ratings.csv").read_text().splitlines(keepends=True)
    (tmp_path / "ratings.csv").write_text("".join(lines[:6001]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


QUICK = ("-k", "4", "--n-epochs", "4", "--trials", "4")


def test_what_a_person_sees(cli, folder):
    result = cli("tune", "ratings.csv", *QUICK)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0].startswith("Read ratings.csv: comma-separated, header, columns user item")
    assert lines[1].startswith("6,000 ratings from 0.5 to 5; ")
    assert lines[2] == "Set aside 581 ratings for the test"
    assert lines[3] == "Trial 0 is that of the defaults; * the best one so far"
    assert " ".join(lines[5].split()) == "trial valid RMSE rate decay reg bias reg epochs seconds"
    assert all(ROW.fullmatch(line) for line in lines[6:10]), lines[6:10]
    assert [line.split()[0] for line in lines[6:10]] == ["0", "1", "2", "3"]
    assert lines[6].endswith(" *")
    assert " ".join(lines[11].split()) == "trial valid RMSE change rate decay reg bias reg"
    rmses = [float(line.split()[1]) for line in lines[12:16]]
    assert rmses == sorted(rmses)
    assert next(line for line in lines[12:16] if "default" in line).split()[2] == "+0.00%"
    assert lines[16] == "Of 4 trials, on 3 validation parts"
    assert lines[-1].startswith("funksvd train ratings.csv --n-factors 4 --n-epochs 4")
    assert "\x1b" not in result.out
    assert not any(line.endswith(" ") for line in lines)
    assert max(map(len, lines[1:-1])) <= 80
    assert max(map(len, lines[5:16])) <= 80 - len("  factors")  # which are fixed here
    assert os.listdir(folder) == ["ratings.csv"]


def test_the_command_trains_the_model_that_was_found(cli, folder):
    found = json.loads(cli("tune", "ratings.csv", "--json", "--seed", "3", *QUICK).out)
    best = found["best"]
    assert best != found["defaults"]
    program, *arguments = shlex.split(found["command"])
    assert program == "funksvd"
    trained = json.loads(cli(*arguments, "--json").out)
    assert min(record["valid_rmse"] for record in trained["history"]) == best["values"][0]
    assert trained["hyperparameters"].items() >= best["hyperparameters"].items()
    assert trained["best_epoch"] == best["epochs"][0]
    assert trained["test"]["n_ratings"] == len(hold_out(read_ratings("ratings.csv"), seed=3).test)


def test_the_defaults_may_be_best(cli, folder):
    options = ("-k", "4", "--n-epochs", "4", "--trials", "1")
    result = cli("tune", "ratings.csv", *options)
    assert result.code == 0
    assert result.out.splitlines()[-2:] == [
        "The defaults are best",
        "funksvd train ratings.csv --n-factors 4 --n-epochs 4",
    ]


def test_json_is_one_object_with_all_figures(cli, folder):
    result = cli("tune", "ratings.csv", "--json", *QUICK)
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    holdout = hold_out(read_ratings("ratings.csv"))
    ref = tune(FunkSVD(n_factors=4, n_epochs=4), holdout.training, n_trials=4, fixed=["n_factors"])
    for trial in (*found["trials"], found["defaults"], found["best"]):
        trial.pop("seconds")
    for trial, ref_trial in zip(found["trials"], ref.trials, strict=True):
        assert trial.items() <= vars(ref_trial).items()
    assert found["defaults"] == found["trials"][0]
    assert found["best"] == min(found["trials"], key=lambda trial: trial["value"])
    assert found["check"] == ref.check
    assert found["interrupted"] is False
    assert found["n_repeats"] == 3
    assert found["command"].startswith("funksvd train ratings.csv --n-factors 4 --n-epochs 4 --lea")


def test_quiet_prints_the_result_only(cli, folder):
    result = cli("tune", "ratings.csv", "--quiet", *QUICK)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert len(lines) == 6
    assert lines[0].split()[0] == "trial"
    assert lines[5].startswith("funksvd train ")


def test_the_test_part_is_never_seen(cli, folder, monkeypatch):
    fit, shown = FunkSVD.fit, []

    def spy(model, ratings, *args, **options):
        assert options.get("validation") is None
        shown.append(ratings)
        return fit(model, ratings, *args, **options)

    monkeypatch.setattr(FunkSVD, "fit", spy)
    monkeypatch.setattr(FunkSVD, "evaluate", None)  # would be a look at the test part
    command = cli("tune", "ratings.csv", "-q", "--seed", "2", *QUICK).out.splitlines()[-1]
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert len(shown) >= 4 * 3
    evaluate, tested = FunkSVD.evaluate, []
    monkeypatch.setattr(
        FunkSVD,
        "evaluate",
        lambda model, test, **options: tested.append(test) or evaluate(model, test, **options),
    )
    assert cli(*shlex.split(command)[1:]).code == 0  # tests on what tuning has not seen
    [tested] = tested
    assert len(tested) == len(hold_out(read_ratings("ratings.csv"), seed=2).test)
    test_pairs = pairs(tested)
    for ratings in shown:
        assert len(ratings) == 6000 - len(tested)
        assert not pairs(ratings) & test_pairs


def pairs(ratings):
    users, items = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
    return set(zip(users.tolist(), items.tolist(), strict=True))


def test_what_is_given_is_fixed_and_part_of_the_command(cli, folder):
    options = [
        "--reg",
        "0.05",
        "--sep",
        ",",
        "--no-biases",
        "--no-refit",
        "--valid-fraction",
        "0.2",
    ]
    result = cli("tune", "ratings.csv", "--json", "--repeats", "1", *options, *QUICK)
    found = json.loads(result.out)
    for trial in found["trials"]:
        assert trial["hyperparameters"].keys() == {"learning_rate", "learning_rate_decay"}
    words = shlex.split(found["command"])
    for word in options:
        assert words.count(word) == 1
    assert not {"--trials", "--repeats", "--json"} & set(words)
    trained = json.loads(cli(*words[1:], "--json").out)
    assert min(record["valid_rmse"] for record in trained["history"]) == found["best"]["value"]


def test_given_parts(cli, error_of, folder):
    header, *lines = (folder / "ratings.csv").read_text().splitlines()
    for name, part in (("a", lines[:5000]), ("b", lines[5000:5500]), ("c", lines[5500:])):
        (folder / f"{name}.csv").write_text("\n".join([header, *part]) + "\n")
    parts = ("--test", "b.csv", "--valid", "c.csv")
    found = json.loads(cli("tune", "a.csv", *parts, "--json", *QUICK).out)
    assert found["check"] is None
    words = shlex.split(found["command"])
    assert words[3:5] == ["--n-factors", "4"]
    trained = json.loads(cli(*words[1:], "--json").out)
    assert min(record["valid_rmse"] for record in trained["history"]) == found["best"]["values"][0]
    assert trained["test"]["n_ratings"] == 500
    message = error_of("tune", "ratings.csv", "--test", "b.csv", *QUICK)
    assert "a test on what was learned is not honest" in message


def test_a_study_is_gone_on_with(cli, folder):
    whole = cli("tune", "ratings.csv", "-q", *QUICK).out
    part = cli("tune", "ratings.csv", *QUICK, "--trials", "2", "--study", "s.journal")
    assert part.code == 0
    result = cli("tune", "ratings.csv", *QUICK, "--study", "s.journal")
    assert "Going on from 2 trials, the best of them 1." in result.out
    assert [line.split()[0] for line in result.out.splitlines() if ROW.fullmatch(line)] == [
        "2",
        "3",
    ]
    again = cli("tune", "ratings.csv", "-q", *QUICK, "--study", "s.journal")
    assert again.out == whole
    assert sorted(os.listdir(folder)) == ["ratings.csv", "s.journal"]


def test_a_study_of_another_test_part_is_refused(cli, error_of, folder):
    cli("tune", "ratings.csv", *QUICK, "--trials", "1", "--study", "s.journal")
    options = ("--test-fraction", "0.2", "--study", "s.journal")
    message = error_of("tune", "ratings.csv", *QUICK, *options)
    assert "s.journal: this study was made with other ratings, or without another test" in message


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nowhere/s", "does not exist"),
        (".", "is a folder"),
        ("pipe", "is not a regular file"),
        ("./ratings.csv", "is read by this command too"),
        ("notes", "not a study of `funksvd tune`"),
    ],
)
def test_a_bad_place_for_the_study(error_of, folder, path, expected):
    os.mkfifo("pipe")
    (folder / "notes").write_text("precious")
    before = (folder / "ratings.csv").read_bytes()
    message = error_of("tune", "ratings.csv", *QUICK, "--study", path)
    assert expected in message
    assert (folder / "notes").read_text() == "precious"
    assert (folder / "ratings.csv").read_bytes() == before


def test_a_full_disk_exits_with_1(error_of, folder, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("optuna.storages.journal.JournalFileBackend.append_logs", full)
    message = error_of("tune", "ratings.csv", *QUICK, "--study", "s.journal", code=1)
    assert "s.journal: the study cannot be kept: No space left on device" in message


def interrupt_at(number, monkeypatch):
    """Ctrl-C in the middle of a trial."""

    def trial_started(monitor, started):
        if started == number:
            send = lambda *args: signal.raise_signal(signal.SIGINT)  # noqa: E731
            monkeypatch.setattr(Monitor, "fit_started", send)

    monkeypatch.setattr("funksvd_cli.trials.TuningProgress.trial_started", trial_started)


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ((), "with --study FILE the search could be resumed"),
        (("--study", "s.journal"), "the same command resumes the search"),
    ],
)
def test_ctrl_c_shows_the_best_so_far(cli, folder, monkeypatch, options, remedy):
    ref = cli("tune", "ratings.csv", "-q", *QUICK, "--trials", "2").out
    interrupt_at(2, monkeypatch)
    result = cli("tune", "ratings.csv", "-q", *QUICK, *options)
    assert result.code == 130
    assert result.out == ref
    assert result.err == f"Warning: interrupted after 2 trials; {remedy}\n"


def test_ctrl_c_before_there_is_anything_to_show(cli, folder, monkeypatch):
    interrupt_at(0, monkeypatch)
    result = cli("tune", "ratings.csv", "-q", *QUICK)
    assert (result.code, result.out, result.err.strip()) == (130, "", "Interrupted.")


@pytest.mark.parametrize(
    ("check", "note", "warning"),
    [
        ((0.6, 0.5), "not choose it: 0.5000, the defaults 0.6000 (-16.67%)", ""),
        ((0.5, 0.6), "not choose it: 0.6000, the defaults 0.5000 (+20.00%)", "is chance: it does"),
        ((0.5, None), "", "on 3 other parts, which did not choose it, the best trial diverges"),
        ((None, 0.5), "not choose it: 0.5000, the defaults diverge", ""),
    ],
)
def test_how_the_best_one_does_where_it_was_not_chosen(
    cli, folder, monkeypatch, check, note, warning
):
    check = dict(zip(("defaults", "best"), check, strict=True))
    monkeypatch.setattr("funksvd.tuning.search._check", lambda *args: check)
    result = cli("tune", "ratings.csv", *QUICK)
    assert result.code == 0
    assert note in result.out
    assert warning in result.err
    assert bool(result.err) == bool(warning)


def test_without_optuna_there_is_a_remedy(error_of, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert 'installed from, pip install ".[tune]"' in error_of("tune", "ratings.csv", *QUICK)


def test_nothing_to_judge_by_is_said_before_reading(error_of, folder):
    message = error_of("tune", "not-there.csv", "--valid-fraction", "0", *QUICK)
    assert "there are no validation ratings" in message


@pytest.mark.parametrize("algorithm", ["bayes", "bayes++"])
def test_a_sampler_has_nothing_to_tune(error_of, folder, algorithm):
    message = error_of("tune", "not-there.csv", "--algorithm", algorithm)
    assert f"{algorithm} is a sampler, which has nothing to tune but" in message


def test_the_monitor_does_nothing_by_itself():
    monitor = TuningMonitor()
    assert (monitor.resumed([]), monitor.trial_started(0), monitor.trial_done(None)) == (None,) * 3
