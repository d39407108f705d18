"""Kernels of lists by both models and of diversity, against the naive reference."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive
from funksvd.kernels import LEAST_CHOICE, diversify, score_both
from funksvd.kernels.cpu.choosing import LEAST_LIKING


def both(choices, predictions, threshold=3.5, spread=0.9):
    choices, predictions = np.broadcast_arrays(
        *np.atleast_1d(*map(np.float32, (choices, predictions)))
    )
    scores = np.full(choices.shape, np.nan, np.float32)
    score_both(choices.copy(), predictions.copy(), threshold, spread, scores)
    return scores


def test_scores_of_both_are_the_formula_of_the_naive_reference():
    choices = np.linspace(0.02, 1.3, 2001, dtype=np.float32)
    predictions = np.random.default_rng(0).uniform(-0.5, 9, 2001).astype(np.float32)
    comp = both(choices, predictions)
    ref = [
        naive.score_of_both(s, naive.liking(r, 3.5, 0.9))
        for s, r in zip(choices.tolist(), predictions.tolist(), strict=True)
    ]
    np.testing.assert_allclose(comp, ref, rtol=2e-7)


@pytest.mark.parametrize("choice", [0.01, 0.0099, 0.0, -0.5, -1e30])
def test_scores_of_choice_below_the_floor_count_as_much_as_it(choice):
    comp = both(choice, 3.5)
    np.testing.assert_allclose(comp, LEAST_CHOICE * 0.5 ** (1 / 3), rtol=2e-7)
    assert LEAST_CHOICE == 0.01


def test_liking_has_a_floor_and_never_exceeds_one():
    comp = both(1.0, [-1e30, -10.0, -1.0, 3.5, 1e30])
    least = LEAST_LIKING ** (1 / 3)
    ref = [least, least, naive.liking(-1, 3.5, 0.9) ** (1 / 3), 0.5 ** (1 / 3), 1.0]
    np.testing.assert_allclose(comp, ref, rtol=3e-7)
    assert comp[-1] == 1


def test_without_a_spread_predictions_are_probabilities():
    probabilities = np.array([-0.1, 0.0, 1e-12, 1e-6, 0.125, 0.9, 1.0, 1.1])
    comp = both(0.5, probabilities, spread=0.0)
    ref = 0.5 * np.cbrt(np.clip(np.float32(probabilities).astype(float), 1e-12, 1))
    np.testing.assert_allclose(comp, ref, rtol=1e-7)


@given(st.floats(-1, 2, width=32), st.floats(-50, 50, width=32), st.floats(0, 9))
@settings(deadline=None)
def test_no_score_is_above_the_choice_or_its_floor(choice, prediction, spread):
    comp = both([choice], [prediction], spread=spread)
    assert 0 < comp[0] <= max(np.float32(choice), np.float32(LEAST_CHOICE))


def test_scores_rise_with_both():
    predictions = np.linspace(-2, 8, 4001, dtype=np.float32)
    assert (np.diff(both(0.3, predictions)) >= 0).all()
    assert (np.diff(both(np.linspace(0.01, 1, 4001, dtype=np.float32), 3.9)) > 0).all()


def mmr(scores, similarities, diversity, n):
    order = np.empty(min(n, len(scores)), np.int64)
    scores, similarities = (np.array(each, np.float32) for each in (scores, similarities))
    diversify(scores, similarities, diversity, order)
    return order.tolist()


def test_an_example_of_diversity_by_hand():
    # 0 and 1 are alike. With lambda = 1/2, after 0, 2 has (0.4 - 0) / 2 and 1 has (0.9 - 1) / 2.
    similarities = [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert mmr([1.0, 0.9, 0.4], similarities, 0.5, 3) == [0, 2, 1]
    assert mmr([1.0, 0.9, 0.4], similarities, 0.0, 3) == [0, 1, 2]
    assert mmr([1.0, 0.9, 0.4], similarities, 0.5, 1) == [0]


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 999), st.floats(0, 0.99))
def test_diversity_is_that_of_the_naive_reference(n, n_best, seed, diversity):
    random = np.random.default_rng(seed)
    scores = np.sort(random.normal(0, 1, n).astype(np.float32))[::-1]
    rows = random.normal(0, 1, (n, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    similarities = (rows @ rows.T).astype(np.float32)
    ref = naive.relevance_and_difference(scores.tolist(), similarities.tolist(), diversity, n_best)
    assert mmr(scores, similarities, diversity, n_best) == ref


def test_of_equally_good_candidates_the_first_is_chosen():
    assert mmr([1.0, 1.0, 1.0], np.eye(3), 0.3, 3) == [0, 1, 2]
    assert mmr([0.0, 0.0, 0.0], np.eye(3), 0.3, 3) == [0, 1, 2]


SCORE = """
import sys
import numpy as np
from funksvd.kernels import fold_choices, score_both, weigh_choices
random = np.random.default_rng(0)
scores = np.empty(9999, np.float32)
choices, predictions = (random.normal(m, 1, 9999).astype(np.float32) for m in (0.3, 3.5))
score_both(choices, predictions, 3.5, 0.9, scores)
indptr, columns = np.array([0, 5, 5, 60]), random.permutation(60).astype(np.int32)
weights = random.uniform(0.2, 2, 60).astype(np.float32)
factors = random.normal(0, 0.4, (60, 19)).astype(np.float32)
spectrum, rows = random.uniform(0, 9, 19).astype(np.float32), np.empty((3, 19), np.float32)
fold_choices((0, 3), indptr, columns, weights, factors, spectrum, (0.1, 0.7), rows)
parts = np.empty((60, 60))
weigh_choices(columns, weights, columns, factors, spectrum, 0.7, parts)
for array in (scores, rows, parts):
    sys.stdout.buffer.write(array.tobytes())
"""


def test_the_same_bits_on_every_processor(written_on_each_processor):
    written = written_on_each_processor(SCORE)
    assert len(written[0]) == 4 * 9999 + 4 * 3 * 19 + 8 * 60 * 60
    assert written[0] == written[1] == written[2]


def test_the_normal_distribution_is_exact_to_the_last_digits_of_a_float():
    predictions = np.linspace(-6.5, 6.5, 5001, dtype=np.float32)
    comp = both(1.0, predictions, 0.0, 1.0).astype(float) ** 3
    ref = [math.erfc(-x / math.sqrt(2)) / 2 for x in predictions.tolist()]
    np.testing.assert_allclose(comp, ref, rtol=5e-7)
