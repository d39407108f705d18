"""Quality of a model's best items, against plain loops over all items."""

import itertools
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from funksvd import FunkSVD, Interactions, Ratings, evaluate_ranking, random_split
from funksvd.errors import FunkSVDError, RatingsError
from funksvd.evaluation.baselines import regularized_biases
from funksvd.evaluation.ranking import ndcg_of_lists
from funksvd.learned.scoring import best_items
from funksvd.objectives.parameters import Parameters
from funksvd.ratings.compressed import CompressedRows
from funksvd.rng import Stream
from funksvd.training import Hyperparameters

NAMES = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")
EXTRA = ("novelty", "intra_list_similarity")
LIKED = 4.0


class ByScore:
    """The ranking of given parameters, in batches of seven users."""

    def __init__(self, parameters):
        self.parameters = parameters

    def best_items(self, users, n, *, exclude=(), allowed=None, n_threads=1):
        for start in range(0, len(users), 7):
            yield from best_items(
                self.parameters, users[start : start + 7], n, exclude=exclude, n_threads=n_threads
            )


def ref_metrics(hits, n_relevant, n_best):
    """Plain Python."""
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


def ref_evaluation(scores, training, test, n_best, relevant_from):
    """Per-user figures and coverage, from dictionaries of ratings by (user, item) of raw ids.

    `scores` is one of (user, item) to a number, over all users and items that are known.
    """
    users = {user for user, _ in scores}
    items = sorted({item for _, item in scores})
    figures, lists, n_without, n_relevant_in_all, n_unknown_items = {}, {}, 0, 0, 0
    tested = {user for user, _ in test}
    for user in sorted(tested & users):
        own = [value for (other, _), value in training.items() if other == user]
        least = {"user-mean": math.fsum(own) / len(own), "liked": LIKED, "all": 0}.get(
            relevant_from, relevant_from
        )
        relevant = {
            item
            for (other, item), value in test.items()
            if other == user and value >= least and (user, item) not in training
        }
        if not relevant:
            n_without += 1
            continue
        candidates = [item for item in items if (user, item) not in training]
        best = sorted(candidates, key=lambda item: (-scores[user, item], item))[:n_best]
        lists[user] = best
        figures[user] = ref_metrics([item in relevant for item in best], len(relevant), n_best)
        n_relevant_in_all += len(relevant)
        n_unknown_items += len(relevant - set(items))
    having = {item: {user for user, other in training if other == item} for item in items}
    for user, best in lists.items():
        bits = [-math.log2(len(having[item]) / len(users)) for item in best]
        cosines = [
            len(having[i] & having[j]) / math.sqrt(len(having[i]) * len(having[j]))
            for i, j in itertools.combinations(best, 2)
        ]
        figures[user] += (
            math.fsum(bits) / len(bits),
            math.fsum(cosines) / len(cosines) if cosines else 0.0,
        )
    exposures = [sum(item in best for best in lists.values()) for item in items]
    differences = sum(abs(a - b) for a, b in itertools.product(exposures, exposures))
    return SimpleNamespace(
        figures=figures,
        coverage=sum(map(bool, exposures)) / len(items),
        gini=differences / (2 * (len(items) - 1) * sum(exposures)),
        counts=(len(figures), n_without, len(tested - users), len(items), n_relevant_in_all),
        unknown_items=n_unknown_items / n_relevant_in_all,
    )


def as_dictionary(ratings):
    users, items = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
    pairs = zip(users.tolist(), items.tolist(), strict=True)
    return dict(zip(pairs, ratings.values.tolist(), strict=True))


