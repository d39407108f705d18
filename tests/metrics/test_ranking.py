"""Ranking metrics: by hand and against trec_eval; tallies of lists in batches."""

import math

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, P, R, Success, nDCG

from funksvd.metrics import mean_ndcg, ranking_metrics, tally_lists
from funksvd.ratings import CompressedRows


def of_one(hits, n_relevant, n_best):
    metrics = ranking_metrics(np.array([hits], bool), np.array([n_relevant]), n_best)
    return [figure.item() for figure in metrics]


def test_by_hand():
    # Four relevant items, found at ranks 2 and 4 of five.
    gains = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5)
    ref = [2 / 5, 2 / 4, gains / ideal, (1 / 2 + 2 / 4) / 4, 1 / 2, 1]
    assert of_one([0, 1, 0, 1, 0], 4, 5) == pytest.approx(ref, rel=1e-12)


def test_no_hit_is_zero_and_a_perfect_list_is_one():
    assert of_one([0, 0, 0], 2, 3) == [0] * 6
    for n in range(1, 40):
        assert of_one([1] * n, n, n) == [1] * 6


def test_more_relevant_items_than_places_and_fewer():
    assert of_one([1, 1], 5, 2) == pytest.approx([1, 2 / 5, 1, 2 / 5, 1, 1])
    assert of_one([1, 0], 1, 2) == pytest.approx([1 / 2, 1, 1, 1, 1, 1])


def test_a_list_cut_short_counts_as_if_filled_up_with_misses():
    assert of_one([0, 1], 3, 4) == of_one([0, 1, 0, 0], 3, 4)


@pytest.mark.parametrize("n_best", [1, 3, 10, 30])
def test_the_same_as_trec_eval(n_best):
    random = np.random.default_rng(n_best)
    n_users, n_items = 60, 25
    relevant = random.random((n_users, n_items)) < random.uniform(0.02, 0.7, (n_users, 1))
    relevant[np.arange(n_users), random.integers(0, n_items, n_users)] = True
    scores = random.permuted(np.tile(np.arange(n_items), (n_users, 1)), axis=1)
    lists = np.argsort(-scores, axis=1)[:, :n_best]
    measures = (P, R, nDCG, AP, RR, Success)
    measures = [measure @ n_best for measure in measures]
    qrels = [
        ir_measures.Qrel(str(user), str(item), int(relevant[user, item]))
        for user, item in np.ndindex(n_users, n_items)
    ]
    run = [
        ir_measures.ScoredDoc(str(user), str(item), float(scores[user, item]))
        for user in range(n_users)
        for item in lists[user]
    ]
    ref = np.full((6, n_users), np.nan)
    for metric in ir_measures.iter_calc(measures, qrels, run):
        ref[measures.index(metric.measure), int(metric.query_id)] = metric.value
    hits = np.take_along_axis(relevant, lists, axis=1)
    comp = ranking_metrics(hits, relevant.sum(axis=1), n_best)
    np.testing.assert_allclose(np.stack(comp), ref, rtol=1e-12)


class Listing:
    """Lists that are given, in batches of seven users; it notes what it was asked for."""

    def __init__(self, lists):
        self.lists, self.asked = lists, {}

    def __call__(self, users, n, **asked):
        self.asked = {"n": n, **asked}
        for start in range(0, len(users), 7):
            batch = users[start : start + 7]
            yield batch, self.lists[batch, :n], np.zeros((len(batch), n), np.float32)


@pytest.fixture
def lists():
    """Lists of five of 30 items for 50 users, some shorter, and which places are hits."""
    random = np.random.default_rng(4)
    items = random.permuted(np.tile(np.arange(30), (50, 1)), axis=1)[:, :5].astype(np.int32)
    items[:, 3:][items[:, 3:] < 20] = -1
    return items, (items >= 0) & (random.random(items.shape) < 0.4)


def rows_of(items, chosen):
    users, places = np.nonzero(chosen)
    return CompressedRows.from_pairs(users.astype(np.int32), items[users, places], len(items))


def test_a_tally_of_batches_is_that_of_all_lists(lists):
    items, hits = lists
    n_relevant = hits.sum(axis=1) + np.random.default_rng(5).integers(0, 3, 50)
    seen = rows_of(items, hits)
    best = Listing(items)
    tally = tally_lists(
        best, rows_of(items, hits), n_best=6, seen=(seen,), n_relevant=n_relevant, n_threads=2
    )
    users = np.flatnonzero(n_relevant)
    assert best.asked == {"n": 6, "exclude": (seen,), "n_threads": 2}
    np.testing.assert_array_equal(tally.lists, items[users])
    ref = ranking_metrics(hits[users], n_relevant[users], 6)
    np.testing.assert_array_equal(tally.figures, np.stack(ref))


def test_the_mean_ndcg_of_held_back_pairs(lists):
    items, hits = lists
    held_back = rows_of(items, hits)
    best = Listing(items)
    comp = mean_ndcg(best, CompressedRows.from_pairs(*held_back.pairs, 50), held_back, n_best=4)
    assert best.asked["n"] == 4
    figures = []
    for row in hits[hits.any(axis=1)].tolist():
        gain = sum(1 / math.log2(2 + at) for at, hit in enumerate(row[:4]) if hit)
        figures.append(gain / sum(1 / math.log2(2 + at) for at in range(min(4, sum(row)))))
    assert comp == pytest.approx(math.fsum(figures) / len(figures), rel=1e-12)


@pytest.mark.parametrize(("most_users", "step"), [(1, 50), (10, 5), (20, 3), (50, 1), (999, 1)])
def test_of_many_users_some_are_enough(lists, most_users, step):
    items, hits = lists
    hits[:, 0] = True  # all users have something held back
    held_back = rows_of(items, hits)
    comp = mean_ndcg(Listing(items), held_back, held_back, most_users=most_users)
    figures = ranking_metrics(hits[::step], hits.sum(axis=1)[::step], 10).ndcg
    assert comp == pytest.approx(figures.mean(), rel=1e-12)


def test_without_pairs_held_back_there_is_no_ndcg(lists):
    items, hits = lists
    nothing = CompressedRows.from_pairs(np.zeros(0, np.int32), np.zeros(0, np.int32), 50)
    assert mean_ndcg(Listing(items), rows_of(items, hits), nothing) is None
