"""Checkpoints: what is kept, for whom, and what is said of those that cannot be gone on from."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from killing import Killed, killed_at

from funksvd import (
    CheckpointError,
    Checkpoints,
    FunkSVD,
    FunkSVDError,
    Monitor,
    Stopped,
    WriteError,
)
from funksvd.training import Triples, plan_blocks
from funksvd.training.checkpoints import RunCheckpoints
from funksvd.training.places import LocalPlace

QUICK = {"n_factors": 3, "n_epochs": 5, "learning_rate": 0.1, "choice": False, "reg": 0.05}
WAYS = {  # with the number of runs, if that is known
    "search and refit": ({}, 2),
    "ensemble, and a choice model beside": ({"ensemble": 2, "choice": True}, 4),
    "searches": ({"reg": None}, None),
    "no validation": ({"validation_fraction": 0}, 1),
    "no refit": ({"refit": False}, 1),
    "choice model": (
        {"algorithm": "ials", "learning_rate": None, "choice": True, "validation_fraction": 0.1},
        2,
    ),
}


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


@pytest.fixture(params=["folder", "file://", "memory://"])
def place(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path / "there")
    return f"{request.param}{tmp_path}/there"


def fitted(ratings, place=None, *, resume=False, every=0, monitor=None, **options):
    model = FunkSVD(**QUICK | options)
    if place is None:
        return model.fit(ratings)
    with Checkpoints(place, every=every, resume=resume) as checkpoints:
        return model.fit(ratings, monitor=monitor, checkpoint=checkpoints)


def bytes_of(model, tmp_path):
    model.save(tmp_path / "model")
    return (tmp_path / "model").read_bytes()


def kill(monkeypatch, ratings, place, n=3, **options):
    with pytest.raises(Killed), killed_at(monkeypatch, n):
        fitted(ratings, place, **options)


def files(folder, end=""):
    return sorted(name for name in os.listdir(folder) if name.endswith(end))


# -- whole fits --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_fit_killed_at_any_checkpoint_comes_to_the_same_file(way, ratings, tmp_path, monkeypatch):
    options, n_runs = WAYS[way]
    ref = bytes_of(fitted(ratings, **options), tmp_path)
    with killed_at(monkeypatch, 999) as saved:
        assert bytes_of(fitted(ratings, tmp_path / "all", **options), tmp_path) == ref
    assert sum(saved) == (n_runs or sum(saved))
    for n in range(1, len(saved) + 1):
        there = tmp_path / str(n)
        kill(monkeypatch, ratings, there, n, **options)
        comp = fitted(ratings, there, resume=True, n_threads=1 + n % 2, **options)
        assert bytes_of(comp, tmp_path) == ref


def test_features(ratings, tmp_path, monkeypatch):
    features = tmp_path / "items.csv"
    lines = (f"{item},{'ab'[item % 2]},{item}" for item in range(50))
    features.write_text("item,kind,size\n" + "\n".join(lines))

    def fit(checkpoints=None):
        model = FunkSVD(**QUICK)
        return model.fit(ratings, item_features=features, checkpoint=checkpoints)

    ref = bytes_of(fit(), tmp_path)
    with (
        pytest.raises(Killed),
        killed_at(monkeypatch, 3),
        Checkpoints(tmp_path / "there", every=0) as checkpoints,
    ):
        fit(checkpoints)
    with Checkpoints(tmp_path / "there", resume=True) as checkpoints:
        assert bytes_of(fit(checkpoints), tmp_path) == ref


def test_any_place_does(place, ratings, tmp_path, monkeypatch):
    ref = bytes_of(fitted(ratings), tmp_path)
    kill(monkeypatch, ratings, place, 4)
    kill(monkeypatch, ratings, place, 2, resume=True)
    with Checkpoints(place, every=0, resume=True) as checkpoints:
        assert checkpoints.found
        model = FunkSVD(**QUICK).fit(ratings, checkpoint=checkpoints)
        checkpoints.finished()
    assert bytes_of(model, tmp_path) == ref
    with Checkpoints(place) as checkpoints:
        assert not checkpoints.found


def test_a_path_is_enough(ratings, tmp_path, monkeypatch):
    """It is gone on from, and removed in the end."""
    there = tmp_path / "there"
    monkeypatch.setattr("funksvd.training.checkpoints.EVERY", 0)
    ref = bytes_of(fitted(ratings), tmp_path)
    kill(monkeypatch, ratings, there)
    model = FunkSVD(**QUICK).fit(ratings, checkpoint=there)
    assert bytes_of(model, tmp_path) == ref
    assert not there.exists()


def test_samplers_are_refused_at_once(tmp_path):
    with pytest.raises(FunkSVDError, match='checkpoint= does not go with algorithm="bayes"'):
        FunkSVD(algorithm="bayes").fit("no ratings", checkpoint=tmp_path / "there")
    assert files(tmp_path) == []


# -- when, and what is left --------------------------------------------------------------------


def test_a_checkpoint_waits_for_its_time(ratings, tmp_path, monkeypatch):
    """Results of runs do not wait."""
    clock = 0.0

    class Watched(Monitor):
        def epoch_done(self, record, is_best):
            nonlocal clock
            clock += 10

    monkeypatch.setattr(time, "monotonic", lambda: clock)
    for every, n_saved in ((0, 5), (10, 5), (11, 3), (20, 3), (21, 2), (40, 2), (41, 1)):
        with killed_at(monkeypatch, 999) as saved:
            options = {"validation_fraction": 0, "monitor": Watched()}
            fitted(ratings, tmp_path / str(every), every=every, **options)
        assert saved == [False] * (n_saved - 1) + [True], every


def test_only_the_last_checkpoint_of_a_run_is_kept_and_other_files_are_not_touched(
    ratings, tmp_path
):
    names = ["funksvd-notes.json", "model.funksvd"]
    for name in names:
        (tmp_path / name).write_text("mine")
    with Checkpoints(tmp_path, every=0) as checkpoints:
        FunkSVD(**QUICK).fit(ratings, checkpoint=checkpoints)
        there = [name for name in files(tmp_path) if name not in names]
        numbers = [name.split("-")[1] for name in there if name != "funksvd.lock"]
        assert numbers == ["0001", "0001", "0002", "0002"]
        checkpoints.finished()
    assert files(tmp_path) == names


def test_a_folder_where_nothing_was_kept_is_gone(tmp_path):
    with pytest.raises(ValueError, match="mine"), Checkpoints(tmp_path / "a" / "b"):  # noqa: PT012
        assert files(tmp_path / "a" / "b") == ["funksvd.lock"]
        raise ValueError("mine")
    assert files(tmp_path) == ["a"]


def test_ctrl_c_keeps_the_best_epoch_and_the_checkpoint(ratings, tmp_path):
    ref = bytes_of(fitted(ratings), tmp_path)

    class Interrupting(Monitor):
        def ratings_done(self, n_ratings):
            if self.n_epochs == 3:
                raise KeyboardInterrupt

        def epoch_done(self, record, is_best):
            self.n_epochs += 1

        def resumed(self, epoch):
            self.resumed_after = epoch

    monitor = Interrupting()
    for n_before, n_after in ((0, 3), (3, 3), (1, 5)):  # in the search; at once; in the refit
        monitor.n_epochs = n_before
        model = FunkSVD(**QUICK)
        with (
            Checkpoints(tmp_path / "there", resume=True) as checkpoints,
            pytest.raises(KeyboardInterrupt),
        ):
            model.fit(ratings, monitor=monitor, checkpoint=checkpoints)
        assert model.training.stopped is Stopped.INTERRUPT
        assert len(model.history) == n_after
    monitor.n_epochs = 9
    comp = fitted(ratings, tmp_path / "there", resume=True, monitor=monitor)
    assert bytes_of(comp, tmp_path) == ref


def test_ctrl_c_just_after_a_checkpoint_is_there(ratings, tmp_path, monkeypatch):
    """It is whole, whenever that comes."""
    there = tmp_path / "there"
    real = LocalPlace.writing

    @contextlib.contextmanager
    def writing(place, name):
        if "funksvd-0001-000003.json" in files(there):  # the signal came, and nothing more is done
            raise Killed
        with real(place, name) as file:
            yield file
        if name == "funksvd-0001-000003.json":
            raise Killed

    monkeypatch.setattr(LocalPlace, "writing", writing)
    with pytest.raises(Killed):
        fitted(ratings, there)
    monkeypatch.undo()
    assert {"funksvd-0001-000003.arrays", "funksvd-0001-000003.json"} <= set(files(there))
    comp = fitted(ratings, there, resume=True)
    assert bytes_of(comp, tmp_path) == bytes_of(fitted(ratings), tmp_path)


def test_the_monitor_is_told_from_where_training_goes_on(ratings, tmp_path, monkeypatch):
    told = []

    class Told(Monitor):
        def fit_started(self, purpose, *numbers):
            told.append(purpose)

        def resumed(self, epoch):
            told.append(epoch)

        def epoch_done(self, record, is_best):
            told.append(f"epoch {record.epoch}")

    kill(monkeypatch, ratings, tmp_path / "there", 7)
    fitted(ratings, tmp_path / "there", resume=True, monitor=Told())
    assert told == ["search", 5, "refit", 2, "epoch 3", "epoch 4", "epoch 5"]


# -- what is refused ---------------------------------------------------------------------------


def test_what_is_there_is_not_written_over(place, ratings, monkeypatch):
    kill(monkeypatch, ratings, place)
    with pytest.raises(CheckpointError, match="go on from it with resume=, or remove it"):
        fitted(ratings, place)
    assert fitted(ratings, place, resume=True).is_fitted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_factors": 4}, "n_factors= was 3 when the checkpoint was made, and is 4 now"),
        ({"reg": None}, "reg= was 0.05 when the checkpoint was made, and is not given now"),
        ({"seed": 5}, "seed= was 0 when the checkpoint was made, and is 5 now"),
        ({"ensemble": 2}, "ensemble= was 1 when"),
    ],
)
def test_other_hyperparameters(options, message, ratings, tmp_path, monkeypatch):
    kill(monkeypatch, ratings, tmp_path)
    before = files(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        fitted(ratings, tmp_path, resume=True, **options)
    assert files(tmp_path) == before
    assert fitted(ratings, tmp_path, resume=True, n_threads=2).is_fitted


def test_other_ratings(ratings, planted, tmp_path, monkeypatch):
    kill(monkeypatch, ratings, tmp_path)
    others = [planted(60, 50, 2, 1500, 0.3, seed=1), ratings.subset(np.arange(1499))]
    for other in others:
        with pytest.raises(CheckpointError, match="one of other ratings, or of others held out"):
            fitted(other, tmp_path, resume=True)


@pytest.mark.parametrize("field", ["user_index", "item_index", "bounds", "user_features"])
def test_all_of_a_plan_is_in_its_fingerprint(field, ratings):
    triples = Triples(ratings.user_index, ratings.item_index, ratings.values)
    held_back = np.arange(len(ratings)) % 9 == 0
    plan = plan_blocks(triples, (ratings.n_users, ratings.n_items), held_back=held_back)
    plan = replace(plan, user_features=np.zeros((60, 2), np.float32))
    seen = {plan.fingerprint()}
    for at in (0, -1):
        changed = getattr(plan, field).copy()
        changed.reshape(-1)[at] += 1
        seen.add(replace(plan, **{field: changed}).fingerprint())
    seen.add(plan.with_values(plan.values + 1).fingerprint())
    seen.add(replace(plan, user_features=None, item_features=plan.user_features).fingerprint())
    seen.add(plan.with_unrated(np.array([0]), np.array([0])).fingerprint())
    assert len(seen) == 6
    assert plan.with_values(plan.values.copy()).fingerprint() in seen
    assert plan.with_all_learned().fingerprint() not in seen


def test_another_version(ratings, tmp_path, monkeypatch):
    kill(monkeypatch, ratings, tmp_path)
    monkeypatch.setattr("funksvd.training.checkpoints.version", lambda name: "9.9")
    with pytest.raises(CheckpointError, match=r"one of funksvd 0\.1\.0, and this is 9\.9"):
        fitted(ratings, tmp_path, resume=True)


def test_negative_seconds(tmp_path):
    for every in (-1, float("nan")):
        with pytest.raises(CheckpointError, match="must be 0 or more"):
            Checkpoints(tmp_path / "there", every=every)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="file is a file; give a folder as checkpoint="):
        Checkpoints(tmp_path / "file")
    with pytest.raises(CheckpointError, match="no checkpoint can be kept there: Not a directory"):
        Checkpoints(tmp_path / "file" / "below")


def test_addresses_that_lead_nowhere(monkeypatch):
    with pytest.raises(CheckpointError, match="nonsense://there: no checkpoint can be kept there"):
        Checkpoints("nonsense://there")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(CheckpointError, match=r'not installed: .* pip install "\.\[cluster\]"'):
        Checkpoints("memory://there")


def test_a_folder_needs_no_fsspec(ratings, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    assert fitted(ratings, tmp_path / "there").is_fitted


# -- damage ------------------------------------------------------------------------------------


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)


DAMAGES = {
    "flipped": lambda path: flip(path, path.stat().st_size // 2),
    "last byte flipped": lambda path: flip(path, -2),
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "empty": lambda path: os.truncate(path, 0),
    "missing": os.unlink,
}


@pytest.mark.parametrize("n", [2, 6])  # the state of a run; what one came to, and another's state
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("end", ["arrays", "json"])
def test_damage_is_told(n, damage, end, ratings, tmp_path, monkeypatch):
    kill(monkeypatch, ratings, tmp_path, n)
    (name, *_) = files(tmp_path, end)
    DAMAGES[damage](tmp_path / name)
    if (damage, end, n) == ("missing", "json", 2):  # it is none then
        with Checkpoints(tmp_path) as checkpoints:
            assert not checkpoints.found
        return
    if (damage, end) == ("missing", "json"):
        assert fitted(ratings, tmp_path, resume=True).is_fitted
        return
    what = "is missing" if damage == "missing" else "is damaged"
    with pytest.raises(CheckpointError, match=f"{name} {what}.*remove {tmp_path}"):
        fitted(ratings, tmp_path, resume=True)


def test_where_a_header_was_half_written_the_checkpoint_before_is_gone_on_from(
    ratings, tmp_path, monkeypatch
):
    """As a kill leaves it at an address without renames."""
    monkeypatch.setattr(Checkpoints, "remove", lambda checkpoints, *which, **but: None)
    kill(monkeypatch, ratings, tmp_path / "there", 3)
    *_, last = files(tmp_path / "there", "json")
    os.truncate(tmp_path / "there" / last, 40)
    monkeypatch.undo()
    told = []

    class Told(Monitor):
        def resumed(self, epoch):
            told.append(epoch)

    comp = fitted(ratings, tmp_path / "there", resume=True, monitor=Told())
    assert told == [2]
    assert bytes_of(comp, tmp_path) == bytes_of(fitted(ratings), tmp_path)


def test_nothing_in_a_header_is_executed(ratings, tmp_path, monkeypatch):
    """It is JSON, and arrays are bytes of a type that has no objects."""
    kill(monkeypatch, ratings, tmp_path, 2)
    (header,) = files(tmp_path, "json")
    content = json.loads((tmp_path / header).read_text())["content"]
    assert {each["dtype"] for each in content["arrays"].values()} == {"<f4"}


# -- two at once -------------------------------------------------------------------------------


def test_a_second_run_is_refused(tmp_path):
    with Checkpoints(tmp_path / "there"):
        message = f"process {os.getpid()} keeps checkpoints there; wait until it has ended"
        with pytest.raises(CheckpointError, match=message):
            Checkpoints(tmp_path / "there", resume=True)
    with Checkpoints(tmp_path / "there"):
        pass


def test_the_lock_of_a_killed_process_is_none(tmp_path):
    code = f"""
