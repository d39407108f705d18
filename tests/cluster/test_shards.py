"""Shards hold what one process that has all ratings in memory would plan."""

import pytest
from cluster.made import InMemory, check_driver, check_parts, made_up

from funksvd.cluster import buckets, preparing, sharded, spool
from funksvd.cluster.sharded import ShardedRatings
from funksvd.ratings import ReadOptions


@pytest.mark.parametrize("n_workers", [1, 2, 4, 8])
@pytest.mark.parametrize(
    ("n_groups", "kind"),
    [(1, {}), (4, {"times": True}), (8, {"text": True}), (5, {"text": True, "times": True})],
)
def test_parts_are_those_of_the_plan_in_memory(
    n_workers, n_groups, kind, shards, tmp_path, monkeypatch
):
    monkeypatch.setattr(spool, "PIECE_ROWS", 300)
    monkeypatch.setattr(preparing, "BUCKET_ROWS", 400)
    monkeypatch.setattr(sharded, "AT_ONCE", 250)
    monkeypatch.setattr(buckets, "MOST_CHECKED", 60)
    paths = []
    for at in range(3):
        paths.append(tmp_path / f"part-{at}.csv")
        paths[-1].write_text(made_up(200, 150, 700, at, **kind))
    wanted = {"test_fraction": 0.2, "validation_fraction": 0.1, "seed": 7}
    options = ReadOptions()
    ratings, workers = shards(paths, n_workers, options, n_groups=n_groups, **wanted)
    reference = InMemory.of(paths, options, wanted, n_groups)
    check_parts(workers, "search", reference.plan)
    check_parts(workers, "refit", reference.plan.with_all_learned())
    check_driver(ratings, reference)
    ratings.store.claim.close()
    again = ShardedRatings.open(ratings.store.folder)
    check_driver(again, reference)
