"""Gibbs sampling: the right distribution, what is kept of it, and what the model makes of it."""

from dataclasses import replace

import numpy as np
import pytest

import naive
from funksvd import Monitor
from funksvd.learned.scoring import predict_deviations, predict_pairs
from funksvd.objectives.parameters import Parameters
from funksvd.ratings.compressed import CompressedRows
from funksvd.training import Hyperparameters, Triples, plan_blocks, train
from funksvd.training.executors import Threads
from funksvd.training.plan import DAY
from funksvd.training.sampling.days import DAY_RATE, UserDays
from funksvd.training.sampling.mean import RunningMean
from funksvd.training.sampling.side import NOISE_SHAPES, ROW_RATE, WEIGHT_RATE, Side, run
from funksvd.training.stopping import Stopped

BOTH = ["bayes", "bayes++"]


def plan_of(ratings, held_back=None):
    triples = Triples(ratings.user_index, ratings.item_index, ratings.values)
    return plan_blocks(triples, (ratings.n_users, ratings.n_items), held_back=held_back)


def chosen(algorithm="bayes++", **options):
    return Hyperparameters(algorithm=algorithm, **{"n_factors": 3, "n_epochs": 30} | options)


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


@pytest.fixture
def held_back(ratings):
    return np.random.default_rng(5).random(len(ratings)) < 0.2


# -- the distribution ------------------------------------------------------------------------


def draw_from_the_model(sides, days, random):
    """Everything from its prior distribution, then ratings: eqs. (1) to (4)."""
    for side in sides:
        n, k = side.rows.shape
        side.precisions = random.exponential(1 / ROW_RATE, k)
        side.mean = random.normal(size=k) / np.sqrt(side.precisions)
        weights = side.sets.weights
        own = random.exponential(1 / WEIGHT_RATE, k)
        weights[:, :k] = random.normal(size=(len(weights), k)) / np.sqrt(own)
        side.prior_means = side.mean + sums_over_sets(side)
        features = side.features
        own = random.exponential(1 / WEIGHT_RATE, k)
        drawn = random.normal(size=(features.n_features, k)) / np.sqrt(own)
        features.turned[:, :k] = features.basis[:, : features.n_features] @ drawn
        features.explained[:, :k] = features.matrix @ features.turned[:, :k]
        side.prior_means += features.explained[:, :k]
        side.rows = side.prior_means + random.normal(size=(n, k)) / np.sqrt(side.precisions)
        side.noise_shape = random.choice(NOISE_SHAPES)
        variance = random.exponential() if side is sides[0] else 1.0
        side.noise = random.gamma(side.noise_shape, size=n) / (side.noise_shape * variance)
    days.precision = random.exponential(1 / DAY_RATE)
    days.biases[:] = random.normal(size=len(days.biases)) / np.sqrt(days.precision)
    draw_ratings(sides, days, random)


def weights_of(features, k):
    """W, back from the basis in which it is drawn."""
    return features.basis.T[: features.n_features] @ features.turned[:, :k]


def sums_over_sets(side):
    n, k = side.rows.shape
    sums = np.zeros((n, k))
    for u in range(n):
        on_list = side.ratings.columns[side.ratings.indptr[u] : side.ratings.indptr[u + 1]]
        sums[u] = side.sets.weights[on_list, :k].sum(axis=0) / np.sqrt(max(len(on_list), 1))
    return sums


def draw_ratings(sides, days, random):
    users, items = sides
    grid = np.zeros((len(users.rows), len(items.rows)))
    grid += users.rows[:, :-1] @ items.rows[:, :-1].T
    grid += users.rows[:, -1:] + items.rows[:, -1]
    grid += random.normal(size=grid.shape) / np.sqrt(np.outer(users.noise, items.noise))
    for side, values in ((users, grid), (items, grid.T)):
        rows = np.repeat(np.arange(len(side.rows)), np.diff(side.ratings.indptr))
        side.ratings.values[:] = values[rows, side.ratings.columns]
    rows = np.repeat(np.arange(len(users.rows)), users.counts)
    of_days = np.where(days.day_of < 0, 0, days.biases[days.starts[rows] + days.day_of])
    days.given[:] = users.ratings.values + of_days