from funksvd import Checkpoints
checkpoints = Checkpoints({str(tmp_path / "there")!r})
print("locked", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(CheckpointError, match=f"process {process.pid}"):
            Checkpoints(tmp_path / "there")
        process.send_signal(signal.SIGKILL)
    with Checkpoints(tmp_path / "there"):
        pass


@pytest.mark.parametrize("kind", ["file://", "memory://"])
def test_at_an_address_who_comes_last_takes_over(kind, ratings, tmp_path):
    place = f"{kind}{tmp_path}/there"
    comp = []

    class Meanwhile(Monitor):
        def epoch_done(self, record, is_best):
            if record.epoch == 3 and not comp:
                comp.append(None)
                comp[0] = fitted(ratings, place, resume=True)

    with pytest.raises(CheckpointError, match="another run has taken over its checkpoints"):
        fitted(ratings, place, monitor=Meanwhile())
    assert bytes_of(comp[0], tmp_path) == bytes_of(fitted(ratings), tmp_path)
    again = fitted(ratings, place, resume=True)
    assert bytes_of(again, tmp_path) == bytes_of(comp[0], tmp_path)


# -- no room -----------------------------------------------------------------------------------


class Filling(Monitor):
    """No file may grow beyond some bytes from one epoch to another."""

    def __init__(self, first, last):
        self.first, self.last, self.errors = first, last, []

    def epoch_done(self, record, is_best):
        if record.epoch == self.first:
            self.limit(100)
        if record.epoch == self.last:
            self.limit(-1)

    def limit(self, n_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, -1))

    def checkpoint_failed(self, error):
        self.errors.append(str(error))


