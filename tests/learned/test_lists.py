"""Rankings against all items scored one by one, and diversified lists against the naive MMR."""

from dataclasses import replace

import numpy as np
import pytest

import naive
from funksvd import FunkSVD, Ratings
from funksvd.learned import LearnedChoices, lists
from funksvd.learned.choice_model import ChoiceModel
from funksvd.learned.lists import Bounded, ByBoth, Liking, by_choice, by_rating, diversified
from funksvd.learned.scoring import predict_pairs
from funksvd.learned.weighting import Weighting
from funksvd.ratings import CompressedRows

N_USERS, N_ITEMS = 45, 70


@pytest.fixture(scope="module")
def ratings():
    random = np.random.default_rng(0)
    places = random.choice(N_USERS * N_ITEMS, 900, replace=False)
    places = np.union1d(places, np.arange(N_USERS) * (N_ITEMS + 1))
    places = np.union1d(places, np.arange(N_ITEMS))
    users, items = np.divmod(places, N_ITEMS)
    levels = 1 + (users * 7 + items * 3 + random.integers(0, 3, len(users))) % 5
    return Ratings.from_arrays(users, items, levels)


@pytest.fixture(scope="module")
def models(ratings):
    """Models of ratings: one product of factors, and one that is the mean of draws."""
    return {
        algorithm: FunkSVD(algorithm=algorithm, n_factors=3, n_epochs=20, choice=False).fit(ratings)
        for algorithm in ("sgd", "bayes")
    }


def choice_of(size, twins=False, seed=1):
    """A choice model whose scores are about as large; every second item can be like the first."""
    random = np.random.default_rng(seed)
    p, q = (random.normal(0, np.sqrt(size), (n, 4)).astype(np.float32) for n in (N_USERS, N_ITEMS))
    if twins:
        q[::2] = q[0]
    learned = LearnedChoices(p, q, np.ones(4, np.float32), 0.3, 0.1)
    return ChoiceModel(learned, Weighting("none"))


def rankings_of(models, kind):
    rating, bayes = (models[name].fitted for name in ("sgd", "bayes"))
    liking = Liking(4.0, 3.5, 0.9)
    if kind == "choice":
        return by_choice(choice_of(0.3))
    if kind == "rating":
        return by_rating(rating.rating, rating.item_counts, 1.4)
    if kind == "rating, counts unknown":
        return by_rating(rating.rating, None, 1.4)
    if kind == "rating, draws":
        return by_rating(bayes.rating, bayes.item_counts, 1.4)
    size = {"both": 0.3, "both, small scores": 0.002, "both, ties": 0.3}[kind]
    choice = choice_of(size, twins=kind == "both, ties")
    rating = rating.rating
    if kind == "both, ties":
        biases, factors = rating.learned.item_biases.copy(), rating.learned.item_factors.copy()
        biases[::2], factors[::2] = biases[0], factors[0]
        learned = replace(rating.learned, item_biases=biases, item_factors=factors)
        rating = replace(rating, learned=learned)
    return ByBoth(choice, rating, liking)


KINDS = [
    "choice", "rating", "rating, counts unknown", "rating, draws",
    "both", "both, small scores", "both, ties",
]  # fmt: skip


def all_scores(ranking):
    """The score of every user and item."""
    users = np.repeat(np.arange(N_USERS, dtype=np.int32), N_ITEMS)
    items = np.tile(np.arange(N_ITEMS, dtype=np.int32), N_USERS)
    base = predict_pairs(ranking.base, users, items)
    if not hasattr(ranking, "score"):
        return base.reshape(N_USERS, N_ITEMS)
    scores = ranking.score(users, items, base, 1)
    assert (scores <= ranking.bound(base)).all()
    return scores.reshape(N_USERS, N_ITEMS)


