"""Features one after the other: what each becomes, when it is done, what a refit takes over."""

import numpy as np
import pytest
import scipy.linalg

import naive
from funksvd import FunkSVD, FunkSVDError, Monitor, Ratings, random_split
from funksvd.learned.scoring import predict_pairs
from funksvd.objectives.incremental import row_weights
from funksvd.rng import Stream, generator
from funksvd.training import Findings, Hyperparameters, Scale, Triples, plan_blocks, train
from funksvd.training.learners.incremental import BIAS_SHARE, FEWEST_PASSES


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
    scale = Scale.of(plan.of_learned, biases=True)
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
                start = random.standard_normal(n).astype(np.float32) * std
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
    assert comp.record.history[0].train_rmse == pytest.approx(ref_rmse, rel=1e-5)


def test_the_first_feature_of_a_full_matrix_is_its_leading_singular_pair(full_matrix):
    matrix, ratings = full_matrix
    result = train(plan_of(ratings), incremental(n_factors=1, **EXACT))
    u, s, vt = scipy.linalg.svd(matrix)
    comp = result.learned.parameters.user_factors @ result.learned.parameters.item_factors.T
    assert np.linalg.norm(comp - s[0] * np.outer(u[:, 0], vt[0])) < 0.03 * s[0]


def test_the_features_of_a_full_matrix_are_its_truncated_svd(full_matrix):
    matrix, ratings = full_matrix
    # A start nearly at right angles to the third singular vector, as seed 0's, is left too early.
    result = train(plan_of(ratings), incremental(n_factors=3, seed=2, **EXACT))
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
        train(plan, hyperparameters, findings=Findings(passes=[30, more]))
        .record.history[0]
        .train_rmse
        for more in (10, 20, n, 2 * n)
    ]
    assert rmses[0] > 1.01 * rmses[1]
    assert rmses[2] == pytest.approx(rmses[3], rel=3e-3)


def test_a_later_feature_that_diverges_leaves_the_earlier_ones_alone(ratings):
    # A learning rate that grows a hundredfold a feature.
    growing = incremental(n_factors=3, learning_rate=0.01, learning_rate_decay=100.0)
    restarts = []

    class Recorder(Monitor):
        def restarted(self, epoch, learning_rate):
            restarts.append(epoch)

    result = train(plan_of(ratings), growing, monitor=Recorder())
    first_bad = restarts[0]
    assert first_bad > 1
    before = train(plan_of(ratings), growing, findings=Findings(n_epochs=first_bad - 1))
    assert result.findings.passes[:first_bad] == before.findings.passes
    for comp, ref in zip(result.learned.parameters[3:], before.learned.parameters[3:], strict=True):
        columns = ref.T[: first_bad - 1]
        assert columns.any(axis=1).all()
        assert all((comp == column[:, None]).all(axis=0).any() for column in columns)


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
    FunkSVD(algorithm="incremental", n_factors=12, reg=0.01, choice=False).fit(ratings)
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
