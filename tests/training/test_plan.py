"""The block plan: nothing lost, nothing shared."""

import itertools
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funksvd.objectives.parameters import Parameters
from funksvd.training import planning
from funksvd.training.block_order import RecordForm, unpack
from funksvd.training.plan import Triples
from funksvd.training.planning import choose_n_groups, plan_blocks


def random_triples(n_users, n_items, n_ratings, seed=0):
    generator = np.random.default_rng(seed)
    pairs = generator.choice(n_users * n_items, n_ratings, replace=False)
    users, items = np.divmod(pairs, n_items)
    values = generator.random(n_ratings, np.float32)
    return Triples(users.astype(np.int32), items.astype(np.int32), values)


def pairs_of(plan, block, part):
    """(user, item) in the old numbering."""
    users = plan.users.order[block.users][plan.user_index[part]]
    items = plan.items.order[block.items][plan.item_index[part]]
    return list(zip(users.tolist(), items.tolist(), strict=True))


def ratings_of(plan, block, part):
    """((user, item), value) in the old numbering."""
    return list(zip(pairs_of(plan, block, part), plan.values[part].tolist(), strict=True))


def assert_same(plan, ref):
    assert plan.unrated is ref.unrated is None
    assert list(plan.columns) == list(ref.columns)
    arrays = [
        [each.user_index, each.item_index, *each.columns.values(), each.bounds]
        + [array for rows in (each.users, each.items) for array in vars(rows).values()]
        for each in (plan, ref)
    ]
    for comp_array, ref_array in zip(*arrays, strict=True):
        assert comp_array.dtype == ref_array.dtype
        np.testing.assert_array_equal(comp_array, ref_array)


def in_turns(pairs):
    """Pairs by user, then item; of every four users, first each one's first, then the second, …"""
    ref = []
    users = sorted({user for user, _ in pairs})
    for first in range(0, len(users), 4):
        queues = [
            sorted(pair for pair in pairs if pair[0] == user) for user in users[first : first + 4]
        ]
        for turn in range(max(map(len, queues))):
            ref += [queue[turn] for queue in queues if turn < len(queue)]
    return ref


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
            users.append({user for part in parts for (user, _), _ in part})
            items.append({item for part in parts for (_, item), _ in part})
            for total, part in zip(seen, parts, strict=True):
                total += part
        for user in set().union(*users):
            assert batch_of.setdefault(user, batch) == batch
        assert sum(map(len, users)) == len(set().union(*users))
        assert sum(map(len, items)) == len(set().union(*items))
    for total, chosen in zip(seen, (~held_back, held_back), strict=True):
        users, items, values = (array[chosen].tolist() for array in triples)
        assert sorted(total) == sorted(zip(zip(users, items, strict=True), values, strict=True))
    assert plan.n_held_back == held_back.sum()


