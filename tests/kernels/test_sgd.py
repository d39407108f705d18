"""The compiled step against the naive one, and against the objective's gradient."""

import numpy as np
import pytest

import naive
from funksvd.kernels import SCALAR_LOSSES, padded_rows, sgd_block
from funksvd.objectives import plain as objective
from funksvd.objectives.losses import LOSSES as FORMULAS
from funksvd.objectives.parameters import Parameters, Regularization

N_USERS, N_ITEMS = 5, 4
USERS = np.array([0, 1, 0, 4, 0, 2, 2, 3], dtype=np.int32)  # users and items repeat
ITEMS = np.array([0, 0, 1, 3, 3, 2, 0, 3], dtype=np.int32)


def rates(lr, bias_lr, reg, bias_reg):
    """Of the same learning rate for all rows."""
    rows = (np.full(n, lr, np.float32) for n in (N_USERS, N_ITEMS))
    return (*rows, *(np.float32(x) for x in (bias_lr, reg, bias_reg)))


RATES = (
    np.linspace(0.02, 0.09, N_USERS, dtype=np.float32),
    np.linspace(0.08, 0.01, N_ITEMS, dtype=np.float32),
    *rates(0, 0.03, 0.07, 0.02)[2:],
)


def parameters(n_factors, seed=1):
    generator = np.random.default_rng(seed)
    biases = (generator.normal(0, 0.5, n).astype(np.float32) for n in (N_USERS, N_ITEMS))
    factors = []
    for n in (N_USERS, N_ITEMS):
        rows = padded_rows(n, n_factors)
        rows[:, :n_factors] = generator.normal(0, 0.5, (n, n_factors))
        factors.append(rows)
    return Parameters(3.5, *biases, *factors)


LOSSES = {
    name: scalar(*[np.float32(1)] * len(scalar._fields)) for name, scalar in SCALAR_LOSSES.items()
}


def values(seed=2):
    return np.random.default_rng(seed).uniform(1, 5, len(USERS)).astype(np.float32)


@pytest.mark.parametrize("n_factors", [*range(1, 34), 47, 48, 49, 64, 100, 128, 129])
def test_a_pass_equals_the_naive_one(n_factors):
    comp = parameters(n_factors)
    ref = [array.astype(float).tolist() for array in comp[1:]]
    ratings = list(zip(USERS.tolist(), ITEMS.tolist(), values().astype(float), strict=True))
    ref_error = 2 * naive.sgd_pass(3.5, *ref, ratings, [array.tolist() for array in RATES])
    comp_error = sgd_block(USERS, ITEMS, values(), np.float32(3.5), *comp[1:], RATES)
    assert comp_error == pytest.approx(ref_error, rel=1e-5)
    for comp_array, ref_array in zip(comp[1:], ref, strict=True):
        np.testing.assert_allclose(comp_array, np.array(ref_array), rtol=2e-5, atol=2e-6)
    for rows in comp[3:]:
        assert not rows[:, n_factors:].any()  # the padding stays zero


@pytest.mark.parametrize("n_factors", [1, 15, 16, 17, 64])
@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("kind", LOSSES)
def test_a_pass_of_any_loss_equals_the_naive_one(kind, nonnegative, n_factors):
    facts = FORMULAS[kind]
    loss, mean = LOSSES[kind], 0.25 if facts.is_binary else 3.5
    comp = parameters(n_factors)
    comp[3][0, 0] = comp[4][0, 0] = 0.001  # so that a step leads below zero
    ref = [array.astype(float).tolist() for array in comp[1:]]
    r = (values() > 3).astype(np.float32) if facts.is_binary else values()
    ratings = list(zip(USERS.tolist(), ITEMS.tolist(), r.astype(float), strict=True))
    ref_rates = [array.tolist() for array in RATES]
    ref_cost = naive.sgd_pass(mean, *ref, ratings, ref_rates, kind, nonnegative)
    comp_cost = sgd_block(
        USERS, ITEMS, r, np.float32(mean), *comp[1:], RATES, loss=loss, nonnegative=nonnegative
    )
    assert comp_cost == pytest.approx((1 + facts.is_half_square) * ref_cost, rel=1e-5)
    for comp_array, ref_array in zip(comp[1:], ref, strict=True):
        np.testing.assert_allclose(comp_array, np.array(ref_array), rtol=2e-5, atol=2e-6)
    moved = np.unique(USERS), np.unique(ITEMS)
    for rows, index in zip(comp[3:], moved, strict=True):
        assert not rows[:, n_factors:].any()
        assert (rows[index] >= 0).all() == nonnegative
        assert not nonnegative or (rows[index, :n_factors] == 0).any()


