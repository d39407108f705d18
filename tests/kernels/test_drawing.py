"""Choosing a part at random: what NumPy chooses."""

import numpy as np
import pytest

from funksvd.kernels import choose
from funksvd.kernels.cpu import drawing


@pytest.mark.parametrize(
    ("n", "n_chosen"),
    [
        (0, 0),
        (1, 1),
        (100, 30),
        (10_000, 9_000),
        (10_001, 500),
        (10_001, 501),
        (10_001, 10_000),
        (10_001, 10_001),
        (300_000, 270_000),
    ],
)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("words_at_once", [1_000, drawing.WORDS_AT_ONCE])
def test_what_numpy_chooses(monkeypatch, n, n_chosen, seed, words_at_once):
    monkeypatch.setattr(drawing, "WORDS_AT_ONCE", words_at_once)
    ref = np.zeros(n, bool)
    ref[np.random.default_rng(seed).choice(n, n_chosen, replace=False, shuffle=False)] = True
    comp = choose(np.random.default_rng(seed), n, n_chosen)
    assert comp.sum() == n_chosen
    np.testing.assert_array_equal(comp, ref)


def test_a_word_that_would_not_be_fair_is_passed_over():
    chosen, moves, last = np.zeros(3, bool), np.zeros(3, np.int32), np.array([2])
    # 2**32 words fall into thirds but for one, the word 0; 1.3 of 3 is the middle one
    words = np.array([0, 7 << 28], dtype=np.uint64)
    drawing._take_last(words, 2, last, moves, chosen)
    assert chosen.tolist() == [False, True, False]
    assert moves.tolist() == [0, 1, 0]
    assert last == 1
