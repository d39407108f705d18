"""The block plan: nothing lost, nothing shared."""

import itertools
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funksvd.objectives.parameters import Parameters
from funksvd.training import plan as plans
from funksvd.training import planning
from funksvd.training.plan import Triples
from funksvd.training.planning import choose_n_groups, plan_blocks


def random_triples(n_users, n_items, n_ratings, seed=0):
    generator = np.random.default_rng(seed)
    pairs = generator.choice(n_users * n_items, n_ratings, replace=False)
    users, items = np.divmod(pairs, n_items)
    values = generator.random(n_ratings, np.float32)
    return Triples(users.astype(np.int32), items.astype(np.int32), values)


def ratings_of(plan, block, part):
    """(user, item, value) in the old numbering."""
    users = plan.users.order[block.users][plan.user_index[part]]
    items = plan.items.order[block.items][plan.item_index[part]]
    return list(zip(users.tolist(), items.tolist(), plan.values[part].tolist(), strict=True))


def assert_same(plan, ref):
    for comp_array, ref_array in zip(plan[:4], ref[:4], strict=True):
        assert comp_array.dtype == ref_array.dtype
        np.testing.assert_array_equal(comp_array, ref_array)
    assert plan.unrated is ref.unrated is None
    for comp_rows, ref_rows in zip(plan[4:6], ref[4:6], strict=True):
        for comp_array, ref_array in zip(comp_rows, ref_rows, strict=True):
            np.testing.assert_array_equal(comp_array, ref_array)


@settings(deadline=None)  # the first example compiles
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 6), st.integers(1, 4), st.data())
def test_every_rating_is_in_exactly_one_block_and_strata_share_nothing(
    n_users, n_items, n_groups, n_batches, data
):
    n_ratings = data.draw(st.integers(1, n_users * n_items))
    triples = random_triples(n_users, n_items, n_ratings)
    held_back = np.random.default_rng(n_ratings).random(n_ratings) < data.draw(st.floats(0, 1))
    plan = plan_blocks(
        triples,
        (n_users, n_items),
        held_back=held_back,
        n_groups=n_groups,
        n_batches=n_batches,
    )
    assert (plan.n_groups, plan.n_batches) == (n_groups, min(n_batches, n_users))
    seen = ([], [])
    batch_of = {}
    for batch, shift in itertools.product(range(plan.n_batches), range(n_groups)):
        users, items = [], []
        for block in plan.stratum(shift, batch):
            parts = [ratings_of(plan, block, part) for part in (block.learned, block.held_back)]
            users.append({rating[0] for part in parts for rating in part})
            items.append({rating[1] for part in parts for rating in part})
            for total, part in zip(seen, parts, strict=True):
                total += part
        for user in set().union(*users):
            assert batch_of.setdefault(user, batch) == batch
        assert sum(map(len, users)) == len(set().union(*users))
        assert sum(map(len, items)) == len(set().union(*items))
    for total, chosen in zip(seen, (~held_back, held_back), strict=True):
        assert sorted(total) == sorted(
            zip(*(array[chosen].tolist() for array in triples), strict=True)
        )
    assert plan.n_held_back == held_back.sum()


@pytest.mark.parametrize(
    ("row_type", "wide"),
    [(np.uint16, 0), (np.uint32, 0), (np.uint32, 1 << 28)],  # the last are too wide to be packed
)
def test_four_users_take_turns_in_a_block_each_with_ascending_items(row_type, wide):
    users, items, values = random_triples(40, 30, 600)
    users, items = users.astype(row_type), items.astype(row_type)
    ref = []
    for first in range(0, 40, 4):
        queues = [sorted(items[users == u].tolist()) for u in range(first, first + 4)]
        for turn in range(max(map(len, queues))):
            for user, queue in enumerate(queues, first):
                ref += [(user, queue[turn])] if turn < len(queue) else []
    value_of = dict(zip(zip(users.tolist(), items.tolist(), strict=True), values, strict=True))
    users, items = users + row_type(wide), items + row_type(wide)
    plans._sort_part(users, items, values)
    pairs = list(zip((users - wide).tolist(), (items - wide).tolist(), strict=True))
    assert pairs == ref
    assert [value_of[pair] for pair in pairs] == values.tolist()


def test_a_plan_is_made_of_sorted_blocks():
    plan = plan_blocks(random_triples(40, 30, 600), (40, 30), n_groups=3)
    for block in plan.blocks:
        part = block.learned
        comp = [plan.user_index[part], plan.item_index[part], plan.values[part]]
        ref = [array.copy() for array in comp]
        plans._sort_part(*ref)
        for comp_array, ref_array in zip(comp, ref, strict=True):
            np.testing.assert_array_equal(comp_array, ref_array)
        first_four = sorted(set(comp[0].tolist()))[:4]
        assert comp[0][:4].tolist() == first_four


