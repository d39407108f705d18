"""`Ratings`, duplicates and splits."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from funksvd import RatingsError
from funksvd.ratings import Interactions, Ratings, Vocabulary, duplicates, read_ratings
from funksvd.splitting import random_split

BASE = (["b", "a", "b"], [20, 10, 10], [4.0, 3.5, 0.5])


def vocabulary(what, *ids) -> Vocabulary:
    return Vocabulary.encode(list(ids), what)[0]


def rows_of(ratings: Ratings) -> list[tuple]:
    columns = [
        ratings.user_ids[ratings.user_index].tolist(),
        ratings.item_ids[ratings.item_index].tolist(),
        ratings.values.tolist(),
    ]
    if ratings.timestamps is not None:
        columns.append(ratings.timestamps.tolist())
    return list(zip(*columns, strict=True))


def naive_resolve(rows: list[tuple], policy: str) -> list[tuple]:
    """One row for each pair, at the place of the one that is kept."""
    groups: dict[tuple, list[int]] = {}
    for at, row in enumerate(rows):
        groups.setdefault(row[:2], []).append(at)
    kept = {}
    for positions in groups.values():
        in_time = sorted(positions, key=lambda at: (rows[at][3] if len(rows[at]) > 3 else 0, at))
        chosen = in_time[0] if policy == "first" else in_time[-1]
        value = rows[chosen][2]
        if policy == "mean":
            value = float(np.float32(sum(rows[at][2] for at in positions) / len(positions)))
        kept[chosen] = (*rows[chosen][:2], value, *rows[chosen][3:])
    return [kept[at] for at in sorted(kept)]


rating_rows = st.lists(
    st.tuples(
        st.integers(-2, 3),
        st.sampled_from("xyz"),
        st.integers(1, 10).map(lambda halves: halves / 2),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(rating_rows, st.sampled_from(["last", "first", "mean"]), st.booleans(), st.booleans())
def test_duplicates_against_naive(rows, policy, stamped, wide):
    if not stamped:
        rows = [row[:3] for row in rows]
    columns = list(zip(*rows, strict=True)) or [[]] * (4 if stamped else 3)
    columns[1] = np.array(columns[1], object)
    columns[0] = np.array(columns[0], np.int64)
    columns[2:] = [
        np.array(c, t) for c, t in zip(columns[2:], (np.float32, np.int64), strict=False)
    ]
    comp = Ratings.from_arrays(*columns, duplicates=policy)
    ref = naive_resolve(rows, policy)
    assert [row[:2] for row in rows_of(comp)] == [row[:2] for row in ref]
    np.testing.assert_allclose(
        [row[2:] for row in rows_of(comp)], [row[2:] for row in ref], rtol=1e-7
    )


def test_duplicates_where_pair_and_position_need_more_than_64_bits():
    n_ids = 2**31 - 1

    class Huge:
        """A vocabulary whose ids would not fit in memory."""

        def __len__(self) -> int:
            return n_ids

    index = np.array([5, 7, 5, 7, 9], np.int32) + np.int32(n_ids - 10)
    ratings = Ratings(Huge(), Huge(), index, index, np.arange(5, dtype=np.float32))
    found, n_dropped = duplicates.resolve_duplicates(ratings, "last")
    assert n_dropped == 2
    assert found.values.tolist() == [2.0, 3.0, 4.0]


@pytest.mark.parametrize(
    ("policy", "kept"), [("last", [5.0, 3.0]), ("first", [1.0, 3.0]), ("mean", [3.0, 3.0])]
)
def test_duplicates_in_a_file(tmp_path, policy, kept):
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating,timestamp\n1,2,5,30\n1,3,3,1\n1,2,1,10\n1,2,3,20\n")
    ratings = read_ratings(path, duplicates=policy)
    assert sorted(ratings.values.tolist(), reverse=True) == sorted(kept, reverse=True)
    assert ratings.report.n_duplicates == 2
    assert ratings.report.n_rows == 4


def test_duplicates_can_be_an_error(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("1,2,5\n1,3,3\n1,2,1\n")
    with pytest.raises(RatingsError, match=r"repeat a .*pair.*user 1, item 2"):
        read_ratings(path, duplicates="error")


def test_from_arrays():
    ratings = Ratings.from_arrays(*BASE)
    assert (ratings.n_users, ratings.n_items, ratings.n_ratings, len(ratings)) == (2, 2, 3, 3)
    assert ratings.user_ids.tolist() == ["a", "b"]
    assert ratings.item_ids.tolist() == [10, 20]
    assert ratings.user_index.tolist() == [1, 0, 1]
    assert ratings.values.dtype == np.float32


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ((["a"], [1, 2], [3.0]), "same length"),
        ((["a"], [1], [float("nan")]), "position 0"),
        ((["a"], [1], [1e39]), "position 0"),
        ((["a"], [1], ["4"]), "must be numbers"),
        ((["a"], [1.5], [4.0]), "item ids"),
        ((["a"], [1], [4.0], ["x"]), "timestamps must be"),
        ((["a"], [1], [4.0], [1, 2]), "timestamps must be"),
    ],
)
def test_from_arrays_that_are_wrong(columns, says):
    with pytest.raises(RatingsError, match=says):
        Ratings.from_arrays(*columns)


def test_subset_and_compact():
    ratings = Ratings.from_arrays(*BASE, [7, 8, 9])
    part = ratings.subset(np.array([True, False, False]))
    assert part.user_ids is ratings.user_ids
    assert rows_of(part) == [("b", 20, 4.0, 7)]
    compact = part.compact()
    assert (compact.user_ids.tolist(), compact.item_ids.tolist()) == (["b"], [20])
    assert rows_of(compact) == rows_of(part)
    assert rows_of(ratings.subset(np.array([2, 0]))) == [rows_of(ratings)[2], rows_of(ratings)[0]]


def test_index_for():
    ratings = Ratings.from_arrays(*BASE)
    vocabularies = vocabulary("user", "b", "c"), vocabulary("item", 10, 15)
    users, items = ratings.index_for(*vocabularies)
    assert users.tolist() == [0, -1, 0]
    assert items.tolist() == [-1, 0, 0]
    over = ratings.over(*vocabularies)
    assert rows_of(over) == [("b", 10, 0.5)]
    assert over.users is vocabularies[0]
    more = vocabulary("user", "0", "a", "b"), ratings.items
    assert rows_of(ratings.over(*more)) == rows_of(ratings)


def test_joined_with():
    first = Ratings.from_arrays(*BASE, [1, 2, 3])
    second = Ratings.from_arrays(["c", "a"], [10, 10], [1.0, 2.0], [5, 6])
    joined = first.joined_with(second)
    assert rows_of(joined) == [
        ("b", 20, 4.0, 1),
        ("b", 10, 0.5, 3),
        ("c", 10, 1.0, 5),
        ("a", 10, 2.0, 6),
    ]
    assert joined.user_ids.tolist() == ["a", "b", "c"]
    kept = first.joined_with(second, duplicates="first")
    assert ("a", 10, 3.5, 2) in rows_of(kept)
    assert first.joined_with(Ratings.from_arrays(["z"], [1], [1.0])).timestamps is None
    for pair in ((first, Ratings.from_arrays([5], [10], [1.0])),):
        for one, other in (pair, pair[::-1]):
            with pytest.raises(RatingsError, match=r"integers \(like 5\) .* text \(like 'a'\)"):
                one.joined_with(other)


def test_scipy_both_ways():
    matrix = scipy.sparse.coo_array(([1.5, 0.0, 3.0], ([0, 2, 2], [1, 0, 3])), shape=(4, 4))
    ratings = Ratings.from_scipy(matrix)
    assert rows_of(ratings) == [(0, 1, 1.5), (2, 0, 0.0), (2, 3, 3.0)]
    back = ratings.to_scipy()
    assert back.shape == (2, 3)
    assert back.nnz == 3  # a rating of 0 is a rating
    assert back.toarray().tolist() == [[0, 1.5, 0], [0, 0, 3.0]]
    twice = scipy.sparse.coo_array(([1.0, 2.0], ([0, 0], [1, 1])), shape=(2, 2))
    with pytest.raises(RatingsError, match="repeat"):
        Ratings.from_scipy(twice)


def test_to_pandas_and_back():
    ratings = Ratings.from_arrays(*BASE, [7, 8, 9])
    frame = ratings.to_pandas()
    assert frame.columns.tolist() == ["user", "item", "rating", "timestamp"]
    assert rows_of(read_ratings(frame)) == rows_of(ratings)


def test_fingerprint():
    users, items, values = BASE
    same = Ratings.from_arrays(users, items, values).fingerprint
    assert re.fullmatch("3:[0-9a-f]{32}", same)
    assert Ratings.from_arrays(users, np.array(items), np.array(values)).fingerprint == same
    others = [
        Interactions.from_arrays(users, items),
        Ratings.from_arrays(users, items, [0, 0, 0]),
        Ratings.from_arrays(users, items, values, [1, 2, 3]),
        Ratings.from_arrays(users, items, values, [1, 2, 4]),
        Ratings.from_arrays(users, items, values, weights=[1, 2, 3]),
        Ratings.from_arrays(users, items, values, weights=[1, 2, 4]),
        Interactions.from_arrays(users, items, weights=values),
        Ratings.from_arrays(users, items, [4.0, 3.5, 1.0]),
        Ratings.from_arrays(users, items[::-1], values),
        Ratings.from_arrays(users, ["20", "10", "10"], values),
        Ratings.from_arrays(["b", "c", "b"], items, values),
        Ratings.from_arrays(users, [20, 11, 11], values),
        Ratings.from_arrays(users[:2], items[:2], values[:2]),
    ]
    assert len({same, *(other.fingerprint for other in others)}) == 14
    for other in others:
        assert other.has_fingerprint(other.fingerprint)
        assert not other.has_fingerprint(same)

    in_another_order = Ratings.from_arrays(users[::-1], items[::-1], values[::-1])
    assert in_another_order.has_fingerprint(same)


# Digests that the program wrote into model files before fingerprints had a version.
FIRST_FINGERPRINT = "5a56d9bc96d75aedeca54e771a8131fc"
FIRST_FINGERPRINT_OF_PAIRS = "5be0e4a1c30d77371aec8e652d1a637a"
# The same of the second version.
SECOND_FINGERPRINT = "2:abbe4212713f3e43a12a6434feeb089a"
SECOND_FINGERPRINT_WITH_WEIGHTS = "2:ffc1c57ece277d55688afe5c21395a25"


def test_fingerprints_of_earlier_programs():
    ratings = Ratings.from_arrays(*BASE, [1, 2, 3])
    pairs = Interactions.from_arrays(*BASE[:2])
    assert ratings.has_fingerprint(FIRST_FINGERPRINT)
    assert pairs.has_fingerprint(FIRST_FINGERPRINT_OF_PAIRS)
    assert not pairs.has_fingerprint(FIRST_FINGERPRINT)
    assert not Ratings.from_arrays(*BASE[:2], [4.0, 3.5, 1.0]).has_fingerprint(FIRST_FINGERPRINT)
    assert ratings.has_fingerprint(SECOND_FINGERPRINT)
    weighted = Interactions.from_arrays(*BASE[:2], weights=[1, 2, 3])
    assert weighted.has_fingerprint(SECOND_FINGERPRINT_WITH_WEIGHTS)
    assert not pairs.has_fingerprint(SECOND_FINGERPRINT_WITH_WEIGHTS)
    for version in ("2:", "4:"):
        assert not ratings.has_fingerprint(version + ratings.fingerprint[2:])


@given(
    st.integers(1, 200),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 2**32),
)
def test_random_split(n_ratings, fraction, seed):
    ratings = Ratings.from_arrays(
        np.arange(n_ratings) % 7, np.arange(n_ratings), np.arange(n_ratings), np.arange(n_ratings)
    )
    rest, part = random_split(ratings, fraction, seed)
    spread = np.sqrt(fraction * (1 - fraction) * n_ratings)
    assert abs(len(part) - fraction * n_ratings) < 7 * spread + 7
    assert sorted(rows_of(rest) + rows_of(part)) == sorted(rows_of(ratings))
    for one in (rest, part):
        assert one.user_ids is ratings.user_ids
        assert one.timestamps.tolist() == sorted(one.timestamps.tolist())
    again = random_split(ratings, fraction, seed)[1]
    assert again.timestamps.tolist() == part.timestamps.tolist()


def test_random_split_depends_on_the_seed_and_is_even():
    n_ratings = 20_000
    ratings = Ratings.from_arrays(
        np.arange(n_ratings), np.zeros(n_ratings, int), np.ones(n_ratings)
    )
    first, second = (random_split(ratings, 0.25, seed)[1].user_index for seed in (0, 1))
    assert first.tolist() != second.tolist()
    for chosen in (first, second):
        assert 0.23 < (chosen < n_ratings // 2).mean() / 2 < 0.27


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5, float("nan")])
def test_random_split_out_of_range(fraction):
    with pytest.raises(RatingsError, match="at least 0 and less than 1"):
        random_split(Ratings.from_arrays(*BASE), fraction, 0)
