"""Optimizers and batches: what an epoch does, and where training ends."""

import copy
from itertools import pairwise

import numpy as np
import pytest

import naive
from funksvd import FunkSVD
from funksvd.hyperparameters import OPTIMIZERS
from funksvd.learned.scoring import predict_pairs
from funksvd.objectives import plain as objective
from funksvd.objectives.parameters import Parameters, Regularization
from funksvd.training import Context, Hyperparameters, Triples, plan_blocks, train
from funksvd.training.executors import Threads
from funksvd.training.learners.base import Progress
from funksvd.training.learners.minibatch import BatchLearner
from funksvd.training.learners.registry import choose_learner
from funksvd.training.learners.sgd import SGDLearner
from funksvd.training.scale import Scale, row_shares

ARRAYS = Parameters._fields[1:]


def as_triples(ratings):
    return Triples(ratings.user_index, ratings.item_index, ratings.values)


def plan_of(ratings, held_back=None, **changed):
    triples = as_triples(ratings)._replace(**changed)
    shape = (ratings.n_users, ratings.n_items)
    return plan_blocks(triples, shape, held_back=held_back, n_groups=3)


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


@pytest.fixture
def threads():
    with Threads(2) as threads:
        yield threads


def learner_of(plan, threads, start=None, **chosen):
    hyperparameters = Hyperparameters(n_factors=5, **chosen).resolved()
    return BatchLearner(Context(plan, hyperparameters, np.random.default_rng(3), threads, start))


def at_rate(learning_rate):
    return Progress(lambda done: learning_rate, lambda n_ratings: None)


def batches_of_epoch(learner, random):
    """The ratings of each batch, in the order in which the next epoch takes them."""

    n_users = len(learner.arranged.user_biases)
    users, items, values = learner.ratings

    def ratings_of(part):
        rows = users[part].tolist(), (items[part] - n_users).tolist()
        return list(zip(*rows, values[part].astype(float), strict=True))

    whole = []
    for shift in random.permutation(learner.plan.n_groups):
        blocks = learner.plan.stratum(int(shift))
        if learner.strata_per_batch:
            whole.append([r for block in blocks for r in ratings_of(block.learned)])
            continue
        n_batches = learner.batches_of[shift]
        for at in random.permutation(n_batches):
            batch = []
            for block in blocks:
                start, n = block.learned.start, block.learned.stop - block.learned.start
                part = slice(start + n * at // n_batches, start + n * (at + 1) // n_batches)
                batch += ratings_of(part)
            yield batch
    for at in range(0, len(whole), learner.strata_per_batch or 1):
        yield [
            rating for stratum in whole[at : at + learner.strata_per_batch] for rating in stratum
        ]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [1, 70, 1100, "full"])
def test_two_epochs_equal_naive_ones(ratings, threads, optimizer, batch_size):
    chosen = {"optimizer": optimizer, "batch_size": batch_size}
    rates = {"learning_rate": 0.02, "bias_learning_rate": 0.01}
    learner = learner_of(plan_of(ratings), threads, **chosen, **rates)
    table, n_users = learner.table, len(learner.arranged.user_biases)
    ref = {
        name: array[..., :5].astype(float).tolist() if array.ndim == 2 else array.tolist()
        for name, array in zip(ARRAYS, learner.arranged[1:], strict=True)
    }
    memories = {}
    random = copy.deepcopy(learner.random)
    for _ in range(2):
        sizes = []
        for batch in batches_of_epoch(learner, random):
            sizes.append(len(batch))
            gradients = naive.batch_gradients((0.0, *ref.values()), batch, learner.reg, 0.05)
            for (name, row), gradient in gradients.items():
                at = row + n_users * name.startswith("item")
                is_bias = name.endswith("biases")
                rate = 0.01 * table.bias_shares[at] if is_bias else 0.02 * table.shares[at]
                theta = [ref[name][row]] if is_bias else ref[name][row]
                memory = memories.setdefault((name, row), {})
                naive.optimizer_step(optimizer, theta, gradient[: len(theta)], memory, float(rate))
                ref[name][row] = theta[0] if is_bias else theta
        assert sum(sizes) == 1500
        assert max(sizes) <= (1500 if batch_size == "full" else max(batch_size, 3))
        learner.run_epoch(at_rate(0.02))
    # Adam's first steps are as long for the smallest gradient as for the largest
    tolerance = {"rtol": 2e-3, "atol": 2e-4}
    for name, comp in zip(ARRAYS, learner.arranged[1:], strict=True):
        comp = comp[:, :5] if comp.ndim == 2 else comp
        np.testing.assert_allclose(comp, np.array(ref[name]), **tolerance, err_msg=name)


def test_single_ratings_and_plain_steps_have_a_kernel_of_their_own():
    kinds = {
        (name, size): choose_learner(Hyperparameters(optimizer=name, batch_size=size).resolved())
        for name in (None, "sgd", "adam")
        for size in (None, 1, 2, "full")
    }
    ones = {(None, None), (None, 1), ("sgd", None), ("sgd", 1)}
    assert kinds == {key: SGDLearner if key in ones else BatchLearner for key in kinds}


