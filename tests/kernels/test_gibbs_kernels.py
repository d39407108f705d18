"""Draws from conditional distributions against dense linear algebra."""

import numpy as np
import pytest

from funksvd.kernels import LANES, draw_rows, draw_weights, padded_rows


def table(generator, n_rows, n_columns, counts):
    """Ratings of some rows, as many as `counts` says."""
    index = [np.sort(generator.choice(n_columns, count, replace=False)) for count in counts]
    indptr = np.concatenate([[0], np.cumsum(counts)])
    columns = np.concatenate(index).astype(np.int32)
    return indptr, columns, generator.normal(size=len(columns)).astype(np.float32)


class Regression:
    """Rows to draw; what `draw_rows` takes."""

    def __init__(self, k, counts, n_columns=600, seed=0):
        generator = np.random.default_rng(seed)
        self.k, self.n = k, len(counts)
        self.ratings = table(generator, self.n, n_columns, counts)
        self.x = generator.normal(size=(n_columns, k))
        self.offsets = generator.normal(size=n_columns)
        self.scales = generator.uniform(0.5, 2, n_columns).astype(np.float32)
        self.x[:, -1] = self.scales
        self.features = np.zeros((n_columns, -(-(k + 1) // LANES) * LANES), np.float32)
        self.features[:, :k] = self.x
        self.features[:, k] = -self.offsets
        self.precisions = generator.uniform(0.5, 2, self.n)
        self.prior = (generator.uniform(0.5, 20, k), generator.normal(size=(self.n, k)))

    def draw(self, normals, span=None):
        rows, errors = np.full((self.n, self.k), np.nan), np.full(self.n, np.nan)
        means = np.full((self.n, self.k), np.nan, np.float32)
        first, stop = span or (0, self.n)
        drawn = normals[first:stop].astype(np.float32)
        given = (self.features, self.precisions, self.prior, drawn)
        draw_rows((first, stop), self.ratings, *given, rows, means, errors)
        return rows, means, errors

    def reference(self, row):
        """Mean and precision of a row, and its targets."""
        indptr, index, values = self.ratings
        own = slice(indptr[row], indptr[row + 1])
        x = self.x[index[own]]
        targets = self.scales[index[own]] * values[own].astype(float) - self.offsets[index[own]]
        precision = np.diag(self.prior[0]) + self.precisions[row] * x.T @ x
        pull = self.prior[0] * self.prior[1][row] + self.precisions[row] * x.T @ targets
        return np.linalg.solve(precision, pull), precision, x, targets


COUNTS = [0, 1, 5, 40, 256, 257, 600, 3, 2, 300, 0]


@pytest.mark.parametrize("k", [1, 2, 8, 13, 15, 16, 33])
def test_zeros_give_the_conditional_means(k):
    regression = Regression(k, COUNTS)
    rows, means, errors = regression.draw(np.zeros((len(COUNTS), k)))
    drawn = regression.draw(np.ones((len(COUNTS), k)))
    np.testing.assert_array_equal(means, rows.astype(np.float32))
    np.testing.assert_array_equal(drawn[1], means)  # whatever is drawn
    for row in range(regression.n):
        mean, _, x, targets = regression.reference(row)
        np.testing.assert_allclose(rows[row], mean, rtol=1e-4, atol=1e-4)
        ref_error = np.square(targets - x @ rows[row]).sum()
        assert errors[row] == pytest.approx(ref_error, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("k", [1, 4, 13])
def test_draws_have_the_conditional_covariance(k):
    """The step d_f that the f-th unit vector makes: sum of d_f d_f^T = precision^-1."""
    regression = Regression(k, COUNTS)
    means, *_ = regression.draw(np.zeros((len(COUNTS), k)))
    steps = []
    for f in range(k):
        normals = np.zeros((len(COUNTS), k))
        normals[:, f] = 1
        steps.append(regression.draw(normals)[0] - means)
    for row in range(regression.n):
        _, precision, *_ = regression.reference(row)
        covariance = sum(np.outer(step[row], step[row]) for step in steps)
        np.testing.assert_allclose(covariance @ precision, np.eye(k), atol=1e-4)


def test_spans_do_not_matter():
    regression = Regression(13, COUNTS)
    normals = np.random.default_rng(1).normal(size=(len(COUNTS), 13))
    whole = regression.draw(normals)
    for span in ((0, 3), (3, 11), (5, 6)):
        part = regression.draw(normals, span)
        for ref, comp in zip(whole, part, strict=True):
            np.testing.assert_array_equal(comp[slice(*span)], ref[slice(*span)])
            assert np.isnan(np.delete(comp, np.arange(*span), axis=0)).all()


def test_weights_one_after_another():
    generator = np.random.default_rng(2)
    n_rows, n_weights, k = 12, 7, 3
    on_list = generator.random((n_weights, n_rows)) < 0.4
    on_list[3] = False  # on nobody's list
    scales = generator.uniform(0.2, 1, n_rows).astype(np.float32)
    precisions, own = generator.uniform(0.5, 5, k), generator.uniform(0.5, 5, k)
    weights, normals = generator.normal(size=(2, n_weights, k))
    rows = generator.normal(size=(n_rows, k))
    x = scales[:, None] * on_list.T
    comp, residuals = padded_rows(n_weights, k), padded_rows(n_rows, k)
    comp[:, :k], residuals[:, :k] = weights, rows - x @ weights
    indptr = np.concatenate([[0], np.cumsum(on_list.sum(axis=1))])
    lists = (indptr, np.nonzero(on_list)[1].astype(np.int32))
    squares = (x**2).sum(axis=0)
    given = (lists, scales, squares, precisions, own, normals.astype(np.float32))
    draw_weights(*given, residuals, comp)

    ref = weights.copy()
    for j in range(n_weights):
        others = rows - np.delete(x, j, axis=1) @ np.delete(ref, j, axis=0)
        for f in range(k):
            precision = own[f] + precisions[f] * (x[:, j] ** 2).sum()
            mean = precisions[f] * (x[:, j] * others[:, f]).sum() / precision
            ref[j, f] = mean + normals[j, f] / np.sqrt(precision)
    np.testing.assert_allclose(comp[:, :k], ref, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(residuals[:, :k], rows - x @ ref, atol=1e-5)
    assert not comp[:, k:].any()
    assert not residuals[:, k:].any()
