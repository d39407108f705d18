"""Steps by the gradients of batches, against the naive ones and the objective's gradients."""

import numpy as np
import pytest

import naive
from funksvd.kernels import RULES, Table, add_gradients, run_batches, update_rows
from funksvd.objectives import plain as objective
from funksvd.objectives.parameters import Parameters, Regularization

N_USERS, N_ITEMS = 6, 5
N_ROWS = N_USERS + N_ITEMS
REG = (0.07, 0.02)
RATES = tuple(np.float32(x) for x in (0.05, 0.03, *REG))
SHARES = np.linspace(0.5, 1.5, N_ROWS, dtype=np.float32)
BIAS_SHARES = SHARES[::-1].copy()


def ratings(n=40, seed=2):
    """By row; some repeat within a batch, and user 5 and item 4 have no rating."""
    generator = np.random.default_rng(seed)
    users, items = (generator.integers(0, top, n).astype(np.uint32) for top in (5, 4))
    return users, items + np.uint32(N_USERS), generator.normal(0, 1, n).astype(np.float32)


def new_table(n_factors, optimizer, seed=1):
    generator = np.random.default_rng(seed)
    table = Table.of(N_ROWS, n_factors, optimizer)
    table.biases[:] = generator.normal(0, 0.3, (N_ROWS, 1))
    table.factors[:, :n_factors] = generator.normal(0, 0.5, (N_ROWS, n_factors))
    table.shares[:], table.bias_shares[:] = SHARES, BIAS_SHARES
    return table


def as_parameters(table, n_factors):
    biases, factors = table.biases[:, 0], table.factors[:, :n_factors]
    parts = (biases[:N_USERS], biases[N_USERS:], factors[:N_USERS], factors[N_USERS:])
    return Parameters(0.0, *(part.astype(float) for part in parts))


def naive_batches(parameters, optimizer, batches):
    """What the kernel should do; `parameters` are changed."""
    rows = {name: getattr(parameters, name) for name in Parameters._fields[1:]}
    memories = {}
    for batch in batches:
        lists = [array.tolist() for array in rows.values()]
        gradients = naive.batch_gradients((0.0, *lists), batch, *map(float, RATES[2:]))
        for (name, index), gradient in gradients.items():
            theta = np.atleast_1d(rows[name][index]).tolist()
            at = index + (N_USERS if name.startswith("item") else 0)
            is_bias = name.endswith("biases")
            rate = float(RATES[is_bias]) * float((BIAS_SHARES if is_bias else SHARES)[at])
            memory = memories.setdefault((name, index), {})
            naive.optimizer_step(optimizer, theta, gradient, memory, rate)
            rows[name][index] = theta[0] if is_bias else theta


