"""scripts/compare_optimizers.py: a line for each, a picture, and all epochs as JSON."""

import json
import subprocess
import sys


def test_one_command_compares_them(root, tmp_path):
    wanted = ["sgd", "adam:500", "momentum:full"]
    command = [
        sys.executable, root / "scripts" / "compare_optimizers.py", root / "data" / "ratings.csv",
        "--optimizers", *wanted, "--schedules", "cyclic", "--n-factors", "3", "--n-epochs", "4",
        "--plot", tmp_path / "all.png", "--json", tmp_path / "all.json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    title, _, _, *lines = done.stdout.splitlines()
    assert title.startswith("18,036 ratings, 3 factors; ")
    report = json.loads((tmp_path / "all.json").read_text())
    assert [run["name"] for run in report] == [*wanted, "cyclic"]
    assert [run["kind"] for run in report] == ["optimizer"] * 3 + ["schedule"]
    for line, run in zip(lines, report, strict=True):
        best = min(run["epochs"], key=lambda record: record["valid_rmse"])
        assert line.split()[:4] == [run["kind"], run["name"], "4", str(best["epoch"])]
        assert line.split()[5] == f"{best['valid_rmse']:.4f}"
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")


def test_what_does_not_go_together_is_said(root):
    command = [
        sys.executable, root / "scripts" / "compare_optimizers.py", root / "data" / "ratings.csv",
        "--optimizers", "--schedules", "cyclic", "--patience", "2",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("patience (2) must be at least cycle_epochs (4)")
