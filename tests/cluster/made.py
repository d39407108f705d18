"""Ratings for tests of shards, and what is made of them in memory."""

from typing import NamedTuple

import numpy as np

from funksvd.calibrating import RatingFacts
from funksvd.cluster import buckets
from funksvd.learned.weighting import rating_levels
from funksvd.parallel import extremes
from funksvd.ratings import CompressedRows, Ratings, read_ratings
from funksvd.ratings.times import days_of
from funksvd.rng import Stream
from funksvd.splitting import Holdout, hold_out, part_to_spare
from funksvd.splitting.pairs import pair_hashes, smallest_pairs
from funksvd.training.plan import DAY, BlockPlan, Triples
from funksvd.training.planning import plan_blocks


def made_up(n_users, n_items, n_rows, seed, *, text=False, times=False):
    """Lines of a CSV: skewed, in no order, some pairs several times.

    Ratings are half stars with even seeds, and have three decimals with odd ones.
    """
    random = np.random.default_rng(seed)
    users = (n_users * random.random(n_rows) ** 2).astype(int)
    items = (n_items * random.random(n_rows) ** 3).astype(int)
    stars = (
        random.integers(500, 5001, n_rows) / 1000
        if seed % 2
        else random.integers(1, 11, n_rows) / 2
    )
    columns = [[f"u{u}" if text else 3 * u for u in users], items, stars]
    names = ["user", "item", "rating"]
    if times:
        columns.append(1_000_000_000 + random.integers(0, 10**8, n_rows))
        names.append("timestamp")
    rows = zip(*columns, strict=True)
    return ",".join(names) + "\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)


def of_moods(path, strength):
    """Ratings by users whose days differ, if `strength` is not 0; some times are missing."""
    random = np.random.default_rng(4)
    rows = []
    for user in range(40):
        for day in range(6):
            mood = strength * random.normal()
            for item in random.permutation(60)[:8]:
                time = 86_400 * (12_000 + day) * int(random.random() < 0.9)
                rows.append(f"{user},{item},{random.integers(1, 5) + mood:.3f},{time}")
    path.write_text("user,item,rating,timestamp\n" + "\n".join(rows) + "\n")


class InMemory(NamedTuple):
    """What one process makes of ratings that it has in memory."""

    whole: Ratings
    holdout: Holdout
    rest: Ratings
    held_back: np.ndarray | None
    plan: BlockPlan

    @classmethod
    def of(cls, paths, options, wanted, n_groups):
        whole = read_ratings(paths, options)
        fraction, seed = wanted["test_fraction"], wanted["seed"]
        holdout = hold_out(whole, test_fraction=fraction, seed=seed, options=options)
        held_back = None
        if fraction := wanted["validation_fraction"]:
            held_back = part_to_spare(holdout.training, fraction, seed, Stream.VALIDATION)
        rest = holdout.training.compact()
        plan = plan_blocks(
            Triples(rest.user_index, rest.item_index, rest.values),
            (rest.n_users, rest.n_items),
            further=None if rest.timestamps is None else {DAY: days_of(rest.timestamps)},
            held_back=held_back,
            n_groups=min(n_groups, rest.n_users, rest.n_items),
        )
        return cls(whole, holdout, rest, held_back, plan)


def together(parts, whole):
    """The parts of all workers, one after the other, as a plan."""
    columns = {name: np.concatenate([p.columns[name] for p in parts]) for name in whole.columns}
    bounds, n = [], 0
    for part in parts:
        bounds.append(part.bounds + n)
        n += len(part.user_index)
    return (
        np.concatenate([part.user_index for part in parts]),
        np.concatenate([part.item_index for part in parts]),
        columns,
        np.concatenate(bounds),
    )


