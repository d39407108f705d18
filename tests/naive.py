"""An independent reference in pure Python. It imports nothing from the package.

Written from the formulas, one rating and one number at a time, to be read rather than to be fast.
"""

import hashlib
import math


def predict(mean, user_bias, item_bias, p, q):
    """mu + b_u + b_i + p . q."""
    return mean + user_bias + item_bias + sum(a * b for a, b in zip(p, q, strict=True))


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def cost(kind, r, s, delta=1.0):
    """What a rating r costs where s is predicted."""
    e = r - s
    if kind == "squared":
        return 0.5 * e * e
    if kind == "absolute":
        return abs(e)
    if kind == "huber":
        return 0.5 * e * e if abs(e) <= delta else delta * (abs(e) - 0.5 * delta)
    p = sigmoid(s if r == 1 else -s)  # logistic: the surprise
    return -math.log(p) if p < 0.9 else -math.log1p(-sigmoid(-s if r == 1 else s))


def residual(kind, r, s, delta=1.0):
    """The slope of the cost by -s."""
    e = r - s
    if kind == "squared":
        return e
    if kind == "absolute":
        return math.copysign(1, e) if e else 0.0
    if kind == "huber":
        return e if abs(e) <= delta else math.copysign(delta, e)
    return r - sigmoid(s)


def loss(mean, user_biases, item_biases, user_factors, item_factors, ratings, weights, kind):
    """The costs plus half the weighted squares, once for each (u, i, r).

    `weights` are those of the factors and of the biases.
    """
    reg, bias_reg = weights
    total = 0.0
    for u, i, r in ratings:
        s = predict(mean, user_biases[u], item_biases[i], user_factors[u], item_factors[i])
        total += cost(kind, r, s)
        total += 0.5 * bias_reg * (user_biases[u] ** 2 + item_biases[i] ** 2)
        total += 0.5 * reg * sum(x * x for x in user_factors[u])
        total += 0.5 * reg * sum(x * x for x in item_factors[i])
    return total


def sgd_pass(
    mean,
    user_biases,
    item_biases,
    user_factors,
    item_factors,
    ratings,
    rates,
    kind="squared",
    nonnegative=False,
):
    """One step a rating, in order; all four rows move from their old values. Changes the lists.

    `rates` are those of each user's factors, of each item's, of the biases; reg and bias_reg.
    Returns the sum of the costs, each before its step.
    """
    user_rates, item_rates, bias_lr, reg, bias_reg = rates
    total = 0.0
    for u, i, r in ratings:
        p, q = list(user_factors[u]), list(item_factors[i])
        b_u, b_i = user_biases[u], item_biases[i]
        s = predict(mean, b_u, b_i, p, q)
        g = residual(kind, r, s)
        total += cost(kind, r, s)
        user_biases[u] = b_u - bias_lr * (-g + bias_reg * b_u)
        item_biases[i] = b_i - bias_lr * (-g + bias_reg * b_i)
        for f in range(len(p)):
            user_factors[u][f] = p[f] - user_rates[u] * (-g * q[f] + reg * p[f])
            item_factors[i][f] = q[f] - item_rates[i] * (-g * p[f] + reg * q[f])
            if nonnegative:
                user_factors[u][f] = max(user_factors[u][f], 0.0)
                item_factors[i][f] = max(item_factors[i][f], 0.0)
    return total


