"""The checker agrees with right gradients, and fails on each kind of wrong one."""

from functools import partial

import numpy as np
import pytest

import funksvd.kernels
from funksvd import FunkSVDError
from funksvd.gradcheck import (
    OBJECTIVES,
    WITNESSES,
    available_witnesses,
    compare,
    excerpt,
    find,
    judge,
    random_problem,
    sampled_problem,
    study_steps,
)
from funksvd.gradcheck.objectives import choice_loss, energy, of_loss
from funksvd.kernels import SCALAR_LOSSES
from funksvd.objectives import incremental, svdpp
from funksvd.objectives import plain as objective
from funksvd.objectives.losses import SQUARED
from funksvd.objectives.parameters import Parameters
from funksvd.training import LOSSES, Hyperparameters, Scale
from funksvd.training.losses import TrainingLoss

BIASED = OBJECTIVES["biased"]
SCALE = Scale(mean=0.5, center=0.5, spread=0.5, magnitude=0.5, low=0, high=1)


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_factors", [1, 4])
def test_all_witnesses_agree_on_the_objectives_in_use(name, seed, n_factors):
    checked = OBJECTIVES[name]
    comparisons = compare(checked, random_problem(checked, seed=seed, n_factors=n_factors))
    assert {(c.block, c.witness) for c in comparisons} == {
        (block, witness) for block in checked.blocks for witness in available_witnesses()
    }
    assert [c for c in comparisons if not c.agrees] == []


@pytest.mark.parametrize("name", OBJECTIVES)
def test_they_agree_on_real_ratings_too(sample, name):
    problem = sampled_problem(OBJECTIVES[name], sample, n_ratings=30)
    assert max(np.bincount(problem.user_index)) > 1
    assert max(np.bincount(problem.item_index)) > 1
    assert all(c.agrees for c in compare(OBJECTIVES[name], problem))


def loss_of(cost, residual, kinks=()):
    """A loss with this cost and this residual."""
    facts = {"cost": staticmethod(cost), "residual": staticmethod(residual), "kinks": kinks}
    return type("Other", (type(SQUARED),), facts)()


@pytest.mark.parametrize("name", ["absolute", "huber", "logistic"])
def test_a_residual_off_by_a_thousandth_is_found_by_every_witness(name):
    right = OBJECTIVES[name].gradients.keywords["rating_loss"]
    wrong = loss_of(right.cost, lambda *given: 1.001 * right.residual(*given))
    checked = OBJECTIVES[name]._replace(gradients=partial(objective.gradients, rating_loss=wrong))
    compared = compare(checked, random_problem(checked, n_factors=1))
    assert len(compared) == len(checked.blocks) * len(available_witnesses())
    assert [c for c in compared if c.agrees] == []


def test_no_error_is_near_a_kink():
    for name in ("absolute", "huber"):
        checked = OBJECTIVES[name]
        for seed in range(20):
            problem = random_problem(checked, n_users=20, n_items=20, n_ratings=300, seed=seed)
            errors = problem.values - objective.predict(problem.parameters, *problem.data[:2])
            assert min(np.abs(errors - kink).min() for kink in checked.kinks) > 0.1


def disagreeing(checked):
    return {(c.block, c.witness) for c in compare(checked, random_problem(BIASED)) if not c.agrees}


def wrong_gradients(change):
    """The hand-derived gradients, one of them changed."""

    def gradients(parameters, *data):
        return change(objective.gradients(parameters, *data), parameters, *data)

    return BIASED._replace(gradients=gradients)


@pytest.mark.parametrize("block", BIASED.blocks)
def test_a_gradient_off_by_a_thousandth_is_found_by_every_witness(block):
    found = disagreeing(
        wrong_gradients(lambda g, *_: g._replace(**{block: getattr(g, block) * 1.001}))
    )
    assert found == {(block, witness) for witness in available_witnesses()}