def test_training_goes_on_where_there_is_no_room(ratings, tmp_path, monkeypatch):
    """The checkpoint before stays, whole, and nothing else."""
    ref = bytes_of(fitted(ratings), tmp_path)
    there = tmp_path / "there"
    kept = []

    class Looking(Filling):
        def checkpoint_failed(self, error):
            super().checkpoint_failed(error)
            kept.append(files(there))

    monitor = Looking(3, 5)
    try:
        model = fitted(ratings, there, monitor=monitor)
    finally:
        monitor.limit(-1)
    assert bytes_of(model, tmp_path) == ref
    assert len(monitor.errors) == 4  # in the search and in the refit, at the ends of two epochs
    for error in monitor.errors:
        assert error.startswith(f"{there}/funksvd-000")
        assert error.endswith("cannot be written: File too large")
    stem = "funksvd-0001-000002"
    assert kept[0] == [f"{stem}.arrays", f"{stem}.json", "funksvd.lock"]


def test_a_run_killed_while_there_is_no_room_goes_on_from_before(ratings, tmp_path, monkeypatch):
    there, saved = tmp_path / "there", []

    class Dying(Filling):
        def checkpoint_failed(self, error):
            saved.append(error)
            if len(saved) == 2:
                raise Killed

    monitor = Dying(3, 5)
    try:
        with pytest.raises(Killed):
            fitted(ratings, there, monitor=monitor)
    finally:
        monitor.limit(-1)
    comp = fitted(ratings, there, resume=True)
    assert bytes_of(comp, tmp_path) == bytes_of(fitted(ratings), tmp_path)


