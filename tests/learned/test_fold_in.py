"""Folding in against least squares, the objective's gradient, and itself."""

import numpy as np
import pytest

from funksvd.learned import fold_in as folding
from funksvd.learned.base import side_by_side
from funksvd.learned.fold_in import OtherSide, RowPrior
from funksvd.objectives import plain as objective
from funksvd.objectives.parameters import Parameters, Regularization
from funksvd.ratings.compressed import CompressedRows

N_COLUMNS = 60


def side(n_factors, *, reg=0.08, bias_reg=0.05, n_members=1, implicit=False, **options):
    random = np.random.default_rng(n_factors)
    biases = random.normal(0, 0.4, N_COLUMNS).astype(np.float32)
    rows = [
        [random.normal(0, 0.3, (N_COLUMNS, n_factors)).astype(np.float32) for _ in range(n_members)]
        for _ in range(2)
    ]
    factors, implicit_factors = (side_by_side(each) for each in rows)
    regularization = Regularization(reg, bias_reg)
    return OtherSide(
        3.5,
        biases,
        factors,
        implicit_factors if implicit else None,
        n_members,
        regularization,
        options.get("n_prior", 0.0),
        options.get("has_biases", True),
    )


def ratings_of(*counts, seed=0):
    random = np.random.default_rng(seed)
    columns = [np.sort(random.choice(N_COLUMNS, n, replace=False)) for n in counts]
    values = random.uniform(1, 5, sum(counts)).astype(np.float32)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return CompressedRows(indptr, np.concatenate(columns).astype(np.int32), values)


def least_squares(known, columns, values):
    """Bias and factors of each member by NumPy's least squares, regularization as extra rows."""
    n, k = len(columns), known.factors.shape[1] // known.n_members
    scale = np.sqrt(known.n_members)
    solutions = []
    for first in range(0, known.factors.shape[1], k):
        q = known.factors[columns, first : first + k].astype(float) * scale
        x = np.hstack([np.ones((n, 1)), q]) if known.has_biases else q
        z = np.zeros(k)
        if known.implicit_factors is not None:
            y = known.implicit_factors[columns, first : first + k].astype(float) * scale
            z = y.sum(axis=0) / np.sqrt(n)
        target = values - 3.5 - known.biases[columns].astype(float) - q @ z
        reg = np.full(x.shape[1], known.regularization.factors)
        if known.has_biases:
            reg[0] = known.regularization.biases
        rows = np.vstack([x, np.diag(np.sqrt((n + known.n_prior) * reg))])
        solution = np.linalg.lstsq(rows, np.append(target, np.zeros(len(reg))), rcond=None)[0]
        if not known.has_biases:
            solution = np.append(0.0, solution)
        solutions.append((solution[0], solution[1:] + z))
    bias = np.mean([bias for bias, _ in solutions])
    return bias, np.concatenate([p for _, p in solutions]) / scale


