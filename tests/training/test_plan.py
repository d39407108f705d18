"""The block plan: nothing lost, nothing shared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd.training.plan import choose_n_groups, plan_blocks


def random_triples(n_users, n_items, n_ratings, seed=0):
    generator = np.random.default_rng(seed)
    pairs = generator.choice(n_users * n_items, n_ratings, replace=False)
    users, items = np.divmod(pairs, n_items)
    return users.astype(np.int32), items.astype(np.int32), generator.random(n_ratings, np.float32)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 6), st.data())
def test_every_rating_is_in_exactly_one_block_and_strata_share_nothing(
    n_users, n_items, n_groups, data
):
    n_ratings = data.draw(st.integers(1, n_users * n_items))
    triples = random_triples(n_users, n_items, n_ratings)
    plan = plan_blocks(*triples, (n_users, n_items), n_groups)
    seen = []
    for shift in range(n_groups):
        users, items = [], []
        for block in plan.stratum(shift):
            users.append(set(plan.user_index[block].tolist()))
            items.append(set(plan.item_index[block].tolist()))
            seen += list(
                zip(
                    plan.user_index[block].tolist(),
                    plan.item_index[block].tolist(),
                    plan.values[block].tolist(),
                    strict=True,
                )
            )
        assert sum(map(len, users)) == len(set().union(*users))
        assert sum(map(len, items)) == len(set().union(*items))
    assert sorted(seen) == sorted(zip(*(array.tolist() for array in triples), strict=True))


def test_a_block_is_sorted_by_user_then_item():
    plan = plan_blocks(*random_triples(40, 30, 600), (40, 30), 3)
    for shift in range(3):
        for block in plan.stratum(shift):
            pairs = plan.user_index[block].astype(int) * 30 + plan.item_index[block]
            assert (np.diff(pairs) > 0).all()


def test_the_order_of_the_ratings_does_not_matter():
    triples = random_triples(40, 30, 600)
    order = np.random.default_rng(1).permutation(600)
    plan = plan_blocks(*triples, (40, 30), 3)
    shuffled = plan_blocks(*(array[order] for array in triples), (40, 30), 3)
    for ref, comp in zip(plan, shuffled, strict=True):
        np.testing.assert_array_equal(comp, ref)


def test_blocks_of_skewed_data_are_balanced():
    generator = np.random.default_rng(0)
    users = generator.zipf(1.3, 60_000).clip(max=2000) - 1
    items = generator.zipf(1.3, 60_000).clip(max=1000) - 1
    pairs = np.unique(np.stack([users, items]), axis=1)
    users, items = pairs.astype(np.int32)
    plan = plan_blocks(users, items, np.ones(len(users), np.float32), (2000, 1000), 4)
    sizes = np.diff(plan.starts, axis=1)
    assert sizes.sum() == len(users)
    assert sizes.max() < 1.5 * sizes.mean()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 1, 1), 1),
        ((943, 1682, 80_000), 4),
        ((480_189, 17_770, 100_480_507), 8),
        ((2, 9, 10**6), 2),
    ],
)
def test_the_number_of_groups_follows_the_shape(shape, expected):
    assert choose_n_groups(*shape) == expected
