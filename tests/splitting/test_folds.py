"""Splits: what is in which part, against plain loops."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from funksvd import Ratings, by_time, leave_last_out, per_user_folds, random_folds, random_split
from funksvd.errors import RatingsError
from funksvd.splitting import Folds


def make(n_users=40, n_items=30, n_ratings=500, seed=0, timestamps=True, most_recent=60):
    """Ratings whose timestamps have nothing to do with their order, and many ties."""
    random = np.random.default_rng(seed)
    activity = np.repeat(1 / np.arange(1, n_users + 1), n_items)
    pairs = random.choice(activity.size, n_ratings, replace=False, p=activity / activity.sum())
    users, items = np.divmod(pairs, n_items)
    times = random.integers(-10, most_recent, n_ratings) if timestamps else None
    return Ratings.from_arrays(users, items, random.integers(1, 6, n_ratings), times)


def rows(ratings):
    columns = (ratings.user_index, ratings.item_index, ratings.values)
    return list(zip(*(column.tolist() for column in columns), strict=True))


BOTH = pytest.mark.parametrize("split", [random_folds, per_user_folds])


@BOTH
@pytest.mark.parametrize("n_folds", [2, 3, 5, 130])
def test_each_rating_is_tested_on_in_exactly_one_fold(split, n_folds):
    ratings = make()
    folds = split(ratings, n_folds, seed=4)
    assert len(folds) == n_folds
    tested = Counter()
    for training, test in folds:
        assert Counter(rows(training)) + Counter(rows(test)) == Counter(rows(ratings))
        assert len(ratings) // n_folds <= len(test) <= -(-len(ratings) // n_folds)
        assert training.user_ids is test.user_ids is ratings.user_ids
        tested += Counter(rows(test))
    assert tested == Counter(rows(ratings))


@BOTH
def test_the_same_seed_gives_the_same_folds_and_another_seed_others(split):
    ratings = make()
    first, again, other = (split(ratings, 4, seed=seed).fold_of for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert 0.65 < np.mean(first != other) < 0.85  # by chance, three of four


@BOTH
@pytest.mark.parametrize("n_folds", [1, 4])
def test_the_order_of_rows_has_no_part_in_folds(split, n_folds):
    ratings = make(n_ratings=900)
    shuffled = ratings.subset(np.random.default_rng(1).permutation(len(ratings)))
    folds = [split(given, n_folds, fraction=0.3, seed=2) for given in (ratings, shuffled)]
    for one, other in zip(*folds, strict=True):
        assert sorted(rows(one.test)) == sorted(rows(other.test))
        assert sorted(rows(one.training)) == sorted(rows(other.training))


def test_random_folds_have_nothing_to_do_with_position():
    fold_of = random_folds(make(n_ratings=1000), 2).fold_of
    assert abs(np.corrcoef(fold_of, np.arange(len(fold_of)))[0, 1]) < 0.1
    assert 0.4 < np.mean(fold_of[1:] == fold_of[:-1]) < 0.6


def test_a_single_random_fold_is_what_train_would_set_aside():
    ratings = make()
    ((training, test),) = random_folds(ratings, 1, fraction=0.2, seed=7)
    ref = random_split(ratings, 0.2, seed=7)
    assert (rows(training), rows(test)) == (rows(ref[0]), rows(ref[1]))


def test_per_user_folds_share_each_user_evenly():
    ratings = make()
    numbers = defaultdict(Counter)
    for number, (_, test) in enumerate(per_user_folds(ratings, 4, seed=1)):
        for user in test.user_index.tolist():
            numbers[user][number] += 1
    assert len(numbers) == ratings.n_users
    for counts in numbers.values():
        per_fold = [counts[number] for number in range(4)]
        assert max(per_fold) - min(per_fold) <= 1
    random = Counter(random_folds(ratings, 4, seed=1)[0].test.user_index.tolist())
    assert any(abs(random[user] - sum(numbers[user].values()) / 4) > 1 for user in numbers)


def test_users_with_one_rating_are_spread_and_said():
    ratings = Ratings.from_arrays(np.arange(400), np.arange(400) % 7, np.arange(400) % 5)
    folds = per_user_folds(ratings, 4)
    assert folds.remarks == (
        "400 users have a single rating: the model does not know them where it is tested",
    )
    # Not one user in turn to each fold.
    assert 0.1 < np.mean(folds.fold_of == np.arange(400) % 4) < 0.4


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_a_single_per_user_fold_takes_its_share_of_each(fraction):
    ratings = make()
    folds = per_user_folds(ratings, 1, fraction=fraction, seed=2)
    ((training, test),) = folds
    counts = Counter(ratings.user_index.tolist())
    tested = Counter(test.user_index.tolist())
    n_untested = 0
    for user, count in counts.items():
        ref = min(int(fraction * count + 0.5), count - 1)
        assert tested[user] == ref
        n_untested += ref == 0
    assert Counter(rows(training)) + Counter(rows(test)) == Counter(rows(ratings))
    users = "1 user has" if n_untested == 1 else f"{n_untested} users have"
    ref = f"{users} too few ratings to be tested: they are learned from"
    assert folds.remarks == ((ref,) if n_untested else ())
    other = per_user_folds(ratings, 1, fraction=fraction, seed=3)
    assert (folds.fold_of != other.fold_of).any()


def ref_leave_last_out(ratings, n_last, n_folds):
    """(learned, tested) sets of positions, fold by fold."""
    times = ratings.timestamps if ratings.timestamps is not None else np.zeros(len(ratings))
    by_user = defaultdict(list)
    for position, user in enumerate(ratings.user_index.tolist()):
        by_user[user].append(position)
    for fold in range(n_folds):
        n_later = (n_folds - 1 - fold) * n_last
        learned, tested = set(), set()
        for positions in by_user.values():
            positions.sort(key=lambda position: (times[position], position))
            possible = len(positions) - n_later - n_last >= 1
            if possible:
                stop = len(positions) - n_later
                learned |= set(positions[: stop - n_last])
                tested |= set(positions[stop - n_last : stop])
            else:
                # What another fold tests is later; what none can test is always learned from.
                n_parts = (len(positions) - 1) // n_last
                learned |= set(positions[: len(positions) - min(n_parts, n_folds) * n_last])
        yield learned, tested


@pytest.mark.parametrize("timestamps", [True, False])
@pytest.mark.parametrize(("n_last", "n_folds"), [(1, 1), (3, 1), (1, 4), (2, 3)])
def test_leave_last_out_equals_a_plain_loop(n_last, n_folds, timestamps):
    ratings = make(n_ratings=300, timestamps=timestamps)
    folds = leave_last_out(ratings, n_last, n_folds=n_folds)
    refs = list(ref_leave_last_out(ratings, n_last, n_folds))
    everything = rows(ratings)
    for (training, test), (ref_learned, ref_tested) in zip(folds, refs, strict=True):
        assert rows(training) == [everything[at] for at in sorted(ref_learned)]
        assert rows(test) == [everything[at] for at in sorted(ref_tested)]
    counts = Counter(ratings.user_index.tolist()).values()
    n_few = sum((count - 1) // n_last < n_folds for count in counts)
    assert n_few > 1
    where = "" if n_folds == 1 else " in some folds"
    ref = f"{n_few} users have too few ratings to be tested{where}: they are learned from"
    assert folds.remarks[-1] == ref
    assert (len(folds.remarks) == 2) == (not timestamps)


def test_leave_last_out_by_hand():
    ratings = Ratings.from_arrays(
        ["ann", "ann", "bob", "ann", "cid"], [1, 2, 1, 3, 1], [1, 2, 3, 4, 5], [9, 7, 1, 8, 2]
    )
    folds = leave_last_out(ratings)
    ((training, test),) = folds
    assert rows(test) == [(0, 0, 1.0)]  # ann's rating at 9
    assert len(training) == 4
    assert folds.remarks == ("2 users have too few ratings to be tested: they are learned from",)


def test_any_timestamps_have_an_order():
    limits = np.iinfo(np.int64)
    times = [limits.max, limits.min, 0, limits.max - 1]
    ratings = Ratings.from_arrays([1] * 4, [1, 2, 3, 4], [1, 2, 3, 4], times)
    assert [rows(test)[0][2] for _, test in leave_last_out(ratings, n_folds=3)] == [3, 4, 1]


@pytest.mark.parametrize(("fraction", "n_folds"), [(0.1, 1), (0.3, 1), (0.1, 4), (0.2, 3)])
@pytest.mark.parametrize("most_recent", [3, 60, 10**6])
def test_by_time_equals_a_plain_loop(fraction, n_folds, most_recent):
    ratings = make(most_recent=most_recent)
    n_tested = round(fraction * len(ratings))
    times = sorted(ratings.timestamps.tolist())
    points = [times[len(times) - n_tested * left - 1] for left in range(n_folds, -1, -1)]
    everything, stamps = rows(ratings), ratings.timestamps.tolist()
    if len(set(points)) <= n_folds:
        with pytest.raises(RatingsError, match="has no ratings to test on"):
            by_time(ratings, fraction, n_folds=n_folds)
        return
    for number, (training, test) in enumerate(by_time(ratings, fraction, n_folds=n_folds)):
        begin, end = points[number : number + 2]
        pairs = list(zip(everything, stamps, strict=True))
        assert rows(training) == [row for row, stamp in pairs if stamp <= begin]
        assert rows(test) == [row for row, stamp in pairs if begin < stamp <= end]
        assert training.timestamps.max() < test.timestamps.min()


def test_folds_are_a_sequence():
    folds = random_folds(make(), 3)
    assert rows(folds[-1].test) == rows(folds[2].test)
    for number in (3, -4):
        with pytest.raises(IndexError):
            folds[number]


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (lambda r: random_folds(r, 0), "n_folds must be a whole number of at least 1, not 0"),
        (lambda r: random_folds(r, 2.0), "n_folds must be a whole number"),
        (lambda r: random_folds(r, 501), "fold 501 of 501 has no ratings to test on; there are"),
        (lambda r: random_folds(r, 1, fraction=1), "less than 1 of the whole"),
        (lambda r: random_folds(r, 1, fraction=0), "fold 1 of 1 has no ratings to test on"),
        (lambda r: per_user_folds(r, 1, fraction=0), "more than 0 and less than 1, not 0"),
        (lambda r: per_user_folds(r, 1, fraction=0.001), "has no ratings to test on"),
        (lambda r: leave_last_out(r, 0), "n_last must be a whole number"),
        (lambda r: leave_last_out(r, 499), "fold 1 of 1 has no ratings to test on"),
        (lambda r: by_time(r, 1.5), "more than 0 and less than 1, not 1.5"),
        (lambda r: by_time(r, 0.25, n_folds=4), "4 test parts of 125 ratings leave nothing"),
        (lambda r: Folds(r, np.zeros(500, int), 1), "has no ratings to learn from"),
    ],
)
def test_what_cannot_be_split_is_refused(cut, message):
    with pytest.raises(RatingsError, match=message):
        cut(make())


def test_no_ratings_cannot_be_split():
    for split in (random_folds, per_user_folds, leave_last_out):
        with pytest.raises(RatingsError, match="there are 0 in all"):
            split(Ratings.from_arrays([], [], np.empty(0)))


def test_by_time_needs_timestamps():
    with pytest.raises(RatingsError, match=r"no timestamps.*timestamp_col="):
        by_time(make(timestamps=False))


def test_ratings_of_one_moment_cannot_be_split_by_time():
    ratings = Ratings.from_arrays([1, 2, 3], [1, 2, 3], [1, 2, 3], [5, 5, 5])
    with pytest.raises(RatingsError, match="has no ratings to test on"):
        by_time(ratings, 0.4)