def together(batches):
    batches = list(batches)
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [(40, 4), (0, 1)], ids=["default", "few candidates"])
@pytest.mark.parametrize("n_users", [1, N_USERS])
def test_lists_are_those_of_all_items_scored_and_sorted(
    models, ratings, kind, first, n_users, monkeypatch
):
    monkeypatch.setattr(lists, "FIRST_CANDIDATES", first[0])
    monkeypatch.setattr(lists, "PER_PLACE", first[1])
    monkeypatch.setattr(lists, "USERS_AT_ONCE", 7)
    ranking = rankings_of(models, kind)
    ref_scores = all_scores(ranking)
    users = np.random.default_rng(2).permutation(N_USERS).astype(np.int32)[:n_users]
    seen = CompressedRows.from_pairs(ratings.user_index, ratings.item_index, N_USERS)
    allowed = np.random.default_rng(3).random(N_ITEMS) < 0.6
    for n in (1, 3, N_ITEMS - 1, N_ITEMS, N_ITEMS + 9):
        for exclude, only in (((), None), ((seen,), None), ((seen, seen), allowed)):
            found_users, items, scores = together(
                ranking.best_items(users, n, exclude=exclude, allowed=only, n_threads=2)
            )
            np.testing.assert_array_equal(found_users, users)
            assert items.shape == scores.shape == (n_users, min(n, N_ITEMS))
            for row, u in enumerate(users):
                left_out = set() if only is None else set(np.flatnonzero(~only).tolist())
                if exclude:
                    left_out |= set(seen.columns[seen.indptr[u] : seen.indptr[u + 1]].tolist())
                ref = naive.best_items(ref_scores[u].tolist(), n, left_out)
                rest = items.shape[1] - len(ref)
                assert items[row].tolist() == ref + [-1] * rest
                assert scores[row].tolist() == [*ref_scores[u, ref].tolist(), *[-np.inf] * rest]


class Floored(Bounded):
    """Scores that are as large as their bound, and often equal."""

    def score(self, users, items, base, n_threads):
        return self.bound(base)

    def bound(self, base):
        return np.maximum(base, np.float32(0.4))


@pytest.mark.parametrize("n", [1, 5, 30])
def test_an_item_beyond_the_candidates_that_is_as_good_as_the_last_one_is_found(monkeypatch, n):
    monkeypatch.setattr(lists, "FIRST_CANDIDATES", 1)
    monkeypatch.setattr(lists, "PER_PLACE", 1)
    ranking = Floored(choice_of(0.3).learned.parameters)
    ref = np.argsort(-all_scores(ranking), axis=1, kind="stable")[:, :n]
    _, items, _ = together(ranking.best_items(np.arange(N_USERS, dtype=np.int32), n))
    np.testing.assert_array_equal(items, ref)


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_and_nothing(models, kind):
    ranking = rankings_of(models, kind)
    assert list(ranking.best_items(np.empty(0, np.int32), 3)) == []
    (best,) = ranking.best_items(np.array([3], np.int32), 3, allowed=np.zeros(N_ITEMS, bool))
    assert best.items.tolist() == [[-1, -1, -1]]
    assert best.predictions.tolist() == [[-np.inf] * 3]


def test_scores_by_rating_are_what_ratings_are_likely_to_be_at_least(models):
    fitted = models["sgd"].fitted
    counts = np.arange(N_ITEMS)
    ranking = by_rating(fitted.rating, counts, 1.5)
    (best,) = ranking.best_items(np.array([5], np.int32), N_ITEMS)
    users = np.full(N_ITEMS, 5, np.int32)
    predictions = predict_pairs(fitted.rating.learned.parameters, users, best.items[0])
    ref = predictions - lists.CAUTION * 1.5 / np.sqrt(counts[best.items[0]] + 1)
    np.testing.assert_allclose(best.predictions[0], ref, rtol=1e-5, atol=1e-5)


