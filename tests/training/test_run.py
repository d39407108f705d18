"""The epoch loop: what is kept, when it stops, what happens when it goes wrong."""

import signal

import numpy as np
import pytest

import naive
from funksvd import DivergenceError, Monitor
from funksvd.learned.scoring import predict_pairs
from funksvd.objectives import plain as objective
from funksvd.objectives.parameters import Parameters, Regularization
from funksvd.rng import Stream, generator
from funksvd.training import (
    Findings,
    Hyperparameters,
    Interrupts,
    Scale,
    Triples,
    plan_blocks,
    train,
)
from funksvd.training.learners.sgd import SGDLearner, initial_parameters
from funksvd.training.scale import choose_reg, row_shares, scaled_rates


def as_triples(ratings):
    return Triples(ratings.user_index, ratings.item_index, ratings.values)


def plan_of(ratings, held_back=None, **changed):
    triples = as_triples(ratings)._replace(**changed)
    return plan_blocks(triples, (ratings.n_users, ratings.n_items), held_back=held_back)


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


@pytest.fixture
def held_back(ratings):
    return np.random.default_rng(5).random(len(ratings)) < 0.2


class Recorder(Monitor):
    """Remembers all it is told; `at_epoch` is called at the end of each epoch."""

    def __init__(self, at_epoch=lambda epoch: None):
        self.at_epoch = at_epoch
        self.records, self.best, self.restarts, self.n_done = [], [], [], 0

    def ratings_done(self, n_ratings):
        self.n_done += n_ratings

    def epoch_done(self, record, is_best):
        self.records.append(record)
        self.best.append(is_best)
        self.at_epoch(record.epoch)

    def restarted(self, epoch, learning_rate):
        self.restarts.append((epoch, learning_rate))


def test_one_epoch_equals_a_naive_pass_over_the_blocks(ratings):
    hyperparameters = Hyperparameters(n_factors=5, n_epochs=1, seed=3)
    plan = plan_of(ratings)
    comp = train(plan, hyperparameters)

    random = generator(3, Stream.TRAINING)
    scale = Scale.of([ratings.values], biases=True)
    start = initial_parameters(plan, hyperparameters.resolved(), scale, random)
    ref = [array.astype(float).tolist() for array in start[1:]]
    rates = scaled_rates(hyperparameters, 0.03, comp.record.reg, scale, row_shares(plan))
    per_user, per_item = np.empty(60), np.empty(50)
    per_user[plan.users.order], per_item[plan.items.order] = rates[:2]
    rates = [per_user.tolist(), per_item.tolist(), *map(float, rates[2:])]
    half_squares = 0.0
    for shift in random.permutation(plan.n_groups):
        for block in plan.stratum(shift):
            block_ratings = zip(
                plan.users.order[block.users][plan.user_index[block.learned]],
                plan.items.order[block.items][plan.item_index[block.learned]],
                plan.values[block.learned].astype(float),
                strict=True,
            )
            half_squares += naive.sgd_pass(start.global_mean, *ref, block_ratings, rates)
    for comp_array, ref_array in zip(comp.learned.parameters[1:], ref, strict=True):
        np.testing.assert_allclose(comp_array, np.array(ref_array), rtol=1e-4, atol=1e-6)
    ref_rmse = np.sqrt(2 * half_squares / len(ratings))
    assert comp.history[0].train_rmse == pytest.approx(ref_rmse, rel=1e-5)