def test_sweeps_leave_the_joint_distribution_as_it_is():
    """Geweke's test: of everything from the model, then sweeps with new ratings in between.

    Whatever a sweep draws wrongly, the distribution drifts away from where it began. What is
    compared is uniform between 0 and 1 there: cumulative probabilities.
    """
    pairs = np.array([(u, i) for u in range(4) for i in range(5) if (3 * u + 2 * i) % 4])
    rows, columns = pairs.astype(np.int32).T
    random = np.random.default_rng(0)
    values = np.zeros(len(pairs), np.float32)
    tables = (
        CompressedRows.from_pairs(rows, columns, 4, values),
        CompressedRows.from_pairs(columns, rows, 5, values),
    )
    probabilities = []
    user_features, item_features = (random.normal(size=(n, 2)).astype(np.float32) for n in (4, 5))
    with Threads(1) as executor:
        users = Side(tables[0], 1, (rows, columns), user_features, random)
        items = Side(tables[1], 1, (columns, rows), item_features, random)
        sides = [users, items]
        day_numbers = np.arange(len(pairs), dtype=np.int32) % 4 - 1  # some are not known
        days = UserDays(users, items, day_numbers, random)
        for _ in range(700):
            draw_from_the_model(sides, days, random)
            for _ in range(4):
                for mine, other in (sides, sides[::-1]):
                    mine.draw_prior()
                    run(mine.row_tasks(other), executor)
                    mine.draw_noise(has_unit_mean=mine is items)
                days.draw(executor)
                draw_ratings(sides, days, random)
            found = [-np.expm1(-ROW_RATE * side.precisions) for side in sides]
            found += [
                [np.searchsorted(NOISE_SHAPES, side.noise_shape) / (len(NOISE_SHAPES) - 1)]
                for side in sides
            ]
            found += [[-np.expm1(-DAY_RATE * days.precision)], days.biases[:2] > 0]
            scaled = users.noise_shape * users.noise  # an F distribution, of 2 a and 2
            found.append((scaled / (1 + scaled)) ** users.noise_shape)
            signs = [side.rows[0] * np.sqrt(side.precisions) > 0 for side in sides]
            weights = [weights_of(side.features, 2)[0] for side in sides]
            weights += [side.sets.weights[0, :2] for side in sides]
            signs += [each > 0 for each in weights]
            # Student's t distribution with two degrees of freedom has this median of |t|.
            signs += [np.abs(each) > np.sqrt(WEIGHT_RATE * 2 / 3) for each in weights]
            probabilities.append(np.concatenate(found + signs))
    comp = np.mean(probabilities, axis=0)
    standard_errors = np.std(probabilities, axis=0) / np.sqrt(len(probabilities))
    assert np.abs((comp - 0.5) / standard_errors).max() < 4


def test_prior_means_are_sums_over_sets_and_features(ratings):
    """M_u = m + |N_u|^-1/2 sum of y_j + x_u W, eq. (2), after sweeps that move all of them."""
    index = ratings.user_index, ratings.item_index
    random = np.random.default_rng(0)
    sides, tables = [], []
    for pair, n in ((index, 60), (index[::-1], 50)):
        features = random.normal(size=(n, 20)).astype(np.float32)
        features[:, 7] = features[:, 3]  # says nothing new
        table = CompressedRows.from_pairs(*pair, n, ratings.values)
        sides.append(Side(table, 2, pair, features, random))
        tables.append(features)
    users, items = sides
    with Threads(1) as executor:
        for mine, other in 3 * ((users, items), (items, users)):
            mine.draw_prior()
            run(mine.row_tasks(other), executor)
    for side, features in zip(sides, tables, strict=True):
        side.draw_prior()
        ref = side.mean + sums_over_sets(side) + features @ weights_of(side.features, 3)
        np.testing.assert_allclose(side.prior_means, ref, rtol=1e-4, atol=1e-5)


