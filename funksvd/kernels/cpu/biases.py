"""Sums over ratings, for biases without factors."""

from funksvd.kernels.compiling import compiled


@compiled
def add_residuals(index, values, mean, sums):
    """Add the ratings' differences from the mean to the sums of their rows.

    Parameters
    ----------
    index : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32
    mean : float64
    sums : ndarray of shape (n_rows,), float64
        Changed in place.
    """
    for at in range(index.size):
        sums[index[at]] += values[at] - mean


@compiled
def sweep(rows, indptr, columns, column_biases, targets, weights, row_biases, sums):
    """Fit the biases of some rows, and add each to the sums of the row's columns.

    b_r = (target_r - sum of the biases of its columns) / weight_r.

    Parameters
    ----------
    rows : (int, int)
        The first row, and the one after the last.
    indptr, columns : ndarray
        Row r's columns are `columns[indptr[r]:indptr[r + 1]]`.
    column_biases : ndarray of shape (n_columns,), float64
    targets, weights : ndarray of shape (n_rows,), float64
    row_biases : ndarray of shape (n_rows,), float64
        Written, as far as those rows are concerned.
    sums : ndarray of shape (n_columns,), float64
        Changed in place.
    """
    first, stop = rows
    for r in range(first, stop):
        start, end = indptr[r], indptr[r + 1]
        # Four sums instead of one: their additions do not wait for each other.
        sum0 = sum1 = sum2 = sum3 = 0.0
        whole = end - (end - start) % 4
        for at in range(start, whole, 4):
            sum0 += column_biases[columns[at]]
            sum1 += column_biases[columns[at + 1]]
            sum2 += column_biases[columns[at + 2]]
            sum3 += column_biases[columns[at + 3]]
        for at in range(whole, end):
            sum0 += column_biases[columns[at]]
        bias = (targets[r] - ((sum0 + sum1) + (sum2 + sum3))) / weights[r]
        row_biases[r] = bias
        for at in range(start, end):
            sums[columns[at]] += bias
