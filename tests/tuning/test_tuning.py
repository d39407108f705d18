"""Searching for hyperparameters: what is tried, what is kept, what is refused."""

import errno
import fcntl
import json
import os
import pickle
import signal
import sys
import threading
from dataclasses import replace

import numpy as np
import optuna
import pytest

from funksvd import (
    DivergenceError,
    FunkSVD,
    FunkSVDError,
    Monitor,
    Ratings,
    TuningMonitor,
    random_split,
    tune,
)
from funksvd.hyperparameters.searching import Multiples
from funksvd.rng import Stream
from funksvd.tuning import space, study

N_TRIALS = 14


@pytest.fixture
def ratings(planted):
    return planted(60, 40, 2, 1200, 0.3)


@pytest.fixture
def model():
    """Quick to learn, and of one length of factors, so that one kernel is compiled."""
    return FunkSVD(n_factors=4, n_epochs=16, learning_rate=0.1, validation_fraction=0.2)


@pytest.fixture
def search(model, ratings):
    """Tune with few trials."""

    def call(n_trials=N_TRIALS, **options):
        options = {"fixed": ["n_factors"], "n_repeats": 1} | options
        return tune(options.pop("model", model), ratings, n_trials=n_trials, **options)

    return call


def timeless(tuning):
    """All but how long it took."""
    return replace(tuning, trials=[replace(trial, seconds=0.0) for trial in tuning.trials])


def with_params(model, **params):
    return FunkSVD(**{**model.get_params(), **params})


# -- what is tried ---------------------------------------------------------------------------------


def test_the_same_seed_makes_the_same_trials_with_any_number_of_threads(search, model):
    first = timeless(search())
    assert timeless(search(model=with_params(model, n_threads=1))) == first
    assert len(first.trials) == N_TRIALS
    drawn = [trial.hyperparameters["reg"] for trial in first.trials]
    assert len(set(drawn)) == N_TRIALS
    other = search(model=with_params(model, seed=1))
    assert [trial.hyperparameters["reg"] for trial in other.trials[1:]] != drawn[1:]


def test_each_figure_is_what_learning_with_these_hyperparameters_comes_to(search, model, ratings):
    tuning = search(n_repeats=2)
    for trial in tuning.ranking:
        chosen = trial.hyperparameters if trial.number else {}  # the first is that of the defaults
        ref = [with_params(model, **chosen, seed=seed, refit=False).fit(ratings) for seed in (0, 1)]
        ref_rmses = [min(record.valid_rmse for record in each.history) for each in ref]
        assert trial.values == ref_rmses
        assert trial.epochs == [each.best_epoch for each in ref]
        assert trial.value == pytest.approx(np.mean(ref_rmses), rel=1e-15)
    assert tuning.defaults.hyperparameters == {
        "learning_rate": 0.1,
        "learning_rate_decay": model.hyperparameters.resolved().learning_rate_decay,
        "reg": with_params(model, refit=False).fit(ratings).reg_used,
        "bias_reg": model.bias_reg,
    }


def test_the_best_is_the_best(search):
    tuning = search()
    rmses = [trial.value for trial in tuning.trials if trial.value is not None]
    assert tuning.best.value == min(rmses) <= tuning.defaults.value
    assert [trial.value for trial in tuning.ranking] == sorted(rmses)
    assert tuning.hyperparameters == tuning.best.hyperparameters
    alone = search(n_trials=1)
    assert alone.best is alone.defaults
    assert alone.hyperparameters == {}
    assert alone.check is None


def test_the_best_is_compared_with_the_defaults_on_other_parts(search, model, ratings):
    tuning = search(n_repeats=2)
    assert tuning.best is not tuning.defaults
    for name, chosen in (("defaults", {}), ("best", tuning.hyperparameters)):
        ref = [
            min(
                record.valid_rmse
                for record in with_params(model, **chosen, seed=seed).fit(ratings).history
            )
            for seed in (2, 3)
        ]
        assert tuning.check[name] == pytest.approx(np.mean(ref), rel=1e-15)


