"""From files to a model by shards: the bytes of the plain trainer's model file."""

import numpy as np
import pytest
from cluster.made import of_moods

from funksvd import (
    FunkSVD,
    FunkSVDError,
    Hyperparameters,
    RatingsError,
    ReadOptions,
    hold_out,
    read_ratings,
)
from funksvd.cluster import sharded
from funksvd.cluster.fitting import Shards
from funksvd.cluster.folder import Claim


@pytest.fixture
def table(planted, tmp_path):
    """A file of ratings, some of which come twice; those of a user's day are alike."""
    found = planted(60, 50, 2, 1500, 0.3)
    random = np.random.default_rng(0)
    days = random.integers(0, 4, 1500)
    moods = random.normal(0, 1, (60, 4))[found.user_index, days]
    values = np.clip(np.round(2 * (found.values + moods) + 3) / 2, 0.5, 5)
    again = np.r_[np.arange(1500), np.arange(0, 1500, 30)]
    users, items = found.user_ids[found.user_index], found.item_ids[found.item_index]
    times = 10**9 + 86_400 * days
    path = tmp_path / "ratings.csv"
    rows = (f"{users[at]},{items[at]},{values[at]},{times[at]}\n" for at in again)
    path.write_text("user,item,rating,timestamp\n" + "".join(rows))
    return path


def plain(path, model_path, chosen, test_fraction=0.1):
    """Train in memory, and save as the command line does."""
    holdout = hold_out(
        read_ratings([str(path)]), test_fraction=test_fraction, seed=chosen.get("seed", 0),
        options=ReadOptions(),
    )  # fmt: skip
    model = FunkSVD(**chosen).fit(holdout.training)
    model.remember_origin(holdout)
    model.save(model_path)
    return model_path.read_bytes(), model


def by_shards(path, model_path, chosen, test_fraction=0.1, **how):
    """The same, on shards."""
    hyperparameters = Hyperparameters(**chosen)
    with Shards([str(path)], hyperparameters, test_fraction=test_fraction, **how) as shards:
        model = FunkSVD(**chosen).fit(shards)
        model.remember_origin(shards.ratings)
        model.save(model_path)
    return model_path.read_bytes(), model


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        ({}, (1, 2, 4, 8)),
        ({"biases": False}, (1, 2, 4, 8)),
        ({"loss": "logistic"}, (1, 2, 4, 8)),
        ({"loss": "logistic", "biases": False}, (1, 2, 4, 8)),
        ({"refit": False}, (3,)),
        ({"days": False}, (1, 3)),
        ({"validation_fraction": 0.0}, (3,)),
        ({"ensemble": 2, "nonnegative": True, "choice": False}, (3,)),
    ],
    ids=str,
)
def test_shards_and_memory_come_to_the_same_bytes(table, tmp_path, chosen, numbers):
    if chosen.get("loss") == "logistic":
        lines = table.read_text().splitlines()
        rows = (line.split(",") for line in lines[1:])
        binary = [",".join([*row[:2], str(int(float(row[2]) >= 3)), row[3]]) for row in rows]
        table.write_text("\n".join([lines[0], *binary]) + "\n")
    chosen = {"n_factors": 6, "n_epochs": 8, "n_groups": 8, "days": True, **chosen}
    ref, _ = plain(table, tmp_path / "ref.funksvd", chosen)
    has_days = chosen.get("biases", True) and "loss" not in chosen and chosen["days"]
    for n_workers in numbers:
        comp, model = by_shards(table, tmp_path / "comp.funksvd", chosen, n_workers=n_workers)
        assert comp == ref, n_workers
        assert (model.fitted.rating.learned.days is not None) == has_days


@pytest.mark.parametrize("n_workers", [1, 3])
@pytest.mark.parametrize("chosen", [{}, {"refit": False}, {"ensemble": 2}], ids=str)
def test_days_are_learned_from_shards_too(tmp_path, chosen, n_workers):
    path = tmp_path / "ratings.csv"
    of_moods(path, 2)
    chosen = {"n_factors": 4, "n_epochs": 4, "n_groups": 4, **chosen}
    ref, model = plain(path, tmp_path / "ref.funksvd", chosen)
    assert model.fitted.rating_model.learned.days is not None
    comp, _ = by_shards(path, tmp_path / "comp.funksvd", chosen, n_workers=n_workers)
    assert comp == ref