@pytest.mark.parametrize("block", BIASED.blocks)
def test_a_wrong_sign_is_found_by_every_witness(block):
    found = disagreeing(wrong_gradients(lambda g, *_: g._replace(**{block: -getattr(g, block)})))
    assert found == {(block, witness) for witness in available_witnesses()}


def test_a_single_wrong_coordinate_is_named():
    def change(gradient, *_):
        gradient.item_factors[1, 1] *= 1.001
        return gradient

    checked = wrong_gradients(change)
    wrong = [c for c in compare(checked, random_problem(BIASED)) if not c.agrees]
    assert {c.worst for c in wrong} == {(1, 1)}
    assert {c.block for c in wrong} == {"item_factors"}
    assert all(c.by_hand == pytest.approx(1.001 * c.by_witness, rel=1e-5) for c in wrong)


def test_a_lost_repeated_index_is_found():
    def change(gradient, parameters, user_index, item_index, values, regularization):
        errors = values - objective.predict(parameters, user_index, item_index)
        biases = np.zeros_like(gradient.user_biases)
        # fancy indexing with += keeps only the last of the repeated ones
        biases[user_index] += -errors + regularization.biases * parameters.user_biases[user_index]
        return gradient._replace(user_biases=biases)

    found = disagreeing(wrong_gradients(change))
    assert {("user_biases", "reverse"), ("user_biases", "sympy")} <= found


def test_a_forgotten_regularization_is_found():
    def change(gradient, parameters, *data):
        return objective.gradients(parameters, *data[:-1], data[-1]._replace(factors=0.0))

    found = disagreeing(wrong_gradients(change))
    assert {block for block, _ in found} == {"user_factors", "item_factors"}


def naive_kernel(
    users, items, values, mean, user_biases, item_biases, p, q, rates, residual=lambda e: e
):
    (lr, *_), _, bias_lr, reg, bias_reg = rates
    for u, i, r in zip(users, items, values, strict=True):
        e = residual(r - (mean + user_biases[u] + item_biases[i] + p[u] @ q[i]))
        user_biases[u] += bias_lr * (e - bias_reg * user_biases[u])
        item_biases[i] += bias_lr * (e - bias_reg * item_biases[i])
        old = p[u].copy()
        p[u] += lr * (e * q[i] - reg * p[u])
        q[i] += lr * (e * old - reg * q[i])


def stale_kernel(users, items, values, mean, user_biases, item_biases, p, q, rates):
    (lr, *_), _, bias_lr, reg, bias_reg = rates
    for u, i, r in zip(users, items, values, strict=True):
        e = r - (mean + user_biases[u] + item_biases[i] + p[u] @ q[i])
        user_biases[u] += bias_lr * (e - bias_reg * user_biases[u])
        item_biases[i] += bias_lr * (e - bias_reg * item_biases[i])
        p[u] += lr * (e * q[i] - reg * p[u])
        q[i] += lr * (e * p[u] - reg * q[i])  # from the new p


def test_a_kernel_that_updates_q_from_the_new_p_is_found():
    assert disagreeing(BIASED._replace(kernel=naive_kernel)) == set()
    assert disagreeing(BIASED._replace(kernel=stale_kernel)) == {("item_factors", "kernel")}


def test_nan_never_agrees():
    def change(gradient, *_):
        gradient.user_biases[1] = np.nan
        return gradient

    assert {block for block, _ in disagreeing(wrong_gradients(change))} == {"user_biases"}