@pytest.mark.parametrize("optimizer", RULES)
@pytest.mark.parametrize("n_batches", [1, 6, 40])
@pytest.mark.parametrize("n_factors", [1, 5, 20])
def test_each_optimizer_equals_its_textbook(optimizer, n_batches, n_factors):
    comp = new_table(n_factors, optimizer)
    ref = as_parameters(comp, n_factors)
    users, items, values = ratings()
    triples = list(
        zip(users.tolist(), (items - N_USERS).tolist(), values.astype(float), strict=True)
    )
    # several passes, so that there is something to remember
    order = np.concatenate([np.random.default_rng(s).permutation(n_batches) for s in range(3)])
    bounds = [40 * b // n_batches for b in range(n_batches + 1)]
    naive_batches(ref, optimizer, [triples[bounds[b] : bounds[b + 1]] for b in order])
    for part in order.reshape(3, -1):
        run_batches((users, items, values), part, comp, n_factors, RATES, optimizer)
    for comp_array, ref_array in zip(as_parameters(comp, n_factors), ref, strict=True):
        np.testing.assert_allclose(comp_array, ref_array, rtol=1e-3, atol=1e-4)
    assert not comp.factors[:, n_factors:].any()  # the padding stays zero
    assert not comp.counts.any()
    assert not comp.gradients.any()
    assert not comp.bias_gradients.any()


@pytest.mark.parametrize("n_factors", [3, 33])
def test_the_gradients_of_a_batch_are_the_objectives(n_factors):
    table = new_table(n_factors, "sgd")
    point = as_parameters(table, n_factors)
    users, items, values = ratings()
    add_gradients((users, items, values), table)
    ref = objective.gradients(
        point, users, items - N_USERS, values.astype(float), Regularization(0, 0)
    )
    comp = as_parameters(
        table._replace(biases=table.bias_gradients, factors=table.gradients), n_factors
    )
    for comp_array, ref_array in zip(comp[1:], ref[1:], strict=True):
        np.testing.assert_allclose(comp_array, ref_array, rtol=1e-4, atol=1e-5)


def test_a_full_step_at_rate_one_is_the_negative_gradient_of_the_loss():
    table = new_table(7, "sgd")
    table.shares[:] = table.bias_shares[:] = 1
    point = as_parameters(table, 7)
    users, items, values = ratings()
    one = (np.float32(1), np.float32(1), *RATES[2:])
    add_gradients((users, items, values), table)
    update_rows(np.arange(N_ROWS, dtype=np.uint32), table, 7, one, "sgd")
    ref = objective.gradients(
        point, users, items - N_USERS, values.astype(float), Regularization(*REG)
    )
    for new, old, gradient in zip(as_parameters(table, 7)[1:], point[1:], ref[1:], strict=True):
        np.testing.assert_allclose(new - old, -gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", RULES)
def test_a_batch_in_one_go_equals_its_parts_added_up(optimizer):
    users, items, values = ratings()
    whole, parts = new_table(9, optimizer), new_table(9, optimizer)
    for _ in range(2):
        run_batches((users, items, values), np.array([0]), whole, 9, RATES, optimizer)
        for part in (slice(0, 13), slice(13, 40)):
            add_gradients((users[part], items[part], values[part]), parts)
        for rows in (range(4), range(4, N_ROWS)):
            update_rows(np.array(rows, dtype=np.uint32), parts, 9, RATES, optimizer)
    for ref, comp in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(comp, ref)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_rows_that_are_not_in_a_batch_are_left_alone_and_so_is_their_memory(optimizer):
    users, items, values = ratings()
    table = new_table(4, optimizer)
    run_batches((users, items, values), np.array([0]), table, 4, RATES, optimizer)
    before = [array.copy() for array in table]
    one = (users[:1], items[:1], values[:1])
    run_batches(one, np.array([0]), table, 4, RATES, optimizer)
    u, i = int(users[0]), int(items[0])
    others = np.setdiff1d(np.arange(N_ROWS), [u, i])
    for name, old, new in zip(Table._fields, before, table, strict=True):
        if len(new):
            np.testing.assert_array_equal(new[others], old[others], err_msg=name)
    assert (table.factors[u, :4] != before[1][u, :4]).all()
    assert (table.first[u, :4] != before[5][u, :4]).all()


@pytest.mark.parametrize("optimizer", RULES)
def test_rows_without_any_rating_do_not_move(optimizer):
    table = new_table(4, optimizer)
    old = table.factors.copy()
    run_batches(ratings(), np.arange(8), table, 4, RATES, optimizer)
    np.testing.assert_array_equal(table.factors[[5, -1]], old[[5, -1]])


PASS = """
import sys
import numpy as np
from funksvd.kernels import RULES, Table, run_batches
generator = np.random.default_rng(0)
n, n_factors = 4000, 40
users, items = (generator.integers(0, size, n).astype(np.uint32) for size in (50, 60))
ratings = (users, items + np.uint32(50), generator.normal(0, 1, n).astype(np.float32))
rates = tuple(np.float32(x) for x in (0.01, 0.02, 0.06, 0.05))
start = generator.normal(0, 0.3, (110, n_factors))
for optimizer in RULES:
    table = Table.of(110, n_factors, optimizer)
    table.factors[:, :n_factors] = start
    for _ in range(3):
        run_batches(ratings, np.arange(300), table, n_factors, rates, optimizer)
    sys.stdout.buffer.write(b"".join(array.tobytes() for array in table))
"""


def test_the_same_bits_on_every_processor(written_on_each_processor):
    written = written_on_each_processor(PASS)
    assert len(written[0]) > 100_000
    assert written[0] == written[1] == written[2]
