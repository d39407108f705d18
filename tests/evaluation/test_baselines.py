"""The baselines against their definitions."""

import numpy as np
import pytest

from funksvd import Ratings
from funksvd.evaluation import global_mean, regularized_biases
from funksvd.learned.scoring import predict_pairs


def ref_biases(ratings, user_damping, item_damping):
    """The ridge problem's normal equations, dense and solved at once."""
    n, n_users = len(ratings), ratings.n_users
    design = np.zeros((n, n_users + ratings.n_items))
    design[np.arange(n), ratings.user_index] = 1
    design[np.arange(n), n_users + ratings.item_index] = 1
    damping = np.repeat([user_damping, item_damping], [n_users, ratings.n_items])
    targets = ratings.values - ratings.values.mean(dtype=np.float64)
    solution = np.linalg.solve(design.T @ design + np.diag(damping), design.T @ targets)
    return solution[:n_users], solution[n_users:]


def check_against_normal_equations(ratings):
    comp = regularized_biases(ratings)
    assert comp.global_mean == pytest.approx(ratings.values.mean(dtype=np.float64))
    ref_users, ref_items = ref_biases(ratings, 7, 3)
    np.testing.assert_allclose(comp.user_biases, ref_users, atol=1e-6)
    np.testing.assert_allclose(comp.item_biases, ref_items, atol=1e-6)


@pytest.mark.parametrize("shape", [(60, 40), (40, 60)], ids=["more users", "more items"])
def test_biases_solve_the_normal_equations(planted, shape):
    check_against_normal_equations(planted(*shape, 2, 900, noise=0.5))


def test_biases_solve_the_normal_equations_where_popularity_is_skewed(sample):
    check_against_normal_equations(sample)


def test_biases_are_the_same_bits_for_any_number_of_threads(planted):
    ratings = planted(150, 20, 2, 2900, noise=0.5)
    ref = regularized_biases(ratings, n_threads=1)
    for n_threads in (2, 3):
        comp = regularized_biases(ratings, n_threads)
        assert comp.user_biases.tobytes() == ref.user_biases.tobytes()
        assert comp.item_biases.tobytes() == ref.item_biases.tobytes()


def test_biases_solve_the_normal_equations_whatever_the_parts(planted, monkeypatch):
    ratings = planted(150, 20, 2, 2900, noise=0.5)
    for ratings_per_sum in (1, 10, 10**6):
        monkeypatch.setattr("funksvd.evaluation.baselines.RATINGS_PER_SUM", ratings_per_sum)
        check_against_normal_equations(ratings)


def test_without_differences_there_are_no_biases():
    comp = regularized_biases(Ratings.from_arrays([1, 2, 2], [1, 1, 2], [3.0, 3.0, 3.0]))
    assert comp.user_biases.tolist() == comp.item_biases.tolist() == [0, 0]


def test_biases_by_hand():
    ratings = Ratings.from_arrays([1, 2], [1, 2], [2.0, 4.0])
    comp = regularized_biases(ratings)  # b_u = (-1 - b_i) / 8 and b_i = (-1 - b_u) / 4
    assert comp.global_mean == 3
    np.testing.assert_allclose(comp.user_biases, [-3 / 31, 3 / 31], rtol=1e-6)
    np.testing.assert_allclose(comp.item_biases, [-7 / 31, 7 / 31], rtol=1e-6)


def test_the_global_mean_is_predicted_for_everyone():
    ratings = Ratings.from_arrays([1, 1, 2], [1, 2, 1], [1.0, 2.0, 5.0])
    guesses = predict_pairs(global_mean(ratings), np.array([0, 1, -1]), np.array([1, -1, -1]))
    np.testing.assert_allclose(guesses, 8 / 3, rtol=1e-6)


def test_unknown_ids_get_what_is_known(sample):
    biases = regularized_biases(sample)
    guesses = predict_pairs(biases, np.array([5, -1, -1]), np.array([-1, 7, -1]))
    mean = np.float32(biases.global_mean)
    ref = [mean + biases.user_biases[5], mean + biases.item_biases[7], mean]
    np.testing.assert_allclose(guesses, ref, rtol=1e-6)
