"""Random parts: which pairs are in them, against plain Python, and whatever surrounds them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive
from funksvd import Interactions, RatingsError, hold_out, random_split
from funksvd.ratings.hashing import id_hashes
from funksvd.rng import Stream
from funksvd.splitting import in_part, random_part
from funksvd.splitting.pairs import pair_hashes, smallest_pairs


def raw_pairs(pairs):
    users, items = pairs.user_ids[pairs.user_index], pairs.item_ids[pairs.item_index]
    return list(zip(users.tolist(), items.tolist(), strict=True))


labels = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=30, max_size=30),
    st.lists(st.text("aé7 \U0001f600", min_size=1).filter(str.strip), min_size=30, max_size=30),
)


@given(labels, labels, st.floats(0, 1, exclude_max=True), st.integers(0, 2**100), st.integers(0, 6))
def test_a_pair_is_in_a_part_by_its_ids_the_seed_and_the_use(users, items, fraction, seed, use):
    pairs = Interactions.from_arrays(users, items)
    comp = random_part(pairs, fraction, seed, Stream(use))
    raw = raw_pairs(pairs)
    ref = [naive.draw(*pair, seed, use) < fraction * 2**64 for pair in raw]
    assert comp.tolist() == ref
    assert pair_hashes(pairs).view(np.uint64).tolist() == [naive.hash_of_pair(*p) for p in raw]


def pairs_of(n_users, n_items):
    users, items = np.divmod(np.arange(n_users * n_items), n_items)
    return Interactions.from_arrays(users, items)


def drawn(pairs, *arguments):
    return set(raw_pairs(pairs.subset(random_part(pairs, *arguments))))


def test_order_other_rows_and_pieces_have_no_part_in_it():
    pairs = pairs_of(300, 200)
    arguments = 0.1, 7, Stream.TEST
    ref = drawn(pairs, *arguments)
    assert drawn(pairs.subset(np.random.default_rng(0).permutation(len(pairs))), *arguments) == ref
    known = pairs.subset(pairs.user_index % 3 > 0).compact()
    assert drawn(known, *arguments) == {pair for pair in ref if pair[0] % 3}
    hashes = id_hashes(pairs.user_ids), id_hashes(pairs.item_ids)
    for users in np.array_split(np.arange(300), 4):
        at = np.repeat(users, 200), np.tile(np.arange(200), len(users))
        comp = in_part(hashes[0][at[0]], hashes[1][at[1]], *arguments)
        assert comp.sum() == sum(pair[0] in users for pair in ref)


@pytest.mark.parametrize(("fraction", "other"), [(0.1, 0.05), (0.5, 0.5), (0.9, 0.2)])
def test_parts_are_as_large_as_asked_for_and_independent(fraction, other):
    """Of another use and of another seed; sizes within five standard deviations."""
    pairs = pairs_of(500, 400)

    def check(found, share):
        n = len(pairs)
        assert abs(found.sum() - share * n) < 5 * np.sqrt(share * (1 - share) * n)

    test = random_part(pairs, fraction, 0, Stream.TEST)
    check(test, fraction)
    for more in ((other, 0, Stream.VALIDATION), (other, 1, Stream.TEST)):
        found = random_part(pairs, *more)
        check(found, other)
        check(test & found, fraction * other)
    for index, n in ((pairs.user_index, 500), (pairs.item_index, 400)):  # and of the ids
        counts = np.bincount(index[test], minlength=n)
        spread = counts.std() / np.sqrt(fraction * (1 - fraction) * len(pairs) / n)
        assert 0.8 < spread < 1.2


def test_a_larger_share_holds_a_smaller_one():
    pairs = pairs_of(50, 50)
    small, large = (random_part(pairs, share, 3, Stream.TEST) for share in (0.1, 0.3))
    assert (small <= large).all()


def test_what_the_same_draw_has_left_is_told():
    """Nothing would be drawn from it, or all of it."""
    rest, part = random_split(pairs_of(50, 50), 0.2, seed=3)
    for given_part, what in ((rest, "none"), (part, "all")):
        with pytest.raises(RatingsError, match=rf"{what} would be .* seed 3: .* another seed="):
            random_split(given_part, 0.2, seed=3)
        assert len(random_split(given_part, 0.2, seed=4)[1]) > 0
        assert len(random_split(given_part, 0.2, seed=3, stream=Stream.VALIDATION)[1]) > 0
    assert hold_out(rest.subset(np.arange(100)), test_fraction=0.2, seed=3).test is None  # chance?


@pytest.mark.parametrize("n", [0, 1, 40, 1000, 5000])
def test_the_smallest_hashes_are_a_sample(n):
    pairs = pairs_of(60, 50)
    hashes = pair_hashes(pairs).view(np.uint64)
    order = np.argsort(hashes)
    np.testing.assert_array_equal(smallest_pairs(pairs, n), order[:n])
    among = pairs.user_index % 7 == 3
    np.testing.assert_array_equal(smallest_pairs(pairs, n, among), order[among[order]][:n])
    large = hashes > np.uint64(1 << 63)  # where more than the usual share must be looked at
    np.testing.assert_array_equal(smallest_pairs(pairs, n, large), order[large[order]][:n])