def test_batches_of_single_ratings_learn_what_single_ratings_do(ratings, threads):
    plan = plan_of(ratings)
    learner = learner_of(plan, threads, batch_size=1)  # not what is chosen for this: see above
    for _ in range(20):
        comp_rmse = learner.run_epoch(at_rate(0.03))
    ref = train(
        plan, Hyperparameters(n_factors=5, n_epochs=20, learning_rate_decay=1)
    ).learned.parameters
    ref_errors = ratings.values - predict_pairs(ref, *as_triples(ratings)[:2])
    assert comp_rmse == pytest.approx(np.sqrt(np.mean(ref_errors**2)), rel=0.05)
    comp_errors = ratings.values - predict_pairs(
        learner.learned().parameters, *as_triples(ratings)[:2]
    )
    assert comp_rmse == pytest.approx(np.sqrt(np.mean(comp_errors**2)), rel=1e-5)


def test_rows_of_many_users_are_found(threads):
    """The indices of a block have 16 bits here, and do not have to reach every row."""
    n_users, n_items = 150_000, 5
    users = np.arange(n_users, dtype=np.int32)
    values = np.random.default_rng(0).normal(3, 1, n_users).astype(np.float32)
    plan = plan_blocks(Triples(users, users % n_items, values), (n_users, n_items))
    assert plan.user_index.dtype == np.uint16
    learner = learner_of(plan, threads, batch_size=100)
    user_rows, item_rows, comp_values = learner.ratings
    comp = plan.users.order[user_rows]
    np.testing.assert_array_equal(np.sort(comp), users)
    np.testing.assert_array_equal(plan.items.order[item_rows - n_users], comp % n_items)
    ref_values = (values[comp] - values.mean()) / values.std()
    np.testing.assert_allclose(comp_values, ref_values, rtol=1e-4, atol=1e-5)


def test_the_rate_of_a_row_goes_by_how_often_it_is_in_a_batch(ratings, threads):
    plan = plan_of(ratings)
    ref = np.concatenate(row_shares(plan))
    sides = (plan.users, plan.items)
    counts = np.concatenate([rows.counts[0][rows.order] for rows in sides])
    one, many, full, adam = (
        learner_of(plan, threads, optimizer=name, batch_size=size).table
        for name, size in (("sgd", 1), ("sgd", 1000), ("momentum", "full"), ("adam", "full"))
    )
    np.testing.assert_allclose(one.shares, ref, rtol=1e-6)
    np.testing.assert_array_equal(one.bias_shares, 1)
    repeats = np.maximum(counts * 1000 / 1500, 20)
    np.testing.assert_allclose(many.bias_shares, 20 / repeats, rtol=1e-6)
    np.testing.assert_allclose(many.shares, ref * 20 / repeats, rtol=1e-6)
    np.testing.assert_allclose(full.bias_shares, 20 / np.maximum(counts, 20), rtol=1e-6)
    assert counts.max() > 30
    np.testing.assert_array_equal(adam.shares, 1)


@pytest.mark.parametrize("n_factors", [2, 20])
def test_a_full_batch_without_regularization_lowers_the_loss_every_epoch(sample, n_factors):
    hyperparameters = Hyperparameters(
        n_factors=n_factors, batch_size="full", reg=0, bias_reg=0, n_epochs=150
    )
    result = train(plan_of(sample), hyperparameters)
    assert result.findings.rate_factor == 1
    rmses = [record.train_rmse for record in result.record.history]  # J = n RMSE² / 2
    assert all(after < before for before, after in pairwise(rmses))
    assert rmses[-1] < 0.9 * rmses[0]


def test_single_ratings_batches_and_full_batch_end_at_the_same_optimum(ratings):
    regularization = Regularization(0.3 * Scale.of(plan_of(ratings).of_learned, True).spread, 0.1)
    losses, predictions = {}, {}
    for size, n_epochs, decay in ((1, 300, 0.97), (50, 300, 0.97), ("full", 1500, 1.0)):
        hyperparameters = Hyperparameters(
            n_factors=2, batch_size=size, n_epochs=n_epochs, learning_rate=0.03,
            learning_rate_decay=decay, reg=0.3, bias_reg=0.1,
        )  # fmt: skip
        result = train(plan_of(ratings), hyperparameters)
        losses[size] = objective.loss(
            result.learned.parameters, *as_triples(ratings), regularization
        )
        predictions[size] = predict_pairs(result.learned.parameters, *as_triples(ratings)[:2])
    for size in (1, 50):
        assert losses[size] == pytest.approx(losses["full"], rel=1e-3)
        assert np.abs(predictions[size] - predictions["full"]).max() < 0.03


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("biases", [True, False])
def test_the_unit_of_the_ratings_does_not_change_a_bit(ratings, optimizer, biases):
    """A power of 4, so that neither it nor its root rounds anything."""
    hyperparameters = Hyperparameters(
        n_factors=6, n_epochs=3, optimizer=optimizer, batch_size=100, biases=biases
    )
    held_back = np.arange(1500) % 5 == 0
    ref = train(plan_of(ratings, held_back), hyperparameters)
    larger = plan_of(ratings, held_back, values=ratings.values * np.float32(64))
    comp = train(larger, hyperparameters)
    for name, unit in zip(Parameters._fields, (64, 64, 64, 8, 8), strict=True):
        np.testing.assert_array_equal(
            getattr(comp.learned.parameters, name),
            unit * np.asarray(getattr(ref.learned.parameters, name)),
        )
    assert [r.valid_rmse for r in comp.record.history] == [
        64 * r.valid_rmse for r in ref.record.history
    ]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_with_its_own_defaults(sample, optimizer):
    is_test = np.random.default_rng(1).random(len(sample)) < 0.1
    training, test = sample.subset(~is_test), sample.subset(is_test)
    model = FunkSVD(optimizer=optimizer).fit(training)
    evaluation = model.evaluate(test, training=training)
    assert evaluation.rmse < 0.7 * evaluation.baselines["regularized_biases"].rmse
