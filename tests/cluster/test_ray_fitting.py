"""Training with Ray's workers: the bytes of one process, whatever happens to the workers."""

import os
import signal

import pytest

from funksvd import FunkSVD, Hyperparameters, RatingsError, ShardError
from funksvd.cluster import fitting
from funksvd.cluster.fitting import Shards
from funksvd.errors import GangLostError
from funksvd.training import Checkpoints, Monitor

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings(r"ignore:os.fork\(\) was called:RuntimeWarning"),  # JAX is there
]

QUICK = {"n_factors": 6, "n_epochs": 6, "n_groups": 8}


@pytest.fixture(scope="module")
def nodes():
    """Two machines, as far as Ray can tell, and this process connected to the first."""
    before = signal.getsignal(signal.SIGTERM)
    cluster = cluster_utils.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    signal.signal(signal.SIGTERM, before)  # Ray has one of its own, and later tests are of ours
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def cluster(nodes):
    """Two machines, also where the last test has ended one."""
    if len(nodes.worker_nodes) == 0:
        nodes.add_node(num_cpus=1)
    nodes.wait_for_nodes()
    return nodes


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(fitting, "RETRY_SECONDS", 0.1)


@pytest.fixture
def table(write_ratings):
    return write_ratings()


@pytest.fixture
def write_ratings(planted, tmp_path):
    """Make a file of ratings with times; only 0 and 1 if they are to be likes."""

    def write(likes=False):
        found = planted(60, 50, 2, 1500, 0.3)
        users, items = found.user_ids[found.user_index], found.item_ids[found.item_index]
        path = tmp_path / "ratings.csv"
        rows = []
        for at, value in enumerate(found.values):
            rating = int(value > 0) if likes else min(max(round(2 * value + 6) / 2, 0.5), 5)
            rows.append(f"{users[at]},{items[at]},{rating},{10**9 + at * 7919 % 10**7}\n")
        path.write_text("user,item,rating,timestamp\n" + "".join(rows))
        return path

    return write


def trained(path, tmp_path, chosen, monitor=None, checkpoint=None, **how):
    """Bytes of the model file, and the errors of lost workers."""
    losses = []
    with Shards(
        [str(path)], Hyperparameters(**chosen), test_fraction=0.1, lost=losses.append, **how
    ) as shards:
        model = shards.fit(FunkSVD(**chosen), monitor=monitor, checkpoint=checkpoint)
        model.remember_origin(shards.ratings)
    model.save(tmp_path / "model")
    return (tmp_path / "model").read_bytes(), [str(loss) for loss in losses]


class Fault(Monitor):
    """Calls a function when an epoch is done, once."""

    def __init__(self, epoch, fault):
        self.epoch, self.fault = epoch, fault

    def epoch_done(self, record, is_best):
        if record.epoch == self.epoch and self.fault is not None:
            fault, self.fault = self.fault, None
            fault()


def workers():
    """Numbers of the processes of all workers of this process's cluster."""
    own = {os.getpid()}
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
    while more := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= more
    found = []
    for pid in own:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"ray::_Actor" in file.read():
                found.append(pid)
    return sorted(found)


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("local:1", {}),
        ("local:2", {"loss": "logistic"}),
        ("two", {}),
        ("two", {"biases": False, "n_groups": 1, "choice": False}),
        ("two", {"loss": "logistic", "biases": False, "choice": False}),
    ],
    ids=str,
)
def test_the_bytes_are_those_of_one_process(cluster, write_ratings, tmp_path, where, chosen):
    table = write_ratings(likes=chosen.get("loss") == "logistic")
    where = cluster.address if where == "two" else where
    ref, _ = trained(table, tmp_path, QUICK | chosen)
    assert trained(table, tmp_path, QUICK | chosen, cluster=where) == (ref, [])


def test_a_killed_worker_is_replaced_and_shards_are_used_again(cluster, table, tmp_path, quick):
    steps = []
    fault = Fault(3, lambda: os.kill(workers()[0], signal.SIGKILL))
    how = {"cluster": cluster.address, "progress": lambda step, n_done, n: steps.append(step)}
    with Checkpoints(tmp_path / "kept", every=0) as kept:
        comp, losses = trained(table, tmp_path, QUICK, fault, kept, **how)
    assert losses == ["a worker is gone: its process has ended unexpectedly"]
    assert (steps.count("scan"), steps.count("again")) == (1, 1)
    assert comp == trained(table, tmp_path, QUICK)[0]


def test_a_lost_machine_leaves_the_work_to_the_others(cluster, table, tmp_path, quick):
    fault = Fault(3, lambda: cluster.remove_node(cluster.worker_nodes.copy().pop(), False))
    comp, losses = trained(table, tmp_path, QUICK, fault, cluster=cluster.address)
    assert losses
    assert comp == trained(table, tmp_path, QUICK)[0]


def test_a_worker_killed_while_ratings_are_prepared(cluster, table, tmp_path, quick):
    killed = []

    def kill(step, n_done, n):
        if step == "spread" and not killed:
            killed.append(workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    comp, losses = trained(table, tmp_path, QUICK, cluster=cluster.address, progress=kill)
    assert len(losses) == 1
    assert comp == trained(table, tmp_path, QUICK)[0]


def test_workers_that_are_lost_again_and_again_are_given_up(cluster, table, tmp_path, quick):
    def kill(step, n_done, n):
        os.kill(workers()[0], signal.SIGKILL)

    losses = []
    with pytest.raises(GangLostError, match="a worker is gone"):
        Shards([table], Hyperparameters(), cluster="local:1", progress=kill, lost=losses.append)
    assert len(losses) == fitting.MAX_LOSSES


def test_an_error_of_a_worker_is_that_of_one_process(cluster, table, tmp_path):
    with open(table, "a") as file:
        file.write("7,8,nine,1\n")
    messages = []
    for cluster_of in (None, cluster.address):
        with pytest.raises(RatingsError, match="line 1502") as caught:
            Shards([table], Hyperparameters(), cluster=cluster_of)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_damaged_files_and_folders_in_use_are_told(cluster, table, tmp_path):
    how = {"cluster": "local:1", "folder": tmp_path / "shards"}
    with (
        Shards([table], Hyperparameters(**QUICK), test_fraction=0.1, **how),
        pytest.raises(ShardError, match="in use by another process"),
    ):
        Shards([table], Hyperparameters(**QUICK), test_fraction=0.1, **how)
    path = tmp_path / "shards" / "worker-1-of-1" / "part-item-order.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ShardError, match=f"{path.name} is damaged"):
        trained(table, tmp_path, QUICK, **how)
