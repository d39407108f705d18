"""Kernels of the choice model's training, against plain linear algebra."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from funksvd.kernels import add_gram, diagonalize, rotate_rows, solve_rows
from funksvd.kernels.vectors import LANES


def rows_of(random, n, k, size=0.5):
    """Rows of factors, padded with zeros to whole vectors."""
    rows = np.zeros((n, -(-k // LANES) * LANES), np.float32)
    rows[:, :k] = random.normal(0, size, (n, k))
    return rows


def pairs_of(random, n_rows, n_columns, lengths):
    """indptr, columns and levels of rows with these numbers of pairs."""
    columns = [np.sort(random.choice(n_columns, n, replace=False)) for n in lengths]
    indptr = np.cumsum([0, *lengths]).astype(np.int64)
    levels = random.integers(0, 256, indptr[-1]).astype(np.uint8)
    return indptr, np.concatenate(columns).astype(np.int32), levels


@pytest.mark.parametrize("k", [1, 5, 16, 17, 40])
@pytest.mark.parametrize("lengths", [(1,), (0, 3, 1, 4, 0), (5, 8, 2, 60, 7)])
def test_many_steps_of_conjugate_gradients_are_the_exact_solution(k, lengths):
    """Eq. (6), for rows with fewer and with more pairs than there are factors."""
    random = np.random.default_rng(k)
    n_rows, n_columns = len(lengths), 60
    other = rows_of(random, n_columns, k)
    indptr, columns, levels = pairs_of(random, n_rows, n_columns, lengths)
    weights = random.uniform(0.25, 3, 256).astype(np.float32)
    diagonal = np.zeros(other.shape[1], np.float32)
    diagonal[:k] = random.uniform(0, 5, k)
    reg = 0.1, 0.7
    rows = rows_of(random, n_rows, k)
    before = rows.copy()
    given_ = (indptr, (columns, levels), weights, other, diagonal, reg)
    value, norms = solve_rows((0, n_rows), *given_, 200, rows)
    ref_value = ref_norms = 0.0
    for r, n in enumerate(lengths):
        if n == 0:
            assert not rows[r].any()
            continue
        mine = slice(indptr[r], indptr[r + 1])
        w = weights[levels[mine]].tolist()
        q = other[columns[mine], :k].tolist()
        rho = reg[0] * n + reg[1]
        ridge = (diagonal[:k].astype(float) + rho).tolist()
        ref = naive.choice_row(q, w, ridge)
        np.testing.assert_allclose(rows[r, :k], ref, rtol=2e-4, atol=2e-5)
        assert not rows[r, k:].any()
        ref_value += naive.choice_row_value(before[r, :k].tolist(), q, w, ridge)
        ref_norms += rho * sum(x * x for x in rows[r].tolist())
    assert value == pytest.approx(ref_value, rel=1e-5)
    assert norms == pytest.approx(ref_norms, rel=1e-5)


def test_rows_outside_of_the_span_stay_as_they_are():
    random = np.random.default_rng(0)
    other = rows_of(random, 9, 16)
    indptr, columns, levels = pairs_of(random, 4, 9, (2, 3, 4, 1))
    rows = rows_of(random, 4, 16)
    before = rows.copy()
    ones = np.ones(256, np.float32)
    diagonal = np.ones(16, np.float32)
    solve_rows((1, 3), indptr, (columns, levels), ones, other, diagonal, (0.1, 0.1), 3, rows)
    np.testing.assert_array_equal(rows[[0, 3]], before[[0, 3]])
    assert (rows[1:3] != before[1:3]).all()


def test_steps_too_short_for_their_squares_are_not_made():
    """The length of a step is a quotient of two squares."""
    random = np.random.default_rng(0)
    for exponent in range(-24, -10):
        other = rows_of(random, 3, 16, 10.0**exponent)
        rows = rows_of(random, 1, 16, 10.0**exponent)
        pairs = np.arange(3, dtype=np.int32), np.zeros(3, np.uint8)
        given_ = (np.array([0, 3]), pairs, np.ones(256, np.float32), other, np.zeros(16, "f4"))
        solve_rows((0, 1), *given_, (1.0, 1.0), 50, rows)
        assert np.isfinite(rows).all()


def test_a_row_that_is_solved_stays_where_it_is():
    """The direction of the search has no length then, and is not divided by."""
    other = np.zeros((3, 16), np.float32)
    rows = np.zeros((1, 16), np.float32)
    pairs = np.arange(3, dtype=np.int32), np.zeros(3, np.uint8)
    given_ = (np.array([0, 3]), pairs, np.ones(256, np.float32), other, np.ones(16, np.float32))
    value, norms = solve_rows((0, 1), *given_, (0.1, 0.1), 3, rows)
    assert not rows.any()
    assert (value, norms) == (3, 0)


@pytest.mark.parametrize(("n", "k"), [(0, 16), (1, 16), (7, 16), (8, 32), (127, 16), (300, 48)])
def test_gram_matrices_are_sums_of_products(n, k):
    rows = np.random.default_rng(n).normal(size=(n, k)).astype(np.float32)
    comp = np.ones((k, k))
    add_gram(rows, comp)
    ref = rows.astype(float).T @ rows.astype(float)
    np.testing.assert_allclose(np.triu(comp), np.triu(1 + ref), rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(np.tril(comp, -1), np.tril(np.ones((k, k)), -1))


@pytest.mark.parametrize(("n", "k"), [(1, 16), (5, 16), (3, 32), (50, 48)])
def test_rows_times_a_matrix(n, k):
    random = np.random.default_rng(n)
    basis, rows = (random.normal(size=(m, k)).astype(np.float32) for m in (k, n))
    out = np.full((n, k), np.nan, np.float32)
    rotate_rows((0, n), basis, rows, out)
    np.testing.assert_allclose(out, rows @ basis, rtol=1e-4, atol=1e-4)
    part = np.full((n, k), np.nan, np.float32)
    rotate_rows((n // 2, n), basis, rows, part)
    np.testing.assert_array_equal(part[n // 2 :], out[n // 2 :])
    assert np.isnan(part[: n // 2]).all()


def gram_matrices():
    """Positive semidefinite matrices: well and badly scaled ones, of any rank."""

    def make(k, rank, seed, scale):
        random = np.random.default_rng(seed)
        rows = random.normal(size=(rank, k)) * 10.0 ** random.uniform(-scale, scale, k)
        return rows.T @ rows

    return st.builds(
        make, st.integers(1, 12), st.integers(0, 15), st.integers(0, 99), st.sampled_from([0, 1, 3])
    )


@settings(deadline=None)
@given(gram_matrices(), st.sampled_from([1e-12, 1e-3]), st.sampled_from([0.0, 1e-3, 10.0]))
def test_rotations_make_a_matrix_diagonal_and_keep_its_eigenvalues(gram, tolerance, shift):
    k = len(gram)
    comp, basis = gram.copy(), np.empty_like(gram)
    n_rotations = diagonalize(comp, shift, tolerance, 60, basis)
    np.testing.assert_allclose(basis @ basis.T, np.eye(k), atol=1e-12)
    size = np.abs(gram).max()
    np.testing.assert_allclose(basis @ gram @ basis.T, comp, atol=1e-12 * max(size, 1e-300))
    np.testing.assert_array_equal(comp, comp.T)
    diagonal = np.diag(comp) + shift
    bound = tolerance * np.sqrt(np.maximum(np.outer(diagonal, diagonal), 0))
    off = np.abs(comp - np.diag(np.diag(comp)))
    assert (off <= bound + 1e-13 * size).all()
    if tolerance == 1e-12 and shift == 0:
        np.testing.assert_allclose(
            np.sort(np.diag(comp)), np.linalg.eigvalsh(gram), atol=1e-11 * max(size, 1e-300)
        )
    if np.count_nonzero(gram - np.diag(np.diag(gram))) == 0:
        assert n_rotations == 0


def test_a_matrix_that_is_diagonal_up_to_the_tolerance_is_left_alone():
    gram = np.array([[4.0, 0.01], [0.01, 1.0]])
    comp, basis = gram.copy(), np.empty((2, 2))
    assert diagonalize(comp, 0.0, 0.0051, 30, basis) == 0
    np.testing.assert_array_equal(comp, gram)
    np.testing.assert_array_equal(basis, np.eye(2))
    assert diagonalize(comp, 0.0, 0.0049, 30, basis) == 1
    assert comp[0, 1] == comp[1, 0] == 0


def test_eigenvalues_that_rounding_has_made_negative_do_no_harm():
    gram = np.diag([-1e-9, 2.0, -1e-9])
    comp, basis = gram.copy(), np.empty((3, 3))
    assert diagonalize(comp, 0.0, 1e-4, 30, basis) == 0
    np.testing.assert_array_equal(comp, gram)


SOLVE = """
import sys
import numpy as np
from funksvd.kernels import add_gram, diagonalize, rotate_rows, solve_rows
random = np.random.default_rng(0)
rows, other = (random.normal(0, 0.3, (n, 48)).astype(np.float32) for n in (40, 70))
gram, basis = np.zeros((48, 48)), np.empty((48, 48))
add_gram(other, gram)
gram = np.triu(gram) + np.triu(gram, 1).T
diagonalize(gram, 0.5, 1e-6, 30, basis)
turned = np.empty_like(other)
rotate_rows((0, 70), np.ascontiguousarray(basis.T).astype(np.float32), other, turned)
indptr = np.arange(41) * 11
pairs = random.integers(0, 70, 440).astype(np.int32), random.integers(0, 256, 440).astype(np.uint8)
weights = random.uniform(0.2, 2, 256).astype(np.float32)
given = indptr, pairs, weights, turned, np.diag(gram).astype(np.float32), (0.3, 0.7), 3
values = np.array(solve_rows((0, 40), *given, rows))
for array in (gram, basis, turned, rows, values):
    sys.stdout.buffer.write(array.tobytes())
"""


def test_the_same_bits_on_every_processor(written_on_each_processor):
    written = written_on_each_processor(SOLVE)
    assert len(written[0]) == 2 * 48 * 48 * 8 + 70 * 48 * 4 + 40 * 48 * 4 + 16
    assert written[0] == written[1] == written[2]
