"""True processes: on a terminal, and interrupted from outside."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios

import pytest

from funksvd import FunkSVD

FUNKSVD = [sys.executable, "-m", "funksvd"]
ENDLESS = ("--n-epochs", "1000000", "--patience", "1000000", "--learning-rate-decay", "1")


@pytest.fixture
def on_terminal():
    """Run a command on a terminal of `columns`; its exit code and all it has written."""

    def call(arguments, columns=80, stderr=None):
        main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm"}
        environment.pop("COLUMNS", None)
        process = subprocess.Popen(
            [*FUNKSVD, *arguments], stdin=side, stdout=side, stderr=stderr or side, env=environment
        )
        os.close(side)
        written = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # the other side is closed
                break
            if not part:
                break
            written += part
        os.close(main)
        return process.wait(), written.decode()

    return call


def plain(text):
    """Without control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_bar_appears_and_the_rest_stands(here, on_terminal, quick):
    code, written = on_terminal(["train", "ratings.csv", *quick, "--n-epochs", "40"])
    assert code == 0
    assert "━" in written
    assert "ratings/s" in written
    assert "left at most" in written
    last_bar = written.rindex("━")
    last_erasure = written.rindex("\x1b[2K")
    assert last_bar < last_erasure < written.index("Funk SVD, 4 factors")
    lines = plain(written).splitlines()
    assert sum(bool(re.match(r" +\d+ +\d\.\d{4} ", line)) for line in lines) >= 2
    assert any(line.startswith("Saved model.funksvd") for line in lines)


def test_warnings_stand_above_the_bar_or_go_to_their_file(here, on_terminal, quick, tmp_path):
    arguments = ["train", "ratings.csv", *quick, "--learning-rate", "30"]
    _, written = on_terminal(arguments)
    lines = plain(written).replace("\r", "\n").splitlines()
    warnings = [line for line in lines if "diverged" in line]
    assert len(warnings) > 1
    assert all(line.startswith("Warning: epoch 1 diverged") for line in warnings)
    with open(tmp_path / "errors", "w+") as file:
        _, written = on_terminal(arguments, stderr=file)
        file.seek(0)
        assert file.read().startswith("Warning: epoch 1 diverged")
    assert "diverged" not in written


def test_quiet_on_a_terminal(here, on_terminal, quick):
    code, written = on_terminal(["train", "ratings.csv", "-q", *quick])
    assert code == 0
    assert len(written.splitlines()) == 4  # the result, no bar


def test_long_titles_fit_a_narrow_terminal(here, on_terminal):
    (here / "titles.csv").write_text(
        "item,title\n" + "".join(f"{i},{'x' * 90}\n" for i in range(500))
    )
    code, written = on_terminal(["recommend", "--user", "1", "--items", "titles.csv"], columns=50)
    assert code == 0
    lines = plain(written).splitlines()
    assert len(lines) == 11
    assert {len(line) for line in lines} == {50}


def test_parquet_is_not_written_to_a_terminal(here, on_terminal):
    code, written = on_terminal(["recommend", "--user", "1", "--format", "parquet"])
    assert code == 2
    assert "Parquet is binary" in written


def test_a_terminal_that_is_closed_costs_no_model(here, quick):
    os.unlink("model.funksvd")
    main, side = pty.openpty()
    process = subprocess.Popen(
        [*FUNKSVD, "train", "ratings.csv", *quick], stdin=side, stdout=side, stderr=side
    )
    os.close(side)
    os.read(main, 1)
    os.close(main)
    assert process.wait(60) == 1
    assert FunkSVD.load("model.funksvd").is_fitted


def test_ctrl_c_saves_the_best_epoch_and_exits_with_130(here):
    os.unlink("model.funksvd")
    process = subprocess.Popen(
        [*FUNKSVD, "train", "ratings.csv", "-k", "8", *ENDLESS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if re.match(r" +30 ", line):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    best = int(re.search(r"interrupted; keeping epoch (\d+), the best so far", err)[1])
    assert "Traceback" not in err
    assert "Saved model.funksvd" in out
    model = FunkSVD.load("model.funksvd")
    assert model.best_epoch == best
    valid = [record.valid_rmse for record in model.history]
    assert valid[best - 1] == min(valid)
    assert subprocess.run([*FUNKSVD, "evaluate", "-q"], capture_output=True, check=True).stdout