def svdpp_epoch(mean, parameters, passes, n_rated, rates, member_rate, member_regs):
    """An epoch of SVD++. Changes the lists `parameters`: biases, p, q, y and x.

    `passes` are two, of users and of items: all pairs (u, i), u in N(i) and i in N(u); batches in
    the order of visits, each its pairs and its ratings (u, i, r). `rates` are as for `sgd_pass`,
    `n_rated` are numbers of ratings by user and by item, `member_regs` those of y and of x.

    A row with n ratings pulls at the members of its set by 2 / (1 + n / 500) of the rate. A y_j
    that m users pull at moves by 1 / (1 + m / 8) of their sum, and likewise an x_v.
    """
    user_biases, item_biases, p, q, y, x = parameters
    user_rates, item_rates, bias_lr, reg, bias_reg = rates
    sets = [{}, {}]
    for u, i in passes[0][0]:
        sets[0].setdefault(u, []).append(i)
        sets[1].setdefault(i, []).append(u)
    members, factors = (y, x), range(len(p[0]))

    def sum_of(side, row):
        mine = sets[side].get(row, ())
        root = math.sqrt(max(len(mine), 1))
        return [sum(members[side][member][f] for member in mine) / root for f in factors]

    def hand_back(side, pulls, pulled):
        """`pulled` are the members of each row's set, as pairs (row, member)."""
        visitors = {}
        for _, member in pulled:
            visitors[member] = visitors.get(member, 0) + 1
        for row, member in pulled:
            n, n_known = n_rated[side][row], len(sets[side][row])
            rate = member_rate * 2 / (1 + n / 500) / (1 + visitors[member] / 8)
            held = member_regs[side] * n / n_known
            for f in factors:
                old = members[side][member][f]
                pull = pulls[row][f] / math.sqrt(n_known)
                members[side][member][f] = old - rate * (-pull + held * old)

    for mine, (_, batches) in enumerate(passes):
        other = 1 - mine
        n_rows = (len(p), len(q))
        others_sums = [sum_of(other, row) for row in range(n_rows[other])]
        others_pulls = [[0.0 for _ in factors] for _ in range(n_rows[other])]
        for pairs, ratings in batches:
            visited = {pair[mine] for pair in pairs}
            sums = {row: sum_of(mine, row) for row in visited}
            pulls = {row: [0.0 for _ in factors] for row in visited}
            for u, i, r in ratings:
                z, t = (sums[u], others_sums[i]) if mine == 0 else (others_sums[u], sums[i])
                w = [a + b for a, b in zip(p[u], z, strict=True)]
                v = [a + b for a, b in zip(q[i], t, strict=True)]
                e = r - predict(mean, user_biases[u], item_biases[i], w, v)
                user_biases[u] -= bias_lr * (-e + bias_reg * user_biases[u])
                item_biases[i] -= bias_lr * (-e + bias_reg * item_biases[i])
                of_users, of_items = (pulls, others_pulls) if mine == 0 else (others_pulls, pulls)
                for f in factors:
                    p[u][f] -= user_rates[u] * (-e * v[f] + reg * p[u][f])
                    q[i][f] -= item_rates[i] * (-e * w[f] + reg * q[i][f])
                    z[f] += user_rates[u] * e * v[f]
                    t[f] += item_rates[i] * e * w[f]
                    of_users[u][f] += e * v[f]
                    of_items[i][f] += e * w[f]
            hand_back(mine, pulls, [(pair[mine], pair[other]) for pair in pairs])
        hand_back(other, others_pulls, [(pair[other], pair[mine]) for pair in passes[other][0]])


def batch_gradients(parameters, ratings, reg, bias_reg):
    """The gradient of the loss of some ratings, for the rows that they are of.

    `parameters` are (mean, user_biases, item_biases, user_factors, item_factors). Returns a list
    for each row, by (name of the array, index); of one number for a bias.
    """
    mean, user_biases, item_biases, user_factors, item_factors = parameters
    gradients = {}

    def add(row, terms):
        so_far = gradients.setdefault(row, [0.0] * len(terms))
        gradients[row] = [a + b for a, b in zip(so_far, terms, strict=True)]

    for u, i, r in ratings:
        p, q = user_factors[u], item_factors[i]
        e = r - predict(mean, user_biases[u], item_biases[i], p, q)
        add(("user_biases", u), [-e + bias_reg * user_biases[u]])
        add(("item_biases", i), [-e + bias_reg * item_biases[i]])
        add(("user_factors", u), [-e * b + reg * a for a, b in zip(p, q, strict=True)])
        add(("item_factors", i), [-e * a + reg * b for a, b in zip(p, q, strict=True)])
    return gradients


