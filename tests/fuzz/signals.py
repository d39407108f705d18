"""Signals sent to `funksvd train`, many of them while it saves, and what must be true afterwards.

The old model or the new one is there, whole; a signal that can be handled leaves no other file, and
what a kill leaves is gone after the next save.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from funksvd import FunkSVD

N_USERS, N_ITEMS, N_RATINGS = 100_000, 5_000, 200_000
"""Numbers that make a model of 27 MB, which is saved for a while, of ratings that are few."""
CODES = {
    signal.SIGTERM: 143,
    signal.SIGHUP: 129,
    signal.SIGINT: 130,
    signal.SIGKILL: -signal.SIGKILL,
}
NOT_STARTED = "Fatal Python error: init_import_site"
"""Message of an interpreter that Ctrl-C has stopped before it could run anything of ours."""
AIMED = 0.7
"""Share of the signals that are sent at a save."""
LONGEST_AIM = 0.04
"""Seconds from the beginning of a save within which a signal is sent."""
MODEL, RATINGS = "model.funksvd", "ratings.csv"


@dataclass
class Shot:
    """A signal and what came of it.

    Parameters
    ----------
    number : int
        That of the signal.
    aimed : bool
        Whether it was to hit a save.
    hit : bool
        Whether the model was being saved when it was sent.
    code : int
        Exit code of the command; negative if a signal ended the process.
    leftovers : int
        Number of files that were left.
    wrong : str
        What is wrong; empty if nothing is.
    """

    number: int
    aimed: bool
    hit: bool = False
    code: int = 0
    leftovers: int = 0
    wrong: str = ""


class Range:
    """A folder with ratings and a model, in which training is shot at.

    Parameters
    ----------
    folder : Path
        An empty one.
    seed : int
        Same seed, same signals; their moments depend on the machine.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.n_shots = 0
        write_ratings(folder / RATINGS)
        started = time.perf_counter()
        with self._training() as process:
            errors = process.communicate()[1]
        if process.returncode:
            raise RuntimeError(f"training does not work: {errors}")
        self.seconds = time.perf_counter() - started

    def shoot(self) -> Shot:
        """Train, send a signal, and look at what is there then."""
        self.n_shots += 1
        shot = Shot(self.random.choice(list(CODES)), self.random.random() < AIMED)
        before = (self.folder / MODEL).read_bytes()
        with self._training() as process:
            if shot.aimed:
                while process.poll() is None and not self._is_saving():
                    time.sleep(0.0005)
                time.sleep(self.random.random() * LONGEST_AIM)
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(self.random.random() * self.seconds)
            shot.hit = self._is_saving()
            process.send_signal(shot.number)
            errors = process.communicate(timeout=120)[1]
        shot.code, shot.leftovers = process.returncode, len(self._others())
        faults = [*self._faults(shot, before, errors)]
        shot.wrong = "; ".join(faults)
        return shot

    def _faults(self, shot: Shot, before: bytes, errors: str) -> Iterator[str]:
        # Python has handlers of its own before ours, and a signal may come too late.
        started = shot.code != -shot.number and NOT_STARTED not in errors
        if started and shot.code not in (0, CODES[shot.number]):
            yield f"exit code {shot.code}"
        if started and ("Traceback" in errors or "Exception ignored" in errors):
            yield f"a traceback: {errors}"
        if (self.folder / MODEL).read_bytes() != before:
            try:
                seed = FunkSVD.load(self.folder / MODEL, in_memory=True).hyperparameters.seed
                if seed != self.n_shots:
                    yield f"a model of seed {seed}"
            except ValueError as error:
                yield f"the model is broken: {error}"
        elif shot.code == 0:
            yield "no new model"
        if shot.leftovers > (shot.number == signal.SIGKILL):
            yield f"left behind: {self._others()}"
        if shot.leftovers:
            FunkSVD.load(self.folder / MODEL, in_memory=True).save(self.folder / MODEL)
            if self._others():
                yield f"not removed by the next save: {self._others()}"

    def _training(self) -> subprocess.Popen[str]:
        options = [
            "--quiet",
            "--test-fraction",
            "0",
            "--n-epochs",
            "2",
            "--seed",
            str(self.n_shots),
        ]
        return subprocess.Popen(
            [sys.executable, "-m", "funksvd", "train", RATINGS, *options],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _is_saving(self) -> bool:
        """Whether a file is being written; before training, one that stays empty is made."""
        with contextlib.suppress(FileNotFoundError):
            return any((self.folder / name).stat().st_size for name in self._others())
        return False

    def _others(self) -> list[str]:
        return sorted(set(os.listdir(self.folder)) - {MODEL, RATINGS})


def write_ratings(path: Path) -> None:
    """Write ratings at random, by every user at least one."""
    generator = np.random.default_rng(0)
    users = np.arange(N_RATINGS) % N_USERS
    items = generator.integers(0, N_ITEMS, N_RATINGS)
    values = generator.integers(1, 6, N_RATINGS)
    rows = map(",".join, np.column_stack([users, items, values]).astype(str).tolist())
    path.write_text("user,item,rating\n" + "\n".join(rows) + "\n")
