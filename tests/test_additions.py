"""New ratings told from old ones: in a file of their own, or in one that has grown."""

import numpy as np
import pytest

from funksvd import (
    DataChangedError,
    FunkSVD,
    FunkSVDError,
    find_additions,
    hold_out,
    read_interactions,
    read_ratings,
    rebuild,
    update,
)
from funksvd.learned.weighting import rating_levels

N_OLD, N_NEW = 1500, 200
SMALL = {"n_factors": 2, "n_epochs": 4}


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Lines of distinct pairs, old ones first; some users and items are among the new ones only."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    pairs = random.choice(100 * 60, N_OLD + N_NEW, replace=False)
    users, items = np.divmod(pairs, 60)
    users[-20:] += 1000
    items[-10:] += 1000
    stars = random.integers(1, 11, len(pairs)) / 2
    rows = [f"{u},{i},{r}" for u, i, r in zip(users, items, stars, strict=True)]
    write("old.csv", rows[:N_OLD])
    write("new.csv", rows[N_OLD:])
    return rows


def write(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(["user,item,rating", *rows, ""]))


def trained(parts=(), files="old.csv", **options):
    """A model that was saved and loaded."""
    given = {name: read_ratings(f"{name}.csv") for name in parts}
    holdout = hold_out(read_ratings(files), **given)
    model = FunkSVD(**SMALL, **options).fit(holdout.training, validation=holdout.validation)
    return reloaded(model, holdout)


def reloaded(model, holdout=None):
    if holdout is not None:
        model.remember_origin(holdout)
    model.save("model.funksvd")
    return FunkSVD.load("model.funksvd")


def bits(model):
    """Everything that was learned, and of whom."""
    arrays = [model.user_ids, model.item_ids, *model.learned.tensors().values()]
    return [array.tobytes() for array in (*arrays, *model.seen[:2], *model.held_out[:2])]


@pytest.mark.parametrize("values", [[1, 2, 3, 4, 5], np.arange(0.5, 5.5, 0.5), np.arange(101)])
def test_ratings_of_usual_scales_have_levels_of_their_own(values):
    values = np.asarray(values, np.float32)
    levels = rating_levels(values, (values[0], values[-1]))
    assert len(set(levels.tolist())) == len(values)
    assert (levels[0], levels[-1]) == (0, 255)
    assert rating_levels(values[:1] - 9, (values[0], values[-1])).tolist() == [0]
    assert rating_levels(values[:1], (values[0], values[0])).tolist() == [0]


def shuffled(rows, seed=1):
    return [rows[at] for at in np.random.default_rng(seed).permutation(len(rows))]


