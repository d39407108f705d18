"""Features one after the other: what each becomes, when it is done, what a refit takes over."""

import numpy as np
import pytest
import scipy.linalg

import naive
from funksvd import DivergenceError, FunkSVD, FunkSVDError, Monitor, Ratings, random_split
from funksvd.learned.scoring import predict_pairs
from funksvd.objectives.incremental import row_weights
from funksvd.rng import Stream, generator
from funksvd.training import Findings, Hyperparameters, Scale, Triples, plan_blocks, train
from funksvd.training.learners.incremental import BIAS_SHARE, FEWEST_PASSES, IncrementalLearner
from funksvd.training.scale import choose_reg


def plan_of(ratings, held_back=None, **changed):
    triples = Triples(ratings.user_index, ratings.item_index, ratings.values)._replace(**changed)
    return plan_blocks(triples, (ratings.n_users, ratings.n_items), held_back=held_back)


def incremental(**options):
    return Hyperparameters(algorithm="incremental", **options)


def assert_equal(comp, ref):
    for comp_array, ref_array in zip(comp, ref, strict=True):
        np.testing.assert_array_equal(comp_array, ref_array)


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


@pytest.fixture
def held_back(ratings):
    return np.random.default_rng(5).random(len(ratings)) < 0.2


@pytest.fixture(scope="module")
def full_matrix():
    """A fully observed matrix, singular values 20, 12, 7.2 …, and its ratings."""
    generator = np.random.default_rng(0)
    u, _, vt = scipy.linalg.svd(generator.normal(size=(40, 30)), full_matrices=False)
    matrix = (u * 20 * 0.6 ** np.arange(30)) @ vt
    users, items = np.indices(matrix.shape).reshape(2, -1)
    return matrix, Ratings.from_arrays(users, items, matrix.ravel())


EXACT = {"biases": False, "reg": 0, "learning_rate": 0.003, "n_epochs": 400, "init_std": 0.5}


def test_biases_and_a_feature_equal_naive_passes_over_the_blocks(ratings):
    plan, hyperparameters = plan_of(ratings), incremental(n_factors=1, seed=3)
    comp = train(plan, hyperparameters, findings=Findings(passes=[2, 3]))

    random = generator(3, Stream.TRAINING)
    scale = Scale.of([ratings.values], biases=True)
    resolved = hyperparameters.resolved()
    lr = resolved.learning_rate
    regs = (comp.record.reg * scale.spread, resolved.bias_reg)
    weights = [row_weights(rows.counts[0][rows.order]) for rows in (plan.users, plan.items)]
    rates = (lr / scale.spread, BIAS_SHARE * lr, *regs, *weights)
    std = np.float32(resolved.init_std * np.sqrt(scale.spread))
    rows = [[0.0] * 60, [0.0] * 50, [0.0] * 60, [0.0] * 50]
    for part, n_passes in enumerate([2, 3]):
        if part == 1:
            for at, n in ((2, 60), (3, 50)):
                start = random.standard_normal(n, dtype=np.float32) * std
                rows[at] = start.astype(float).tolist()
        for _ in range(n_passes):
            squared_error = 0.0
            for shift in random.permutation(plan.n_groups):
                for block in plan.stratum(shift):
                    triples = zip(
                        plan.user_index[block.learned].astype(int) + block.users.start,
                        plan.item_index[block.learned].astype(int) + block.items.start,
                        plan.values[block.learned].astype(float) - float(np.float32(scale.center)),
                        strict=True,
                    )
                    squared_error += naive.feature_pass(*rows, triples, rates)
    found = comp.learned.parameters
    orders = (plan.users.order, plan.items.order) * 2
    computed = (*found[1:3], found.user_factors[:, 0], found.item_factors[:, 0])
    for comp_array, ref_array, order in zip(computed, rows, orders, strict=True):
        np.testing.assert_allclose(comp_array[order], ref_array, rtol=1e-3, atol=1e-5)
    ref_rmse = np.sqrt(squared_error / len(ratings))
    assert comp.history[0].train_rmse == pytest.approx(ref_rmse, rel=1e-5)


def test_the_first_feature_of_a_full_matrix_is_its_leading_singular_pair(full_matrix):
    matrix, ratings = full_matrix
    result = train(plan_of(ratings), incremental(n_factors=1, **EXACT))
    u, s, vt = scipy.linalg.svd(matrix)
    comp = result.learned.parameters.user_factors @ result.learned.parameters.item_factors.T
    assert np.linalg.norm(comp - s[0] * np.outer(u[:, 0], vt[0])) < 0.03 * s[0]


