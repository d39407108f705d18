"""SVD++: an epoch is the textbook's, whatever the threads, and the sets hold no secrets."""

import numpy as np
import pytest

import naive
from funksvd import FunkSVD, FunkSVDError, Ratings
from funksvd.objectives import svdpp
from funksvd.objectives.svdpp import SVDPPParameters, SVDPPRegularization
from funksvd.rng import Stream, generator
from funksvd.training import Context, Hyperparameters, Triples, plan_blocks
from funksvd.training.executors import Threads
from funksvd.training.learners.base import Progress
from funksvd.training.learners.svdpp import IMPLICIT_REG, USER_IMPLICIT_REG, SVDPPLearner
from funksvd.training.planning import exchanged


def as_triples(ratings):
    return Triples(ratings.user_index, ratings.item_index, ratings.values)


def plan_of(ratings, held_back=None, n_groups=None, n_batches=4):
    return plan_blocks(
        as_triples(ratings),
        (ratings.n_users, ratings.n_items),
        held_back=held_back,
        n_groups=n_groups,
        n_batches=n_batches,
        n_item_batches=SVDPPLearner.n_item_batches,
    )


def pairs_of(plan, g, h):
    """(user, item) in the old numbering: what is known of a block's users."""
    users = plan.users.order[plan.users.group(g)]
    items = plan.items.order[plan.items.group(h)]
    return [
        pair
        for u, j in plan.pairs(g, h)
        for pair in zip(users[u].tolist(), items[j].tolist(), strict=True)
    ]


@pytest.fixture
def ratings(planted):
    return planted(40, 30, 2, 500, 0.3)


@pytest.fixture
def held_back(ratings):
    return np.random.default_rng(5).random(len(ratings)) < 0.2


@pytest.fixture
def unrated(ratings):
    """Pairs that have no rating."""
    rated = set(zip(ratings.user_index.tolist(), ratings.item_index.tolist(), strict=True))
    pairs = np.random.default_rng(6).integers(0, (40, 30), (60, 2)).tolist()
    return np.array(sorted({tuple(pair) for pair in pairs} - rated))


class Run:
    """A learner and its plan."""

    def __init__(self, plan, n_threads=1, **changed):
        self.plan = plan
        hyperparameters = Hyperparameters(algorithm="svd++", n_factors=5, **changed).resolved()
        random, threads = generator(0, Stream.TRAINING), Threads(n_threads)
        self.learner = SVDPPLearner(Context(plan, hyperparameters, random, threads))

    def epochs(self, n_epochs, learning_rate=0.02):
        for _ in range(n_epochs):
            rmse = self.learner.run_epoch(Progress(lambda done: learning_rate, lambda n: None))
        return rmse

    def parameters(self):
        """As `svdpp` has them, in the ratings' numbering, float64."""
        learner, plan = self.learner, self.plan
        users, items = learner.sides
        arrays = [users.biases, items.biases, users.factors, items.factors]
        arrays += [users.members, items.members]
        sides = (plan.users, plan.items, plan.users, plan.items, plan.items, plan.users)
        restored = []
        for array, side in zip(arrays, sides, strict=True):
            there = np.empty(array.shape, dtype=np.float64)
            there[side.order] = array
            restored.append(there[:, :5] if there.ndim == 2 else there)
        return SVDPPParameters(learner.arranged.global_mean, *restored)


def pass_of(plan, random):
    """A pass as the naive epoch takes it: all pairs, then the pairs and ratings of each batch."""

    def pairs_of_groups(groups):
        blocks = [(g, h) for h in range(plan.n_groups) for g in groups]
        return [pair for g, h in blocks for pair in pairs_of(plan, g, h)]

    batches = []
    for batch in random.permutation(plan.n_batches):
        ratings = []
        for shift in random.permutation(plan.n_groups):
            for block in plan.stratum(shift, batch):
                ratings += zip(
                    plan.users.order[block.users][plan.user_index[block.learned]].tolist(),
                    plan.items.order[block.items][plan.item_index[block.learned]].tolist(),
                    plan.values[block.learned].astype(float).tolist(),
                    strict=True,
                )
        batches.append((pairs_of_groups(plan.groups(batch)), ratings))
    return pairs_of_groups(range(len(plan.bounds))), batches