@settings(deadline=None)  # the first example compiles
@given(
    st.sets(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=200),
    st.sampled_from([(1, 1), (1 << 7, 1 << 10), (1 << 20, 1 << 20)]),
    st.randoms(use_true_random=False),
)
def test_records_are_unpacked_in_turns(pairs, spread, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    pairs = [(user * spread[0], item * spread[1]) for user, item in shuffled]
    form = RecordForm.of(300 * spread[0] + 1, 40 * spread[1] + 1, len(pairs))
    assert form.word == (np.uint64 if spread[0] == 1 << 20 else np.uint32)
    records = form.empty(len(pairs))
    records[:, 0] = [(user << form.item_bits) | item for user, item in pairs]
    records[:, 1] = range(len(pairs))
    users, items = (np.empty(len(pairs), np.uint32) for _ in range(2))
    order = np.empty(len(pairs), form.word)
    unpack(form, records, users, items, order)
    comp = list(zip(users.tolist(), items.tolist(), strict=True))
    assert comp == in_turns(pairs)
    assert [pairs[at] for at in order] == comp


def test_a_plan_is_made_of_blocks_in_order():
    held_back = np.arange(600) % 7 == 0
    plan = plan_blocks(random_triples(40, 30, 600), (40, 30), held_back=held_back, n_groups=3)
    for block in plan.blocks:
        for part in (block.learned, block.held_back):
            users, items = plan.user_index[part].tolist(), plan.item_index[part].tolist()
            pairs = list(zip(users, items, strict=True))
            assert pairs == in_turns(pairs)


COLUMNS = st.lists(
    st.sampled_from([np.float32, np.float64, np.int64, np.uint8]), max_size=3, unique=True
)


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 4),
    st.booleans(),
    COLUMNS,
    st.integers(0, 2**32),
)
def test_each_pair_keeps_what_is_known_of_it(n_users, n_items, n_groups, rated, kinds, seed):
    generator = np.random.default_rng(seed)
    n = generator.integers(1, n_users * n_items + 1)
    triples = random_triples(n_users, n_items, n, seed)
    further = {kind.__name__: generator.integers(0, 200, n).astype(kind) for kind in kinds}
    held_back = generator.random(n) < 0.3
    given_columns = {"value": triples.values} if rated else {}
    given_columns |= further
    if not rated:
        triples = triples._replace(values=None)
    options = {"further": further, "n_groups": n_groups}
    plan = plan_blocks(triples, (n_users, n_items), held_back=held_back, **options)
    assert plan.n_held_back == held_back.sum()
    assert plan.n_learned == (~held_back).sum()
    at = {
        pair: at for at, pair in enumerate(zip(*map(np.ndarray.tolist, triples[:2]), strict=True))
    }
    assert list(plan.columns) == list(given_columns)
    for block in plan.blocks:
        places = [at[pair] for pair in pairs_of(plan, block, block.ratings)]
        for name, column in given_columns.items():
            assert plan.columns[name].dtype == column.dtype
            assert plan.columns[name][block.ratings].tolist() == column[places].tolist()
    ref = plan_blocks(triples, (n_users, n_items), **options)
    assert_same(plan.with_all_learned(), ref)


def test_more_than_256_groups():
    triples = random_triples(700, 20, 3000)
    plan = plan_blocks(triples, (700, 20), n_groups=2, n_batches=300)
    assert len(plan.users.starts) == 601
    comp = [rating for block in plan.blocks for rating in ratings_of(plan, block, block.ratings)]
    users, items, values = map(np.ndarray.tolist, triples)
    assert sorted(comp) == sorted(zip(zip(users, items, strict=True), values, strict=True))


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


def test_exchanged_has_the_same_ratings_and_rows():
    triples, held_back = random_triples(40, 30, 600), np.arange(600) % 7 == 0
    plan = plan_blocks(
        triples, (40, 30), held_back=held_back, n_groups=2, n_batches=5, n_item_batches=3
    )
    turned = planning.exchanged(plan, 3)
    assert (turned.n_batches, turned.n_groups) == (3, 2)
    np.testing.assert_array_equal(turned.users.order, plan.items.order)
    np.testing.assert_array_equal(turned.items.order, plan.users.order)
    for name in ("learned", "held_back"):
        ref, comp = (
            sorted(
                rating
                for block in each.blocks
                for rating in ratings_of(each, block, getattr(block, name))
            )
            for each in (plan, turned)
        )
        assert sorted(((u, i), value) for (i, u), value in comp) == ref
    work = [turned.bounds[turned.groups(batch)] for batch in range(3)]
    sizes = [int((bounds[..., 2] - bounds[..., 0]).sum()) for bounds in work]
    assert max(sizes) < 1.1 * min(sizes)  # items were dealt to batches of equal work


def test_rows_are_counted_by_what_is_learned_from_and_what_is_held_back():
    triples = random_triples(40, 30, 600)
    held_back = np.arange(600) % 7 == 0
    plan = plan_blocks(triples, (40, 30), held_back=held_back)
    for rows, index in ((plan.users, triples.user_index), (plan.items, triples.item_index)):
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


@pytest.mark.parametrize(("given", "expected"), [(1, 1), (3, 3), (4, 3), (1000, 3)])
def test_a_number_of_groups_that_is_given_is_at_most_one_for_each_row(given, expected):
    assert choose_n_groups(5, 3, 10**9, given=given) == expected
    assert choose_n_groups(3, 5, 10**9, given=given) == expected