def test_the_features_of_a_full_matrix_are_its_truncated_svd(full_matrix):
    matrix, ratings = full_matrix
    result = train(plan_of(ratings), incremental(n_factors=3, **EXACT))
    p, q = (factors.astype(float) for factors in result.learned.parameters[3:])
    ref = scipy.linalg.svd(matrix, compute_uv=False)
    energies = np.linalg.norm(p, axis=0) * np.linalg.norm(q, axis=0)
    np.testing.assert_allclose(energies, ref[:3], rtol=0.01)
    assert np.linalg.norm(matrix - p @ q.T) < 1.02 * np.sqrt(np.sum(ref[3:] ** 2))


def test_features_come_out_by_importance_and_predict_the_same(ratings):
    # One pass each: the second feature, learned for longer, becomes larger than the first.
    passes = [3, 1, 40, 20]
    hyperparameters = incremental(n_factors=3, reg=0.01)
    parameters = train(
        plan_of(ratings), hyperparameters, findings=Findings(passes=passes)
    ).learned.parameters
    energies = np.prod([np.linalg.norm(factors, axis=0) for factors in parameters[3:]], axis=0)
    assert (np.diff(energies) < 0).all()
    first = train(
        plan_of(ratings), hyperparameters, findings=Findings(n_epochs=1, passes=passes)
    ).learned.parameters
    (place,) = np.flatnonzero((parameters.user_factors == first.user_factors[:, :1]).all(axis=0))
    assert place > 0
    np.testing.assert_array_equal(parameters.item_factors[:, place], first.item_factors[:, 0])
    assert not first.user_factors[:, 1:].any()  # not learned


@pytest.mark.parametrize("n_threads", [2, 4])
def test_threads_do_not_change_a_bit(sample, n_threads):
    plan = plan_of(sample, np.arange(len(sample)) % 5 == 0)
    assert plan.n_groups > 1
    one, several = (
        train(plan, incremental(n_factors=3, n_epochs=8, n_threads=n)) for n in (1, n_threads)
    )
    assert_equal(several.learned.parameters[1:], one.learned.parameters[1:])
    assert several.findings.passes == one.findings.passes
    assert [r[:4] for r in several.record.history] == [r[:4] for r in one.record.history]


def test_as_many_passes_as_a_search_has_found_give_its_parameters_again(ratings, held_back):
    plan, hyperparameters = plan_of(ratings, held_back), incremental(n_factors=12, reg=0.01)
    search = train(plan, hyperparameters)
    assert search.record.best_epoch < 12  # two features were planted
    assert all(0 < n < hyperparameters.resolved().n_epochs for n in search.findings.passes)
    again = train(
        plan,
        hyperparameters,
        findings=Findings(n_epochs=search.record.best_epoch, passes=search.findings.passes),
    )
    assert_equal(again.learned.parameters[1:], search.learned.parameters[1:])
    assert again.findings.passes == search.findings.passes
    assert len(search.findings.passes) == search.record.best_epoch + 1


def test_a_feature_ends_when_it_stops_improving(ratings):
    hyperparameters = incremental(n_factors=1)
    (_, n), plan = train(plan_of(ratings), hyperparameters).findings.passes, plan_of(ratings)
    assert FEWEST_PASSES < n < hyperparameters.resolved().n_epochs
    rmses = [
        train(plan, hyperparameters, passes=[30, more]).history[0].train_rmse
        for more in (10, 20, n, 2 * n)
    ]
    assert rmses[0] > 1.01 * rmses[1]
    assert rmses[2] == pytest.approx(rmses[3], rel=3e-3)


def test_ratings_held_back_leave_no_trace(ratings, held_back):
    hyperparameters, passes = incremental(n_factors=3), [5, 10, 10, 10]
    shuffled = ratings.values.copy()
    shuffled[held_back] = np.random.default_rng(0).permutation(shuffled[held_back])
    one, other = (
        train(
            plan_of(ratings, held_back, values=values),
            hyperparameters,
            findings=Findings(passes=passes),
        )
        for values in (ratings.values, shuffled)
    )
    assert all(
        a.valid_rmse != b.valid_rmse for a, b in zip(one.history, other.history, strict=True)
    )
    assert [r.train_rmse for r in one.history] == [r.train_rmse for r in other.history]
    n = min(one.best_epoch, other.best_epoch)
    for comp, ref in zip(one.parameters[3:], other.parameters[3:], strict=True):
        shared = (comp[:, :, None] == ref[:, None, :]).all(axis=0)
        assert shared[comp.any(axis=0)].sum() == n


