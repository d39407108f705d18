"""Data whose best possible answer is known."""

import numpy as np
import pytest
import scipy.linalg

from funksvd import FunkSVD, Ratings, random_split


@pytest.mark.parametrize("spectrum", ["random", "decaying"])
def test_a_fully_observed_matrix_reaches_the_truncated_svd(spectrum):
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(60, 40))
    if spectrum == "decaying":
        u, _, vt = scipy.linalg.svd(matrix, full_matrices=False)
        matrix = (u * 20 * 0.8 ** np.arange(40)) @ vt
    singular_values = scipy.linalg.svd(matrix, compute_uv=False)
    ref = np.sqrt(np.sum(singular_values[8:] ** 2))

    users, items = np.indices(matrix.shape).reshape(2, -1)
    model = FunkSVD(
        n_factors=8,
        biases=False,
        reg=0,
        learning_rate=0.05,
        learning_rate_decay=0.99,
        n_epochs=600,
        init_std=0.3,
        validation_fraction=0,
    ).fit(Ratings.from_arrays(users, items, matrix.ravel()))
    comp = np.linalg.norm(matrix - model.user_factors @ model.item_factors.T)
    assert ref * (1 - 1e-6) <= comp <= 1.01 * ref


def test_a_planted_matrix_is_recovered_to_its_noise_floor(planted):
    noise = 0.1
    ratings = planted(200, 150, 2, 12_000, noise)
    training, test = random_split(ratings, 0.1, seed=1)
    model = FunkSVD(
        n_factors=2, reg=0.005, bias_reg=0.001, learning_rate_decay=0.97, n_epochs=200
    ).fit(training)
    # 1,050 free numbers learned from 10,800 ratings cost 5 %; the test part itself is 2 % unsure
    assert noise * 0.95 < model.evaluate(test).rmse < noise * 1.11


def test_the_defaults_come_near_the_noise_floor_of_the_sample(sample):
    training, test = random_split(sample, 0.1, seed=0)
    evaluation = FunkSVD().fit(training).evaluate(test, training=training)
    assert 0.571 < evaluation.rmse < 0.70  # data/README.md states the floor
    assert evaluation.rmse < 0.7 * evaluation.baselines["regularized_biases"].rmse


@pytest.mark.parametrize("fold", [1, 2, 3, 4, 5])
def test_movielens_100k_folds(real_data, fold):
    folder = real_data / "ml-100k"
    from funksvd import read_ratings

    model = FunkSVD().fit(read_ratings(folder / f"u{fold}.base"))
    comp = model.evaluate(read_ratings(folder / f"u{fold}.test")).rmse
    expected = (0.9123, 0.9014, 0.8979, 0.8994, 0.9022)[fold - 1]
    assert comp == pytest.approx(expected, abs=0.004)


def test_latest_small_beats_the_biases(real_data):
    from funksvd import read_ratings

    training, test = random_split(read_ratings(real_data / "ml-latest-small"), 0.1, seed=0)
    evaluation = FunkSVD().fit(training).evaluate(test, training=training)
    assert evaluation.rmse < 0.99 * evaluation.baselines["regularized_biases"].rmse
    assert (
        evaluation.baselines["regularized_biases"].rmse < evaluation.baselines["global_mean"].rmse
    )