def test_one_epoch_equals_the_naive_one(ratings, unrated):
    plan = plan_of(ratings, n_groups=2).with_unrated(*unrated.T)
    run = Run(plan, reg=0.1)
    random = np.random.default_rng(3)
    for side in run.learner.sides:  # so that sums count from the beginning
        side.members[:, :5] = random.normal(0, 0.1, (len(side.members), 5))
    ref = [array.tolist() for array in run.parameters()[1:]]
    random = generator(0, Stream.TRAINING)
    run.epochs(1)

    learner = run.learner
    rates = learner._rates(0.02)
    user_rates, item_rates = np.empty(40), np.empty(30)
    user_rates[plan.users.order], item_rates[plan.items.order] = rates.users, rates.items
    of_users, (pairs, of_items) = (pass_of(side.plan, random) for side in learner.sides)
    turned = [([(u, i) for i, u in pairs], [(u, i, r) for i, u, r in of]) for pairs, of in of_items]
    passes = (of_users, ([(u, i) for i, u in pairs], turned))
    assert [len(batches) for _, batches in passes] == [4, 16]
    reg = float(rates.reg)
    naive.svdpp_epoch(
        float(learner.arranged.global_mean),
        ref,
        passes,
        (np.bincount(ratings.user_index), np.bincount(ratings.item_index)),
        (user_rates, item_rates, float(rates.biases), reg, float(rates.bias_reg)),
        0.02 / learner.scale.spread,
        (IMPLICIT_REG * reg, USER_IMPLICIT_REG * reg),
    )
    for comp_array, ref_array in zip(run.parameters()[1:], ref, strict=True):
        np.testing.assert_allclose(comp_array, np.array(ref_array), rtol=2e-4, atol=2e-6)


def test_what_is_learned_predicts_as_the_model_is_defined(ratings, held_back):
    run = Run(plan_of(ratings, held_back))
    run.epochs(20, 0.05)
    learned = ratings.subset(~held_back)
    weights = svdpp.implicit_weights(learned.user_index, learned.item_index, (40, 30))
    test = ratings.subset(held_back)
    ref = svdpp.predict(run.parameters(), test.user_index, test.item_index, weights)
    folded = run.learner.learned().parameters
    p, q = folded.user_factors[test.user_index], folded.item_factors[test.item_index]
    comp = folded.global_mean + folded.user_biases[test.user_index]
    comp = comp + folded.item_biases[test.item_index] + (p * q).sum(1)
    np.testing.assert_allclose(comp, ref, rtol=1e-5)
    limits = learned.values.min(), learned.values.max()
    ref_rmse = np.sqrt(np.mean((np.clip(ref, *limits) - test.values) ** 2))
    assert run.learner.held_back_error() == pytest.approx(ref_rmse, rel=1e-5)


def test_learning_ends_where_the_gradient_nearly_vanishes(ratings):
    run = Run(plan_of(ratings), reg=0.1)
    start = run.parameters()
    for epoch in range(500):
        run.epochs(1, 0.05 * 0.985**epoch)
    reg = 0.1 * run.learner.scale.spread
    weights = SVDPPRegularization(reg, 0.05, IMPLICIT_REG * reg, USER_IMPLICIT_REG * reg)
    gradients = [
        svdpp.gradients(point, *as_triples(ratings), weights) for point in (run.parameters(), start)
    ]
    for name in ("user_biases", "item_biases"):
        at_end, at_start = (np.linalg.norm(getattr(g, name)) for g in gradients)
        assert at_end < 0.01 * at_start
    losses = [
        svdpp.loss(point, *as_triples(ratings), weights) for point in (run.parameters(), start)
    ]
    assert losses[0] < 0.4 * losses[1]