def test_the_loss_falls_and_ends_where_its_gradient_nearly_vanishes(ratings):
    hyperparameters = Hyperparameters(
        n_factors=3, n_epochs=600, learning_rate=0.05, learning_rate_decay=0.985, reg=0.1
    )
    plan = plan_of(ratings)
    result = train(plan, hyperparameters)
    scale = Scale.of([ratings.values], biases=True)
    regularization = Regularization(0.1 * scale.spread, hyperparameters.bias_reg)
    point = Parameters(
        result.learned.parameters.global_mean,
        *(a.astype(np.float64) for a in result.learned.parameters[1:]),
    )
    gradient = objective.gradients(point, *as_triples(ratings), regularization)
    start = initial_parameters(plan, hyperparameters.resolved(), scale, np.random.default_rng(0))
    at_start = objective.gradients(start, *as_triples(ratings), regularization)
    for name in Parameters._fields[1:3]:
        assert np.linalg.norm(getattr(gradient, name)) < 0.01 * np.linalg.norm(
            getattr(at_start, name)
        )
    losses = [objective.loss(p, *as_triples(ratings), regularization) for p in (start, point)]
    assert losses[1] < 0.35 * losses[0]


@pytest.mark.parametrize("n_threads", [2, 4])
def test_threads_do_not_change_a_bit(sample, n_threads):
    plan = plan_of(sample, np.arange(len(sample)) % 5 == 0)
    assert plan.n_groups > 1
    one, several = (
        train(plan, Hyperparameters(n_factors=17, n_epochs=4, n_threads=n)) for n in (1, n_threads)
    )
    for ref, comp in zip(one.learned.parameters[1:], several.learned.parameters[1:], strict=True):
        np.testing.assert_array_equal(comp, ref)
    assert [r[:4] for r in one.record.history] == [r[:4] for r in several.record.history]


def test_the_best_epoch_is_kept_and_patience_ends_training(held_back, ratings):
    # no regularization and too many factors: validation gets worse after a while
    hyperparameters = Hyperparameters(
        n_factors=30, reg=0, bias_reg=0, learning_rate=0.1, learning_rate_decay=1, patience=4
    )
    recorder = Recorder()
    result = train(plan_of(ratings, held_back), hyperparameters, monitor=recorder)
    rmses = [record.valid_rmse for record in result.history]
    assert result.best_epoch == np.argmin(rmses) + 1
    assert len(rmses) < hyperparameters.resolved().n_epochs
    assert result.record.best_epoch < len(rmses) <= result.record.best_epoch + 4
    assert recorder.records == result.record.history
    assert recorder.best == [
        rmse < min(rmses[:at], default=np.inf) for at, rmse in enumerate(rmses)
    ]
    training, validation = ratings.subset(~held_back), as_triples(ratings.subset(held_back))
    limits = (float(training.values.min()), float(training.values.max()))
    predictions = predict_pairs(result.learned.parameters, *validation[:2], limits=limits)
    assert naive.rmse(validation.values.tolist(), predictions.tolist()) == pytest.approx(
        min(rmses), rel=1e-6
    )


def test_without_validation_all_epochs_run_and_the_last_is_kept(ratings):
    result = train(plan_of(ratings), Hyperparameters(n_factors=4, n_epochs=7))
    assert len(result.history) == result.best_epoch == 7
    assert result.history[3].valid_rmse is None
    assert result.history[3].learning_rate == pytest.approx(0.03 * 0.85**3)


def test_progress_counts_every_rating_once_an_epoch(ratings):
    recorder = Recorder()
    train(plan_of(ratings), Hyperparameters(n_factors=4, n_epochs=3), monitor=recorder)
    assert recorder.n_done == 3 * len(ratings)


def test_divergence_is_caught_in_its_epoch_and_starts_again_smaller(ratings):
    recorder = Recorder()
    result = train(
        plan_of(ratings),
        Hyperparameters(n_factors=8, n_epochs=30, learning_rate=3, learning_rate_decay=1),
        monitor=recorder,
    )
    assert recorder.restarts
    assert result.findings.rate_factor == 0.5 ** len(recorder.restarts)
    assert recorder.restarts[0][1] == 1.5
    assert all(np.isfinite(array).all() for array in result.parameters[1:])
    assert [record.epoch for record in result.history] == list(range(1, 31))
    assert result.history[-1].train_rmse < result.history[0].train_rmse