@pytest.fixture(scope="module")
def case():
    """Training and test ratings with unknown users and items, and a model of some factors."""
    random = np.random.default_rng(3)
    n_users, n_items = 50, 40
    popularity = 1 / np.arange(1, n_items + 1)
    pairs = random.choice(
        n_users * n_items,
        700,
        replace=False,
        p=np.tile(popularity, n_users) / n_users / popularity.sum(),
    )
    users, items = np.divmod(pairs, n_items)
    ratings = Ratings.from_arrays(10 * users, 100 + items, random.integers(1, 6, len(pairs)))
    training, test = random_split(ratings, 0.4, seed=2)
    training = training.subset(
        (training.user_index % 13 > 0) & (training.item_index % 8 > 0)
    ).compact()
    n_users, n_items = training.n_users, training.n_items
    rankings = {
        name: ByScore(
            Parameters(
                3.0,
                *(random.normal(0, 0.5, n).astype(np.float32) for n in (n_users, n_items)),
                *(random.normal(0, 0.5, (n, 3)).astype(np.float32) for n in (n_users, n_items)),
            )
        )
        for name in ("choice", "rating")
    }
    seen = CompressedRows.from_pairs(training.user_index, training.item_index, n_users)
    model = SimpleNamespace(
        rankings=("choice", "rating"),
        ranking=rankings.get,
        rating_scale=(1.0, 5.0),
        users=training.users,
        items=training.items,
        seen=seen,
        hyperparameters=Hyperparameters(seed=5),
        thread_count=lambda: 2,
    )
    return SimpleNamespace(model=model, training=training, test=test)


def scores_of(parameters, model):
    mean, user_biases, item_biases, user_factors, item_factors = parameters
    table = mean + user_biases[:, None] + item_biases + user_factors @ item_factors.T
    return {
        (user, item): float(table[u, i])
        for u, user in enumerate(model.users.ids.tolist())
        for i, item in enumerate(model.items.ids.tolist())
    }


@pytest.mark.parametrize("n_best", [1, 5, 100])
@pytest.mark.parametrize("relevant_from", ["liked", "user-mean", "all", 2.5])
def test_equals_plain_loops_over_all_items(case, n_best, relevant_from):
    comp = evaluate_ranking(
        case.model, case.test, training=case.training, n_best=n_best, relevant_from=relevant_from
    )
    training, test = as_dictionary(case.training), as_dictionary(case.test)
    numbers = {}
    for _, item in training:
        numbers[item] = numbers.get(item, 0) + 1
    assert len(set(numbers.values())) < len(numbers)  # ties
    users, items = case.model.users.ids.tolist(), case.model.items.ids.tolist()
    scores = {
        name: scores_of(ranking.parameters, case.model)
        for name in case.model.rankings
        for ranking in [case.model.ranking(name)]
    }
    scores["most_popular"] = {(u, i): numbers[i] for u in users for i in items}
    scores["regularized_biases"] = scores_of(regularized_biases(case.training), case.model)
    assert list(comp.recommenders) == list(scores)
    for name, quality in comp.recommenders.items():
        ref = ref_evaluation(scores[name], training, test, n_best, relevant_from)
        assert comp.user_ids.tolist() == list(ref.figures)
        of_users = np.array(list(ref.figures.values()))
        np.testing.assert_allclose(quality.figures, of_users.T, rtol=1e-12)
        means = (*quality.means, quality.novelty, quality.intra_list_similarity)
        np.testing.assert_allclose(means, of_users.mean(axis=0), rtol=1e-12)
        assert quality.coverage == pytest.approx(ref.coverage, rel=1e-12)
        assert quality.gini == pytest.approx(ref.gini, rel=1e-12)
        counts = (comp.n_users, comp.users_without_relevant, comp.unknown_users, comp.n_items)
        assert (*counts, comp.n_relevant) == ref.counts
        assert comp.unknown_items == pytest.approx(ref.unknown_items, rel=1e-12)
    assert comp.model is comp.recommenders["choice"]
    least = LIKED if relevant_from == "liked" else relevant_from
    assert (comp.n_best, comp.relevant_from) == (n_best, least)
    if relevant_from == "user-mean":
        assert min(comp.users_without_relevant, comp.unknown_users, comp.unknown_items) > 0


def test_intervals_are_those_of_drawn_users_the_same_for_all_recommenders(case):
    comp = evaluate_ranking(case.model, case.test, training=case.training)
    random = np.random.default_rng([case.model.hyperparameters.seed, Stream.BOOTSTRAP])
    draws = [random.integers(0, comp.n_users, comp.n_users) for _ in range(1000)]
    for quality in comp.recommenders.values():
        means = [quality.figures[:, drawn].mean(axis=1) for drawn in draws]
        low, high = np.percentile(means, [2.5, 97.5], axis=0)
        assert list(quality.intervals) == [*NAMES, *EXTRA]
        for at, interval in enumerate(quality.intervals.values()):
            assert interval == pytest.approx((low[at], high[at]), rel=1e-9)
            assert low[at] < quality.figures[at].mean() < high[at]