def test_a_best_trial_that_diverges_on_other_parts(search, monkeypatch):
    fit = FunkSVD.fit

    def fragile(model, *args, **options):
        if model.seed == 1 and model.learning_rate != 0.1:
            raise DivergenceError("too fast")
        return fit(model, *args, **options)

    monkeypatch.setattr(FunkSVD, "fit", fragile)
    check = search().check
    assert check["best"] is None
    assert check["defaults"] > 0


def test_values_are_short_enough_to_be_typed(search):
    for trial in search().trials[1:]:
        for value in trial.hyperparameters.values():
            assert len(f"{value:g}".lstrip("0.").replace("e-05", "")) <= 3
            assert float(f"{value:g}") == value


def test_ratings_of_another_scale_are_tuned_in_the_same_way(search, model, ratings):
    ref = search()
    scaled = replace(ratings, values=ratings.values * np.float32(16))  # exact in binary
    comp = tune(model, scaled, n_trials=N_TRIALS, fixed=["n_factors"], n_repeats=1)
    for ref_trial, comp_trial in zip(ref.trials, comp.trials, strict=True):
        assert comp_trial.hyperparameters == ref_trial.hyperparameters
        assert comp_trial.state == ref_trial.state
        assert comp_trial.values == pytest.approx(
            [16 * rmse for rmse in ref_trial.values], rel=1e-5
        )


@pytest.mark.parametrize("name", ["n_factors", "learning_rate", "reg"])
def test_what_is_fixed_is_not_searched(search, monkeypatch, name):
    monkeypatch.setitem(space.SEARCHES, "n_factors", Multiples(16, up_to=32))
    tuning = search(n_trials=4, fixed=[name], model=FunkSVD(n_epochs=3, validation_fraction=0.2))
    ref = {"n_factors", "learning_rate", "learning_rate_decay", "reg", "bias_reg"} - {name}
    for trial in tuning.trials:
        assert trial.hyperparameters.keys() == ref
    if name != "n_factors":
        drawn = {trial.hyperparameters["n_factors"] for trial in tuning.trials[1:]}
        assert drawn <= {16, 32, 48, 64}


def test_a_model_without_biases_has_no_regularization_of_them(search, model):
    tuning = search(n_trials=2, model=with_params(model, biases=False))
    assert "bias_reg" not in tuning.trials[1].hyperparameters


def test_given_validation_ratings(model, ratings):
    training, validation = random_split(ratings, 0.2, seed=0, stream=Stream.CHECK)
    tuning = tune(model, training, validation=validation, n_trials=2, fixed=["n_factors"])
    fitted = with_params(model, seed=1).fit(training, validation=validation)
    assert len(tuning.defaults.values) == 3
    assert tuning.defaults.values[1] == min(record.valid_rmse for record in fitted.history)
    assert tuning.check is None


def test_svd_with_interactions(model, ratings):
    model = with_params(model, algorithm="svd++")
    pairs = np.stack([ratings.user_ids, ratings.item_ids[ratings.user_ids % 40]], axis=1)
    options = {"n_trials": 2, "fixed": ["n_factors"], "n_repeats": 1}
    tuning = tune(model, ratings, interactions=pairs, **options)
    fitted = with_params(model).fit(ratings, interactions=pairs)
    assert tuning.defaults.value == min(record.valid_rmse for record in fitted.history)
    assert tuning.defaults.value != tune(model, ratings, **options).defaults.value


def test_one_repeat_is_enough_where_there_are_many_validation_ratings(model, monkeypatch, ratings):
    options = {"n_trials": 1, "fixed": ["n_factors"]}
    assert tune(model, ratings, **options).n_repeats == 3
    monkeypatch.setattr("funksvd.tuning.search.ENOUGH_VALIDATION_RATINGS", 240)
    assert tune(model, ratings, **options).n_repeats == 1


def test_no_time_is_time_for_the_defaults_only(search):
    assert len(search(timeout=0).trials) == 1


# -- pruning ---------------------------------------------------------------------------------------