def test_an_epoch_is_repeated_from_its_start_after_divergence(ratings):
    # A learning rate that grows tenfold an epoch: good epochs first, then one that diverges.
    growing = {"n_factors": 4, "learning_rate": 0.003, "learning_rate_decay": 10}
    recorder = Recorder()
    result = train(
        plan_of(ratings),
        Hyperparameters(**growing, n_epochs=4),
        monitor=recorder,
    )
    first_bad = recorder.restarts[0][0]
    assert first_bad > 1
    before = train(plan_of(ratings), Hyperparameters(**growing, n_epochs=first_bad - 1))
    assert [r[:3] for r in result.history[: first_bad - 1]] == [r[:3] for r in before.history]
    assert result.history[first_bad - 1].train_rmse < before.history[-1].train_rmse * 1.5


def test_hopeless_divergence_is_an_error_that_says_what_to_do(ratings):
    hyperparameters = Hyperparameters(n_factors=4, learning_rate=1e9)
    with pytest.raises(DivergenceError, match=r"Give a smaller --learning-rate \(it is 1e\+09\)"):
        train(plan_of(ratings), hyperparameters)


@pytest.mark.parametrize("name", ["reg", "bias_reg"])
def test_divergence_by_regularization_is_told_apart(ratings, name):
    hyperparameters = Hyperparameters(n_factors=4, **{name: 1e6})
    with pytest.raises(DivergenceError, match=r"regularization is too large.*\(it is 1e\+06\)"):
        train(plan_of(ratings), hyperparameters)


def interrupt_at(epoch):
    def at_epoch(done):
        if done == epoch:
            raise KeyboardInterrupt

    return at_epoch


def test_an_interrupt_keeps_the_best_epoch(held_back, ratings):
    hyperparameters = Hyperparameters(n_factors=4)
    plan = plan_of(ratings, held_back)
    result = train(plan, hyperparameters, monitor=Recorder(interrupt_at(3)))
    assert result.interrupted
    whole = train(plan, hyperparameters, findings=Findings(n_epochs=3))
    for ref, comp in zip(whole.learned.parameters[1:], result.learned.parameters[1:], strict=True):
        np.testing.assert_array_equal(comp, ref)


def test_an_interrupt_within_an_epoch_goes_back_to_its_start(ratings):
    class Impatient(Recorder):
        def ratings_done(self, n_ratings):
            super().ratings_done(n_ratings)
            if self.n_done == 2 * len(ratings):  # the last stratum of the second epoch is done
                raise KeyboardInterrupt

    hyperparameters = Hyperparameters(n_factors=4)
    result = train(plan_of(ratings), hyperparameters, monitor=Impatient())
    first = train(plan_of(ratings), hyperparameters, findings=Findings(n_epochs=1))
    assert result.interrupted
    assert result.record.best_epoch == 1
    np.testing.assert_array_equal(
        result.learned.parameters.user_factors, first.learned.parameters.user_factors
    )


def test_an_interrupt_before_the_first_epoch_is_passed_on(ratings):
    class Hasty(Monitor):
        def ratings_done(self, n_ratings):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(plan_of(ratings), Hyperparameters(), monitor=Hasty())


@pytest.mark.parametrize("factor", [0.01, 20.0, 1000.0])
def test_the_unit_of_the_ratings_does_not_matter(ratings, factor):
    hyperparameters = Hyperparameters(n_factors=6, n_epochs=25)
    ref = train(plan_of(ratings), hyperparameters)
    scaled = plan_of(ratings, values=ratings.values * np.float32(factor))
    comp = train(scaled, hyperparameters)
    pairs = ratings.user_index, ratings.item_index
    np.testing.assert_allclose(
        predict_pairs(comp.learned.parameters, *pairs) / factor,
        predict_pairs(ref.learned.parameters, *pairs),
        rtol=1e-3,
    )


def test_rows_without_training_ratings_are_zero(ratings):
    n_users, n_items = ratings.n_users, ratings.n_items
    plan = plan_blocks(as_triples(ratings), (n_users + 2, n_items + 1))
    result = train(plan, Hyperparameters(n_factors=3, n_epochs=2))
    assert not result.learned.parameters.user_factors[n_users:].any()
    assert not result.learned.parameters.item_factors[n_items:].any()
    assert not result.learned.parameters.user_biases[n_users:].any()