def test_rows_of_a_group_are_the_busiest_first():
    triples = random_triples(40, 30, 600)
    plan = plan_blocks(triples, (40, 30), n_groups=3)
    counts = np.bincount(triples.user_index, minlength=40)
    np.testing.assert_array_equal(plan.users.counts[0], counts)
    for g in range(3):
        assert (np.diff(counts[plan.users.order][plan.users.group(g)]) <= 0).all()
    assert sorted(plan.users.order.tolist()) == list(range(40))


def test_parameters_are_arranged_and_restored():
    plan = plan_blocks(random_triples(40, 30, 600), (40, 30), n_groups=3)
    generator = np.random.default_rng(0)
    shapes = ((40,), (30,), (40, 5), (30, 5))
    ref = Parameters(2.5, *(generator.normal(size=s).astype(np.float32) for s in shapes))
    arranged = plan.arranged(ref)
    assert arranged.user_factors.shape == (40, 16)
    np.testing.assert_array_equal(arranged.user_factors[3, :5], ref[3][plan.users.order[3]])
    comp = plan.restored(arranged, 5)
    for comp_array, ref_array in zip(comp, ref, strict=True):
        np.testing.assert_array_equal(comp_array, ref_array)


def test_the_order_of_the_ratings_does_not_matter():
    triples = random_triples(40, 30, 600)
    order = np.random.default_rng(1).permutation(600)
    held_back = np.arange(600) % 7 == 0
    plan = plan_blocks(triples, (40, 30), held_back=held_back, n_groups=3)
    shuffled = Triples(*(array[order] for array in triples))
    assert_same(plan_blocks(shuffled, (40, 30), held_back=held_back[order], n_groups=3), plan)


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_threads_do_not_matter(monkeypatch, n_threads):
    monkeypatch.setattr(planning, "RATINGS_PER_PIECE", 50)
    triples, held_back = random_triples(40, 30, 600), np.arange(600) % 7 == 0
    ref = plan_blocks(triples, (40, 30), held_back=held_back, n_groups=3)
    plan = plan_blocks(triples, (40, 30), held_back=held_back, n_groups=3, n_threads=n_threads)
    assert_same(plan, ref)


def test_what_was_held_back_can_be_learned_from_as_if_it_never_was():
    triples = random_triples(40, 30, 600)
    plan = plan_blocks(triples, (40, 30), held_back=np.arange(600) % 7 == 0, n_groups=3)
    assert_same(plan.with_all_learned(2), plan_blocks(triples, (40, 30), n_groups=3))


def test_rows_are_counted_by_what_is_learned_from_and_what_is_held_back():
    triples = random_triples(40, 30, 600)
    held_back = np.arange(600) % 7 == 0
    plan = plan_blocks(triples, (40, 30), held_back=held_back)
    for rows, index in zip(plan[4:6], triples[:2], strict=True):
        for counts, chosen in zip(rows.counts, (~held_back, held_back), strict=True):
            np.testing.assert_array_equal(counts, np.bincount(index[chosen], None, len(counts)))


def test_rows_take_16_bits_where_they_fit():
    triples = Triples(np.arange(65_537, dtype=np.int32), *random_triples(1, 1, 1)[1:])
    triples = Triples(*(np.resize(array, 65_537) for array in triples))
    assert plan_blocks(triples, (65_537, 1), n_groups=1).user_index.dtype == np.uint32
    assert plan_blocks(triples, (65_537, 2), n_groups=2).item_index.dtype == np.uint16
    assert plan_blocks(triples, (65_537, 1), n_groups=1).user_index.max() == 65_536


def test_groups_own_their_rows():
    plan = plan_blocks(random_triples(40, 30, 600), (40, 30), n_groups=3)
    groups = [plan.users.group(g) for g in range(3)]
    assert groups[0].start == 0
    assert groups[-1].stop == 40
    assert all(a.stop == b.start for a, b in pairwise(groups))


def test_blocks_of_skewed_data_are_balanced():
    generator = np.random.default_rng(0)
    users = generator.zipf(1.3, 60_000).clip(max=2000) - 1
    items = generator.zipf(1.3, 60_000).clip(max=1000) - 1
    users, items = np.unique(np.stack([users, items]), axis=1).astype(np.int32)
    triples = Triples(users, items, np.ones(len(users), np.float32))
    plan = plan_blocks(triples, (2000, 1000), n_groups=4)
    sizes = plan.bounds[..., 2] - plan.bounds[..., 0]
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
        ((943, 1682, 80_000, 16), 1),
        ((480_189, 17_770, 100_480_507, 16), 8),
    ],
)
def test_the_number_of_groups_follows_from_the_shape(shape, expected):
    assert choose_n_groups(*shape) == expected
