"""A choice model by workers: the bytes of the plain one."""

import numpy as np
import pytest

from funksvd.cluster.choices import ShardedPairs, Solving
from funksvd.cluster.gang import LocalGang
from funksvd.hyperparameters import Hyperparameters
from funksvd.ratings import CompressedRows
from funksvd.training import PairPlan, train


class Worker(Solving):
    def __init__(self, number, n_workers):
        self.number = number


@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_any_number_of_workers_learns_the_same_bytes(n_workers):
    random = np.random.default_rng(0)
    n_users, n_items = 300, 40
    at = np.sort(random.choice(n_users * n_items, 3000, replace=False))
    users, items = (index.astype(np.int32) for index in divmod(at, n_items))
    levels = random.integers(0, 256, 3000).astype(np.uint8)
    weights = np.linspace(0.5, 2, 256, dtype=np.float32)
    pairs = CompressedRows.from_pairs(users, items, n_users, levels)
    chosen = Hyperparameters(algorithm="ials", n_factors=20, n_epochs=4)
    plan = PairPlan(pairs, n_items, weights)
    ref = train(plan, chosen)
    gang = LocalGang(n_workers, Worker)
    sharded = ShardedPairs(
        pairs, n_items, weights, gang=gang, transposed=plan.by_item, worker_threads=2
    )
    comp = train(sharded, chosen)
    for name, array in ref.learned.tensors().items():
        assert comp.learned.tensors()[name].tobytes() == array.tobytes(), name
    assert comp.record.to_dict() == ref.record.to_dict()
