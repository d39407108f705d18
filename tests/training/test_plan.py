"""The block plan: nothing lost, nothing shared."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd.objective import Parameters
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
            old_users = plan.user_order[plan.user_index[block]].tolist()
            old_items = plan.item_order[plan.item_index[block]].tolist()
            seen += zip(old_users, old_items, plan.values[block].tolist(), strict=True)
        assert sum(map(len, users)) == len(set().union(*users))
        assert sum(map(len, items)) == len(set().union(*items))
    assert sorted(seen) == sorted(zip(*(array.tolist() for array in triples), strict=True))


def test_four_users_take_turns_in_a_block_each_with_ascending_items():
    plan = plan_blocks(*random_triples(40, 30, 600), (40, 30), 3)
    for shift in range(3):
        for block in plan.stratum(shift):
            users, items = plan.user_index[block].tolist(), plan.item_index[block].tolist()
            ref = []
            in_order = sorted(set(users))
            for first in range(0, len(in_order), 4):
                queues = [
                    sorted(i for u, i in zip(users, items, strict=True) if u == user)
                    for user in in_order[first : first + 4]
                ]
                for turn in range(max(map(len, queues))):
                    for user, queue in zip(in_order[first:], queues, strict=False):
                        ref += [(user, queue[turn])] if turn < len(queue) else []
            assert list(zip(users, items, strict=True)) == ref


def test_a_group_has_rows_of_its_own_the_busiest_first():
    triples = random_triples(40, 30, 600)
    plan = plan_blocks(*triples, (40, 30), 3)
    counts = np.bincount(triples[0], minlength=40)[plan.user_order]
    ranges = []
    for g in range(3):
        mine = plan.user_index[plan.starts[g, 0] : plan.starts[g, -1]]
        ranges.append((mine.min(), mine.max()))
        assert (np.diff(counts[mine.min() : mine.max() + 1]) <= 0).all()
    assert all(a[1] < b[0] for a, b in pairwise(ranges))
    assert sorted(plan.user_order.tolist()) == list(range(40))


def test_parameters_are_arranged_and_restored():
    plan = plan_blocks(*random_triples(40, 30, 600), (40, 30), 3)
    generator = np.random.default_rng(0)
    shapes = ((40,), (30,), (40, 5), (30, 5))
    ref = Parameters(2.5, *(generator.normal(size=s).astype(np.float32) for s in shapes))
    arranged = plan.arranged(ref)
    assert arranged.user_factors.shape == (40, 16)
    np.testing.assert_array_equal(arranged.user_factors[3, :5], ref[3][plan.user_order[3]])
    comp = plan.restored(arranged, 5)
    for comp_array, ref_array in zip(comp, ref, strict=True):
        np.testing.assert_array_equal(comp_array, ref_array)
    users, items = plan.renumbered(np.array([-1, 7, 39]), np.array([0, -1, 29]))
    assert users[0] == items[1] == -1
    assert plan.user_order[users[1:]].tolist() == [7, 39]
    assert plan.item_order[items[[0, 2]]].tolist() == [0, 29]


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
        ((138_493, 26_744, 20_000_263), 8),
        ((480_189, 17_770, 100_480_507), 8),
        ((2, 9, 10**6), 2),
    ],
)
def test_the_number_of_groups_follows_the_shape(shape, expected):
    assert choose_n_groups(*shape) == expected
