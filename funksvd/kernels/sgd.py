"""One pass of stochastic gradient descent over a block of ratings, eq. (8) of `objective`."""

import numpy as np

from funksvd.kernels.compiling import compiled


@compiled
def sgd_block(
    user_index,
    item_index,
    values,
    global_mean,
    user_biases,
    item_biases,
    user_factors,
    item_factors,
    rates,
):
    """Move the parameters along the negative gradient of each rating's term, in order.

    Serial, and so deterministic; blocks that share no user and no item may run at the same time.
    Arithmetic is float32 in the order that is written here (no fast-math), so that the result
    does not depend on the processor.

    Parameters
    ----------
    user_index, item_index : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32
    global_mean : float32
    user_biases, item_biases : ndarray of shape (n_users,) and (n_items,), float32
        Changed in place.
    user_factors, item_factors : ndarray of shape (n_users, k) and (n_items, k), float32
        C-contiguous; changed in place.
    rates : tuple of four float32
        Learning rate of the factors, of the biases, lambda and lambda_b.

    Returns
    -------
    float64
        Sum of the squared errors e_ui**2, each as it was before its own step. Not finite where
        the descent diverges.
    """
    lr, bias_lr, reg, bias_reg = rates
    n_factors = user_factors.shape[1]
    squared_error = 0.0
    for at in range(values.size):
        u = user_index[at]
        i = item_index[at]
        p = user_factors[u]
        q = item_factors[i]
        # Four sums instead of one: their additions do not wait for each other.
        dot0 = dot1 = dot2 = dot3 = np.float32(0.0)
        for f in range(0, n_factors - 3, 4):
            dot0 += p[f] * q[f]
            dot1 += p[f + 1] * q[f + 1]
            dot2 += p[f + 2] * q[f + 2]
            dot3 += p[f + 3] * q[f + 3]
        for f in range(n_factors - n_factors % 4, n_factors):
            dot0 += p[f] * q[f]
        dot = (dot0 + dot1) + (dot2 + dot3)
        b_u = user_biases[u]
        b_i = item_biases[i]
        e = values[at] - (global_mean + b_u + b_i + dot)
        squared_error += np.float64(e) * np.float64(e)
        user_biases[u] = b_u + bias_lr * (e - bias_reg * b_u)
        item_biases[i] = b_i + bias_lr * (e - bias_reg * b_i)
        for f in range(n_factors):
            p_f = p[f]
            q_f = q[f]
            p[f] = p_f + lr * (e * q_f - reg * p_f)
            q[f] = q_f + lr * (e * p_f - reg * q_f)
    return squared_error
