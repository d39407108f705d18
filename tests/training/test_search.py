"""Less regularization where the signal turns out to be clear."""

import numpy as np
import pytest

from funksvd import FunkSVD, Monitor, Ratings, random_split
from funksvd.training.scale import reg_factor

NOISE = {"clear": 0.3, "weak": 1.2}


def planted(noise, seed=0):
    """Ratings like films': some popular, biases and six factors."""
    random = np.random.default_rng(seed)
    n_users, n_items, n_each = 400, 300, 60
    popularity = 1 / (np.arange(n_items) + 50.0)
    items = random.choice(n_items, n_users * n_each, p=popularity / popularity.sum())
    users = np.repeat(np.arange(n_users), n_each)
    factors = (random.normal(0, 0.45, (n, 6)) for n in (n_users, n_items))
    scores = np.einsum("rf,rf->r", *(f[i] for f, i in zip(factors, (users, items), strict=True)))
    scores += random.normal(0, 0.4, n_users)[users] + random.normal(0, 0.4, n_items)[items]
    values = 3.6 + scores + random.normal(0, noise, len(scores))
    return Ratings.from_arrays(users, items, values, duplicates="first")


@pytest.fixture(params=NOISE)
def signal(request):
    return request.param


class Searches(Monitor):
    """What was tried; and Ctrl-C in an epoch of the second search, or before it has one."""

    def __init__(self, interrupt_at=None):
        self.n, self.lowered, self.kept, self.interrupt_at = 0, [], [], interrupt_at

    def fit_started(self, purpose, n_ratings, n_validation, n_epochs):
        self.n += purpose == "search"

    def ratings_done(self, n_ratings):
        if self.n == 2 and self.interrupt_at == 0:
            raise KeyboardInterrupt

    def epoch_done(self, record, is_best):
        if self.n == 2 and record.epoch == self.interrupt_at:
            raise KeyboardInterrupt

    def reg_lowered(self, tried, reg, unexplained):
        self.lowered.append((tried, reg, unexplained))

    def reg_kept(self, reg):
        self.kept.append(reg)


def test_factor_by_the_share_of_noise():
    assert reg_factor(0.2, 0.1) == pytest.approx(0.2 / 0.8**0.5 * 0.35**0.5 / 0.65)
    assert reg_factor(0.65, 0.1) == reg_factor(0.9, 0.1) == reg_factor(1.7, -0.2) == 1
    shares = np.linspace(0.01, 0.65, 50)
    assert (np.diff([reg_factor(share, 0.1) for share in shares]) > 0).all()


def test_factor_by_what_the_factors_explain():
    assert reg_factor(0.65, 4 * 0.13) == pytest.approx(0.5)
    assert reg_factor(0.9, 4 * 0.13) == pytest.approx(0.9 / 0.65 / 2)
    assert reg_factor(0.2, 0.2) == reg_factor(0.2, 0.1)


@pytest.mark.parametrize("algorithm", ["sgd", "svd++", "incremental"])
def test_the_default_is_near_the_best_of_many_however_clear_the_signal(algorithm, signal):
    training, test, *_ = random_split(planted(NOISE[signal]), 0.1, 0)
    monitor = Searches()
    model = FunkSVD(algorithm=algorithm, n_factors=12).fit(training, monitor=monitor)
    others = [
        FunkSVD(algorithm=algorithm, n_factors=12, reg=reg).fit(training)
        for reg in 0.12 * 0.6 ** np.arange(8)
    ]
    assert (monitor.n > 1) == (signal == "clear")
    best = min(-other.score(test) for other in others)
    assert -model.score(test) < 1.015 * best
    if signal == "clear":
        tried, reg, unexplained = monitor.lowered[0]
        assert reg < 0.8 * tried
        assert 0 < unexplained < 0.65
        unsuited = FunkSVD(algorithm=algorithm, n_factors=12, reg=tried).fit(training)
        assert -unsuited.score(test) > 1.05 * -model.score(test)