def test_without_a_monitor_a_failed_checkpoint_warns(ratings, tmp_path, monkeypatch):
    def full(path):
        raise WriteError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr("funksvd.training.places.replacing", full)
    with (
        Checkpoints(tmp_path / "there") as checkpoints,
        pytest.warns(UserWarning, match="No space left on device"),
    ):
        assert FunkSVD(**QUICK).fit(ratings, checkpoint=checkpoints).is_fitted


def test_errors_of_learners_are_not_taken_for_a_full_disk(ratings, tmp_path, monkeypatch):
    def lost(learner, slots, write):
        raise ConnectionError("a worker is gone")

    monkeypatch.setattr("funksvd.training.learners.sgd.SGDLearner.dump", lost)
    with pytest.raises(ConnectionError, match="a worker is gone"):
        fitted(ratings, tmp_path / "there")
    assert files(tmp_path) == []


def test_a_checkpoint_has_each_slot_once(ratings, tmp_path, monkeypatch):
    """Arrays are handed out one at a time."""
    written = []
    real = RunCheckpoints.save

    def save(run, state, dump, **kind):
        names = []
        dump(lambda name, array: names.append(name))
        written.append(names)
        real(run, state, dump, **kind)

    monkeypatch.setattr(RunCheckpoints, "save", save)
    fitted(ratings, tmp_path, validation_fraction=0)
    for names in written[:-1]:  # the last epoch is the best one
        assert len({name.split("/")[0] for name in names}) == 1
        assert len(names) == len(set(names)) == 4
