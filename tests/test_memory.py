"""What training takes, in a process of its own."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

N_USERS, N_ITEMS, PER_USER = 50_000, 10_007, 100
N_RATINGS = N_USERS * PER_USER
N_FACTORS = 16

TRAIN = """
import sys
from funksvd_cli.main import main
sys.argv[0] = "funksvd"
try:
    main()
except SystemExit as exit:
    assert not exit.code
with open("/proc/self/status") as status:
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
print(peak, file=sys.stderr)
"""


def peak_mebibytes(folder, ratings):
    options = ["-k", str(N_FACTORS), "--n-epochs", "2", "-o", str(folder / "model"), "--quiet"]
    result = subprocess.run(
        [sys.executable, "-c", TRAIN, "train", str(ratings), *options],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
    )
    return int(result.stderr.splitlines()[-1]) / 1024


def write(path, n_users):
    users = np.repeat(np.arange(n_users), PER_USER)
    items = (users * 37 + np.tile(np.arange(PER_USER) * 97, n_users)) % N_ITEMS  # distinct: a prime
    stars = np.random.default_rng(0).integers(1, 6, len(users))
    pyarrow.csv.write_csv(pa.table({"user": users, "item": items, "rating": stars}), path)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_training_takes_at_most_32_bytes_a_rating_and_the_factors(tmp_path):
    write(tmp_path / "small.csv", 100)
    write(tmp_path / "large.csv", N_USERS)
    program = peak_mebibytes(tmp_path, tmp_path / "small.csv")  # Python and its libraries
    comp = peak_mebibytes(tmp_path, tmp_path / "large.csv") - program
    factors = (N_USERS + N_ITEMS) * (N_FACTORS + 1) * 4
    # The factors being learned, those of the best and of the last good epoch, and two for the way
    # in and out; and a constant for a segment of the file.
    budget = 32 * N_RATINGS + 5 * factors + 30e6
    # After that, the choice model is learned: its rows, and those on the way.
    choice_factors = (N_USERS + N_ITEMS) * 128 * 4
    budget += 2 * choice_factors
    assert comp * 2**20 < budget, f"{comp:.0f} MiB of {budget / 2**20:.0f}"