@pytest.mark.parametrize("algorithm", ["sgd", "svd++"])
def test_the_default_is_near_the_best_where_all_signal_is_in_the_factors(algorithm):
    """As much of the variance is left as usual, at first: too large a lambda leaves it."""
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(800), 40)
    items = np.concatenate([random.choice(400, 40, replace=False) for _ in range(800)])
    p, q = random.normal(0, 1, (800, 8)), random.normal(0, 8**-0.5, (400, 8))
    values = np.einsum("rf,rf->r", p[users], q[items]) + random.normal(0, 0.7, len(users))
    training, test, *_ = random_split(Ratings.from_arrays(users, items, values), 0.15, 0)
    monitor = Searches()
    comp = FunkSVD(algorithm=algorithm).fit(training, monitor=monitor)
    assert monitor.lowered[0][2] > 0.6
    ref = min(
        -FunkSVD(algorithm=algorithm, reg=reg).fit(training).score(test) for reg in (0.04, 0.02)
    )
    assert -comp.score(test) < 1.01 * ref


@pytest.mark.parametrize(
    "chosen",
    [
        {"reg": 0.1},
        {"loss": "absolute"},
        {"algorithm": "bayes", "validation_fraction": 0.05},
        {"validation_fraction": 0.002},
        {"validation_fraction": 0},
    ],
    ids=str,
)
def test_searched_once_where_there_is_nothing_to_choose_or_to_go_by(chosen):
    monitor = Searches()
    FunkSVD(n_epochs=20, **chosen).fit(planted(0.3), monitor=monitor)
    assert monitor.n == (chosen.get("validation_fraction") != 0)
    assert not monitor.lowered


def test_the_first_search_stays_where_less_is_no_better(monkeypatch):
    ratings = planted(1.2)
    ref = FunkSVD(n_epochs=20).fit(ratings)
    monkeypatch.setattr("funksvd.training.search.reg_factor", lambda unexplained, gain: 0.01)
    monitor = Searches()
    comp = FunkSVD(n_epochs=20).fit(ratings, monitor=monitor)
    assert monitor.n == 2
    assert monitor.kept == [monitor.lowered[0][0]]
    assert comp.reg_used == ref.reg_used
    assert comp.history[-1].valid_rmse == ref.history[-1].valid_rmse
    np.testing.assert_array_equal(comp.item_factors, ref.item_factors)


def test_a_validation_part_that_is_predicted_without_any_error():
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(200), 40)
    items = np.concatenate([random.choice(100, 40, replace=False) for _ in range(200)])
    values = np.where(random.choice([-1, 1], 200) > 0, 5.0, 1.0)[users]
    ratings = Ratings.from_arrays(users, items, values)
    model = FunkSVD(validation_fraction=0.007, learning_rate=0.1, bias_reg=0)
    model.fit(ratings)
    assert model.history[model.best_epoch - 1].valid_rmse == 0


@pytest.mark.parametrize("interrupt_at", [0, 1])
def test_interrupted_in_the_second_search_the_first_is_kept(interrupt_at):
    ratings = planted(0.3)
    model = FunkSVD(n_epochs=20)
    with pytest.raises(KeyboardInterrupt):
        model.fit(ratings, monitor=Searches(interrupt_at))
    only = Searches()
    ref = FunkSVD(n_epochs=20, refit=False).fit(ratings, monitor=only)
    ref = FunkSVD(n_epochs=20, refit=False, reg=only.lowered[0][0]).fit(ratings)
    assert not model.refitted
    assert model.reg_used == ref.reg_used
    np.testing.assert_array_equal(model.item_factors, ref.item_factors)


def test_the_first_search_stays_where_nothing_is_left_to_explain():
    users, items = np.divmod(np.arange(600), 20)
    ratings = Ratings.from_arrays(users, items, np.where((users + items) % 2, 1.0, 5.0))
    newcomers = np.arange(100, 160)  # whose ratings are all the mean, which is what is predicted
    validation = Ratings.from_arrays(newcomers, newcomers, np.full(60, 3.0))
    monitor = Searches()
    model = FunkSVD(n_epochs=3).fit(ratings, validation=validation, monitor=monitor)
    assert model.history[model.best_epoch - 1].valid_rmse == 0
    assert monitor.n == 1


def test_an_ensemble_that_is_cut_short_does_not_replace_a_whole_one():
    class InSecondMember(Monitor):
        n = 0

        def fit_started(self, purpose, n_ratings, n_validation, n_epochs):
            self.n += 1

        def epoch_done(self, record, is_best):
            if (self.n, record.epoch) == (4, 2):
                raise KeyboardInterrupt

    model = FunkSVD(n_factors=4, n_epochs=20, ensemble=2, refit=False)
    with pytest.raises(KeyboardInterrupt):
        model.fit(planted(0.3), monitor=InSecondMember())
    assert model.user_factors.shape[1] == 8