def test_known_noise_and_spread_are_found(planted):
    result = train(plan_of(planted(300, 200, 2, 20_000, 0.5)), chosen(n_epochs=100))
    assert result.record.history[-1].train_rmse == pytest.approx(0.5, rel=0.1)


# -- the model -------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", BOTH)
def test_the_model_is_the_mean_of_its_draws_and_knows_their_deviations(ratings, algorithm):
    result = train(plan_of(ratings), chosen(algorithm))
    parameters, draws = result.learned.parameters, result.learned.draws
    n_draws = len(draws.global_means)
    assert n_draws == 24  # a fifth of the sweeps is not used
    pairs = (np.arange(50, dtype=np.int32), np.arange(50, dtype=np.int32)[::-1].copy())
    users, items = draws.user_factors[pairs[0]], draws.item_factors[pairs[1]]
    products = draws.scales * users.astype(float) * items
    biases = draws.user_biases[pairs[0]] + draws.item_biases[pairs[1]]
    predictions = draws.global_means + biases + products.sum(axis=1)
    deviations = predict_deviations(draws, *pairs)
    np.testing.assert_allclose(deviations, predictions.std(axis=1, ddof=1), rtol=1e-4)
    # The items' rows of the model are conditional means, not draws.
    apart = predict_pairs(parameters, *pairs) - predictions.mean(axis=1)
    assert np.abs(apart).max() < deviations.max()
    assert abs(apart.mean()) < 0.1 * deviations.mean()


@pytest.mark.parametrize(("n_epochs", "n_draws"), [(1, None), (2, 2), (10, 8), (60, 48), (140, 28)])
def test_at_most_fifty_draws_are_kept(ratings, n_epochs, n_draws):
    result = train(plan_of(ratings), chosen("bayes", n_epochs=n_epochs))
    assert len(result.record.history) == n_epochs
    assert (result.learned.draws and len(result.learned.draws.global_means)) == n_draws


@pytest.mark.parametrize(("n_factors", "has_more"), [(2, False), (12, False), (4, True)])
def test_of_nine_in_ten_the_noise_free_rating_is_in_the_interval(n_factors, has_more):
    """Also where most of the factors are of no use; with features and days, too."""
    random = np.random.default_rng(4)
    n_users, n_items = 250, 150
    p, q = random.normal(0, 0.7, (n_users, 2)), random.normal(0, 0.7, (n_items, 2))
    b, c = random.normal(0, 0.4, n_users), random.normal(0, 0.4, n_items)
    features = random.normal(size=(n_items, 3)).astype(np.float32)
    if has_more:
        q += features @ random.normal(0, 0.3, (3, 2))
        c += features @ random.normal(0, 0.3, 3)
    targets = 3 + b[:, None] + c + p @ q.T
    pairs = random.permutation(n_users * n_items)
    users, items = (index.astype(np.int32) for index in np.divmod(pairs, n_items))
    at, test = slice(0, 5_000), slice(5_000, None)
    values = targets[users[at], items[at]] + random.normal(0, 0.6, 5_000)
    further = None
    if has_more:
        days = random.integers(4, size=5_000).astype(np.int32)
        values += random.normal(0, 0.4, (n_users, 4))[users[at], days]
        further = {DAY: days}
    triples = Triples(users[at], items[at], values.astype(np.float32))
    plan = plan_blocks(triples, (n_users, n_items), further=further)
    if has_more:
        plan = replace(plan, item_features=features)
    learned = train(plan, chosen("bayes", n_factors=n_factors, n_epochs=300)).learned
    predictions = predict_pairs(learned.parameters, users[test], items[test])
    deviations = predict_deviations(learned.draws, users[test], items[test])
    errors = np.abs(predictions - targets[users[test], items[test]])
    assert 0.87 <= np.mean(errors < 1.645 * deviations) <= 0.93
    # and those that are less sure are less right
    order = np.argsort(deviations)
    assert errors[order[-5000:]].mean() > 1.5 * errors[order[:5000]].mean()


