"""Quality of a model's best items, against plain loops over all items."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from funksvd import FunkSVD, Ratings, evaluate_ranking, random_split
from funksvd.errors import FunkSVDError, RatingsError
from funksvd.evaluation import ranking
from funksvd.evaluation.baselines import regularized_biases
from funksvd.objectives.parameters import Parameters
from funksvd.ratings.compressed import CompressedRows
from funksvd.rng import Stream
from funksvd.training import Hyperparameters

NAMES = ("precision", "recall", "ndcg", "map", "mrr", "hit_rate")


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
    figures, named, n_without, n_relevant_in_all, n_unknown_items = {}, set(), 0, 0, 0
    tested = {user for user, _ in test}
    for user in sorted(tested & users):
        own = [value for (other, _), value in training.items() if other == user]
        least = relevant_from if relevant_from is not None else math.fsum(own) / len(own)
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
        named |= set(best)
        figures[user] = ref_metrics([item in relevant for item in best], len(relevant), n_best)
        n_relevant_in_all += len(relevant)
        n_unknown_items += len(relevant - set(items))
    return SimpleNamespace(
        figures=list(figures.values()),
        coverage=len(named) / len(items),
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
    training, test = random_split(ratings, 0.4, seed=1)
    training = training.subset(
        (training.user_index % 13 > 0) & (training.item_index % 8 > 0)
    ).compact()
    n_users, n_items = training.n_users, training.n_items
    parameters = Parameters(
        3.0,
        *(random.normal(0, 0.5, n).astype(np.float32) for n in (n_users, n_items)),
        *(random.normal(0, 0.5, (n, 3)).astype(np.float32) for n in (n_users, n_items)),
    )
    seen = CompressedRows.from_pairs(training.user_index, training.item_index, n_users)
    model = SimpleNamespace(
        parameters=parameters,
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
@pytest.mark.parametrize("relevant_from", [None, 4, 2.5])
def test_equals_plain_loops_over_all_items(case, n_best, relevant_from):
    comp = evaluate_ranking(
        case.model, case.test, training=case.training, n_best=n_best, relevant_from=relevant_from
    )
    training, test = as_dictionary(case.training), as_dictionary(case.test)
    numbers = {}
    for _, item in training:
        numbers[item] = numbers.get(item, 0) + 1
    biases = regularized_biases(case.training)
    popularity = {(u, i): numbers[i] for u in case.model.users.ids for i in case.model.items.ids}
    assert len(set(numbers.values())) < len(numbers)  # ties
    for scores, quality in (
        (scores_of(case.model.parameters, case.model), comp.model),
        (popularity, comp.baselines["most_popular"]),
        (scores_of(biases, case.model), comp.baselines["regularized_biases"]),
    ):
        ref = ref_evaluation(scores, training, test, n_best, relevant_from)
        np.testing.assert_allclose(quality.means, np.mean(ref.figures, axis=0), rtol=1e-12)
        assert quality.coverage == pytest.approx(ref.coverage, rel=1e-12)
        counts = (comp.n_users, comp.users_without_relevant, comp.unknown_users, comp.n_items)
        assert (*counts, comp.n_relevant) == ref.counts
        assert comp.unknown_items == pytest.approx(ref.unknown_items, rel=1e-12)
    assert comp.baselines.keys() == {"most_popular", "regularized_biases"}
    assert (comp.n_best, comp.relevant_from) == (n_best, relevant_from)
    if relevant_from is None:
        assert min(comp.users_without_relevant, comp.unknown_users, comp.unknown_items) > 0


def test_intervals_are_those_of_drawn_users(case):
    comp = evaluate_ranking(case.model, case.test, training=case.training)
    ref = ref_evaluation(
        scores_of(case.model.parameters, case.model),
        as_dictionary(case.training),
        as_dictionary(case.test),
        10,
        None,
    )
    random = np.random.default_rng([case.model.hyperparameters.seed, Stream.BOOTSTRAP])
    figures = np.array(ref.figures)
    means = [figures[random.integers(0, len(figures), len(figures))].mean(0) for _ in range(1000)]
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    for at, name in enumerate(NAMES):
        assert comp.model.intervals[name] == pytest.approx((low[at], high[at]), rel=1e-9)
        assert low[at] < getattr(comp.model.means, name) < high[at]


def test_the_number_of_threads_does_not_matter(case):
    refs = evaluate_ranking(case.model, case.test, training=case.training)
    single = SimpleNamespace(**{**vars(case.model), "thread_count": lambda: 1})
    assert evaluate_ranking(single, case.test, training=case.training) == refs


def test_batches_do_not_matter(case, monkeypatch):
    ref = evaluate_ranking(case.model, case.test, training=case.training)
    whole = ranking.best_items

    def in_batches(parameters, users, *arguments, **options):
        for start in range(0, len(users), 7):
            yield from whole(parameters, users[start : start + 7], *arguments, **options)

    monkeypatch.setattr(ranking, "best_items", in_batches)
    assert evaluate_ranking(case.model, case.test, training=case.training) == ref


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
    assert comp.model == ref.model
    assert comp.baselines == {}
    with pytest.raises(FunkSVDError, match=r"say from which .* is relevant, with relevant_from=$"):
        evaluate_ranking(case.model, case.test)
    forgetful = SimpleNamespace(**{**vars(case.model), "seen": None})
    assert evaluate_ranking(forgetful, case.test, training=case.training).n_users > 0
    with pytest.raises(FunkSVDError, match="saved without the pairs it has seen"):
        evaluate_ranking(forgetful, case.test, relevant_from=3)


def test_pairs_learned_from_are_passed_over(case):
    both = case.test.joined_with(case.training)
    ref = evaluate_ranking(case.model, case.test, training=case.training)
    comp = evaluate_ranking(case.model, both, training=case.training)
    assert comp.model == ref.model
    with pytest.raises(RatingsError, match="none has a new rating of at least their mean"):
        evaluate_ranking(case.model, case.training, training=case.training)


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
    for relevant_from in (None, 3.3):
        result = evaluate_ranking(model, test, training=training, relevant_from=relevant_from)
        assert (result.n_users, result.model.means.hit_rate) == (1, 1.0)


@pytest.mark.parametrize("n_best", [0, -1, 2.5])
def test_the_number_of_best_items_is_checked(case, n_best):
    with pytest.raises(FunkSVDError, match="n_best must be a whole number of at least 1"):
        evaluate_ranking(case.model, case.test, training=case.training, n_best=n_best)


def test_nothing_relevant_is_an_error(case):
    with pytest.raises(RatingsError, match="none has a new rating of at least 9"):
        evaluate_ranking(case.model, case.test, training=case.training, relevant_from=9)


def test_as_plain_data_it_is_json(case):
    result = evaluate_ranking(case.model, case.test, training=case.training)
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["relevant_from"] == "user mean"
    assert plain["ndcg"] == result.model.means.ndcg
    assert plain["intervals"].keys() == set(NAMES)
    popular = result.baselines["most_popular"]
    assert plain["baselines"]["most_popular"]["map"] == popular.means.map
    assert plain["baselines"]["most_popular"]["coverage"] == popular.coverage
    other = evaluate_ranking(case.model, case.test, training=case.training, relevant_from=4)
    assert other.to_dict()["relevant_from"] == 4


def test_a_model_that_knows_the_planted_preferences_finds_them(planted):
    ratings = planted(300, 120, rank=2, n_ratings=18_000, noise=0.2)
    training, test = random_split(ratings, 0.3, seed=0)
    model = FunkSVD(n_factors=4).fit(training)
    result = evaluate_ranking(model, test, training=training)
    for other in result.baselines.values():
        assert result.model.means.ndcg > other.means.ndcg + 0.05
        assert result.model.intervals["precision"].low > other.means.precision
