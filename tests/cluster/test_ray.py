"""Workers that are Ray actors: what they answer, and what is said when they do not."""

import gc
import os
import signal
import socket
import sys
import time
import types

import numpy as np
import pytest

from funksvd import FunkSVD, FunkSVDError
from funksvd.cluster.answering import Answering, GangModel
from funksvd.cluster.gang import LocalGang
from funksvd.errors import GangLostError, RatingsError, WriteError

ray = pytest.importorskip("ray")
ray_gang = pytest.importorskip("funksvd.cluster.ray")

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:os.fork\(\) was called:RuntimeWarning"),  # JAX is there
]


@pytest.fixture(scope="module")
def engine():
    """Ray on this machine, with room for two workers."""
    before = signal.getsignal(signal.SIGTERM)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    signal.signal(signal.SIGTERM, before)  # Ray has one of its own, and later tests are of ours
    yield
    ray.shutdown()


@pytest.fixture
def gang(engine):
    with ray_gang.RayGang("local:2", Answering) as gang:
        yield gang


@pytest.fixture
def adding(engine):
    with ray_gang.RayGang("local:2", Adding) as gang:
        yield gang


@pytest.fixture
def model(planted):
    return FunkSVD(n_factors=4, n_epochs=3, choice=False).fit(planted(60, 50, 2, 1500, 0.3))


def pids_of(gang):
    return [pid for _, pid in gang._processes]


def is_gone(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


def wait_until_gone(pid):
    for _ in range(100):
        try:
            if is_gone(pid):
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.1)
    return False


def test_a_cluster_that_is_not_there(monkeypatch):  # before there is one
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    for where in ("127.0.0.1:1", "auto"):
        with pytest.raises(FunkSVDError, match=f"no Ray cluster at '{where}' .* local:2"):
            ray_gang.RayGang(where, Answering)


def test_workers_of_ray_answer_as_the_model(gang, model):
    pairs = (np.arange(60, dtype=np.int32), np.arange(60, dtype=np.int32) % 50)
    comp = GangModel.of_model(model, gang, n_threads=1)
    np.testing.assert_array_equal(comp.predict_index(*pairs), model.predict_index(*pairs))
    assert gang.n_workers == 2
    assert gang.n_threads == 1
    assert len(set(pids_of(gang))) == 2
    assert os.getpid() not in pids_of(gang)


def test_an_error_of_a_worker_is_raised_here_as_it_is(gang, model):
    broken = GangModel.of_model(model, gang)
    with pytest.raises(FunkSVDError, match="at least 1"):
        list(broken.recommend_all(n=0, by="rating"))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        gang.each("nothing")


def test_nothing_is_printed_of_a_failed_call_that_nobody_waits_for(adding, capfd):
    handle = adding.submit(0, "nothing")
    adding.each("all")  # it is done
    del handle
    gc.collect()
    time.sleep(2)  # Ray tells of it a little later
    assert capfd.readouterr().err == ""


def test_a_worker_that_is_killed_is_missed_at_once(adding):
    os.kill(pids_of(adding)[1], signal.SIGKILL)
    with pytest.raises(GangLostError, match="a worker is gone"):
        adding.each("all")


def test_a_worker_that_is_stopped_is_missed_after_a_while_and_ended(adding):
    pids = pids_of(adding)
    adding.look_seconds = 0.5
    os.kill(pids[0], signal.SIGSTOP)
    with pytest.raises(GangLostError, match="worker 1 of 2 is stopped"):
        adding.each("all")
    adding.close()
    assert all(map(wait_until_gone, pids))


def test_a_worker_that_is_at_work_is_waited_for_unless_there_is_a_limit(adding):
    adding.look_seconds = 0.5
    assert adding.results([adding.submit(0, "sleep", 3)]) == [3]
    with pytest.raises(GangLostError, match="not answered for 1 seconds, far longer than before"):
        adding.results([adding.submit(0, "sleep", 60)], 1)


def test_what_workers_do_not_have_is_said(engine):
    module = types.ModuleType("only_here")
    exec("class Worker:\n    def __init__(self, *numbers): pass", vars(module))
    sys.modules["only_here"] = module
    try:
        with pytest.raises(FunkSVDError, match=r"cannot start \(ModuleNotFoundError: .*only_here"):
            ray_gang.RayGang("local:1", module.Worker)
    finally:
        del sys.modules["only_here"]


def test_an_error_on_another_machine_says_which(engine, monkeypatch):
    here = socket.gethostname()
    monkeypatch.setattr(ray_gang.socket, "gethostname", lambda: "elsewhere")
    with (
        ray_gang.RayGang("local:1", Adding) as gang,
        pytest.raises(RatingsError, match=rf"nothing there \(on the machine {here}\)"),
    ):
        gang.each("fail")


def test_workers_are_in_the_callers_folder(engine, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with ray_gang.RayGang("local:1", Adding) as gang:
        assert gang.each("folder") == [str(tmp_path)]


def test_calls_of_a_worker_keep_their_order_and_handles_pass_between_workers(adding):
    local = LocalGang(2, Adding)
    for number in range(50):
        for gang in (adding, local):
            gang.submit(0, "add", gang.submit(1, "add", number))
    assert adding.each("all") == local.each("all")


class Adding:
    """A worker whose state depends on the order of calls."""

    def __init__(self, number, n_workers):
        self.found = [number]

    def add(self, number):
        self.found.append(self.found[-1] * 3 % 1009 + number)
        return self.found[-1]

    def sleep(self, seconds):
        time.sleep(seconds)
        return seconds

    def fail(self):
        raise RatingsError("nothing there")

    def folder(self):
        return os.getcwd()

    def all(self):
        return self.found


def test_errors_that_a_worker_may_raise_can_be_pickled():
    import pickle

    full = OSError(28, "No space left on device", "there")
    for error in (RatingsError("bad"), GangLostError("lost"), WriteError("full", full)):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