# -- what is known besides --------------------------------------------------------------------


def test_an_item_without_ratings_is_known_by_its_features(planted):
    ratings = planted(200, 60, 1, 6000, 0.3)
    features = np.zeros((64, 2), np.float32)  # four items are new
    is_liked = ratings.values.mean() < np.bincount(
        ratings.item_index, ratings.values
    ) / np.bincount(ratings.item_index)
    features[:60, 0] = is_liked - is_liked.mean()
    features[60:62, 0], features[62:, 0] = features[:60, 0].max(), features[:60, 0].min()
    triples = Triples(ratings.user_index, ratings.item_index, ratings.values)
    plan = replace(plan_blocks(triples, (200, 64)), item_features=features)
    learned = train(plan, chosen("bayes", n_epochs=60)).learned
    biases = learned.item_biases
    assert biases[60:62].min() > 0 > biases[62:].max()
    for rows in (learned.item_biases, learned.item_factors):
        np.testing.assert_allclose(rows[60], rows[61], rtol=1e-5, atol=1e-7)  # as their features
        assert np.abs(rows[61] - rows[62]).max() > 1e-3
    known, new = (predict_deviations(learned.draws, *pairs(at, 200)).mean() for at in (3, 61))
    assert new > 1.2 * known  # of what is known by features only, one is less sure


def pairs(item, n_users):
    return np.arange(n_users, dtype=np.int32), np.full(n_users, item, np.int32)


def test_biases_of_days_are_found_and_explain_ratings_held_back(planted):
    ratings = planted(100, 80, 1, 5000, 0.3)
    random = np.random.default_rng(1)
    days = random.integers(15_000, 15_006, len(ratings)).astype(np.int32)
    of_days = random.normal(0, 0.5, (100, 6))
    days[::50] = -1  # not known
    values = ratings.values + np.where(days < 0, 0, of_days[ratings.user_index, days % 15_000 % 6])
    held_back = random.random(len(ratings)) < 0.1
    triples = Triples(ratings.user_index, ratings.item_index, values.astype(np.float32))
    errors = {}
    for further in (None, {DAY: days}):
        plan = plan_blocks(triples, (100, 80), held_back=held_back, further=further)
        result = train(plan, chosen("bayes", n_epochs=80))
        errors[further is None] = result.record.best.valid
    assert errors[False] < 0.8 * errors[True]
    found = result.learned.days
    ref = of_days[found.users, found.numbers - 15_000]
    assert np.corrcoef(found.biases, ref)[0, 1] > 0.85
    assert np.std(found.biases) < np.std(ref)  # few ratings of a day are not believed
    learned = {*zip(ratings.user_index[~held_back], days[~held_back], strict=True)}
    assert {*zip(found.users, found.numbers, strict=True)} == {
        each for each in learned if each[1] >= 0
    }


# -- the mean of all draws ---------------------------------------------------------------------