def test_a_trial_is_stopped_where_it_is_worse_than_half_of_the_complete_ones(
    search, model, ratings
):
    tuning = search(n_trials=20)
    stopped = [trial for trial in tuning.trials if trial.state == "stopped"]
    assert 0 < len(stopped) < 15
    complete = []
    for trial in tuning.trials:
        chosen = trial.hyperparameters if trial.number else {}
        fitted = with_params(model, **chosen, refit=False).fit(ratings)
        curve = [record.valid_rmse for record in fitted.history]
        stop = None
        if len(complete) >= 5:
            for epoch in range(study.EPOCHS_FIRST, len(curve) + 1):
                others = [other[epoch - 1] for other in complete if len(other) >= epoch]
                if len(others) >= 3 and min(curve[:epoch]) > np.median(others):
                    stop = epoch
                    break
        if stop is None:
            assert trial.state == "complete", trial
            complete.append(curve)
        else:
            assert (trial.state, trial.epochs, trial.value) == ("stopped", [stop], None)


def test_nothing_is_left_behind(search, model):
    before = (signal.getsignal(signal.SIGINT), threading.active_count())
    verbosity = optuna.logging.get_verbosity()
    params = model.get_params()
    tuning = search(n_trials=20)
    assert any(trial.state == "stopped" for trial in tuning.trials)
    assert (signal.getsignal(signal.SIGINT), threading.active_count()) == before
    assert optuna.logging.get_verbosity() == verbosity
    assert model.get_params() == params
    assert not model.is_fitted


def test_a_trial_that_diverges_is_one_of_many(search, monkeypatch):
    fit = FunkSVD.fit

    def fragile(model, *args, **options):
        if model.learning_rate > 0.1:
            raise DivergenceError("too fast")
        return fit(model, *args, **options)

    monkeypatch.setattr(FunkSVD, "fit", fragile)
    tuning = search()
    for trial in tuning.trials:
        assert (trial.state == "diverged") == (trial.hyperparameters["learning_rate"] > 0.1)
    assert len({trial.state for trial in tuning.trials}) >= 2
    assert tuning.best.hyperparameters["learning_rate"] <= 0.1


def test_defaults_that_diverge_are_an_error(search, model):
    with pytest.raises(DivergenceError, match="diverges"):
        search(model=with_params(model, learning_rate=1e30))


# -- the study file --------------------------------------------------------------------------------


class InterruptAt(TuningMonitor):
    """Ctrl-C in the middle of a trial."""

    def __init__(self, number, monkeypatch):
        self.number, self.monkeypatch = number, monkeypatch

    def trial_started(self, number):
        if number == self.number:
            send = lambda *args: signal.raise_signal(signal.SIGINT)  # noqa: E731
            self.monkeypatch.setattr(Monitor, "fit_started", send)


def states(path):
    storage = study._journal(path)
    trials = optuna.load_study(study_name=study.NAME, storage=storage).trials
    return {trial.state.name for trial in trials}


def test_a_search_that_is_gone_on_with_finds_the_same(search, tmp_path):
    path = tmp_path / "s.journal"
    ref = timeless(search())
    assert len(search(n_trials=3, study=path).trials) == 3
    assert len(search(n_trials=12, study=path).trials) == 12
    assert timeless(search(study=path)) == ref
    content = path.read_bytes()
    assert timeless(search(study=path)) == ref  # nothing is left to do
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["s.journal"]


def test_ctrl_c_keeps_the_trials_that_ended(search, tmp_path, monkeypatch):
    path = tmp_path / "s.journal"
    ref = search()
    with monkeypatch.context() as patch:
        tuning = search(study=path, monitor=InterruptAt(12, patch))
    assert tuning.interrupted
    assert timeless(tuning).trials == timeless(ref).trials[:12]
    assert states(path) == {"COMPLETE", "PRUNED", "FAIL"}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert timeless(search(study=path)) == timeless(ref)


def test_ctrl_c_before_the_defaults_have_ended(search, tmp_path, monkeypatch):
    path = tmp_path / "s.journal"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        search(study=path, monitor=InterruptAt(0, patch))
    assert timeless(search(study=path)) == timeless(search())


