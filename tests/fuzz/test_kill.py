"""A signal while a model is saved costs no model and leaves no file.

`scripts/fuzz_signals.py` sends hundreds.
"""

import os
import signal

import pytest
from fuzz import signals

SEED = 1


@pytest.fixture(scope="module")
def shooting_range(tmp_path_factory):
    return signals.Range(tmp_path_factory.mktemp("range"), SEED)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_signal_at_a_save_costs_nothing(shooting_range, monkeypatch, number):
    monkeypatch.setattr(signals, "AIMED", 1.0)
    monkeypatch.setattr(signals, "LONGEST_AIM", 0.01)
    monkeypatch.setattr(shooting_range.random, "choice", lambda _: number)
    shot = shooting_range.shoot()
    assert not shot.wrong, f"seed {SEED}: {shot}"
    assert sorted(os.listdir(shooting_range.folder)) == ["model.funksvd", "ratings.csv"]
