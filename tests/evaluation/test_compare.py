"""Comparisons of two models, against plain loops and a plain paired bootstrap."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from funksvd import FunkSVD, Interactions, Ratings, random_split
from funksvd.errors import FunkSVDError, RatingsError
from funksvd.evaluation import Difference, compare_models
from funksvd.rng import Stream

NAMES = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")


def as_dictionary(ratings):
    users, items = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
    pairs = zip(users.tolist(), items.tolist(), strict=True)
    return dict(zip(pairs, ratings.values.tolist(), strict=True))


def ref_metrics(hits, n_relevant, n_best):
    n_hits, gain, precisions, first = 0, 0.0, 0.0, 0.0
    for rank, hit in enumerate(hits, start=1):
        if hit:
            n_hits += 1
            gain += 1 / math.log2(1 + rank)
            precisions += n_hits / rank
            first = first or 1 / rank
    ideal = sum(1 / math.log2(1 + rank) for rank in range(1, min(n_relevant, n_best) + 1))
    figures = (n_hits / n_best, n_hits / n_relevant, gain / ideal, precisions / n_relevant)
    return (*figures, first, float(n_hits > 0))


@pytest.fixture(scope="module")
def case():
    """Two models that learned from different parts, of which neither has all users and items."""
    random = np.random.default_rng(0)
    n_users, n_items = 60, 50
    pairs = random.choice(n_users * n_items, 1_500, replace=False)
    users, items = np.divmod(pairs, n_items)
    tastes = np.outer(random.normal(0, 1, n_users), random.normal(0, 1, n_items))
    values = np.clip(np.rint(3 + tastes[users, items] + random.normal(0, 0.4, 1_500)), 1, 5)
    training, test = random_split(Ratings.from_arrays(users, 3 * items, values), 0.4, seed=0)
    of_a, of_b = (
        training.subset(
            (training.user_index % m > 0)
            & (training.item_index % n > 0)
            & (random.random(len(training)) < 0.8)
        )
        for m, n in ((10, 9), (11, 8))
    )
    a, b = (
        FunkSVD(
            n_factors=k, n_epochs=8, validation_fraction=0, learning_rate=0.05, choice=False
        ).fit(part.compact())
        for k, part in ((2, of_a), (6, of_b))
    )
    both = test.joined_with(training.subset(np.arange(len(training)) < 100))
    return SimpleNamespace(a=a, b=b, of_a=of_a, of_b=of_b, test=both)


@pytest.fixture(scope="module")
def left(case):
    """The test ratings that neither model has learned from, as a dictionary."""
    learned = as_dictionary(case.of_a).keys() | as_dictionary(case.of_b).keys()
    return {pair: r for pair, r in as_dictionary(case.test).items() if pair not in learned}


def ref_interval(differences_of_draw, n_units, seed):
    random = np.random.default_rng([seed, Stream.BOOTSTRAP])
    draws = [random.integers(0, n_units, n_units).tolist() for _ in range(1000)]
    return np.percentile([differences_of_draw(draw) for draw in draws], [2.5, 97.5])


def test_errors_equal_a_plain_paired_bootstrap(case, left):
    comp = compare_models(case.a, case.b, case.test, seed=4)
    assert (comp.n_pairs, comp.n_learned) == (len(left), len(case.test) - len(left))
    assert comp.n_learned > 0
    users = sorted({user for user, _ in left})
    assert comp.n_users == len(users)
    errors = {}
    for user in users:
        mine = [(pair, value) for pair, value in left.items() if pair[0] == user]
        errors[user] = [
            tuple(
                value - float(model.predict_index(*rows(model, pair))[0])
                for model in (case.a, case.b)
            )
            for pair, value in mine
        ]

    def figures(drawn):
        chosen = [errors[users[at]] for at in drawn]
        flat = [pair for pairs in chosen for pair in pairs]
        rmse = [math.sqrt(math.fsum(e[m] ** 2 for e in flat) / len(flat)) for m in (0, 1)]
        mae = [math.fsum(abs(e[m]) for e in flat) / len(flat) for m in (0, 1)]
        return rmse, mae

    for at, name in enumerate(("rmse", "mae")):
        a, b = figures(range(len(users)))[at]
        found = comp.errors[name]
        assert (found.a, found.b) == pytest.approx((a, b), rel=1e-6)
        assert found.difference == pytest.approx(b - a, rel=1e-5)
        ref = ref_interval(
            lambda drawn, at=at: np.subtract(*figures(drawn)[at][::-1]), len(users), 4
        )
        assert found.interval == pytest.approx(ref, rel=1e-4, abs=1e-7)


def rows(model, pair):
    return (
        np.array(
            [model.users.ids.tolist().index(pair[0])]
            if pair[0] in model.users.ids.tolist()
            else [-1],
            np.int32,
        ),
        np.array(
            [model.items.ids.tolist().index(pair[1])]
            if pair[1] in model.items.ids.tolist()
            else [-1],
            np.int32,
        ),
    )


@pytest.mark.parametrize(("n_best", "relevant_from"), [(3, "liked"), (10, 2.5), (100, "all")])
def test_lists_equal_plain_loops_over_what_both_models_know(case, left, n_best, relevant_from):
    comp = compare_models(
        case.a, case.b, case.test, by="rating", n_best=n_best, relevant_from=relevant_from, seed=2
    ).ranking
    least = {"liked": 4, "all": 0}.get(relevant_from, relevant_from)
    learned = as_dictionary(case.of_a).keys() | as_dictionary(case.of_b).keys()
    users, items = (
        sorted(set(of_a.tolist()) & set(of_b.tolist()))
        for of_a, of_b in (
            (case.a.users.ids, case.b.users.ids),
            (case.a.items.ids, case.b.items.ids),
        )
    )
    assert len(items) < min(len(case.a.items), len(case.b.items))
    figures = []
    for user in users:
        relevant = {
            item for (other, item), value in left.items() if other == user and value >= least
        }
        if not relevant:
            continue
        candidates = [item for item in items if (user, item) not in learned]
        of_user = []
        for model in (case.a, case.b):
            scores = score_of(model, user)
            best = sorted(candidates, key=lambda item: (-scores[item], item))[:n_best]
            of_user.append(ref_metrics([item in relevant for item in best], len(relevant), n_best))
        figures.append(of_user)
    figures = np.array(figures)
    assert (comp.n_users, comp.n_items) == (len(figures), len(items))
    assert (comp.by, comp.n_best) == (("rating", "rating"), n_best)
    assert comp.relevant_from == ("all" if relevant_from == "all" else least)
    assert list(comp.metrics) == list(NAMES)
    for at, found in enumerate(comp.metrics.values()):
        a, b = figures[:, 0, at], figures[:, 1, at]
        assert (found.a, found.b) == pytest.approx((a.mean(), b.mean()), rel=1e-12)
        ref = ref_interval(lambda drawn, d=b - a: d[drawn].mean(), len(figures), 2)
        assert found.interval == pytest.approx(ref, rel=1e-9, abs=1e-12)


def score_of(model, user):
    mean, user_biases, item_biases, user_factors, item_factors = model.ranking("rating").base
    u = model.users.ids.tolist().index(user)
    scores = mean + user_biases[u] + item_biases + item_factors @ user_factors[u]
    return dict(zip(model.items.ids.tolist(), scores.tolist(), strict=True))


def test_the_other_way_round_it_is_the_same_with_the_other_sign(case):
    comp = compare_models(case.a, case.b, case.test)
    back = compare_models(case.b, case.a, case.test)
    pairs = [(comp.errors, back.errors), (comp.ranking.metrics, back.ranking.metrics)]
    for mine, theirs in pairs:
        for name, found in mine.items():
            low, high = found.interval
            assert (theirs[name].a, theirs[name].b) == (found.b, found.a)
            assert theirs[name].interval == pytest.approx((-high, -low), rel=1e-9, abs=1e-12)


def test_a_model_is_neither_better_nor_worse_than_itself(case):
    comp = compare_models(case.a, case.a, case.test)
    for found in (*comp.errors.values(), *comp.ranking.metrics.values()):
        assert (found.difference, found.interval, found.verdict) == (0, (0, 0), "undecided")


@pytest.mark.parametrize(
    ("interval", "greater_is_better", "verdict"),
    [
        ((0.1, 0.2), True, "better"),
        ((0.1, 0.2), False, "worse"),
        ((-0.2, -0.1), True, "worse"),
        ((-0.2, -0.1), False, "better"),
        ((-0.1, 0.2), True, "undecided"),
        ((0.0, 0.2), False, "undecided"),
    ],
)
def test_the_verdict(interval, greater_is_better, verdict):
    assert Difference(1, 2, interval, greater_is_better).verdict == verdict


def test_a_model_that_has_learned_something_is_better(planted):
    ratings = planted(200, 100, rank=2, n_ratings=8_000, noise=0.2)
    training, test = random_split(ratings, 0.3, seed=0)
    a = FunkSVD(n_factors=4, n_epochs=1, validation_fraction=0).fit(training)
    b = FunkSVD(n_factors=4).fit(training)
    comp = compare_models(a, b, test)
    assert comp.errors["rmse"].verdict == comp.errors["mae"].verdict == "better"
    assert compare_models(b, a, test).errors["rmse"].verdict == "worse"


def test_threads_do_not_matter_and_the_seed_decides(case):
    ref = compare_models(case.a, case.b, case.test, seed=1)
    for model in (case.a, case.b):
        model.hyperparameters.n_threads = 1
    assert compare_models(case.a, case.b, case.test, seed=1) == ref
    assert compare_models(case.a, case.b, case.test, seed=2) != ref


def without_ratings(model):
    """The same model as if it had learned from no ratings: it only makes lists."""
    return SimpleNamespace(
        rankings=("choice",),
        ranking=lambda by: model.ranking("rating"),
        **{
            name: getattr(model, name)
            for name in ("users", "items", "seen", "hyperparameters", "thread_count")
        },
    )


def test_of_a_model_that_predicts_no_ratings_lists_alone_are_compared(case):
    ref = compare_models(case.a, case.b, case.test)
    comp = compare_models(without_ratings(case.a), case.b, case.test)
    assert comp.errors == {}
    assert comp.ranking.by == ("choice", "rating")
    assert comp.ranking.metrics == ref.ranking.metrics


def test_of_pairs_without_ratings_lists_alone_are_compared(case):
    test = Interactions.from_arrays(
        case.test.user_ids[case.test.user_index], case.test.item_ids[case.test.item_index]
    )
    comp = compare_models(case.a, case.b, test)
    ref = compare_models(case.a, case.b, case.test, relevant_from="all")
    assert (comp.errors, comp.ranking) == ({}, ref.ranking)


def test_without_a_relevant_item_errors_alone_are_compared(case):
    comp = compare_models(case.a, case.b, case.test, relevant_from=9)
    assert comp.ranking is None
    assert comp.errors == compare_models(case.a, case.b, case.test).errors
    with pytest.raises(RatingsError, match="none has a new rating of at least 9"):
        compare_models(without_ratings(case.a), case.b, case.test, relevant_from=9)


def test_what_cannot_be_compared_says_why(case):
    with pytest.raises(RatingsError, match=r"nothing to compare on: .* all of its [0-9]+ pairs"):
        compare_models(case.a, case.b, case.of_a)
    with pytest.raises(FunkSVDError, match="no users' means"):
        compare_models(case.a, case.b, case.test, relevant_from="user-mean")
    with pytest.raises(FunkSVDError, match="n_best must be a whole number"):
        compare_models(case.a, case.b, case.test, n_best=0)
    forgetful = without_ratings(case.a)
    forgetful.seen = None
    with pytest.raises(FunkSVDError, match="saved without the pairs it has learned from"):
        compare_models(forgetful, case.b, case.test)


def test_as_plain_data_it_is_json(case):
    comp = compare_models(case.a, case.b, case.test)
    plain = json.loads(json.dumps(comp.to_dict()))
    rmse = comp.errors["rmse"]
    assert plain["errors"]["rmse"] == {
        "a": rmse.a,
        "b": rmse.b,
        "difference": rmse.difference,
        "interval": list(rmse.interval),
        "b_is": rmse.verdict,
    }
    assert plain["ranking"]["metrics"]["ndcg"]["a"] == comp.ranking.metrics["ndcg"].a
    assert plain["ranking"]["by"] == ["rating", "rating"]
