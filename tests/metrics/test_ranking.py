"""Ranking metrics: by hand and against trec_eval; tallies of lists in batches."""

import math

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, P, R, Success, nDCG

from funksvd.metrics import RankingTally, ranking_metrics


def of_one(hits, n_relevant, n_best):
    metrics = ranking_metrics(np.array([hits], bool), np.array([n_relevant]), n_best)
    return [figure.item() for figure in metrics]


def test_by_hand():
    # Four relevant items, found at ranks 2 and 4 of five.
    gains = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(5)
    ref = [2 / 5, 2 / 4, gains / ideal, (1 / 2 + 2 / 4) / 4, 1 / 2, 1]
    assert of_one([0, 1, 0, 1, 0], 4, 5) == pytest.approx(ref, rel=1e-15)


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


def test_a_tally_of_batches_is_that_of_all_lists():
    random = np.random.default_rng(4)
    items = random.permuted(np.tile(np.arange(30), (50, 1)), axis=1)[:, :5].astype(np.int32)
    items[:, 3:][items[:, 3:] < 20] = -1  # shorter lists
    hits = (items >= 0) & (random.random(items.shape) < 0.4)
    n_relevant = hits.sum(axis=1) + random.integers(1, 4, 50)
    tally = RankingTally(40, n_best=6)
    for start in range(0, 50, 7):
        part = slice(start, start + 7)
        tally.add(items[part], hits[part], n_relevant[part])
    np.testing.assert_array_equal(tally.figures, np.stack(ranking_metrics(hits, n_relevant, 6)))
    assert tally.coverage == len(set(items.ravel().tolist()) - {-1}) / 40