def test_a_process_that_was_killed(search, tmp_path):
    path = tmp_path / "s.journal"
    search(n_trials=12, study=path)
    storage = study._journal(str(path))
    left = optuna.load_study(study_name=study.NAME, storage=storage)
    trial = left.ask()  # and nobody tells what came of it
    trial.report(0.1, 1)
    with open(path, "ab") as file:
        file.write(b'{"op_code":7,"worker_id"')
    assert timeless(search(study=path)) == timeless(search())
    assert "RUNNING" not in states(path)


def test_no_two_processes_search_with_one_study(search, tmp_path):
    path = tmp_path / "s.journal"
    search(n_trials=2, study=path)
    content = path.read_bytes()
    with open(path, "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(
            FunkSVDError, match=r"s.journal: (another )?process.* is searching with"
        ):
            search(study=path)
    assert path.read_bytes() == content
    assert len(search(n_trials=3, study=path).trials) == 3


def test_the_lock_of_a_dead_process_is_not_waited_for(search, tmp_path, monkeypatch):
    """Optuna's own locks are files, which a process that is killed leaves."""

    def wait(seconds):
        raise AssertionError(f"waits {seconds} s")

    (tmp_path / "s.journal.lock").touch()
    monkeypatch.setattr("time.sleep", wait)
    assert len(search(n_trials=2, study=tmp_path / "s.journal").trials) == 2


@pytest.mark.parametrize("n_writes", [1, 2, 3, 10, 40, 41, 42])
def test_a_full_disk_loses_nothing_that_had_ended(search, tmp_path, monkeypatch, n_writes):
    from optuna.storages.journal import JournalFileBackend

    path = tmp_path / "s.journal"
    append, calls = JournalFileBackend.append_logs, []

    def fill(backend, logs):
        calls.append(logs)
        if len(calls) > n_writes:
            with open(path, "ab") as file:
                file.write(json.dumps(logs[0]).encode()[:15])
            raise OSError(errno.ENOSPC, "No space left on device")
        append(backend, logs)

    with monkeypatch.context() as patch:
        patch.setattr(JournalFileBackend, "append_logs", fill)
        with pytest.raises(OSError, match=r"s\.journal: the study cannot be .*No space left"):
            search(study=path)
    assert timeless(search(study=path)) == timeless(search())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"n_repeats": 2}, "n_repeats = 1, not 2"),
        ({"fixed": ["n_factors", "reg"]}, "tuned = "),
        ({"n_epochs": 9}, "n_epochs = 16, not 9"),
        ({"seed": 5}, "seed = 0, not 5"),
        ({"validation_fraction": 0.1}, "validation_fraction = 0.2, not 0.1"),
        ({"values": 1}, "other ratings"),
        ({"validation": 1}, "another validation part"),
        ({"interactions": 1}, "other interactions"),
    ],
)
def test_a_study_of_something_else_is_refused(search, model, ratings, tmp_path, change, expected):
    path = tmp_path / "s.journal"
    search(n_trials=2, study=path)
    content = path.read_bytes()
    options = {"fixed": ["n_factors"], "n_repeats": 1}
    if "values" in change:
        ratings = replace(ratings, values=ratings.values[::-1].copy())
    elif "validation" in change:
        options["validation"] = Ratings.from_arrays([0, 1], [40, 41], [1.0, 2.0])
    elif "interactions" in change:
        options["interactions"] = [[0, 1], [1, 2]]
    else:
        options |= {name: change[name] for name in change if name in options}
        model = with_params(model, **{name: change[name] for name in change if name not in options})
    with pytest.raises(FunkSVDError, match=expected) as caught:
        tune(model, ratings, n_trials=3, study=path, **options)
    assert str(path) in str(caught.value)
    assert "give another file name" in str(caught.value)
    assert path.read_bytes() == content