def test_the_running_mean_is_that_of_the_products():
    """Of draws that turn a little, with few factors; exactly, where all of them have room."""
    random = np.random.default_rng(3)
    p, q = random.normal(size=(70, 5)), random.normal(size=(40, 5))
    draws = []
    for _ in range(100):
        turn = np.linalg.qr(np.eye(5) + 0.3 * random.normal(size=(5, 5)))[0]
        users = p @ turn + 0.2 * random.normal(size=p.shape)
        items = q @ turn + 0.2 * random.normal(size=q.shape)
        biases = random.normal(size=70), random.normal(size=40)
        draws.append(Parameters(random.normal(), *biases, users.astype("f4"), items.astype("f4")))
    with Threads(2) as executor:
        running = RunningMean((70, 40), 5, executor)
        for n, draw in enumerate(draws, 1):
            running.add(draw)
            if n not in (1, 3, 6, 100):
                continue
            comp = running.result(spread=1.0)
            ref = np.mean([d.user_factors @ d.item_factors.T for d in draws[:n]], axis=0)
            assert comp.user_factors.shape[1] == min(5 * n, 32)
            apart = np.abs(comp.user_factors @ comp.item_factors.T - ref).max()
            assert apart < (1e-4 if n <= 6 else 0.02) * np.abs(ref).max()
            assert comp.global_mean == pytest.approx(np.mean([d.global_mean for d in draws[:n]]))
            for at in (1, 2):
                np.testing.assert_allclose(comp[at], np.mean([d[at] for d in draws[:n]], axis=0))


def test_items_take_their_conditional_means(planted):
    """Which vary less than draws, most of all where there are few ratings."""
    ratings = planted(40, 300, 1, 600, 1.0)
    learned = train(plan_of(ratings), chosen("bayes", n_factors=1, n_epochs=2)).learned
    drawn = learned.draws.item_biases.mean(axis=1)
    assert learned.n_draws == 2
    assert learned.item_biases.std() < 0.9 * drawn.std()
    np.testing.assert_allclose(
        learned.user_biases, learned.draws.user_biases.mean(axis=1), atol=0.3
    )


def test_a_mean_that_needs_them_has_more_factors_than_is_usual():
    random = np.random.default_rng(0)
    users, items = (random.normal(size=(60, 40)).astype("f4") for _ in range(2))
    with Threads(1) as executor:
        running = RunningMean((60, 60), 40, executor)
        running.add(Parameters(0.0, np.zeros(60), np.zeros(60), users, items))
        ref = users @ items.T
        comp = running.result(spread=float(ref.std()))
    assert comp.user_factors.shape[1] > 32
    left_out = comp.user_factors @ comp.item_factors.T - ref
    assert left_out.var() < 2e-4 * ref.var()


def test_sampling_ends_when_more_draws_would_change_little(planted):
    ratings = planted(40, 30, 1, 1000, 1.0)
    history = train(plan_of(ratings), chosen("bayes", n_factors=1, n_epochs=500)).record
    assert history.stopped is Stopped.CONVERGED
    assert 40 + 20 <= len(history.history) < 300


def test_an_unknown_id_could_be_any_of_the_known(ratings):
    result = train(plan_of(ratings), chosen("bayes", n_epochs=60))
    known = np.arange(50, dtype=np.int32)
    nobody = np.full(50, -1, np.int32)
    deviations = [
        predict_deviations(result.learned.draws, *pairs).mean()
        for pairs in ((known, known), (nobody, known), (known, nobody), (nobody, nobody))
    ]
    assert deviations[0] < 0.5 * min(deviations[1:])
    assert deviations[3] == pytest.approx(ratings.values.std(), rel=0.3)


# -- validation and interruption -------------------------------------------------------------


@pytest.mark.parametrize("algorithm", BOTH)
def test_pairs_held_back_do_not_leak(ratings, held_back, algorithm):
    """Neither their values nor that they exist: with other pairs held back, the same bits."""
    random = np.random.default_rng(2)
    taken = set(zip(ratings.user_index.tolist(), ratings.item_index.tolist(), strict=True))
    free = [(u, i) for u in range(60) for i in range(50) if (u, i) not in taken]
    others = random.permutation(free)[: held_back.sum()].astype(np.int32)
    users, items = ratings.user_index.copy(), ratings.item_index.copy()
    users[held_back], items[held_back] = others.T
    values = np.where(held_back, ratings.values.mean(), ratings.values)
    elsewhere = Triples(users, items, values.astype(np.float32))
    ref = train(plan_of(ratings, held_back), chosen(algorithm, n_epochs=10))
    comp = train(
        plan_blocks(elsewhere, (ratings.n_users, ratings.n_items), held_back=held_back),
        chosen(algorithm, n_epochs=10),
    )
    for a, b in zip(ref.learned.parameters, comp.learned.parameters, strict=True):
        np.testing.assert_array_equal(a, b)