def test_scores_by_draws_are_less_by_a_multiple_of_the_standard_deviation(models):
    model = models["bayes"]
    ranking = model.ranking("rating")
    (best,) = ranking.best_items(np.array([5], np.int32), 10)
    users = np.full(10, 5, np.int32)
    base = predict_pairs(model.parameters, users, best.items[0])
    deviations = model.predict_std_index(users, best.items[0])
    assert (deviations > 0).all()
    np.testing.assert_allclose(
        best.predictions[0], base - lists.DEVIATIONS * deviations, rtol=1e-6, atol=1e-6
    )


def test_scores_by_both_are_of_ratings_held_within_the_scale(models):
    rating = models["sgd"].fitted.rating
    choice, liking = choice_of(0.3), Liking(4.0, 3.25, 0.8)
    (best,) = ByBoth(choice, rating, liking).best_items(np.array([5], np.int32), 12)
    users = np.full(12, 5, np.int32)
    choices = choice.scores(users, best.items[0]).tolist()
    predictions = rating.predict(users, best.items[0]).tolist()
    ref = [
        naive.score_of_both(s, naive.liking(r, 3.25, 0.8))
        for s, r in zip(choices, predictions, strict=True)
    ]
    np.testing.assert_allclose(best.predictions[0], ref, rtol=1e-6)


@pytest.mark.parametrize("kind", ["choice", "both", "rating, draws"])
@pytest.mark.parametrize("diversity", [0.05, 0.5, 0.95])
def test_diversified_lists_are_those_of_the_naive_reference(models, ratings, kind, diversity):
    ranking = rankings_of(models, kind)
    factors = choice_of(0.3, seed=9).learned.item_factors.copy()
    factors[11] = 0
    users = np.arange(N_USERS, dtype=np.int32)
    seen = CompressedRows.from_pairs(ratings.user_index, ratings.item_index, N_USERS)
    n = 5
    allowed = np.arange(N_ITEMS) % 4 > 0
    given = {"exclude": (seen,), "allowed": allowed}
    _, items, scores = together(
        diversified(ranking, factors, users, n, diversity, n_threads=2, **given)
    )
    _, candidates, relevance = together(ranking.best_items(users, 10 * n, **given))
    some_differ = False
    for u in users:
        mine = candidates[u][candidates[u] >= 0]
        rows = factors[mine].astype(float).tolist()
        cosines = [[naive.cosine(a, b) for b in rows] for a in rows]
        ref = naive.relevance_and_difference(
            relevance[u, : len(mine)].tolist(), cosines, diversity, n
        )
        rest = n - len(ref)
        assert items[u].tolist() == mine[ref].tolist() + [-1] * rest
        assert scores[u].tolist() == relevance[u, ref].tolist() + [-np.inf] * rest
        some_differ |= ref != list(range(n))
    assert some_differ


def test_diversified_lists_can_be_short_or_of_all_items(models):
    ranking = rankings_of(models, "both")
    factors = choice_of(0.3).learned.item_factors
    users = np.array([4], np.int32)
    (best,) = diversified(ranking, factors, users, N_ITEMS + 5, 0.4)
    assert sorted(best.items[0].tolist()) == list(range(N_ITEMS))
    few = np.arange(N_ITEMS) < 2
    (best,) = diversified(ranking, factors, users, 4, 0.4, allowed=few)
    assert sorted(best.items[0, :2].tolist()) == [0, 1]
    assert best.items[0, 2:].tolist() == [-1, -1]
    (best,) = diversified(ranking, factors, users, 4, 0.4, allowed=few & ~few)
    assert best.items.tolist() == [[-1] * 4]


@pytest.mark.parametrize("field", ["liked_from", "threshold", "error"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_liking_that_is_no_number_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} of liking is {value}"):
        Liking(**{"liked_from": 4.0, "threshold": 3.5, "error": 1.0} | {field: value})


def test_an_error_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"error of liking is -0\.5"):
        Liking(4.0, 3.5, -0.5)