FOREIGN = {
    "a table": b"user,item,rating\n1,2,3\n",
    "a line": b"precious",
    "another line": b"precious\n",
    "JSON": b'{"a": 1}\n',
    "a number": b"1\n",
    "a list": b"[1]\n[2]\n",
    "binary": bytes(range(256)),
    "a study without a name": b'{"op_code":0,"worker_id":"1-2"}\n',
    "deep": b"[" * 100_000 + b"\n1\n",
    "unknown": b'{"op_code":99,"worker_id":"1-2"}\n{"op_code":99,"worker_id":"1-2"}\n',
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_another_file_is_refused_and_left_as_it_is(search, tmp_path, content):
    path = tmp_path / "precious"
    path.write_bytes(content)
    with pytest.raises(FunkSVDError, match="precious: not a study of `funksvd tune`, or a damaged"):
        search(study=path)
    assert path.read_bytes() == content


def test_a_study_that_is_not_ours_is_refused(search, tmp_path):
    path = str(tmp_path / "theirs")
    with study.quietly_kept(path):
        optuna.create_study(study_name="theirs", storage=study._journal(path))
    with pytest.raises(FunkSVDError, match="not a study of `funksvd tune`"):
        search(study=path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"outcome"', b'"outcast"'),
        (b'"made with"', b'"made"'),
        (b'"state":"complete"', b'"state":"stopped"'),
        (b'"values"', b'"errors"'),
    ],
)
def test_an_altered_study_is_refused(search, tmp_path, old, new):
    path = tmp_path / "s.journal"
    search(n_trials=2, study=path)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with pytest.raises(FunkSVDError, match="or a damaged one"):
        search(n_trials=3, study=path)


def test_a_study_of_another_version_is_refused(search, tmp_path, monkeypatch):
    path = tmp_path / "s.journal"
    search(n_trials=2, study=path, fixed=[])
    monkeypatch.setitem(space.SEARCHES, "n_factors", Multiples(16, up_to=256))
    with pytest.raises(FunkSVDError, match="another version"):
        search(n_trials=3, study=path, fixed=[])


def test_nothing_from_the_file_is_executed(search, tmp_path, monkeypatch):
    path = tmp_path / "s.journal"
    search(n_trials=2, study=path)
    assert all(isinstance(json.loads(line), dict) for line in path.read_text().splitlines())

    def refuse(*args, **options):
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    assert len(search(n_trials=3, study=path).trials) == 3


# -- what cannot be --------------------------------------------------------------------------------


def test_without_optuna_there_is_a_remedy(search, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(FunkSVDError, match=r'in the folder .* pip install "\.\[tune\]"'):
        search()


def test_nothing_to_search(search):
    names = ["n_factors", "learning_rate", "learning_rate_decay", "reg", "bias_reg"]
    with pytest.raises(FunkSVDError, match="nothing to search"):
        search(fixed=names)


@pytest.mark.parametrize("fraction", [0, 1e-9])
def test_nothing_to_judge_by(search, model, fraction):
    with pytest.raises(FunkSVDError, match="no validation ratings"):
        search(model=with_params(model, validation_fraction=fraction))


def test_a_hyperparameter_out_of_range(search, model):
    with pytest.raises(FunkSVDError, match="patience"):
        search(model=with_params(model, patience=0))


# -- where to search -------------------------------------------------------------------------------


def test_the_space_is_around_the_defaults():
    defaults = {
        "n_factors": 64,
        "learning_rate": 0.02,
        "learning_rate_decay": 0.8,
        "reg": 0.04,
        "bias_reg": 0.08,
    }
    ranges = {name: (each.low, each.high) for name, each in space.search_space(defaults).items()}
    assert ranges == {
        "n_factors": (16, 128),
        "learning_rate": (0.005, 0.08),
        "learning_rate_decay": pytest.approx((0.6, 0.95)),
        "reg": (0.01, 0.16),
        "bias_reg": (0.01, 0.64),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_factors", 5), ("n_factors", 100), ("n_factors", 300), ("learning_rate_decay", 1.0)],
)
def test_odd_defaults_have_a_place_in_the_space(name, value):
    found = space.search_space({name: value})
    nearest = space.within(found, {name: value})[name]
    assert found[name]._contains(nearest)
    assert abs(nearest - value) <= 11


def test_regularization_of_zero_need_not_stay_zero():
    found = space.search_space({"reg": 0.0})["reg"]
    assert (found.low, found.high, found.log) == (0, 0.2, False)