def test_pairs_are_turned_by_passes_over_them(table, tmp_path, monkeypatch):
    """A few items at a time, a few pairs at a time."""
    monkeypatch.setattr(sharded, "AT_ONCE", 100)
    chosen = {"n_factors": 6, "n_epochs": 8}
    ref, _ = plain(table, tmp_path / "ref.funksvd", chosen)
    comp, _ = by_shards(table, tmp_path / "comp.funksvd", chosen)
    assert comp == ref


@pytest.mark.parametrize("days", [True, False])
def test_workers_without_a_group_change_nothing(tmp_path, days):
    path = tmp_path / "ratings.csv"
    of_moods(path, 2)
    chosen = {"n_factors": 6, "n_epochs": 4, "n_groups": 3, "days": days}
    ref, _ = plain(path, tmp_path / "ref.funksvd", chosen)
    comp, _ = by_shards(path, tmp_path / "comp.funksvd", chosen, n_workers=8)
    assert comp == ref


def test_another_number_of_workers_leaves_no_shards_of_the_one_before(table, tmp_path):
    folder, chosen = tmp_path / "shards", Hyperparameters(n_groups=4)

    def workers(n_workers):
        with Shards([table], chosen, folder, n_workers=n_workers, overwrite=True):
            return sorted(path.name for path in folder.glob("worker-*"))

    assert workers(3) == [f"worker-{at}-of-3" for at in (1, 2, 3)]
    in_use, mine = Claim(folder / "worker-1-of-5"), folder / "worker-1-of-6"
    mine.mkdir()
    assert workers(1) == ["worker-1-of-1", "worker-1-of-5", mine.name]
    in_use.close()
    assert workers(2) == ["worker-1-of-2", mine.name, "worker-2-of-2"]


@pytest.mark.parametrize("n_rows", [5, 20])
def test_few_ratings_come_to_the_same_bytes_too(table, tmp_path, n_rows):
    table.write_text("\n".join(table.read_text().splitlines()[: n_rows + 1]) + "\n")
    chosen = {"n_factors": 2, "n_epochs": 5}
    for seed in range(6):
        ref, comp = (
            fit(table, tmp_path / "any.funksvd", {**chosen, "seed": seed})[0]
            for fit in (plain, by_shards)
        )
        assert comp == ref


def test_a_test_part_is_judged_as_that_of_memory(table, tmp_path):
    chosen = {"n_factors": 6, "n_epochs": 8, "days": False}
    holdout = hold_out(read_ratings([str(table)]), test_fraction=0.2, seed=0)
    model = FunkSVD(**chosen).fit(holdout.training)
    ref = model.evaluate(holdout.test, training=holdout.training)
    with Shards([str(table)], Hyperparameters(**chosen), test_fraction=0.2) as shards:
        comp = shards.fit(FunkSVD(**chosen))
        comp = comp.evaluate(shards.ratings.test, training=shards.ratings)
    assert (comp.n_ratings, comp.n_users) == (ref.n_ratings, ref.n_users)
    assert comp.rmse == pytest.approx(ref.rmse, rel=1e-12)
    assert comp.already_learned == 0
    for name, errors in ref.baselines.items():
        assert comp.baselines[name] == pytest.approx(errors, rel=1e-6)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"algorithm": "svd++"}, r"svd\+\+.*does not learn from shards yet"),
        ({"algorithm": "bayes"}, "bayes.*does not learn from shards yet"),
        ({"optimizer": "adam"}, "descent in batches does not learn from shards yet"),
    ],
)
def test_algorithms_that_do_not_learn_from_shards_say_so(table, chosen, message):
    with pytest.raises(FunkSVDError, match=message):
        Shards([str(table)], Hyperparameters(**chosen))


def test_ratings_that_do_not_go_with_the_loss_are_refused(table):
    with (
        Shards([str(table)], Hyperparameters(loss="logistic")) as shards,
        pytest.raises(RatingsError, match="is for ratings that are 0 or 1"),
    ):
        FunkSVD(loss="logistic").fit(shards)
    table.write_text("user,item,rating\n" + "".join(f"{u},{u % 3},4\n" for u in range(30)))
    with (
        Shards([str(table)], Hyperparameters()) as shards,
        pytest.raises(RatingsError, match=r"all \d+ ratings are 4"),
    ):
        FunkSVD().fit(shards)