@pytest.mark.parametrize("n_factors", [1, 2, 7, 16, 33, 64])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"has_biases": False},
        {"implicit": True},
        {"n_members": 3},
        {"n_prior": 7.5},
        {"n_members": 2, "implicit": True, "bias_reg": 0.3},
    ],
    ids=str,
)
def test_each_row_is_the_solution_of_its_ridge_problem(n_factors, options):
    known = side(n_factors, **options)
    ratings = ratings_of(1, 5, 0, 60, 23)
    biases, factors = known.fold(ratings)
    for row in range(5):
        part = slice(*ratings.indptr[row : row + 2])
        if part.start == part.stop:
            assert biases[row] == 0
            assert not factors[row].any()
            continue
        bias, p = least_squares(known, ratings.columns[part], ratings.values[part])
        np.testing.assert_allclose(biases[row], bias, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(factors[row], p, rtol=1e-4, atol=2e-6)


def test_the_gradient_of_the_objective_is_zero_there():
    known, ratings = side(5), ratings_of(20)
    biases, factors = known.fold(ratings)
    parameters = Parameters(3.5, biases, known.biases, factors, known.factors)
    parameters = Parameters(3.5, *(array.astype(float) for array in parameters[1:]))
    users = np.zeros(20, dtype=int)
    gradient = objective.gradients(
        parameters, users, ratings.columns, ratings.values.astype(float), known.regularization
    )
    assert abs(gradient.user_biases[0]) < 1e-5
    assert np.abs(gradient.user_factors).max() < 1e-5
    assert np.abs(gradient.item_factors).max() > 0.01


@pytest.mark.parametrize("n", [3, 40])
def test_without_regularization_it_is_the_shortest_of_the_best_solutions(n):
    known, ratings = side(12, reg=0.0, bias_reg=0.0), ratings_of(n)
    biases, factors = known.fold(ratings)
    x = np.hstack([np.ones((n, 1)), known.factors[ratings.columns]])
    target = ratings.values - 3.5 - known.biases[ratings.columns]
    ref = np.linalg.lstsq(x, target, rcond=None)[0]
    np.testing.assert_allclose(np.append(biases, factors), ref, rtol=1e-3, atol=1e-5)


def test_nothing_at_all_to_go_by():
    known = side(4, reg=0.0, bias_reg=0.0, has_biases=False)._replace(
        factors=np.zeros((N_COLUMNS, 4), np.float32)
    )
    biases, factors = known.fold(ratings_of(6))
    assert not biases.any()
    assert not factors.any()


@pytest.mark.parametrize("options", [{}, {"implicit": True, "n_members": 3}], ids=str)
def test_contributions_add_up_to_the_predictions(options):
    known, ratings = side(9, **options), ratings_of(17)
    biases, factors = known.fold(ratings)
    others = np.array([5, 0, 59, 5], dtype=np.int32)
    comp = known.contributions(ratings.columns, ratings.values, others)
    ref = biases[0] + known.factors[others] @ factors[0]
    np.testing.assert_allclose(comp.sum(axis=1), ref, atol=2e-6)


def test_a_contribution_is_what_the_prediction_changes_by_for_each_star():
    known, ratings = side(9, n_members=2, implicit=True), ratings_of(17)
    others = np.arange(8, dtype=np.int32)
    more = ratings.values.copy()
    more[4] += 1
    before, after = (
        known.contributions(ratings.columns, values, others) for values in (ratings.values, more)
    )
    assert np.count_nonzero(after - before) == 8  # one rating's, on eight predictions
    biases, factors = known.fold(ratings._replace(values=more))
    ref = biases[0] + known.factors[others] @ factors[0]
    np.testing.assert_allclose(after.sum(axis=1), ref, atol=2e-6)


def test_what_a_rated_item_adds_by_itself_does_not_depend_on_its_rating():
    plain, known = side(6), side(6, implicit=True)
    ratings, others = ratings_of(9), np.arange(5, dtype=np.int32)
    implied = [
        known.contributions(ratings.columns, values, others)
        - plain.contributions(ratings.columns, values, others)
        for values in (ratings.values, 6 - ratings.values)
    ]
    np.testing.assert_allclose(implied[0], implied[1], atol=1e-12)
    assert np.abs(implied[0]).min() > 0


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(folding, "ROWS_PER_TASK", 3)
    known, ratings = side(5), ratings_of(*range(20))
    one, four = known.fold(ratings), known.fold(ratings, n_threads=4)
    monkeypatch.undo()
    for arrays in zip(one, four, known.fold(ratings), strict=True):
        np.testing.assert_array_equal(arrays[0], arrays[1])
        np.testing.assert_array_equal(arrays[0], arrays[2])


def test_ratings_by_row_in_any_order():
    users = np.array([2, 0, 2, -1, 0], dtype=np.int32)
    items = np.array([3, 1, 0, 2, -1], dtype=np.int32)
    values = np.array([5, 4, 3, 2, 1], dtype=np.float32)
    comp = CompressedRows.from_pairs(users, items, 4, values)
    assert comp.indptr.tolist() == [0, 1, 1, 3, 3]
    assert comp.columns.tolist() == [1, 0, 3]
    assert comp.values.tolist() == [4, 3, 5]


def test_rows_of_a_known_distribution_are_the_posterior_means():
    """Of a normal prior with its own variance for each factor, and normal noise."""
    random = np.random.default_rng(7)
    rows = random.normal(size=(200, 5)) * [2.0, 1.0, 0.5, 0.2, 0.0]
    biases = random.normal(0, 0.4, 200)
    prior = RowPrior.of(biases.astype(np.float32), rows.astype(np.float32), noise=0.6)
    known = side(5)
    comp = OtherSide.given_prior(3.5, known.biases, known.factors, prior)
    ratings = ratings_of(3, 40)
    found, factors = comp.fold(ratings)
    variances = np.append((biases**2).mean(), (rows**2).mean(axis=0))
    for at in range(2):
        own = slice(*ratings.indptr[at : at + 2])
        columns, values = ratings.columns[own], ratings.values[own]
        x = np.column_stack([np.ones(len(columns)), known.factors[columns].astype(float)])
        target = values - 3.5 - known.biases[columns]
        covariance = np.diag(variances)
        ref = (
            covariance @ x.T @ np.linalg.solve(x @ covariance @ x.T + 0.6 * np.eye(len(x)), target)
        )
        np.testing.assert_allclose(np.append(found[at], factors[at]), ref, rtol=1e-4, atol=1e-5)
    parts = comp.contributions(columns, values, np.arange(4, dtype=np.int32))
    sums = found[1] + known.factors[:4].astype(float) @ factors[1]
    np.testing.assert_allclose(parts.sum(axis=1), sums, rtol=1e-4, atol=1e-5)