def check_parts(workers, purpose, whole):
    parts = [worker.part(purpose) for worker in workers]
    users, items, columns, bounds = together(parts, whole)
    for comp, ref in (
        (users, whole.user_index),
        (items, whole.item_index),
        (bounds, whole.bounds),
        *((columns[name], whole.columns[name]) for name in whole.columns),
    ):
        assert comp.dtype == ref.dtype
        np.testing.assert_array_equal(comp, ref)
    n_rows = n_starts = 0
    for part in parts:
        assert set(part.columns) == set(whole.columns)
        own = whole.users.order[n_rows : n_rows + len(part.users.order)]
        np.testing.assert_array_equal(part.users.order, np.arange(len(own)))
        np.testing.assert_array_equal(part.users.counts, whole.users.counts[:, own])
        starts = whole.users.starts[n_starts : n_starts + len(part.users.starts)]
        np.testing.assert_array_equal(part.users.starts + n_rows, starts)
        for field in ("order", "starts", "counts"):
            np.testing.assert_array_equal(getattr(part.items, field), getattr(whole.items, field))
        n_rows += len(own)
        n_starts += len(part.users.starts) - 1
    assert n_rows == len(whole.users.order)


def check_rows(comp, ref):
    assert isinstance(comp, CompressedRows)
    for one, other in zip(comp, ref, strict=True):
        if one is not None or other is not None:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def check_driver(ratings, reference):
    """What the driver knows is what a model takes from ratings in memory."""
    rest, held_back, holdout = reference.rest, reference.held_back, reference.holdout
    assert ratings.users == rest.users
    assert ratings.items == rest.items
    for side in ("user", "item"):
        for field in ("order", "starts", "counts"):
            comp = getattr(getattr(ratings, f"{side}_rows"), field)
            np.testing.assert_array_equal(comp, getattr(getattr(reference.plan, f"{side}s"), field))
    assert len(ratings) == len(rest)
    assert ratings.report == reference.whole.report
    assert ratings.provenance == holdout.provenance
    np.testing.assert_array_equal(ratings.provenance.test_pairs, holdout.provenance.test_pairs)
    if holdout.test is None:
        assert ratings.test is None
    else:
        assert ratings.test.fingerprint == holdout.test.fingerprint
        assert ratings.test.users == holdout.test.users
        assert ratings.test.items == holdout.test.items

    limits = extremes(rest.values)
    assert ratings.limits["all"] == limits
    levels = rating_levels(rest.values, limits)
    pairs = (rest.user_index, rest.item_index, rest.n_users)
    check_rows(ratings.seen(), CompressedRows.from_pairs(*pairs, levels))
    check_facts(ratings.rating_facts("all"), RatingFacts.of_all(rest, limits))

    if held_back is None:
        assert ratings.n_held_back == 0
        held_back = np.zeros(len(rest), bool)
    limits = extremes(rest.values, ~held_back)
    assert ratings.limits["learned"] == limits
    levels = rating_levels(rest.values, limits)
    learned = CompressedRows.from_pairs(*pairs, levels, left_out=held_back)
    seen, user_rows, item_rows = learned.without_empty(rest.n_items)
    found = ratings.found()
    check_rows(found.seen, seen)
    np.testing.assert_array_equal(found.user_rows, user_rows)
    np.testing.assert_array_equal(found.item_rows, item_rows)
    assert found.users == rest.users.select(user_rows)
    assert found.items == rest.items.select(item_rows)
    index = rest.subset(held_back).index_for(found.users, found.items)
    check_rows(found.held_out, CompressedRows.from_pairs(*index, len(found.users)))
    facts = RatingFacts.of_all(rest, limits, held_back)
    check_facts(ratings.rating_facts("learned"), facts)

    at = smallest_pairs(rest, buckets.MOST_CHECKED, held_back)
    sample = ratings.sample
    np.testing.assert_array_equal(sample.users, rest.user_index[at])
    np.testing.assert_array_equal(sample.items, rest.item_index[at])
    np.testing.assert_array_equal(sample.values, rest.values[at])
    np.testing.assert_array_equal(sample.hashes, pair_hashes(rest)[at].view(np.uint64))


def check_facts(comp, ref):
    for name, value in vars(ref).items():
        np.testing.assert_array_equal(getattr(comp, name), value)
