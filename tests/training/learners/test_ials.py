"""Alternating least squares: the solution, the value that is told, the model that comes of it."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import naive
from funksvd import FunkSVD, Interactions, Monitor, Ratings
from funksvd.errors import FunkSVDError, RatingsError
from funksvd.learned.weighting import Weighting
from funksvd.objectives import ials as objective
from funksvd.objectives.parameters import Parameters
from funksvd.ratings import CompressedRows
from funksvd.rng import Stream
from funksvd.splitting import random_part
from funksvd.training import Context, Hyperparameters, PairPlan, gram, train
from funksvd.training.executors import Threads
from funksvd.training.gram import gram_of, rotated
from funksvd.training.learners import ials
from funksvd.training.learners.base import Progress
from funksvd.training.learners.ials import IALSLearner, Side


def pairs_of(n_users, n_items, n_pairs, seed=0):
    """Users, items and ratings of pairs in groups: each user likes a third of the items more."""
    random = np.random.default_rng(seed)
    likes = np.where(np.arange(n_users)[:, None] % 3 == np.arange(n_items) % 3, 6.0, 1.0)
    chances = likes * random.uniform(0.2, 1, n_items)
    places = random.choice(
        n_users * n_items, n_pairs, replace=False, p=chances.ravel() / chances.sum()
    )
    users, items = np.divmod(places, n_items)
    return users.astype(np.int32), items.astype(np.int32), random.integers(1, 6, n_pairs)


def plan_of(n_users=40, n_items=25, n_pairs=250, held_back=None, n_more=0):
    """A plan by rating, with `n_more` users and items that have no pair."""
    users, items, ratings = pairs_of(n_users, n_items, n_pairs)
    weighting = Weighting("rating", 1.0, 5.0)
    levels = weighting.levels(ratings.astype(np.float32), n_pairs)
    pairs = CompressedRows.from_pairs(users, items, n_users + n_more, levels)
    return PairPlan(pairs, n_items + n_more, weighting.table, held_back)


def learner_of(plan, n_threads=1, start=None, **options):
    chosen = Hyperparameters(algorithm="ials", **{"n_factors": 7} | options).resolved()
    executor = Threads(n_threads).__enter__()
    return IALSLearner(Context(plan, chosen, np.random.default_rng(0), executor, start))


def run_epoch(learner):
    return learner.run_epoch(Progress(None, lambda n_pairs: None))


def observed(plan):
    """Users, items and weights of the pairs learned from."""
    return (*plan.by_user.pairs, plan.weights[plan.by_user.values].astype(float))


def parameters_of(rows):
    p, q = (side.astype(float) for side in rows)
    return Parameters(0.0, np.zeros(len(p)), np.zeros(len(q)), p, q)


def loss_per_pair(learner, rows):
    value = objective.loss(parameters_of(rows), *observed(learner.plan), learner.terms)
    return 2 * value / learner.plan.n_learned


def exact_users(p, q, plan, terms):
    """The solutions of eq. (6) for all users, by elimination."""
    q = q.astype(float)
    gram = terms.unobserved_weight * q.T @ q
    share, fixed = terms.of_rows(len(q))
    out = np.zeros(p.shape)
    by_user = plan.by_user
    for u in range(len(p)):
        mine = slice(by_user.indptr[u], by_user.indptr[u + 1])
        known = q[by_user.columns[mine]]
        w = plan.weights[by_user.values[mine]].astype(float)
        rho = share * len(known) + fixed
        matrix = gram + rho * np.eye(q.shape[1]) + known.T @ (w[:, None] * known)
        out[u] = naive.solved(matrix.tolist(), (w @ known).tolist())
    return out


@pytest.mark.parametrize("n_factors", [1, 7, 16, 20])
def test_with_many_steps_half_an_epoch_is_the_exact_solution(monkeypatch, n_factors):
    monkeypatch.setattr(ials, "N_STEPS", 60)
    monkeypatch.setattr(ials, "TOLERANCE", 1e-9)
    plan = plan_of(n_more=3)
    learner = learner_of(plan, n_factors=n_factors)
    for _ in range(2):
        run_epoch(learner)
    p, q = learner.rows
    np.testing.assert_allclose(p, exact_users(p, q, plan, learner.terms), atol=2e-5)
    assert not p[40:].any()
    assert not q[25:].any()
    assert not p[:, n_factors:].any()


def test_as_many_steps_as_factors_are_enough(monkeypatch):
    """Directions are conjugate: plain descent would need many more."""
    monkeypatch.setattr(ials, "N_STEPS", 4)
    monkeypatch.setattr(ials, "TOLERANCE", 1e-9)
    plan = plan_of()
    learner = learner_of(plan, n_factors=4, reg=1e-3)
    run_epoch(learner)
    p, q = learner.rows
    np.testing.assert_allclose(p, exact_users(p, q, plan, learner.terms), atol=2e-5)


def test_few_steps_come_close_within_some_epochs():
    plan = plan_of()
    learner = learner_of(plan)
    for _ in range(6):
        run_epoch(learner)
    p, q = learner.rows
    np.testing.assert_allclose(p, exact_users(p, q, plan, learner.terms), atol=5e-3)


@pytest.mark.parametrize("held", [False, True])
def test_the_value_of_an_epoch_is_twice_the_objective_before_its_last_half(monkeypatch, held):
    monkeypatch.setattr(ials, "TOLERANCE", 1e-9)
    held_back = np.random.default_rng(1).random(250) < 0.3 if held else None
    plan = plan_of(held_back=held_back, n_more=2)
    learner = learner_of(plan)
    solve = learner._solve
    before = {}

    def noting(which):
        before[which] = tuple(rows.copy() for rows in learner.rows)
        return solve(which)

    learner._solve = noting
    values = []
    for _ in range(8):
        values.append(run_epoch(learner))
        assert values[-1] == pytest.approx(loss_per_pair(learner, before[0]), rel=1e-5)
    assert all(b <= a * (1 + 1e-6) for a, b in itertools.pairwise(values))
    assert loss_per_pair(learner, learner.rows) <= values[-1]


@pytest.mark.parametrize("options", [{}, {"reg": 1e-3}, {"reg": 5.0}, {"unobserved_weight": 3.0}])
def test_the_objective_never_rises_and_its_gradient_vanishes_in_the_end(options):
    plan = plan_of()
    learner = learner_of(plan, **options)
    values = [run_epoch(learner) for _ in range(300)]
    assert all(b <= a * (1 + 1e-5) for a, b in itertools.pairwise(values))
    gradient = objective.gradients(parameters_of(learner.rows), *observed(plan), learner.terms)
    first = learner_of(plan, **options)
    run_epoch(first)
    of_first = objective.gradients(parameters_of(first.rows), *observed(plan), first.terms)
    sizes = [max(np.abs(rows).max() for rows in each[3:]) for each in (gradient, of_first)]
    assert sizes[0] < 0.03 * sizes[1]


def test_the_learned_basis_is_that_of_the_items_gram_matrix_and_changes_no_score():
    learner = learner_of(plan_of(), n_factors=20)
    for _ in range(4):
        run_epoch(learner)
    rows = [side.copy() for side in learner.rows]
    learned = learner.learned()
    for side, before in zip(learner.rows, rows, strict=True):
        np.testing.assert_array_equal(side, before)
    p, q = learned.user_factors.astype(float), learned.item_factors.astype(float)
    ref = rows[0].astype(float) @ rows[1].T.astype(float)
    np.testing.assert_allclose(p @ q.T, ref, atol=1e-5)
    gram = learned.unobserved_weight * q.T @ q
    np.testing.assert_allclose(gram, np.diag(learned.spectrum), atol=1e-5 * gram.max())
    assert learned.spectrum.min() >= 0


def test_bits_do_not_depend_on_threads(monkeypatch):
    monkeypatch.setattr(ials, "WORK_PER_TASK", 16)  # several tasks
    monkeypatch.setattr(gram, "ROWS_PER_BLOCK", 16)
    monkeypatch.setattr(gram, "MAX_BLOCKS", 1000)
    models = []
    for n_threads in (1, 2, 3, 8):
        learner = learner_of(plan_of(90, 70, 900), n_threads, n_factors=20)
        values = [run_epoch(learner) for _ in range(3)]
        assert len(learner.sides[0].spans) > 8
        models.append((values, *(side.tobytes() for side in learner.rows)))
    assert models[0] == models[1] == models[2] == models[3]


@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 1000])
def test_blocks_of_rows_make_the_gram_matrix_and_the_rotation_of_all(n):
    random = np.random.default_rng(n)
    rows = random.normal(size=(n, 16)).astype(np.float32)
    basis = random.normal(size=(16, 16)).astype(np.float32)
    with Threads(2) as executor:
        gram, turned = gram_of(rows, executor), rotated(rows, basis, executor)
    np.testing.assert_allclose(gram, rows.astype(float).T @ rows, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(gram, gram.T)
    np.testing.assert_allclose(turned, rows @ basis, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("lengths", [[0], [5], [0, 0, 9000, 0], [3] * 5000, [100_000, 1, 1, 1]])
def test_spans_cover_each_row_once(lengths):
    indptr = np.cumsum([0, *lengths])
    pairs = CompressedRows(indptr, np.zeros(indptr[-1], np.int32), np.zeros(indptr[-1], np.uint8))
    spans = Side(pairs, 10).spans
    assert [row for first, stop in spans for row in range(first, stop)] == list(range(len(lengths)))


def test_going_on_from_a_model_begins_with_its_objective():
    plan = plan_of()
    chosen = Hyperparameters(algorithm="ials", n_factors=7, n_epochs=30)
    first = train(plan, chosen)
    on = train(plan, replace(chosen, n_epochs=2), start=first.learned)
    values = [record.train for record in first.record.history + on.record.history]
    assert all(b <= a * (1 + 1e-5) for a, b in itertools.pairwise(values))
    assert values[-2] == pytest.approx(values[-3], rel=1e-3)
    scores = [r.learned.user_factors @ r.learned.item_factors.T for r in (first, on)]
    np.testing.assert_allclose(scores[0], scores[1], atol=0.02)


def test_rows_of_new_users_and_items_are_learned_from_zero():
    old = train(plan_of(), Hyperparameters(algorithm="ials", n_factors=7)).learned
    grown = old.spread_out(np.arange(40), np.arange(25), (44, 28))
    users, items, _ = pairs_of(40, 25, 250)
    users = np.concatenate([users, [40, 41, 42, 43, 5]]).astype(np.int32)
    items = np.concatenate([items, [3, 25, 26, 27, 25]]).astype(np.int32)
    pairs = CompressedRows.from_pairs(users, items, 44, np.zeros(255, np.uint8))
    plan = PairPlan(pairs, 28, Weighting("none").table)
    chosen = Hyperparameters(algorithm="ials", n_factors=7, n_epochs=3)
    result = train(plan, chosen, start=grown)
    assert np.isfinite(result.learned.user_factors).all()
    assert result.learned.user_factors[40].any()
    assert result.learned.item_factors[25].any()
    values = [record.train for record in result.record.history]
    assert values == sorted(values, reverse=True)


# -- through the model -----------------------------------------------------------------------


def clicks(**columns):
    users, items, ratings = pairs_of(30, 20, 160)
    columns = {name: make(ratings) for name, make in columns.items()}
    return Interactions.from_arrays(users, items, **columns)


@pytest.mark.parametrize(
    "data",
    [
        ([1], [1]),
        ([1] * 5, range(5)),
        (range(5), [1] * 5),
        (np.repeat(range(5), 5), np.tile(range(5), 5)),
    ],
    ids=["one pair", "one user", "one item", "all pairs"],
)
@pytest.mark.parametrize("n_factors", [1, 16, 100])
def test_small_data_with_more_factors_than_rows(data, n_factors):
    pairs = Interactions.from_arrays(*data)
    model = FunkSVD(algorithm="ials", n_factors=n_factors).fit(pairs)
    learned = model.fitted.choice.learned
    assert learned.user_factors.shape == (pairs.n_users, n_factors)
    for array in learned.arrays().values():
        assert np.isfinite(array).all()
    assert learned.spectrum.min() >= 0
    listed = model.recommend(pairs.user_ids[0], include_seen=True)
    assert len(listed) == min(pairs.n_items, 10)
    assert all(0 < each.score < 1 for each in listed)
    assert model.recommend(pairs.user_ids[0], 3, include_seen=True) == listed[:3]


@pytest.mark.parametrize("size", [1e-40, 1.0, 1e30, 1e36])
def test_counts_count_by_how_many_times_the_lowest_they_are(size):
    ref = FunkSVD(algorithm="ials", n_factors=4).fit(clicks(weights=lambda r: r * 2.0**r))
    comp = FunkSVD(algorithm="ials", n_factors=4).fit(clicks(weights=lambda r: r * 2.0**r * size))
    np.testing.assert_array_equal(ref.fitted.seen.values, comp.fitted.seen.values)
    ref_rows, comp_rows = (m.fitted.choice.learned.user_factors for m in (ref, comp))
    np.testing.assert_array_equal(ref_rows, comp_rows)


def test_a_count_of_zero_is_refused():
    data = clicks(weights=lambda r: r - 1.0)
    n_zero = np.count_nonzero(data.weights == 0)
    with pytest.raises(
        RatingsError,
        match=rf"the interactions: {n_zero} of 160 pairs have a weight of 0; leave out what",
    ):
        FunkSVD(algorithm="ials").fit(data)


def test_constant_ratings_are_clicks():
    ref = FunkSVD(algorithm="ials", n_factors=4).fit(clicks())
    comp = FunkSVD(algorithm="ials", n_factors=4).fit(clicks(values=lambda r: r * 0 + 4))
    assert comp.fitted.choice.weighting == ref.fitted.choice.weighting == Weighting("none")
    ref_rows, comp_rows = (m.fitted.choice.learned.item_factors for m in (ref, comp))
    np.testing.assert_array_equal(ref_rows, comp_rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reg": 0}, "with algorithm 'ials', reg must be at least 1e-06, not 0"),
        ({"unobserved_weight": 1e9}, r"unobserved_weight must be at most 1e\+06, not 1e\+09"),
        ({"unobserved_weight": 0}, "unobserved_weight must be a number greater than 0, not 0"),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(FunkSVDError, match=message):
        FunkSVD(algorithm="ials", **options).fit(clicks())


@pytest.mark.parametrize("options", [{"reg": 1e-6}, {"reg": 1e30}, {"unobserved_weight": 1e6}])
def test_extreme_options_give_finite_models(options):
    model = FunkSVD(algorithm="ials", n_factors=40, **options).fit(clicks())
    again = model.for_new_users(clicks()).fitted.choice.learned
    for learned in (model.fitted.choice.learned, again):
        assert np.isfinite(learned.user_factors).all()
        assert np.isfinite(learned.item_factors).all()


def test_no_pairs_and_none_left_are_errors():
    nothing = Interactions.from_arrays([], [])
    with pytest.raises(RatingsError, match="the interactions: there are no pairs to learn from"):
        FunkSVD(algorithm="ials").fit(nothing)
    two = Interactions.from_arrays([1, 2], [1, 1])
    with pytest.raises(RatingsError, match=r"no pairs to learn from; all 2 pairs are validation="):
        FunkSVD(algorithm="ials").fit(two.subset(np.arange(0)), validation=two)


def test_two_pairs_are_not_both_held_back():
    """Where both are drawn for the validation, neither is."""
    two = Interactions.from_arrays([1, 2], [1, 1])
    chosen = {"algorithm": "ials", "validation_fraction": 0.9, "n_factors": 1, "refit": False}
    for seed in range(5):
        drawn = random_part(two, 0.9, seed, Stream.VALIDATION)
        model = FunkSVD(**chosen, seed=seed).fit(two)
        assert model.n_ratings == (2 if drawn.all() else 2 - drawn.sum())


@pytest.mark.parametrize("algorithm", ["sgd", "bayes++"])
def test_models_of_ratings_say_what_interactions_are_for(algorithm):
    with pytest.raises(RatingsError, match=r'these are interactions, not ratings.*"ials"'):
        FunkSVD(algorithm=algorithm).fit(clicks())


def test_a_model_that_is_not_refitted_knows_what_it_has_learned_from_only():
    data = clicks()
    model = FunkSVD(
        algorithm="ials", n_factors=4, validation_fraction=0.3, refit=False, n_epochs=3
    ).fit(data)
    fitted = model.fitted
    assert model.n_ratings == len(fitted.seen.columns) == fitted.item_counts.sum()
    assert model.n_ratings == len(data) - random_part(data, 0.3, 0, Stream.VALIDATION).sum()
    assert fitted.choice.learned.user_factors.any(axis=1).all()
    assert fitted.choice.learned.item_factors.any(axis=1).all()
    seen = set(zip(*(pairs.tolist() for pairs in fitted.seen.pairs), strict=True))
    held_out = set(zip(*(pairs.tolist() for pairs in fitted.held_out.pairs), strict=True))
    known = data.over(model.users, model.items)
    assert not seen & held_out
    assert seen | held_out == set(
        zip(known.user_index.tolist(), known.item_index.tolist(), strict=True)
    )
    for batch in model.recommend_all(n=20):
        listed = set(zip(batch["user"].tolist(), batch["item"].tolist(), strict=True))
        assert not listed & set(
            zip(
                data.user_ids[data.user_index].tolist(),
                data.item_ids[data.item_index].tolist(),
                strict=True,
            )
        )


class Impatient(Monitor):
    """Ctrl-C in an epoch of a purpose."""

    def __init__(self, purpose, epoch):
        self.wanted, self.epoch, self.purpose, self.done = purpose, epoch, None, 0

    def fit_started(self, purpose, *_):
        self.purpose, self.done = purpose, 0

    def ratings_done(self, n_ratings):
        if self.purpose == self.wanted and self.done == self.epoch - 1:
            raise KeyboardInterrupt

    def epoch_done(self, *_):
        self.done += 1


@pytest.mark.parametrize("epoch", [1, 2])
def test_ctrl_c_while_choices_are_learned_beside_ratings_leaves_the_model_of_ratings(epoch):
    users, items, ratings = pairs_of(30, 20, 160)
    data = Ratings.from_arrays(users, items, ratings)
    model = FunkSVD(n_factors=3)
    with pytest.raises(KeyboardInterrupt):
        model.fit(data, monitor=Impatient("choice", epoch))
    assert model.rankings == ("rating",)
    assert model.fitted.choice is None
    ref = FunkSVD(n_factors=3, choice=False).fit(data)
    np.testing.assert_array_equal(model.user_factors, ref.user_factors)
    assert len(model.recommend(0, 3)) == 3


def test_ctrl_c_during_the_refit_keeps_the_model_of_the_search():
    chosen = {"algorithm": "ials", "n_factors": 4, "validation_fraction": 0.3, "n_epochs": 4}
    model = FunkSVD(**chosen)
    with pytest.raises(KeyboardInterrupt):
        model.fit(clicks(), monitor=Impatient("refit", 1))
    ref = FunkSVD(**chosen, refit=False).fit(clicks())
    np.testing.assert_array_equal(
        model.fitted.choice.learned.user_factors, ref.fitted.choice.learned.user_factors
    )
    assert model.training.stopped == "interrupt"
    assert not model.refitted
    assert model.n_ratings == ref.n_ratings


def test_ctrl_c_in_the_first_epoch_leaves_nothing():
    model = FunkSVD(algorithm="ials", n_factors=4)
    with pytest.raises(KeyboardInterrupt):
        model.fit(clicks(), monitor=Impatient("fit", 1))
    assert not model.is_fitted
    with pytest.raises(KeyboardInterrupt):
        model.fit(clicks(), monitor=Impatient("fit", 3))
    assert model.best_epoch == 2
    assert model.n_ratings == 160