@pytest.mark.parametrize("offset", [0, 200])
def test_without_biases_there_is_no_mean_either(ratings, offset):
    shifted = plan_of(ratings, values=ratings.values + np.float32(offset))
    recorder = Recorder()
    result = train(
        shifted,
        Hyperparameters(n_factors=6, n_epochs=100, biases=False, reg=0),
        monitor=recorder,
    )
    assert result.learned.parameters.global_mean == 0
    assert not result.learned.parameters.user_biases.any()
    assert not result.learned.parameters.item_biases.any()
    assert not recorder.restarts
    assert result.history[-1].train_rmse < 0.9 * Scale.of([ratings.values], True).spread


def test_interrupts_wait_only_while_there_is_something_to_lose():
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        interrupts.armed = True
        signal.raise_signal(signal.SIGINT)  # nothing happens yet
        assert interrupts.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)  # the person insists
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt), Interrupts(armed=True):
        signal.raise_signal(signal.SIGINT)


def test_someone_elses_handler_is_left_alone():
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with Interrupts(armed=True) as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert not interrupts.requested
    finally:
        signal.signal(signal.SIGINT, before)


def test_rows_with_16_times_the_ratings_have_half_the_rate():
    users = np.repeat(np.arange(17, dtype=np.int32), 16)  # user 16 has 16 ratings, the others 1
    items = np.tile(np.arange(16, dtype=np.int32), 17)
    chosen = (users == 16) | (users == items)
    triples = Triples(users[chosen], items[chosen], np.arange(32, dtype=np.float32))
    plan = plan_blocks(triples, (17, 16))
    scale = Scale.of([plan.values], biases=True)
    rates = scaled_rates(Hyperparameters(), 0.1, 0.05, scale, row_shares(plan))
    of_user = dict(zip(plan.users.order.tolist(), rates.users.tolist(), strict=True))
    assert of_user[16] == pytest.approx(of_user[0] / 2)
    assert of_user[0] == pytest.approx(0.1 / scale.spread * 2000**0.25)
    assert rates.biases == np.float32(0.1)
    assert rates.reg == pytest.approx(0.05 * scale.spread)


def test_regularization_is_chosen_by_how_much_is_known(ratings):
    plan = plan_of(ratings)
    users, items = (
        sum(n * n for n in counts) / len(ratings)
        for counts in (np.bincount(ratings.user_index), np.bincount(ratings.item_index))
    )
    assert choose_reg(plan) == pytest.approx(0.18 / (users * items) ** 0.1)
    assert train(plan, Hyperparameters(n_epochs=1)).record.reg == choose_reg(plan)
    assert train(plan, Hyperparameters(n_epochs=1, reg=0.5)).record.reg == 0.5


def test_an_epoch_that_ended_badly_is_not_where_training_goes_on_from(ratings, monkeypatch):
    """Errors are taken before each step, so that an explosion may show in the next epoch only."""
    run_epoch = SGDLearner.run_epoch
    n_calls = 0

    def explode_at_the_end_of_the_second(learner, *arguments):
        nonlocal n_calls
        n_calls += 1
        error = run_epoch(learner, *arguments)
        if n_calls == 2:
            learner.arranged.user_factors[:] = 1e20
        return error

    monkeypatch.setattr(SGDLearner, "run_epoch", explode_at_the_end_of_the_second)
    recorder = Recorder()
    result = train(plan_of(ratings), Hyperparameters(n_factors=4, n_epochs=5), monitor=recorder)
    assert [epoch for epoch, _ in recorder.restarts] == [3] * 6
    assert [record.epoch for record in recorder.records] == [1, 2, 1, 2, 3, 4, 5]
    assert [record.epoch for record in result.history] == [1, 2, 3, 4, 5]
    assert result.rate_factor == 0.5
    assert np.isfinite(result.parameters.user_factors).all()
    assert result.history[-1].train_rmse < result.history[0].train_rmse