def optimizer_step(optimizer, theta, gradient, memory, rate):
    """Move one row by a textbook's formula. Changes the list `theta` and the dict `memory`."""
    k = len(theta)
    if optimizer == "sgd":
        steps = gradient
    elif optimizer == "momentum":
        v = memory.get("v", [0.0] * k)
        steps = memory["v"] = [0.9 * v[f] + gradient[f] for f in range(k)]
    elif optimizer == "adagrad":
        memory["a"] = memory.get("a", 0.0) + sum(g * g for g in gradient) / k
        steps = [g / (math.sqrt(memory["a"]) + 1e-8) for g in gradient]
    elif optimizer == "adagrad-element":
        a = memory.get("a", [0.0] * k)
        a = memory["a"] = [a[f] + gradient[f] ** 2 for f in range(k)]
        steps = [gradient[f] / (math.sqrt(a[f]) + 1e-8) for f in range(k)]
    elif optimizer == "rmsprop":
        a = memory.get("a", [0.0] * k)
        a = memory["a"] = [0.9 * a[f] + 0.1 * gradient[f] ** 2 for f in range(k)]
        steps = [gradient[f] / (math.sqrt(a[f]) + 1e-8) for f in range(k)]
    elif optimizer == "adam":
        t = memory["t"] = memory.get("t", 0) + 1
        m, v = memory.get("m", [0.0] * k), memory.get("v", [0.0] * k)
        m = memory["m"] = [0.9 * m[f] + 0.1 * gradient[f] for f in range(k)]
        v = memory["v"] = [0.999 * v[f] + 0.001 * gradient[f] ** 2 for f in range(k)]
        steps = [
            (m[f] / (1 - 0.9**t)) / (math.sqrt(v[f] / (1 - 0.999**t)) + 1e-8) for f in range(k)
        ]
    for f in range(k):
        theta[f] -= rate * steps[f]


def feature_pass(user_biases, item_biases, user_feature, item_feature, ratings, rates):
    """One step a rating, in order, for biases and one feature. Changes the lists.

    `ratings` are (u, i, what the mean and the other features leave of the rating). `rates` are
    those of the feature and of the biases, reg and bias_reg, and by how much each user and each
    item multiplies them. Returns the sum of the squared errors, each before its step.
    """
    lr, bias_lr, reg, bias_reg, user_weights, item_weights = rates
    total = 0.0
    for u, i, residual in ratings:
        b_u, b_i, p, q = user_biases[u], item_biases[i], user_feature[u], item_feature[i]
        w_u, w_i = user_weights[u], item_weights[i]
        e = residual - b_u - b_i - p * q
        total += e * e
        user_biases[u] = b_u - bias_lr * (-e + bias_reg * w_u * b_u)
        item_biases[i] = b_i - bias_lr * (-e + bias_reg * w_i * b_i)
        user_feature[u] = p - lr * (-e * q + reg * w_u * p)
        item_feature[i] = q - lr * (-e * p + reg * w_i * q)
    return total


def best_items(scores, n, excluded):
    """Indices of the n highest scores that are not excluded; of equals the lower index first."""
    candidates = [i for i in range(len(scores)) if i not in excluded]
    return sorted(candidates, key=lambda i: (-scores[i], i))[:n]


def cosine(a, b):
    """Cosine of the angle between two vectors; 0 if one of them is zero."""
    norms = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / norms if norms else 0.0


def rmse(values, predictions):
    """Root mean squared error."""
    squares = [(r - s) ** 2 for r, s in zip(values, predictions, strict=True)]
    return math.sqrt(sum(squares) / len(squares))


def error(kind, values, scores, delta=1.0):
    """What people are told of the costs: the root of twice their mean, for the losses with ½ e²."""
    mean = sum(cost(kind, r, s, delta) for r, s in zip(values, scores, strict=True)) / len(values)
    return math.sqrt(2 * mean) if kind in ("squared", "huber") else mean


def solved(matrix, right):
    """The solution of linear equations, by elimination with pivots."""
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    n = len(rows)
    for d in range(n):
        pivot = max(range(d, n), key=lambda r: abs(rows[r][d]))
        rows[d], rows[pivot] = rows[pivot], rows[d]
        for r in range(d + 1, n):
            by = rows[r][d] / rows[d][d]
            rows[r] = [a - by * b for a, b in zip(rows[r], rows[d], strict=True)]
    x = [0.0] * n
    for d in range(n - 1, -1, -1):
        x[d] = (rows[d][n] - sum(rows[d][c] * x[c] for c in range(d + 1, n))) / rows[d][d]
    return x