def test_the_number_of_threads_does_not_matter(case):
    refs = evaluate_ranking(case.model, case.test, training=case.training)
    single = SimpleNamespace(**{**vars(case.model), "thread_count": lambda: 1})
    assert evaluate_ranking(single, case.test, training=case.training) == refs


def test_figures_by_user_are_a_table_for_each_recommender(case):
    result = evaluate_ranking(case.model, case.test, training=case.training)
    tables = list(result.by_user())
    assert [table["recommender"].tolist() for table in tables] == [
        [name] * result.n_users for name in result.recommenders
    ]
    for table, quality in zip(tables, result.recommenders.values(), strict=True):
        assert list(table) == ["user", "recommender", *NAMES, *EXTRA]
        assert table["user"].tolist() == result.user_ids.tolist()
        assert table["ndcg"].mean() == pytest.approx(quality.means.ndcg, rel=1e-12)


def test_of_interactions_every_test_pair_is_relevant(case):
    training, test = (
        Interactions.from_arrays(part.user_ids[part.user_index], part.item_ids[part.item_index])
        for part in (case.training, case.test)
    )
    ref = evaluate_ranking(case.model, case.test, training=case.training, relevant_from="all")
    comp = evaluate_ranking(case.model, test, training=training)
    assert list(comp.recommenders) == ["choice", "rating", "most_popular"]
    for name, quality in comp.recommenders.items():
        np.testing.assert_array_equal(quality.figures, ref.recommenders[name].figures)
    assert comp.relevant_from == "all"
    with pytest.raises(FunkSVDError, match=r"there are no ratings, so none is at least 3"):
        evaluate_ranking(case.model, test, relevant_from=3)


def test_without_a_rating_model_the_scale_is_that_of_the_ratings(case):
    """That of training where it is known, else that of the test."""
    choice = SimpleNamespace(**{**vars(case.model), "rankings": ("choice",)})
    del choice.rating_scale
    training = Ratings.from_arrays([10, 20], [101, 102], [0.0, 6.0])
    assert evaluate_ranking(choice, case.test, training=training).relevant_from == 4.5
    assert evaluate_ranking(choice, case.test).relevant_from == 4


def test_places_without_an_item_cover_nothing():
    training = Ratings.from_arrays([1, 1, 2, 2, 3], [1, 3, 2, 3, 1], [5, 3, 3, 5, 1])
    model = FunkSVD(n_factors=1, validation_fraction=0, n_epochs=1).fit(training)
    test = Ratings.from_arrays([1, 2], [2, 1], [5, 5])
    result = evaluate_ranking(model, test, training=training)
    # Users 1 and 2 have one item left each, and both have rated item 3.
    assert result.model.coverage == 2 / 3
    assert result.model.means.precision == 1 / 10
    assert result.model.means.map == 1


def test_without_training_ratings_the_models_record_of_pairs_is_used(case):
    ref = evaluate_ranking(case.model, case.test, training=case.training, relevant_from=3)
    comp = evaluate_ranking(case.model, case.test, relevant_from=3)
    assert list(comp.recommenders) == ["choice", "rating", "most_popular"]
    for name, quality in comp.recommenders.items():
        np.testing.assert_array_equal(quality.figures, ref.recommenders[name].figures)
    with pytest.raises(FunkSVDError, match=r"say from which .* is relevant, with relevant_from=$"):
        evaluate_ranking(case.model, case.test, relevant_from="user-mean")
    forgetful = SimpleNamespace(**{**vars(case.model), "seen": None})
    assert evaluate_ranking(forgetful, case.test, training=case.training).n_users > 0
    with pytest.raises(FunkSVDError, match="saved without the pairs it has seen"):
        evaluate_ranking(forgetful, case.test, relevant_from=3)


def test_the_ndcg_alone_is_that_of_the_whole_evaluation(case):
    whole = evaluate_ranking(case.model, case.test, n_best=7).recommenders
    comp = ndcg_of_lists(case.model, case.test, n_best=7)
    assert comp == {
        name: whole[name].means.ndcg for name in (case.model.rankings[0], "most_popular")
    }
    assert comp["most_popular"] > 0


