"""Descent on shards: the bytes of the plain trainer, whatever the number of workers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funksvd import Hyperparameters
from funksvd.cluster import learner
from funksvd.cluster.blocks import groups_of_worker
from funksvd.cluster.descent import Descending
from funksvd.cluster.gang import LocalGang
from funksvd.cluster.learner import ShardedPlan
from funksvd.errors import GangLostError, ShardError
from funksvd.training import Checkpoints, Findings, Monitor, Triples, plan_blocks, train
from funksvd.training.plan import Rows


class Part(Descending):
    """A worker whose part is cut out of a plan in memory."""

    def __init__(self, plans, groups):
        self.plans, self._groups = plans, groups

    @property
    def groups(self):
        return self._groups

    def part(self, purpose):
        plan = self.plans[purpose]
        groups = self.groups
        bounds = plan.bounds[groups.start : groups.stop]
        ends = (int(bounds[0, 0, 0]), int(bounds[-1, -1, -1])) if groups else (0, 0)
        ratings = slice(*ends)
        rows = slice(plan.users.starts[groups.start], plan.users.starts[groups.stop])
        starts = plan.users.starts[groups.start : groups.stop + 1] - rows.start
        counts = plan.users.counts[:, plan.users.order[rows]]
        return replace(
            plan,
            user_index=plan.user_index[ratings],
            item_index=plan.item_index[ratings],
            columns={name: column[ratings] for name, column in plan.columns.items()},
            bounds=bounds - ratings.start,
            users=Rows(np.arange(rows.stop - rows.start), starts, counts),
        )


def sharded(plan, n_workers, n_threads=1):
    """The plan, cut up for some workers in this process."""
    whole = replace(plan, columns={name: each.copy() for name, each in plan.columns.items()})
    whole = replace(whole, user_index=plan.user_index.copy(), item_index=plan.item_index.copy())
    plans = {"search": plan, "refit": whole.with_all_learned()}

    def make(worker, n_workers):
        return Part(plans, groups_of_worker(worker, n_workers, plan.n_groups))

    counts = np.diff(plan.bounds, axis=-1)
    gang = LocalGang(n_workers, make)
    return ShardedPlan(gang, plan.users, plan.items, counts, "these", n_threads).opened("search")


def plan_of(ratings, n_groups, held_back=None):
    triples = Triples(ratings.user_index, ratings.item_index, ratings.values)
    shape = (ratings.n_users, ratings.n_items)
    return plan_blocks(triples, shape, held_back=held_back, n_groups=n_groups)


def assert_same(comp, ref):
    for name, array in ref.learned.tensors().items():
        assert comp.learned.tensors()[name].tobytes() == array.tobytes(), name
    assert comp.record.to_dict() == ref.record.to_dict()


@settings(max_examples=60, deadline=None)
@given(
    n_groups=st.integers(1, 9),
    n_workers=st.integers(1, 9),
    loss=st.sampled_from(["squared", "absolute", "huber", "logistic"]),
    biases=st.booleans(),
    nonnegative=st.booleans(),
    n_factors=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_any_number_of_workers_learns_the_same_bytes(
    n_groups, n_workers, loss, biases, nonnegative, n_factors, seed
):
    random = np.random.default_rng(seed)
    n = 400
    pairs = random.choice(40 * 25, n, replace=False)
    values = random.integers(0, 2, n) if loss == "logistic" else random.normal(3, 1, n)
    triples = Triples(*(index.astype(np.int32) for index in divmod(pairs, 25)))
    triples = triples._replace(values=values.astype(np.float32))
    plan = plan_blocks(triples, (40, 25), held_back=random.random(n) < 0.2, n_groups=n_groups)
    chosen = Hyperparameters(
        loss=loss,
        biases=biases,
        nonnegative=nonnegative,
        n_factors=n_factors,
        n_epochs=4,
        seed=seed,
        n_threads=1,
    )
    assert_same(train(sharded(plan, n_workers, 2), chosen), train(plan, chosen))


@pytest.mark.parametrize("n_workers", [1, 3])
def test_early_stopping_and_the_refit_are_the_same(planted, n_workers):
    ratings = planted(60, 50, 2, 1500, 0.3)
    held_back = np.arange(1500) % 5 == 0
    chosen = Hyperparameters(n_factors=6, learning_rate=0.1, patience=2)
    ref, comp = plan_of(ratings, 6, held_back), sharded(plan_of(ratings, 6, held_back), n_workers)
    first, other = train(ref, chosen), train(comp, chosen)
    assert first.record.best_epoch < len(first.record.history)
    assert_same(other, first)
    findings = Findings(n_epochs=first.record.best_epoch)
    refits = [train(plan.with_all_learned(), chosen, findings=findings) for plan in (comp, ref)]
    assert_same(*refits)


def test_a_divergence_is_gone_back_from(planted):
    ratings = planted(60, 50, 2, 1500, 0.3)
    chosen = Hyperparameters(n_factors=6, learning_rate=3.0, n_epochs=5)
    ref = train(plan_of(ratings, 4), chosen)
    assert ref.findings.rate_factor < 1
    assert_same(train(sharded(plan_of(ratings, 4), 2), chosen), ref)


@pytest.mark.parametrize("n_workers", [1, 3])
def test_another_number_of_workers_goes_on_from_a_checkpoint(planted, tmp_path, n_workers):
    ratings = planted(60, 50, 2, 1500, 0.3)
    held_back = np.arange(1500) % 5 == 0
    chosen = Hyperparameters(n_factors=6, learning_rate=0.1, patience=2)
    plan = plan_of(ratings, 6, held_back)
    ref = train(sharded(plan, 2), chosen)
    assert ref.record.best_epoch > 4

    class Lost(Monitor):
        def epoch_done(self, record, is_best):
            if record.epoch == 4:
                raise GangLostError("gone")

    with Checkpoints(tmp_path, every=0) as kept:
        kept.begin(chosen)
        with pytest.raises(GangLostError):
            train(sharded(plan, 2), chosen, monitor=Lost(), checkpoints=kept)
    with Checkpoints(tmp_path, resume=True) as kept:
        kept.begin(chosen)
        epochs = []
        monitor = Monitor()
        monitor.epoch_done = lambda record, is_best: epochs.append(record.epoch)
        comp = train(sharded(plan, n_workers), chosen, monitor=monitor, checkpoints=kept)
    assert epochs[0] == 4
    assert_same(comp, ref)


@pytest.mark.parametrize("n_workers", [2, 4, 8])
def test_an_epoch_moves_one_table_of_items_to_each_worker(planted, n_workers):
    ratings = planted(60, 50, 2, 1500, 0.3)
    plan = sharded(plan_of(ratings, 8), n_workers)
    train(plan, Hyperparameters(n_factors=16, n_epochs=5))
    table = 50 * (16 + 1) * 4
    for n_bytes in plan.gang.each("n_bytes"):
        assert n_bytes == 5 * table


@pytest.mark.parametrize("n_workers", [2, 4, 8])
def test_a_validation_moves_one_more(planted, n_workers):
    ratings = planted(60, 50, 2, 1500, 0.3)
    plan = sharded(plan_of(ratings, 8, np.arange(1500) % 5 == 0), n_workers)
    train(plan, Hyperparameters(n_factors=16, n_epochs=5))
    table = 50 * (16 + 1) * 4
    for n_bytes in plan.gang.each("n_bytes"):
        assert n_bytes == 2 * 5 * table


def test_strata_are_waited_for_as_long_as_epochs_suggest(planted, monkeypatch):
    plan = sharded(plan_of(planted(60, 50, 2, 1500, 0.3), 4), 2)
    limits = []
    monkeypatch.setattr(learner, "SHORTEST_LIMIT", 0)
    monkeypatch.setattr(learner.time, "monotonic", iter([0, 7, 10, 20, 30, 70]).__next__)
    waited_for = plan.gang.results

    def results(handles, within=None):
        limits.append(within)
        return waited_for(handles, within)

    monkeypatch.setattr(plan.gang, "results", results)
    train(plan, Hyperparameters(n_factors=2, n_epochs=3))
    assert [limit for limit in limits if limit] == [20 * 7] * 4 + [20 * 8.5] * 4


def test_a_step_out_of_turn_is_refused(planted):
    plan = sharded(plan_of(planted(60, 50, 2, 1500, 0.3), 4), 1)
    train(plan, Hyperparameters(n_factors=2, n_epochs=1))
    with pytest.raises(ShardError, match="shift 2 was asked for, and it is the turn of 0"):
        plan.gang.submit(0, "held_back_costs", 2, (np.float32(0), np.float32(9)))
    with pytest.raises(ShardError, match="epoch 1 does not follow"):
        plan.gang.submit(0, "step", 1, 0, 0.1)


def test_an_interrupted_epoch_leaves_the_best_one(planted):
    ratings = planted(60, 50, 2, 1500, 0.3)

    class Interrupt:
        armed = requested = False
        n_checks = 0

        def check(self):
            self.n_checks += 1
            if self.n_checks == 3 * 6 + 2:
                raise KeyboardInterrupt

    chosen = Hyperparameters(n_factors=6, n_epochs=9)
    results = [
        train(plan, chosen, interrupts=Interrupt())
        for plan in (sharded(plan_of(ratings, 6), 3), plan_of(ratings, 6))
    ]
    assert results[0].record.best_epoch == 3
    assert_same(*results)