def test_what_is_held_back_is_in_no_set(ratings, held_back, unrated):
    plan = plan_of(ratings, held_back, n_groups=3).with_unrated(*unrated.T)
    blocks = np.ndindex(*plan.bounds.shape[:2])
    found = [pair for g, h in blocks for pair in pairs_of(plan, g, h)]
    learned = ratings.subset(~held_back)
    ref = [*zip(learned.user_index.tolist(), learned.item_index.tolist(), strict=True)]
    ref += map(tuple, unrated.tolist())
    assert sorted(found) == sorted(ref)
    turned = exchanged(plan, 5)
    blocks = np.ndindex(*turned.bounds.shape[:2])
    found = [(u, i) for g, h in blocks for i, u in pairs_of(turned, g, h)]
    assert sorted(found) == sorted(ref)


class TestFit:
    """Through `FunkSVD`."""

    def test_interactions_tell_of_users(self, ratings, unrated):
        model = FunkSVD(algorithm="svd++", n_factors=5, n_epochs=5, validation_fraction=0)
        without = model.fit(ratings).parameters
        with_them = model.fit(ratings, interactions=self.ids(ratings, unrated)).parameters
        assert not np.array_equal(without.user_factors, with_them.user_factors)

    def test_rated_pairs_among_them_and_strangers_make_no_difference(self, ratings, unrated):
        model = FunkSVD(algorithm="svd++", n_factors=5, n_epochs=5)
        pairs = self.ids(ratings, unrated)
        rated = np.stack(
            [ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]], axis=1
        )
        more = np.concatenate([rated, pairs, pairs[:7], [[10**6, rated[0, 1]]]])
        ref = model.fit(ratings, interactions=pairs).parameters
        comp = model.fit(ratings, interactions=more).parameters
        for comp_array, ref_array in zip(comp, ref, strict=True):
            np.testing.assert_array_equal(comp_array, ref_array)

    def test_other_algorithms_have_no_use_for_them(self, ratings, unrated):
        with pytest.raises(FunkSVDError, match='algorithm="sgd" has no use for interactions'):
            FunkSVD().fit(ratings, interactions=self.ids(ratings, unrated))

    def test_it_is_better_where_what_one_rates_tells_of_ones_taste(self):
        """Users have one of two tastes, and rate mostly what suits them; half of it is unknown."""
        random = np.random.default_rng(0)
        n_users, n_items = 400, 60
        taste = np.where(np.arange(n_users) % 2, 1, -1)
        kind = np.where(np.arange(n_items) % 2, 1, -1)
        suits = taste[:, None] == kind
        rated = random.random((n_users, n_items)) < np.where(suits, 0.2, 0.05)
        users, items = np.nonzero(rated)
        values = 3 + taste[users] * kind[items] + 0.3 * random.standard_normal(len(users))
        test = random.random(len(users)) < 0.3
        training, held_out = (
            Ratings.from_arrays(users[part], items[part], values[part]) for part in (~test, test)
        )
        scores = {
            name: -FunkSVD(algorithm=name, n_factors=4).fit(training).score(held_out)
            for name in ("sgd", "svd++")
        }
        assert scores["svd++"] < 0.9 * scores["sgd"]

    @staticmethod
    def ids(ratings, pairs):
        return np.stack([ratings.user_ids[pairs[:, 0]], ratings.item_ids[pairs[:, 1]]], axis=1)


def test_sums_that_diverge_give_no_warning(ratings):
    """The training error tells of them; a warning would tell of a descent that starts over."""
    learner = Run(plan_of(ratings), reg=0.1).learner
    users = learner.sides[0]
    groups = users.plan.groups(0)
    users.sums[:] = 3e38
    before = np.zeros_like(users.sums[users.rows_of(groups)])
    learner._hand_back(0, groups, before, 1e-4, users.batch_shares[0])
    assert not np.isfinite(users.members).all()
