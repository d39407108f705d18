"""`funksvd train --checkpoint`: what a person sees, and what a kill leaves."""

import os
import re
import signal
import subprocess
import sys

import pytest

from funksvd import Checkpoints
from funksvd_cli.checkpoints import Duration

KILLING = """
import os, signal, sys
from funksvd.training.checkpoints import RunCheckpoints
n, half_written = int(sys.argv[1]), sys.argv[2] == "half"
real, n_saved = RunCheckpoints.save, 0
def save(run, state, dump, **kind):
    global n_saved
    n_saved += 1
    def dump_and_die(write):
        dump(write)
        if n_saved == n and half_written:
            os.kill(os.getpid(), signal.SIGKILL)
    real(run, state, dump_and_die, **kind)
    if n_saved == n:
        os.kill(os.getpid(), signal.SIGKILL)
RunCheckpoints.save = save
from funksvd_cli.main import main
main(sys.argv[3:])
"""
EACH = ("--checkpoint", "there", "--checkpoint-every", "0")


@pytest.fixture
def folder(root, tmp_path, monkeypatch):
    """A current folder with ratings.csv and nothing else."""
    lines = (root / "data" / "ratings.csv").read_text().splitlines(keepends=True)
    (tmp_path / "ratings.csv").write_text("".join(lines[:4000]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kill_at(n, *arguments, half_written=False):
    """Train until checkpoint n is there, or all but there."""
    how = (str(n), "half" if half_written else "whole", "train", "ratings.csv", *EACH)
    command = [sys.executable, "-c", KILLING, *how, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == -signal.SIGKILL, result


@pytest.mark.parametrize(
    ("kills", "options"),
    [
        ((2, 3), ()),  # in the search; in the refit
        ((6, 4), ("--ensemble", 2)),
        ((13, 2), ("--reg", 0.05)),  # in the choice model
    ],
)
def test_a_killed_command_comes_to_the_same_file(cli, folder, quick, kills, options):
    quick = (*quick, *options)
    assert cli("train", "ratings.csv", *quick, "-o", "ref").code == 0
    for number, n in enumerate(kills):
        kill_at(n, *quick, *(("--resume",) if number else ()), half_written=bool(number))
    result = cli("train", "ratings.csv", *quick, *EACH, "--resume")
    assert result.code == 0, result
    assert "Going on after epoch" in result.out
    assert (folder / "model.funksvd").read_bytes() == (folder / "ref").read_bytes()
    assert sorted(os.listdir(folder)) == ["model.funksvd", "ratings.csv", "ref"]


def test_what_a_person_sees(cli, folder, quick):
    quick = (*quick, "--reg", 0.05)
    kill_at(3, *quick)
    result = cli("train", "ratings.csv", *quick, *EACH, "--resume")
    lines = result.out.splitlines()
    start = lines.index("Going on after epoch 3, from the checkpoint")
    assert lines[start - 1].startswith("epoch   train RMSE")
    assert lines[start + 1].split()[0] == "4"
    assert re.fullmatch(r"Best epoch: \d \(\d+\.\d s\)", lines[start + 3])
    result = cli("train", "ratings.csv", *quick, *EACH, "--resume")
    assert result.out.startswith("No checkpoint in there: training starts from the beginning\n")
    assert "Going on" not in result.out
    assert "checkpoint" not in cli("train", "ratings.csv", *quick, *EACH).out


def test_a_checkpoint_is_not_overlooked(error_of, cli, folder, quick):
    kill_at(3, *quick)
    message = error_of("train", "ratings.csv", *quick, *EACH, code=1)
    assert message == (
        "Error: there: a checkpoint is there already; go on from it with --resume, or remove it, "
        "or give another --checkpoint\n"
    )
    message = error_of("train", "ratings.csv", *quick, "-k", 5, *EACH, "--resume", code=1)
    assert message == (
        "Error: there: --n-factors was 4 when the checkpoint was made, and is 5 now; give what was "
        "given then, or another --checkpoint\n"
    )
    (folder / "ratings.csv").write_text((folder / "ratings.csv").read_text() + "1,1,1,1\n")
    message = error_of("train", "ratings.csv", *quick, *EACH, "--resume", code=1)
    assert "the checkpoint is one of other ratings" in message


def test_damage_and_a_second_run_end_it(error_of, folder, quick):
    kill_at(3, *quick)
    with Checkpoints("there", resume=True):
        message = error_of("train", "ratings.csv", *quick, *EACH, "--resume", code=1)
        assert f"Error: there: process {os.getpid()} keeps checkpoints there" in message
    (arrays,) = (folder / "there").glob("*.arrays")
    os.truncate(arrays, 100)
    message = error_of("train", "ratings.csv", *quick, *EACH, "--resume", code=1)
    assert message == (
        f"Error: there/{arrays.name} is damaged: remove there, and training starts from the "
        "beginning\n"
    )


def test_ctrl_c_saves_the_model_and_leaves_the_checkpoint(cli, folder, quick, monkeypatch):
    quick = (*quick, "--valid-fraction", 0)
    assert cli("train", "ratings.csv", *quick, "-o", "ref").code == 0
    with monkeypatch.context() as patch:
        from funksvd_cli.progress import TrainingProgress

        def ctrl_c(progress, record, is_best):
            if record.epoch == 3:
                os.kill(os.getpid(), signal.SIGINT)

        patch.setattr(TrainingProgress, "epoch_done", ctrl_c)
        result = cli("train", "ratings.csv", *quick, *EACH)
    assert result.code == 130
    assert re.search("keeping epoch [123], the best so far", result.err)
    assert "The checkpoint stays: the same command with --resume goes on from it" in result.out
    assert (folder / "model.funksvd").read_bytes() != (folder / "ref").read_bytes()
    result = cli("train", "ratings.csv", *quick, *EACH, "--resume")
    assert (result.code, "Going on after epoch 3" in result.out) == (0, True)
    assert (folder / "model.funksvd").read_bytes() == (folder / "ref").read_bytes()
    assert not (folder / "there").exists()


ENDING = """
import os, signal, sys
from funksvd_cli.progress import TrainingProgress
n_epochs = 0
def ratings_done(progress, n_ratings):
    if n_epochs == 3:
        os.kill(os.getpid(), signal.SIGTERM)
def epoch_done(progress, record, is_best):
    global n_epochs
    n_epochs += 1
TrainingProgress.ratings_done, TrainingProgress.epoch_done = ratings_done, epoch_done
from funksvd_cli.main import main
main(sys.argv[1:])
"""


def test_sigterm_leaves_the_checkpoint_of_the_last_epoch(cli, folder, quick):
    quick = (*map(str, quick), "--reg", "0.05")
    assert cli("train", "ratings.csv", *quick, "-o", "ref").code == 0
    command = [sys.executable, "-c", ENDING, "train", "ratings.csv", *quick, *EACH[:2]]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (143, "Terminated.\n")
    assert sorted(os.listdir(folder)) == ["ratings.csv", "ref", "there"]
    result = cli("train", "ratings.csv", *quick, *EACH[:2], "--resume")
    assert (result.code, "Going on after epoch 3" in result.out) == (0, True)
    assert (folder / "model.funksvd").read_bytes() == (folder / "ref").read_bytes()


def test_a_full_disk_is_warned_of(cli, folder, quick, monkeypatch):
    from funksvd import WriteError

    def full(path):
        raise WriteError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr("funksvd.training.places.replacing", full)
    result = cli("train", "ratings.csv", *quick, "--reg", 0.05, *EACH)
    assert result.code == 0
    warning = (
        "Warning: there/funksvd-0001-000001.arrays cannot be written: No space left on device; "
        "training goes on, and the checkpoint before is kept"
    )
    assert result.err.splitlines()[0] == warning
    assert sorted(os.listdir(folder)) == ["model.funksvd", "ratings.csv"]


def test_where_the_model_is_not_good_enough_the_checkpoint_goes_too(cli, folder, quick):
    assert cli("train", "ratings.csv", *quick, *EACH, "--max-rmse", 0.01).code == 1
    assert os.listdir(folder) == ["ratings.csv"]


def test_where_the_model_cannot_be_saved_the_checkpoint_stays(cli, folder, quick, monkeypatch):
    from funksvd import FunkSVD, WriteError

    def fail(model, path, **options):
        raise WriteError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(FunkSVD, "save", fail)
        assert cli("train", "ratings.csv", *quick, *EACH).code == 1
    result = cli("train", "ratings.csv", *quick, *EACH, "--resume")
    assert result.code == 0
    assert not re.search(r"^ +\d+ +\d\.\d{4} ", result.out, re.MULTILINE)  # no epoch was run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--resume",), "--resume needs --checkpoint"),
        (("--checkpoint-every", "5m"), "--checkpoint-every needs --checkpoint"),
        ((*EACH, "--algorithm", "bayes"), "--checkpoint does not go with --algorithm bayes"),
        (("--checkpoint", "there", "--checkpoint-every", "5"), "'5' is not a time such as 30s"),
    ],
)
def test_wrong_usage(options, message, error_of, folder):
    assert message in error_of("train", "no-such-file.csv", *options)
    assert os.listdir(folder) == ["ratings.csv"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1.5h", 5400), ("0", 0), ("0s", 0)]
)
def test_times(text, seconds):
    assert Duration().convert(text, None, None) == seconds