def test_every_kernel_that_descends_and_every_loss_is_registered():
    kernels = funksvd.kernels
    descending = {getattr(kernels, name) for name in kernels.__all__ if name.endswith("_block")}
    descending -= {kernels.predict_block, kernels.cost_of_block, kernels.deviate_block}
    descending |= {kernels.draw_rows, kernels.start_row}
    checked_kernels, checked_losses, gradients = (
        [getattr(checked, name) for checked in OBJECTIVES.values()]
        for name in ("kernel", "loss", "gradients")
    )
    assert descending == {getattr(kernel, "func", kernel) for kernel in checked_kernels}
    losses = {
        f
        for module in (incremental, objective, svdpp)
        for name, f in vars(module).items()
        if name.split("_")[-1] == "loss"
    }
    assert losses | {choice_loss, energy} == {
        getattr(loss, "func", loss) for loss in checked_losses
    }
    # and with each cost of a rating that can be chosen; the squared one is that by default
    chosen = [loss.keywords["rating_loss"] for loss in checked_losses if isinstance(loss, partial)]
    assert chosen == [g.keywords["rating_loss"] for g in gradients if isinstance(g, partial)]
    in_kernels = {type(k.keywords["loss"]) for k in checked_kernels if isinstance(k, partial)}
    assert in_kernels | {SCALAR_LOSSES["squared"]} == {
        type(TrainingLoss.of(Hyperparameters(loss=name), SCALE).for_kernels) for name in LOSSES
    }


# An error's cost, the cost's derivative, its kinks, and who cannot differentiate it, why.
COSTS = {
    "np.maximum": (lambda e: np.maximum(e, 0) ** 2, lambda e: 2 * np.maximum(e, 0), (0.0,), {}),
    "np.minimum": (lambda e: e * np.minimum(e, 1), lambda e: np.where(e < 1, 2 * e, 1), (1.0,), {}),
    "np.abs": (lambda e: np.abs(e) * e, lambda e: 2 * np.abs(e), (0.0,), {}),
    "np.sign": (lambda e: e * np.sign(e), np.sign, (0.0,), {}),
    "np.clip": (
        lambda e: np.clip(e, -1, 1) * e,
        lambda e: np.where(np.abs(e) < 1, 2 * e, np.sign(e)),
        (-1.0, 1.0),
        {},
    ),
    "np.exp": (np.exp, np.exp, (), {}),
    "np.logaddexp": (lambda e: np.logaddexp(e, -e), np.tanh, (), {}),
    "np.where": (
        lambda e: np.where(e > 0, 2 * e, -e),
        lambda e: np.where(e > 0, 2, -1),
        (0.0,),
        {"sympy": "greater has no symbolic form"},
    ),
    "if": (
        lambda e: np.stack([x if x > 0 else -x for x in e]),
        np.sign,
        (0.0,),
        {"sympy": "cannot determine truth value of Relational"},
    ),
    "np.cbrt": (
        lambda e: e * np.cbrt(e),
        lambda e: 4 / 3 * np.cbrt(e),
        (0.0,),
        {
            "reverse": "np.cbrt has no differentiation rule",
            "forward": "np.cbrt has no differentiation rule",
            "sympy": "cbrt has no symbolic form",
        },
    ),
}


def of_cost(name, factor=1.0):
    """The objective of the plain model with one of `COSTS`, its residual wrong by a factor."""
    cost, slope, kinks, _ = COSTS[name]
    loss = loss_of(
        lambda values, scores: cost(values - scores),
        lambda values, scores: factor * slope(values - scores),
        kinks,
    )
    return of_loss(loss)._replace(name=name, kernel=partial(naive_kernel, residual=slope))


@pytest.mark.parametrize("name", COSTS)
def test_a_witness_that_cannot_differentiate_a_loss_says_so_and_the_others_judge(name):
    cannot = COSTS[name][-1]
    verdict = judge(of_cost(name), random_problem(BIASED, seed=1))
    assert verdict.cannot.keys() == cannot.keys() & set(available_witnesses())
    assert all(reason.startswith(cannot[who]) for who, reason in verdict.cannot.items())
    who_can = set(available_witnesses()) - set(cannot)
    assert {c.witness for c in verdict.comparisons} == who_can
    assert [c for c in verdict.comparisons if not c.agrees] == []
    assert verdict.agrees

    wrong = judge(of_cost(name, 1.001), random_problem(BIASED, seed=1))
    found = {(c.block, c.witness) for c in wrong.comparisons if not c.agrees}
    assert found == {(block, witness) for block in BIASED.blocks for witness in who_can}
    assert not wrong.agrees