def test_who_has_rated_what_tells_of_the_ratings():
    """Users of one kind rate items of one kind, and like them: sets of items say it all."""
    random = np.random.default_rng(6)
    kind_of_user, kind_of_item = random.integers(2, size=300), random.integers(2, size=80)
    likes = kind_of_user[:, None] == kind_of_item
    rated = random.random(likes.shape) < np.where(likes, 0.15, 0.03)
    users, items = (index.astype(np.int32) for index in np.nonzero(rated))
    values = np.where(likes[users, items], 4.0, 2.0) + random.normal(0, 1.5, len(users))
    triples = Triples(users, items, values.astype(np.float32))
    rmse = {}
    for algorithm in BOTH:
        result = train(plan_blocks(triples, likes.shape), chosen(algorithm, n_epochs=300))
        everyone = np.indices(likes.shape).reshape(2, -1).astype(np.int32)
        predictions = predict_pairs(result.learned.parameters, *everyone)
        rmse[algorithm] = np.sqrt(np.mean((predictions - np.where(likes.ravel(), 4, 2)) ** 2))
    assert rmse["bayes++"] < 0.8 * rmse["bayes"]


def test_a_mean_that_gets_no_better_ends_sampling(ratings, held_back):
    result = train(plan_of(ratings, held_back), chosen(n_epochs=400, patience=20))
    assert result.record.best_epoch == len(result.record.history) < 400


class Interrupting(Monitor):
    def __init__(self, at_epoch):
        self.at_epoch = at_epoch

    def epoch_done(self, record, is_best):
        if record.epoch == self.at_epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize(("at_epoch", "n_draws"), [(3, None), (20, 14)])
def test_an_interrupt_keeps_what_was_sampled(ratings, at_epoch, n_draws):
    result = train(plan_of(ratings), chosen(), monitor=Interrupting(at_epoch))
    assert result.interrupted
    assert result.record.best_epoch == at_epoch
    assert (result.learned.draws and len(result.learned.draws.global_means)) == n_draws
    predictions = predict_pairs(result.learned.parameters, ratings.user_index, ratings.item_index)
    assert naive.rmse(ratings.values.tolist(), predictions.tolist()) < ratings.values.std()


def test_pairs_without_a_rating_speak_too():
    """Ratings are few and noisy; who has dealt with what says of which kind they are.

    It says it of those, too, who have not rated anything.
    """
    random = np.random.default_rng(8)
    likes = random.integers(2, size=(200, 1)) == random.integers(2, size=60)
    users, items = (
        index.astype(np.int32) for index in np.nonzero(random.random(likes.shape) < 0.05)
    )
    values = np.where(likes[users, items], 4.0, 2.0) + random.normal(0, 1, len(users))
    plan = plan_blocks(Triples(users, items, values.astype(np.float32)), likes.shape)
    dealt_with = random.random(likes.shape) < np.where(likes, 0.3, 0.02)
    dealt_with[users, items] = False
    rmse, of_silent = [], []
    for known in (plan, plan.with_unrated(*np.nonzero(dealt_with))):
        result = train(known, chosen(n_epochs=300))
        everyone = np.indices(likes.shape).reshape(2, -1).astype(np.int32)
        predictions = predict_pairs(result.learned.parameters, *everyone)
        squares = (predictions.reshape(likes.shape) - np.where(likes, 4, 2)) ** 2
        rmse.append(np.sqrt(squares.mean()))
        of_silent.append(np.sqrt(squares[np.bincount(users, minlength=200) == 0].mean()))
    assert rmse[1] < 0.7 * rmse[0]
    assert of_silent[1] < 0.7 * of_silent[0]
