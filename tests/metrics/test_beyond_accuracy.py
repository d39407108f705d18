"""Coverage, exposure, novelty and similarity of lists: by hand, and against plain loops."""

import itertools
import math

import numpy as np
import pytest

from funksvd.metrics import (
    beyond_accuracy,
    coverage,
    exposure_gini,
    intra_list_similarity,
    novelty,
)
from funksvd.ratings import CompressedRows

N_USERS, N_ITEMS = 4_700, 40


@pytest.fixture(scope="module")
def case():
    """Users' items in training, and lists of six, some of them shorter, one empty."""
    random = np.random.default_rng(0)
    has = random.random((N_USERS, N_ITEMS)) < 1 / np.arange(1, N_ITEMS + 1)
    has[:, 30] = False
    lists = random.permuted(np.tile(np.arange(N_ITEMS), (90, 1)), axis=1)[:, :6].astype(np.int32)
    lists[1::3, 4:] = -1
    lists[5, 1:] = -1
    lists[8] = -1
    users, items = (index.astype(np.int32) for index in np.nonzero(has))
    return has, lists, CompressedRows.from_pairs(users, items, N_USERS)


def listed(lists):
    return [[item for item in row if item >= 0] for row in lists.tolist()]


def test_coverage_is_the_share_of_items_listed(case):
    _, lists, _ = case
    assert coverage(lists[:3], N_ITEMS) == len({*itertools.chain(*listed(lists[:3]))}) / N_ITEMS
    assert coverage(np.array([[2, -1], [2, 0]]), 4) == 0.5


def test_the_gini_coefficient_by_hand():
    assert exposure_gini(np.array([[0, 1], [2, 3]]), 4) == 0  # all equally often
    assert exposure_gini(np.array([[0], [0], [0]]), 4) == 1  # one has all
    # Exposures 0, 0, 1, 3: (-3 * 0 - 1 * 0 + 1 * 1 + 3 * 3) / (3 * 4)
    assert exposure_gini(np.array([[3, 2], [3, -1], [3, -1]]), 4) == pytest.approx(10 / 12)
    assert exposure_gini(np.array([[0]]), 1) == 0
    assert exposure_gini(np.array([[-1]]), 3) == 0


def test_the_gini_coefficient_is_the_mean_difference_of_all_pairs(case):
    _, lists, _ = case
    counts = [sum(item in row for row in listed(lists[:20])) for item in range(N_ITEMS)]
    differences = sum(abs(a - b) for a, b in itertools.product(counts, counts))
    ref = differences / (2 * (N_ITEMS - 1) * sum(counts))
    assert exposure_gini(lists[:20], N_ITEMS) == pytest.approx(ref, rel=1e-12)


def test_novelty_is_the_mean_of_surprises(case):
    has, lists, _ = case
    ref = []
    for items in listed(lists):
        bits = [-math.log2(max(has[:, item].sum(), 1) / N_USERS) for item in items]
        ref.append(math.fsum(bits) / len(bits) if bits else 0)
    np.testing.assert_allclose(novelty(lists, has.sum(axis=0), N_USERS), ref, rtol=1e-12)


def test_what_everybody_has_is_no_news_and_what_one_of_1024_has_is_ten_bits():
    comp = novelty(np.array([[0, 0], [1, 1], [0, 1], [2, -1]]), np.array([1024, 1, 0]), 1024)
    assert comp.tolist() == [0, 10, 5, 10]


def test_similarity_within_a_list_is_the_mean_cosine_of_sets_of_users(case):
    has, lists, training = case
    sets = [set(np.flatnonzero(has[:, item]).tolist()) for item in range(N_ITEMS)]
    ref = []
    for items in listed(lists):
        cosines = [
            len(sets[i] & sets[j]) / (math.sqrt(len(sets[i]) * len(sets[j])) or 1)
            for i, j in itertools.combinations(items, 2)
        ]
        ref.append(math.fsum(cosines) / len(cosines) if cosines else 0)
    comp = intra_list_similarity(lists, training)
    np.testing.assert_allclose(comp, ref, rtol=1e-12)
    assert comp[5] == comp[8] == 0  # of one item, and of none


def test_similarity_does_not_depend_on_the_pieces_it_is_found_in(case, monkeypatch):
    _, lists, training = case
    ref = intra_list_similarity(lists, training)
    monkeypatch.setattr(beyond_accuracy, "USERS_AT_ONCE", 64)
    monkeypatch.setattr(beyond_accuracy, "PAIRS_AT_ONCE", 100)
    np.testing.assert_array_equal(intra_list_similarity(lists, training), ref)


def test_twins_are_as_similar_as_can_be():
    training = CompressedRows.from_pairs(
        np.array([0, 0, 1, 1, 2], np.int32), np.array([0, 1, 0, 1, 2], np.int32), 3
    )
    lists = np.array([[0, 1, -1], [0, 2, -1], [0, 1, 2], [1, -1, -1]])
    assert intra_list_similarity(lists, training).tolist() == pytest.approx([1, 0, 1 / 3, 0])