def test_the_validation_rmse_is_that_of_the_parameters(ratings, held_back):
    result = train(plan_of(ratings, held_back), incremental(n_factors=4))
    training, validation = ratings.subset(~held_back), ratings.subset(held_back)
    limits = (float(training.values.min()), float(training.values.max()))
    pairs = (validation.user_index, validation.item_index)
    predictions = predict_pairs(result.learned.parameters, *pairs, limits=limits)
    ref = naive.rmse(validation.values.tolist(), predictions.tolist())
    assert result.best_epoch > 1
    assert result.history[result.best_epoch - 1].valid_rmse == pytest.approx(ref, rel=1e-5)


class Recorder(Monitor):
    """Remembers what it is told; raises KeyboardInterrupt at a step of one feature."""

    def __init__(self, interrupted=(None, 0)):
        self.interrupted, self.n_steps = interrupted, 0
        self.records, self.restarts, self.n_done = [], [], 0

    def ratings_done(self, n_ratings):
        self.n_done += n_ratings
        self.n_steps += 1
        if self.interrupted == (len(self.records), self.n_steps):
            raise KeyboardInterrupt

    def epoch_done(self, record, is_best):
        self.records.append(record)
        self.n_steps = 0

    def restarted(self, epoch, learning_rate):
        self.restarts.append((epoch, learning_rate))


def test_an_epoch_is_a_feature_and_counts_every_rating_once(ratings):
    recorder = Recorder()
    result = train(plan_of(ratings), incremental(n_factors=3), monitor=recorder)
    assert recorder.records == result.record.history
    assert [record.epoch for record in result.record.history] == [1, 2, 3]
    assert recorder.n_done == 3 * len(ratings)
    assert result.record.best_epoch == 3


def test_an_interrupt_within_a_feature_goes_back_to_the_one_before(ratings):
    hyperparameters = incremental(n_factors=5)
    result = train(plan_of(ratings), hyperparameters, monitor=Recorder((2, 7)))
    assert result.interrupted
    assert result.record.best_epoch == 2
    whole = train(plan_of(ratings), hyperparameters, findings=Findings(n_epochs=2))
    assert_equal(result.learned.parameters[1:], whole.learned.parameters[1:])


def test_an_interrupt_before_the_first_feature_is_passed_on(ratings):
    with pytest.raises(KeyboardInterrupt):
        train(plan_of(ratings), incremental(), monitor=Recorder((0, 3)))


def test_divergence_starts_the_feature_again_smaller(ratings):
    recorder = Recorder()
    result = train(plan_of(ratings), incremental(n_factors=3, learning_rate=5.0), monitor=recorder)
    assert recorder.restarts
    assert recorder.restarts[0] == (1, 2.5)
    assert result.rate_factor == 0.5 ** len(recorder.restarts)
    assert [record.epoch for record in result.history] == [1, 2, 3]
    assert all(np.isfinite(array).all() for array in result.parameters[1:])
    rmses = [record.train_rmse for record in result.history]
    assert rmses[0] < Scale.of([ratings.values], True).spread
    assert rmses[2] < rmses[0]


def test_a_later_feature_that_diverges_leaves_the_earlier_ones_alone(ratings):
    # A learning rate that grows a hundredfold a feature.
    growing = incremental(n_factors=3, learning_rate=0.01, learning_rate_decay=100.0)
    recorder = Recorder()
    result = train(plan_of(ratings), growing, monitor=recorder)
    first_bad = recorder.restarts[0][0]
    assert first_bad > 1
    before = train(plan_of(ratings), growing, findings=Findings(n_epochs=first_bad - 1))
    assert result.findings.passes[:first_bad] == before.findings.passes
    for comp, ref in zip(result.learned.parameters[3:], before.learned.parameters[3:], strict=True):
        columns = ref.T[: first_bad - 1]
        assert columns.any(axis=1).all()
        assert all((comp == column[:, None]).all(axis=0).any() for column in columns)


def test_hopeless_divergence_is_an_error_that_says_what_to_do(ratings):
    with pytest.raises(DivergenceError, match=r"Give a smaller --learning-rate \(it is 1e\+09\)"):
        train(plan_of(ratings), incremental(n_factors=2, learning_rate=1e9))


@pytest.mark.parametrize("factor", [0.01, 20.0, 1000.0])
def test_the_unit_of_the_ratings_does_not_matter(ratings, factor):
    ref = train(plan_of(ratings), incremental(n_factors=3))
    scaled = plan_of(ratings, values=ratings.values * np.float32(factor))
    comp = train(scaled, incremental(n_factors=3))
    pairs = ratings.user_index, ratings.item_index
    np.testing.assert_allclose(
        predict_pairs(comp.learned.parameters, *pairs) / factor,
        predict_pairs(ref.learned.parameters, *pairs),
        rtol=2e-3,
    )