def test_a_loss_that_nobody_can_differentiate_is_not_proved(monkeypatch):
    for name in ("differences", "kernel"):
        monkeypatch.delitem(WITNESSES, name)
    verdict = judge(of_cost("np.cbrt"), random_problem(BIASED))
    assert verdict.comparisons == []
    assert not verdict.agrees


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_excerpt_is_a_part_of_the_problem_in_which_a_user_and_an_item_repeat(name, seed):
    checked = OBJECTIVES[name]
    problem = random_problem(checked, seed=seed)
    part = excerpt(problem)
    assert part.sizes == {"n_ratings": 3, "n_users": 2, "n_items": 2, "n_factors": 2}
    assert sorted(np.bincount(part.user_index)) == [1, 2] == sorted(np.bincount(part.item_index))
    assert part.parameters.global_mean == problem.parameters.global_mean
    assert rows_by_rating(part).items() <= rows_by_rating(problem).items()


def rows_by_rating(problem):
    """For each rating, by its pair's first two factors: the value and the pair's other rows."""
    arrays = problem.parameters._asdict()
    pairs = zip(problem.user_index, problem.item_index, problem.values, strict=True)
    return {
        (*arrays["user_factors"][u, :2], *arrays["item_factors"][i, :2]): (
            value,
            arrays["user_biases"][u],
            arrays["item_biases"][i],
            *arrays.get("implicit_factors", np.zeros((9, 0)))[i, :2],
            *arrays.get("user_implicit_factors", np.zeros((9, 0)))[u, :2],
        )
        for u, i, value in pairs
    }


def test_an_excerpt_of_one_rating_is_the_rating():
    problem = random_problem(BIASED, n_users=1, n_items=1, n_ratings=1, n_factors=1)
    part = excerpt(problem)
    assert part.sizes == problem.sizes
    assert rows_by_rating(part) == rows_by_rating(problem)


def test_objectives_are_found_by_name():
    assert find("svd++").title == find("SVD++").title == "SVD++"
    names = ", ".join(OBJECTIVES)
    for name, near in (
        ("Hubber", " Did you mean huber?"),
        ("SGD", " Did you mean biased or unbiased?"),
        ("xyz", ""),
    ):
        with pytest.raises(FunkSVDError) as caught:
            find(name)
        assert str(caught.value) == f"there is no objective called {name!r}, only {names}.{near}"


def test_the_step_study_shows_truncation_and_round_off():
    errors = {round(np.log10(e.step), 1): e for e in study_steps(BIASED, random_problem(BIASED))}
    assert errors[-2].forward / errors[-4].forward == pytest.approx(100, rel=0.1)  # ~ h
    assert errors[-1].central / errors[-2].central == pytest.approx(100, rel=0.1)  # ~ h²
    for scheme in ("forward", "central"):
        best = min(getattr(e, scheme) for e in errors.values())
        assert getattr(errors[-14], scheme) > 1e3 * best
        assert getattr(errors[0], scheme) > 1e3 * best
    assert min(e.central for e in errors.values()) < min(e.forward for e in errors.values())


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_users": 0}, "must be at least 1 each"),
        ({"n_ratings": 31}, "31 ratings are more than the 30 pairs of 6 users and 5 items"),
    ],
)
def test_impossible_sizes(sizes, message):
    with pytest.raises(FunkSVDError, match=message):
        random_problem(BIASED, **sizes)


def test_every_witness_has_a_tolerance_below_a_thousandth():
    assert max(witness.tolerance for witness in WITNESSES.values()) < 1e-3
    assert Parameters._fields[1:] == BIASED.blocks