def choice_row(q, w, ridge):
    """The minimum of `choice_row_value`: (diag(ridge) + sum w q q^T) p = sum w q."""
    factors = range(len(ridge))
    matrix = [
        [
            (ridge[f] if f == g else 0.0)
            + sum(weight * row[f] * row[g] for weight, row in zip(w, q, strict=True))
            for g in factors
        ]
        for f in factors
    ]
    right = [sum(weight * row[f] for weight, row in zip(w, q, strict=True)) for f in factors]
    return solved(matrix, right)


def choice_row_value(p, q, w, ridge):
    """sum w (1 - p . q)^2 + sum ridge p^2, over a row's pairs and over the factors."""
    total = sum(r * x * x for r, x in zip(ridge, p, strict=True))
    for row, weight in zip(q, w, strict=True):
        s = sum(a * b for a, b in zip(p, row, strict=True))
        total += weight * (1 - s) ** 2
    return total


def choice_loss(p, q, pairs, a0, nu):
    """Half of sum w (1 - s)^2 over (u, i, w), a0 s^2 over all, and rho |p|^2, rho |q|^2."""
    n_users, n_items = len(p), len(q)
    of_users, of_items = [0] * n_users, [0] * n_items
    total = 0.0
    for u, i, weight in pairs:
        of_users[u] += 1
        of_items[i] += 1
        total += weight * (1 - sum(a * b for a, b in zip(p[u], q[i], strict=True))) ** 2
    for row in p:
        for other in q:
            total += a0 * sum(a * b for a, b in zip(row, other, strict=True)) ** 2
    for rows, counts, n_others in ((p, of_users, n_items), (q, of_items, n_users)):
        for row, n in zip(rows, counts, strict=True):
            total += nu * (n + a0 * n_others) * sum(x * x for x in row)
    return total / 2


def liking(prediction, threshold, spread):
    """The probability that a normal number with this mean and deviation is above the threshold."""
    return math.erfc((threshold - prediction) / spread / math.sqrt(2)) / 2


def expected_calibration_error(pairs, n_groups):
    """Of (probability, whether it came true): |mean - share| of groups of equal size, weighted.

    The groups are of ascending probability; the last one has what is left over.
    """
    pairs = sorted(pairs)
    total = 0.0
    for group in range(n_groups):
        part = pairs[len(pairs) * group // n_groups : len(pairs) * (group + 1) // n_groups]
        total += abs(sum(probability - came_true for probability, came_true in part))
    return total / len(pairs)


def score_of_both(choice, probability):
    """max(s, 0.01) P^(1/3)."""
    return max(choice, 0.01) * probability ** (1 / 3)


def relevance_and_difference(scores, similarities, diversity, n):
    """Maximal marginal relevance: places of n candidates, in the order in which they are chosen."""
    chosen = []
    while len(chosen) < min(n, len(scores)):
        values = {}
        for at in range(len(scores)):
            if at not in chosen:
                nearest = max((similarities[at][each] for each in chosen), default=0.0)
                values[at] = (1 - diversity) * scores[at] / abs(scores[0]) - diversity * nearest
        chosen.append(max(values, key=lambda at: (values[at], -at)))
    return chosen


def mixed(z):
    """The finalizer of SplitMix64, of a number from 0 up to 2**64."""
    z = (z + 0x9E3779B97F4A7C15) % 2**64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
    return z ^ (z >> 31)


def hash_of_id(label):
    """An integer mixed; of text, eight bytes of BLAKE2b."""
    if isinstance(label, int):
        return mixed(label % 2**64)
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "little")


def hash_of_pair(user, item):
    """Of two ids."""
    return mixed(mixed(hash_of_id(user)) ^ hash_of_id(item))


def draw(user, item, seed, stream):
    """The number from 0 up to 2**64 that a pair draws."""
    key = hashlib.blake2b(f"{seed} {stream}".encode(), digest_size=8).digest()
    return mixed(mixed(hash_of_id(user) ^ int.from_bytes(key, "little")) ^ hash_of_id(item))