@pytest.mark.parametrize("n_factors", [1, 7, 33, 64])
def test_one_step_at_rate_one_is_the_negative_gradient_of_one_term(n_factors):
    old = parameters(n_factors)
    new = Parameters(old.global_mean, *(array.copy() for array in old[1:]))
    one = rates(1, 1, 0.07, 0.02)
    sgd_block(USERS[:1], ITEMS[:1], values()[:1], np.float32(3.5), *new[1:], one)
    exact = Parameters(3.5, *(array.astype(np.float64) for array in old[1:]))
    gradient = objective.gradients(
        exact, USERS[:1], ITEMS[:1], values()[:1].astype(float), Regularization(0.07, 0.02)
    )
    for name in Parameters._fields[1:]:
        step = getattr(new, name).astype(float) - getattr(old, name)
        np.testing.assert_allclose(step, -getattr(gradient, name), rtol=1e-4, atol=1e-5)


def test_rows_without_a_rating_are_not_touched():
    new, old = parameters(6), parameters(6)
    sgd_block(USERS[:1], ITEMS[:1], values()[:1], np.float32(3.5), *new[1:], RATES)
    np.testing.assert_array_equal(new.user_factors[1:], old.user_factors[1:])
    np.testing.assert_array_equal(new.item_biases[1:], old.item_biases[1:])
    assert (new.user_factors[0, :6] != old.user_factors[0, :6]).all()


def test_divergence_stays_visible():
    big = rates(1e3, 1e3, 0, 0)
    diverging = parameters(8)
    with np.errstate(all="ignore"):
        errors = [
            sgd_block(USERS, ITEMS, values(), np.float32(3.5), *diverging[1:], big)
            for _ in range(20)
        ]
    assert not np.isfinite(errors[-1])


@pytest.mark.parametrize("n_factors", [1, 15, 16, 17, 64, 65])
def test_padded_rows(n_factors):
    rows = padded_rows(7, n_factors)
    assert rows.shape[0] == 7
    assert 0 <= rows.shape[1] - n_factors < 16
    assert rows.shape[1] % 16 == 0
    assert rows.ctypes.data % 64 == 0
    assert rows.flags.c_contiguous
    assert not rows.any()


PASS = """
import sys
import numpy as np
from funksvd.kernels import padded_rows, sgd_block
from funksvd.kernels.cpu.losses import Huber, Logistic, Squared
from funksvd.kernels import turn_into_probabilities
generator = np.random.default_rng(0)
n, n_factors = 4000, 40
biases = [generator.normal(0, 0.1, size).astype(np.float32) for size in (50, 60)]
factors = []
for size in (50, 60):
    factors.append(padded_rows(size, n_factors))
    factors[-1][:, :n_factors] = generator.normal(0, 0.3, (size, n_factors))
users, items = (generator.integers(0, size, n).astype(np.int32) for size in (50, 60))
values = generator.uniform(1, 5, n).astype(np.float32)
rates = [generator.uniform(0.01, 0.03, size).astype(np.float32) for size in (50, 60)]
rates = (*rates, *(np.float32(x) for x in (0.03, 0.06, 0.05)))
ones = np.round(values / 5)
kinds = (Squared(), False), (Huber(np.float32(1)), True), (Logistic(), False)
for loss, nonnegative in kinds:
    r = ones if isinstance(loss, Logistic) else values
    rows = (*biases, *factors)
    for _ in range(3):
        error = sgd_block(users, items, r, np.float32(3), *rows, rates, loss, nonnegative)
    for result in (*rows, np.float64(error)):
        sys.stdout.buffer.write(result.tobytes())
scores = generator.normal(0, 5, 10_000).astype(np.float32)
turn_into_probabilities(scores)
sys.stdout.buffer.write(scores.tobytes())
"""


def test_the_same_bits_on_every_processor(written_on_each_processor):
    written = written_on_each_processor(PASS)
    assert len(written[0]) > 10_000
    assert written[0] == written[1] == written[2]