def test_pairs_learned_from_are_passed_over(case):
    both = case.test.joined_with(case.training)
    ref = evaluate_ranking(case.model, case.test, training=case.training)
    comp = evaluate_ranking(case.model, both, training=case.training)
    assert comp.model == ref.model
    for relevant_from, message in (
        ("user-mean", "none has a new rating of at least their mean"),
        ("all", "none has a new pair$"),
    ):
        with pytest.raises(RatingsError, match=message):
            evaluate_ranking(
                case.model, case.training, training=case.training, relevant_from=relevant_from
            )


def test_training_ratings_that_the_model_does_not_know_change_nothing(case):
    """As after training without a refit: some ids are in the validation part only."""
    more = Ratings.from_arrays([999, 999, 10], [999, 105, 998], [5, 5, 5])
    ref = evaluate_ranking(case.model, case.test, training=case.training, relevant_from=3)
    joined = case.training.joined_with(more)
    comp = evaluate_ranking(case.model, case.test, training=joined, relevant_from=3)
    assert comp == ref


def test_a_rating_of_exactly_the_mean_is_relevant():
    training = Ratings.from_arrays([1, 1, 1, 2], [1, 2, 3, 4], [3.3, 3.3, 3.3, 1.0])
    test = Ratings.from_arrays([1], [4], [3.3])
    model = FunkSVD(n_factors=1, validation_fraction=0, n_epochs=1).fit(training)
    for relevant_from in ("user-mean", 3.3):
        result = evaluate_ranking(model, test, training=training, relevant_from=relevant_from)
        assert (result.n_users, result.model.means.hit_rate) == (1, 1.0)


@pytest.mark.parametrize("n_best", [0, -1, 2.5])
def test_the_number_of_best_items_is_checked(case, n_best):
    with pytest.raises(FunkSVDError, match="n_best must be a whole number of at least 1"):
        evaluate_ranking(case.model, case.test, training=case.training, n_best=n_best)


def test_more_best_items_than_any_model_has(case):
    with pytest.raises(FunkSVDError, match="n_best must be at most 2,147,483,647, not 100,000"):
        evaluate_ranking(case.model, case.test, n_best=10**20)
    assert evaluate_ranking(case.model, case.test, n_best=2**31 - 1).model.means.precision > 0


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_relevant_is_a_finite_number(case, number):
    with pytest.raises(FunkSVDError, match=f"relevant_from=? must be finite, not {number}"):
        evaluate_ranking(case.model, case.test, relevant_from=number)


def test_nothing_relevant_is_an_error(case):
    with pytest.raises(RatingsError, match="none has a new rating of at least 9"):
        evaluate_ranking(case.model, case.test, training=case.training, relevant_from=9)


def test_a_rule_that_nobody_knows_is_named_with_those_that_are_known(case):
    with pytest.raises(
        FunkSVDError, match="takes a rating or one of liked, user-mean and all, not 'loved'"
    ):
        evaluate_ranking(case.model, case.test, relevant_from="loved")


def test_as_plain_data_it_is_json(case):
    result = evaluate_ranking(case.model, case.test, training=case.training)
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["relevant_from"] == LIKED
    assert plain["rankings"] == ["choice", "rating"]
    assert list(plain["recommenders"]) == list(result.recommenders)
    for name, quality in result.recommenders.items():
        figures = plain["recommenders"][name]
        assert figures["ndcg"] == quality.means.ndcg
        assert figures["intervals"].keys() == {*NAMES, *EXTRA}
        for beyond in (*EXTRA, "coverage", "gini"):
            assert figures[beyond] == getattr(quality, beyond)
    other = evaluate_ranking(
        case.model, case.test, training=case.training, relevant_from="user-mean"
    )
    assert other.to_dict()["relevant_from"] == "user-mean"


def test_a_model_that_knows_the_planted_preferences_finds_them(planted):
    ratings = planted(300, 120, rank=2, n_ratings=18_000, noise=0.2)
    training, test = random_split(ratings, 0.3, seed=0)
    model = FunkSVD(n_factors=4).fit(training)
    result = evaluate_ranking(model, test, training=training)
    assert result.rankings[-1] == "rating"
    mine = result.recommenders["rating"]
    for name in ("most_popular", "regularized_biases"):
        other = result.recommenders[name]
        assert mine.means.ndcg > other.means.ndcg + 0.05
        assert mine.intervals["precision"].low > other.means.precision