def test_regularization_is_chosen_by_how_much_is_known(ratings):
    plan = plan_of(ratings)
    found = train(plan, incremental(n_factors=1, n_epochs=1)).record.reg
    assert found == pytest.approx(IncrementalLearner.reg_share * choose_reg(plan))
    assert train(plan, incremental(n_factors=1, n_epochs=1, reg=0.3)).record.reg == 0.3


def test_rows_without_training_ratings_are_zero(ratings):
    n_users, n_items = ratings.n_users, ratings.n_items
    triples = Triples(ratings.user_index, ratings.item_index, ratings.values)
    plan = plan_blocks(triples, (n_users + 2, n_items + 1))
    result = train(plan, incremental(n_factors=2, n_epochs=5))
    assert not result.learned.parameters.user_factors[n_users:].any()
    assert not result.learned.parameters.item_factors[n_items:].any()
    assert not result.learned.parameters.user_biases[n_users:].any()


def test_without_biases_there_is_no_mean_either(ratings):
    result = train(plan_of(ratings), incremental(n_factors=4, biases=False))
    assert result.parameters.global_mean == 0
    assert not result.parameters.user_biases.any()
    assert not result.parameters.item_biases.any()
    assert result.history[-1].train_rmse < Scale.of([ratings.values], True).spread


def test_a_model_has_the_features_that_helped_and_survives_its_file(planted, tmp_path):
    training, test = random_split(planted(200, 150, 2, 12_000, 0.1), 0.1, seed=1)
    model = FunkSVD(algorithm="incremental", n_factors=20, reg=0.005, bias_reg=0.001).fit(training)
    n_features = int(model.user_factors.any(axis=0).sum())
    assert 2 <= n_features == model.best_epoch < 20
    assert model.title == f"Funk SVD, a feature at a time, {n_features} factors"
    energies = np.prod([np.linalg.norm(f, axis=0) for f in model.parameters[3:]], axis=0)
    assert (np.diff(energies) <= 0).all()
    assert model.evaluate(test).rmse < 0.15  # the noise is 0.1
    model.save(tmp_path / "model.funksvd")
    loaded = FunkSVD.load(tmp_path / "model.funksvd")
    assert_equal(loaded.parameters[1:], model.parameters[1:])
    assert loaded.title == model.title
    newcomers = loaded.for_new_users(test)  # zeros for what was not learned are no harm
    assert newcomers.user_factors.any(axis=0).sum() == n_features


def test_a_refit_takes_over_the_features_and_the_passes_of_each(ratings, monkeypatch):
    results = []

    def spy(*args, **options):
        results.append(train(*args, **options))
        return results[-1]

    monkeypatch.setattr("funksvd.training.ensemble.train", spy)
    FunkSVD(algorithm="incremental", n_factors=12, reg=0.01).fit(ratings)
    search, refit = results
    assert search.record.best_epoch < 12
    assert len(set(search.findings.passes)) > 1
    assert refit.findings.passes == search.findings.passes
    assert refit.record.best_epoch == search.record.best_epoch == len(search.findings.passes) - 1


def test_an_ensemble_is_the_mean_of_its_members(ratings):
    options = {"algorithm": "incremental", "n_factors": 3, "validation_fraction": 0}
    both = FunkSVD(**options, ensemble=2).fit(ratings)
    assert both.user_factors.shape[1] == 6
    plan = plan_of(ratings)
    pairs = (ratings.user_index, ratings.item_index)
    ref = [
        predict_pairs(train(plan, incremental(n_factors=3), member=n).learned.parameters, *pairs)
        for n in (0, 1)
    ]
    np.testing.assert_allclose(
        predict_pairs(both.parameters, *pairs), np.mean(ref, axis=0), rtol=1e-5
    )


def test_a_learning_rate_of_the_biases_can_be_given(ratings):
    plan, passes = plan_of(ratings), [4, 1]
    rate = incremental().resolved().learning_rate * BIAS_SHARE
    ref, same, faster = (
        train(
            plan,
            incremental(n_factors=1, bias_learning_rate=given),
            findings=Findings(passes=passes),
        )
        for given in (None, rate, 10 * rate)
    )
    np.testing.assert_allclose(
        same.learned.parameters.user_biases, ref.learned.parameters.user_biases, rtol=1e-5
    )
    assert np.ptp(faster.learned.parameters.user_biases) > 2 * np.ptp(
        ref.learned.parameters.user_biases
    )


def test_snapshots_are_for_other_algorithms():
    options = {"ensemble_snapshots": True, "schedule": "cyclic", "ensemble": 2}
    with pytest.raises(FunkSVDError, match="'incremental' has no ensemble_snapshots; leave it"):
        incremental(**options).check()
