"""How large the ratings are, and whether there is anything in them."""

from functools import partial

import numpy as np
import pytest

from funksvd.errors import RatingsError
from funksvd.ratings import ratings as ratings_module
from funksvd.training import Scale, Triples, check_learnable, plan, plan_blocks


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    for module in (plan, ratings_module):
        monkeypatch.setattr(module, "PIECE", 16)


@pytest.mark.parametrize("biases", [True, False])
def test_threads_do_not_change_a_bit_of_the_scale(planted, biases):
    ratings = planted(60, 50, 2, 1500, 0.3)
    triples = Triples(ratings.user_index, ratings.item_index, ratings.values)
    held_back = np.arange(1500) % 5 == 0
    blocks = plan_blocks(triples, (60, 50), held_back=held_back, n_groups=3)
    ref = Scale.of(blocks.of_learned, biases)
    assert Scale.of(partial(blocks.of_learned, n_threads=3), biases) == ref
    values = ratings.values[~held_back].astype(np.float64)
    assert (ref.low, ref.high) == (values.min(), values.max())
    np.testing.assert_allclose([ref.mean, ref.spread], [values.mean(), values.std()])


@pytest.mark.parametrize("other_at", [0, 1, 15, 16, 99])
def test_one_other_rating_is_enough(other_at):
    values = np.full(100, 3, np.float32)
    values[other_at] = 4
    check_learnable(values, "here")
    with pytest.raises(RatingsError, match="here: all 99 ratings are 3,"):
        check_learnable(values, "here", np.arange(100) == other_at)


@pytest.mark.parametrize("n", [0, 50])
def test_nothing_to_learn_from(n):
    with pytest.raises(RatingsError, match="there are no ratings to learn from"):
        check_learnable(np.arange(n, dtype=np.float32), "here", np.ones(n, bool))


def test_a_constant():
    with pytest.raises(RatingsError, match=r"all 40 ratings are 2\.5,"):
        check_learnable(np.full(40, 2.5, np.float32), "here")
    with pytest.raises(RatingsError, match=r"here: the only rating to learn from is 2\.5, and"):
        check_learnable(np.full(1, 2.5, np.float32), "here")