ORDERS = {
    "prefix": lambda rows: rows,
    "sorted": lambda rows: sorted(rows),
    "set": shuffled,
    "in front": lambda rows: rows[::-1],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("options", [{}, {"refit": False}, {"algorithm": "svd++", "ensemble": 2}])
def test_a_file_that_has_grown_gives_the_bits_of_one_with_the_new_ratings(rows, order, options):
    old = trained(**options)
    found = find_additions(old, read_ratings("new.csv"))
    assert (found.is_whole, found.n_new, found.n_gone) == (False, N_NEW, 0)
    ref = update(old, found.holdout)
    write("old.csv", order(rows))
    found = find_additions(old, read_ratings("old.csv"))
    assert (found.is_whole, found.n_new, found.n_changed, found.n_gone) == (True, N_NEW, 0, 0)
    assert (found.n_new_users, found.n_new_items) == (
        int((old.users.rows(read_ratings("new.csv").user_ids) < 0).sum()),
        int((old.items.rows(read_ratings("new.csv").item_ids) < 0).sum()),
    )
    comp = update(old, found.holdout)
    assert bits(comp) == bits(ref)
    again = rebuild(reloaded(comp).provenance)
    assert len(again.test) == 181
    np.testing.assert_array_equal(again.provenance.test_pairs, old.provenance.test_pairs)
    assert len(again.all_but_test) == N_OLD + N_NEW - len(again.test) == comp.n_ratings


def test_night_after_night(rows):
    old = ref = trained()
    for night in range(1, 4):
        write("new.csv", rows[N_OLD + 50 * (night - 1) : N_OLD + 50 * night])
        write("all.csv", shuffled(rows[: N_OLD + 50 * night], seed=night))
        found = find_additions(old, read_ratings("all.csv"))
        assert (found.is_whole, found.n_new, found.n_changed) == (True, 50, 0)
        old = reloaded(update(old, found.holdout))
        assert [each.ratings.files for each in old.provenance.updates] == [["all.csv"]]
        write(f"new{night}.csv", rows[N_OLD + 50 * (night - 1) : N_OLD + 50 * night])
        found = find_additions(ref, read_ratings(f"new{night}.csv"))
        ref = reloaded(update(ref, found.holdout))
        assert bits(old) == bits(ref)
    found = find_additions(old, read_ratings("new1.csv"))  # nothing is new
    assert (found.n_new, found.n_changed, found.n_same + found.n_in_test) == (0, 0, 50)
    assert found.holdout.provenance == old.provenance


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_part_from_a_file_of_its_own_is_read_again(rows, part):
    write(f"{part}.csv", rows[:150])
    write("old.csv", rows[150:N_OLD])
    old = trained([part])
    ref = update(old, find_additions(old, read_ratings("new.csv")).holdout)
    write("old.csv", shuffled(rows[150:]))
    found = find_additions(old, read_ratings("old.csv"))
    assert (found.is_whole, found.n_new, found.n_gone) == (True, N_NEW, 0)
    comp = update(old, found.holdout)
    assert bits(comp) == bits(ref)
    again = rebuild(reloaded(comp).provenance)
    assert len(again.test if part == "test" else again.validation) == 150
    write(f"{part}.csv", rows[:149])
    with pytest.raises(DataChangedError, match=f"{part}.csv: the ratings have changed"):
        find_additions(old, read_ratings("old.csv"))


def test_several_files_of_which_the_first_has_grown(rows):
    write("a.csv", rows[:700])
    write("b.csv", rows[700:N_OLD])
    old = trained(files=["a.csv", "b.csv"])
    ref = update(old, find_additions(old, read_ratings("new.csv")).holdout)
    write("a.csv", rows[:700] + rows[N_OLD:])
    found = find_additions(old, read_ratings(["a.csv", "b.csv"]))
    assert (found.is_whole, found.n_new) == (True, N_NEW)
    assert bits(update(old, found.holdout)) == bits(ref)


def test_interactions_are_read_again(rows):
    write("old.csv", rows[:N_OLD])
    with open("pairs.csv", "w", encoding="utf-8") as file:
        file.write("user,item\n" + "\n".join(f"{user},59" for user in range(60)))
    pairs = read_interactions("pairs.csv")
    holdout = hold_out(read_ratings("old.csv"), interactions=pairs)
    old = FunkSVD(**SMALL, algorithm="svd++").fit(
        holdout.training, interactions=holdout.interactions
    )
    old = reloaded(old, holdout)
    ref = update(old, find_additions(old, read_ratings("new.csv")).holdout)
    write("old.csv", shuffled(rows))
    comp = update(old, find_additions(old, read_ratings("old.csv")).holdout)
    assert comp.training.n_unrated > 0
    assert bits(comp) == bits(ref)


def test_pairs_that_are_rated_twice(rows):
    """A log: the second rating of a pair comes later, and counts, whichever file it is in."""
    for at in (3, 5, 8):  # of old pairs, within the old part
        rows[N_OLD - at] = ",".join([*rows[at].split(",")[:2], "1.5"])
    write("old.csv", rows[:N_OLD])
    old = trained()
    again = [",".join([*row.split(",")[:2], "2.5"]) for row in rows[20:60]]
    write("new.csv", rows[N_OLD:] + again)
    separate = find_additions(old, read_ratings("new.csv"))
    write("old.csv", rows + again)
    whole = find_additions(old, read_ratings("old.csv"))
    assert (separate.is_whole, whole.is_whole) == (False, True)
    assert (whole.n_new, whole.n_changed) == (separate.n_new, separate.n_changed)
    assert 20 < whole.n_changed <= 40
    assert bits(update(old, whole.holdout)) == bits(update(old, separate.holdout))


def learned_rows(model, rows):
    """Numbers of the lines whose pairs the model has learned from."""
    pairs = np.array([[int(part) for part in row.split(",")[:2]] for row in rows])
    index = model.users.rows(pairs[:, 0]), model.items.rows(pairs[:, 1])
    return np.flatnonzero(model.seen.contains(*index))


def test_old_ratings_that_have_changed_or_are_gone_are_counted(rows):
    old = trained()
    mine = learned_rows(old, rows[:N_OLD])
    changed = dict.fromkeys(mine[:12].tolist())
    gone = set(mine[20:23].tolist())
    now = []
    for at, row in enumerate(rows):
        user, item, stars = row.split(",")
        if at in changed:
            row = f"{user},{item},{float(stars) % 5 + 0.5}"
        if at not in gone:
            now.append(row)
    write("old.csv", shuffled(now))
    found = find_additions(old, read_ratings("old.csv"))
    assert (found.is_whole, found.n_new, found.n_changed, found.n_gone) == (True, N_NEW, 12, 3)
    assert found.n_same == old.n_ratings - 12 - 3
    new = update(old, found.holdout)
    assert new.n_ratings == old.n_ratings - 3 + N_NEW
    assert set(old.user_ids) <= set(new.user_ids)  # who is gone is still known


def test_what_is_gone_stays_as_long_as_the_old_file_is_there(rows):
    old = trained()
    write("tonight.csv", rows[5:])
    found = find_additions(old, read_ratings("tonight.csv"))
    assert (found.is_whole, found.n_new, found.n_gone) == (False, N_NEW, 0)
    assert update(old, found.holdout).n_ratings == old.n_ratings + N_NEW


def test_less_than_half_of_the_old_ratings_are_no_whole_file(rows):
    old = trained()
    write("old.csv", rows[1000:])
    with pytest.raises(DataChangedError, match="the ratings have changed since"):
        find_additions(old, read_ratings("old.csv"))


@pytest.mark.parametrize("without", ["seen", "test_pairs"])
def test_a_model_that_does_not_hold_what_is_needed(rows, without):
    """One that was saved without seen pairs, or by an earlier program."""
    old = trained()
    if without == "seen":
        old.save("model.funksvd", with_seen=False)
        old = FunkSVD.load("model.funksvd")
        assert old.provenance.test_pairs is None
    else:
        object.__setattr__(old.provenance, "test_pairs", None)
    separate = find_additions(old, read_ratings("new.csv"))
    assert separate.n_new == N_NEW
    write("old.csv", rows)  # grown at its end, where the old part has its fingerprint
    found = find_additions(old, read_ratings("old.csv"))
    assert (found.is_whole, found.n_new, found.n_same) == (False, N_NEW, old.n_ratings)
    comp, ref = update(old, found.holdout), update(old, separate.holdout)
    assert bits(comp)[:5] == bits(ref)[:5]
    assert len(rebuild(comp.provenance).test) == len(rebuild(ref.provenance).test) == 181
    write("old.csv", shuffled(rows))
    with pytest.raises(DataChangedError, match="the ratings have changed since"):
        find_additions(old, read_ratings("old.csv"))


def test_a_model_that_does_not_know_its_ratings(rows):
    model = FunkSVD(**SMALL).fit(read_ratings("old.csv"))
    with pytest.raises(FunkSVDError, match="does not record which ratings it was trained on"):
        find_additions(model, read_ratings("new.csv"))


def test_older_ratings_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pairs = [(u, i) for u in range(12) for i in range(12)]
    lines = [f"{u},{i},{1 + (u * i) % 5},{1000 + u}" for u, i in pairs]
    with open("old.csv", "w", encoding="utf-8") as file:
        file.write("\n".join(["user,item,rating,timestamp", *lines]))
    holdout = hold_out(read_ratings("old.csv"), test_fraction=0)
    old = reloaded(FunkSVD(**SMALL).fit(holdout.training), holdout)
    with open("new.csv", "w", encoding="utf-8") as file:
        file.write("user,item,rating,timestamp\n1,1,5,999\n1,2,5,2000\n1,3,4,1001\n90,1,3,1\n")
    found = find_additions(old, read_ratings("new.csv"))
    counts = (found.n_new, found.n_changed, found.n_same, found.n_older, found.n_in_test)
    assert counts == (1, 1, 1, 1, 0)
    learned = found.holdout.all_but_test
    mine = learned.subset(learned.user_index == learned.users.row(1))
    items = mine.item_ids[mine.item_index].tolist()
    stars = dict(zip(items, mine.values.tolist(), strict=True))
    assert (stars[1], stars[2], stars[3]) == (2, 5, 4)
