"""Biases of users on days: eqs. (13) to (17) of `objectives.plain`.

All functions take the ratings of some users. These lie in any order; `order` has their positions
sorted by user, then day.
"""

from funksvd.kernels.compiling import compiled


@compiled
def sum_day_squares(
    order, day_starts, user_days, is_known, is_learned, items, values, mean, item_biases, sums
):
    """Sums of squares within and between the days of each user, eqs. (16) and (17).

    Parameters
    ----------
    order : ndarray of shape (n,), int32
    day_starts : ndarray of shape (n_days + 1,), int64
        A user's ratings of a day are at `order[day_starts[t]:day_starts[t + 1]]`.
    user_days : ndarray of shape (n_users + 1,), int64
        User u has the days from `user_days[u]` up to `user_days[u + 1]`.
    is_known : ndarray of shape (n_days,), bool
        False for the ratings of a user whose day is not known.
    is_learned : ndarray of shape (n,), bool
        False for a rating that does not count.
    items : ndarray of shape (n,), int32
    values : ndarray of shape (n,), float32
    mean : float64
    item_biases : ndarray of shape (n_items,), float64
    sums : ndarray of shape (5,), float64
        Increased: squares within days, their degrees of freedom, squares between days, theirs, and
        the sum over users of n_u - sum over t of n_ut^2 / n_u.
    """
    for u in range(user_days.size - 1):
        n_days = 0
        n_user = total = within = between = squared_counts = 0.0
        for t in range(user_days[u], user_days[u + 1]):
            n = total_day = squares = 0.0
            for at in range(day_starts[t], day_starts[t + 1]):
                rating = order[at]
                if is_known[t] and is_learned[rating]:
                    error = values[rating] - mean - item_biases[items[rating]]
                    n += 1
                    total_day += error
                    squares += error * error
            if n > 0:
                n_days += 1
                n_user += n
                total += total_day
                within += squares - total_day * total_day / n
                between += total_day * total_day / n
                squared_counts += n * n
        if n_days > 0:
            sums[0] += within
            sums[1] += n_user - n_days
            sums[2] += between - total * total / n_user
            sums[3] += n_days - 1
            sums[4] += n_user - squared_counts / n_user


@compiled
def fit_days(
    order,
    day_starts,
    user_days,
    is_known,
    is_learned,
    items,
    values,
    terms,
    item_biases,
    day_biases,
    item_sums,
):
    """Fit the biases of users and days to those of the items, eqs. (14) and (15).

    Parameters
    ----------
    order, day_starts, user_days, is_known, is_learned, items, values, item_biases
        As for `sum_day_squares`.
    terms : (float64, float64, float64)
        mu, kappa_u and kappa_d.
    day_biases : ndarray of shape (n_days,), float64
        Written; 0 where no rating counts, or the day is not known.
    item_sums : ndarray of shape (n_items,), float64
        Increased by what is left of each rating that counts, without the bias of its item.
    """
    mean, user_damping, day_damping = terms
    for u in range(user_days.size - 1):
        n_user = total = weighted = weight = 0.0
        for t in range(user_days[u], user_days[u + 1]):
            n = total_day = 0.0
            for at in range(day_starts[t], day_starts[t + 1]):
                rating = order[at]
                if is_learned[rating]:
                    n += 1
                    total_day += values[rating] - mean - item_biases[items[rating]]
            n_user += n
            total += total_day
            if is_known[t] and n > 0:
                share = n / (n + day_damping)
                weighted += share * total_day
                weight += share * n
            day_biases[t] = total_day
        bias = total / (n_user + user_damping)
        center = weighted / weight if weight > 0 else 0.0
        for t in range(user_days[u], user_days[u + 1]):
            n = 0.0
            for at in range(day_starts[t], day_starts[t + 1]):
                n += is_learned[order[at]]
            distance = day_biases[t] - n * center
            day_biases[t] = distance / (n + day_damping) if is_known[t] and n > 0 else 0.0
            fitted = mean + bias + day_biases[t]
            for at in range(day_starts[t], day_starts[t + 1]):
                rating = order[at]
                if is_learned[rating]:
                    item_sums[items[rating]] += values[rating] - fitted


@compiled
def subtract_days(order, day_starts, day_biases, values):
    """Take the bias of its day from each rating.

    Parameters
    ----------
    order, day_starts
        As for `sum_day_squares`.
    day_biases : ndarray of shape (n_days,), float32
    values : ndarray of shape (n,), float32
        Changed.
    """
    for t in range(day_biases.size):
        for at in range(day_starts[t], day_starts[t + 1]):
            values[order[at]] -= day_biases[t]
