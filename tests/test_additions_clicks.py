"""New clicks told from old ones: in a file of their own, or in one that has grown."""

import numpy as np
import pytest

from funksvd import (
    DataChangedError,
    FunkSVD,
    Interactions,
    Ratings,
    RatingsError,
    find_additions,
    hold_out,
    read_clicks,
    read_data,
    read_ratings,
    update,
)

N_OLD, N_NEW = 2500, 300
SMALL = {"algorithm": "ials", "n_factors": 4}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def drawn():
    """Lines, of which some repeat a pair; some users and items are among the new ones only."""
    random = np.random.default_rng(0)
    users, items = random.integers(0, 60, N_OLD + N_NEW), random.integers(0, 50, N_OLD + N_NEW)
    users[-20:] += 1000
    items[-10:] += 1000
    return [f"{u},{i}" for u, i in zip(users, items, strict=True)]


@pytest.fixture
def rows(drawn):
    write("old.csv", drawn[:N_OLD])
    write("new.csv", drawn[N_OLD:])
    return drawn


def write(path, rows, header="user,item"):
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join([header, *rows, ""]))


def trained(read=read_clicks, **options):
    """A model that was saved and loaded."""
    holdout = hold_out(read("old.csv"), **options)
    model = FunkSVD(**SMALL).fit(holdout.training)
    return reloaded(model, holdout)


def reloaded(model, holdout=None):
    if holdout is not None:
        model.remember_origin(holdout)
    model.save("model.funksvd")
    return FunkSVD.load("model.funksvd")


def bits(model):
    """Everything that was learned, and of whom."""
    arrays = [model.user_ids, model.item_ids, *model.fitted.choice.learned.tensors().values()]
    return [array.tobytes() for array in (*arrays, *model.seen, *model.held_out[:2])]


def shuffled(rows, seed=1):
    return [rows[at] for at in np.random.default_rng(seed).permutation(len(rows))]


ORDERS = {"prefix": list, "sorted": sorted, "set": shuffled, "in front": lambda rows: rows[::-1]}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_a_file_that_has_grown_gives_the_bits_of_one_with_the_new_clicks(rows, order):
    old = trained()
    test = hold_out(read_clicks("old.csv")).test
    found = find_additions(old, read_clicks("new.csv"))
    ref = update(old, found.holdout)
    assert not found.is_whole
    assert found.n_changed > 0
    assert found.n_in_test > 0
    assert found.n_same == found.n_older == found.n_gone == 0
    assert found.n_new + found.n_changed + found.n_in_test == len(read_clicks("new.csv"))
    new_users = set(read_clicks("new.csv").user_ids.tolist()) - set(old.user_ids.tolist())
    assert found.n_new_users == len(new_users)
    write("old.csv", order(rows))
    grown = find_additions(old, read_clicks("old.csv"))
    assert grown.is_whole
    assert (grown.n_new, grown.n_changed) == (found.n_new, found.n_changed)
    assert (grown.n_new_users, grown.n_new_items) == (found.n_new_users, found.n_new_items)
    comp = update(old, grown.holdout)
    assert bits(comp) == bits(ref)
    assert comp.n_ratings == old.n_ratings + found.n_new
    assert not comp.seen.contains(*test.index_for(comp.users, comp.items)).any()


def test_counts_add_up(rows):
    old = trained()
    found = find_additions(old, read_clicks("new.csv"))
    together = found.holdout.all_but_test
    assert together.weights.sum() == N_OLD + N_NEW - (
        hold_out(read_clicks("old.csv")).test.weights.sum()
        + read_clicks("new.csv").weights.sum()
        - found.holdout.added[0].weights.sum()
    )


def test_night_after_night(rows):
    old = ref = trained()
    for night in range(1, 4):
        tonight = rows[N_OLD + 100 * (night - 1) : N_OLD + 100 * night]
        write("all.csv", shuffled(rows[: N_OLD + 100 * night], seed=night))
        found = find_additions(old, read_clicks("all.csv"))
        assert found.is_whole
        old = reloaded(update(old, found.holdout))
        write(f"new{night}.csv", tonight)
        found = find_additions(ref, read_clicks(f"new{night}.csv"))
        assert not found.is_whole
        ref = reloaded(update(ref, found.holdout))
        assert bits(old) == bits(ref)
    nothing = find_additions(old, read_clicks("all.csv"))
    assert (nothing.is_whole, nothing.n_to_learn) == (True, 0)


def test_the_same_new_file_is_not_counted_twice(rows):
    old = trained()
    new = reloaded(update(old, find_additions(old, read_clicks("new.csv")).holdout))
    again = find_additions(new, read_clicks("new.csv"))
    assert (again.n_to_learn, again.n_new_users) == (0, 0)
    assert again.n_same + again.n_in_test == len(read_clicks("new.csv"))
    assert again.holdout.provenance == new.provenance
    write("other.csv", rows[N_OLD:-1])  # but another file is
    assert find_additions(new, read_clicks("other.csv")).n_changed > 0


def test_all_pairs_once_more_are_no_file_that_has_grown_if_they_count_less():
    write("old.csv", ["1,1", "1,2", "2,1", "2,2"] * 5 + ["3,1", "3,2"])
    old = reloaded(
        FunkSVD(**SMALL).fit(
            (holdout := hold_out(read_clicks("old.csv"), test_fraction=0)).training
        ),
        holdout,
    )
    write("new.csv", ["1,1", "1,2", "2,1", "2,2", "3,1", "3,2"])
    found = find_additions(old, read_clicks("new.csv"))
    assert (found.is_whole, found.n_changed, found.n_same) == (False, 6, 0)
    assert sorted(found.holdout.all_but_test.weights.tolist()) == [2, 2, 6, 6, 6, 6]


def test_clicks_that_come_again_for_the_first_time():
    """Nothing repeats among the old ones, so that they have no counts."""
    pairs = [f"{user},{item}" for user in range(9) for item in range(9) if (user + item) % 2]
    write("old.csv", pairs)
    old = trained(test_fraction=0)
    write("new.csv", pairs[:3])
    found = find_additions(old, read_clicks("new.csv"))
    assert (found.is_whole, found.n_changed, found.n_new) == (False, 3, 0)
    ref = update(old, found.holdout)
    write("old.csv", pairs + pairs[:3])
    found = find_additions(old, read_clicks("old.csv"))
    assert (found.is_whole, found.n_changed, found.n_same) == (True, 3, len(pairs) - 3)
    assert update(old, found.holdout).seen.values.tolist() == ref.seen.values.tolist()


def test_some_are_gone_and_the_old_file_too(rows):
    old = trained()
    write("old.csv", rows[100:])
    found = find_additions(old, read_clicks("old.csv"))
    assert (found.is_whole, found.n_gone > 0) == (True, True)
    write("old.csv", rows[N_OLD:])
    with pytest.raises(DataChangedError, match="the interactions have changed since the model"):
        find_additions(old, read_clicks("old.csv"))


def test_interactions_made_of_good_ratings_count_once():
    random = np.random.default_rng(0)
    pairs = [(u, i) for u in range(30) for i in range(30) if random.random() < 0.5]
    lines = [f"{u},{i},{random.integers(1, 6)}" for u, i in pairs]
    write("old.csv", lines[:300], "user,item,rating")
    write("new.csv", lines[200:], "user,item,rating")
    old = trained(read=lambda path: read_data(path, positive_from=4))
    new = old.provenance.read("new.csv", old.provenance.options)
    found = find_additions(old, new)
    assert (found.is_whole, found.n_changed) == (False, 0)
    assert found.n_same > 0
    assert found.n_new + found.n_same + found.n_in_test == len(new)
    assert found.holdout.all_but_test.weights is None


def test_the_other_kind_is_refused(rows):
    clicks, ratings = trained(), Ratings.from_arrays([1, 2], [1, 2], [4, 5])
    with pytest.raises(RatingsError, match="interactions without ratings, and these are ratings"):
        find_additions(clicks, ratings)
    stars = [f"{row},{1 + at % 5}" for at, row in enumerate(rows)]
    write("rated.csv", stars, "user,item,rating")
    holdout = hold_out(read_ratings("rated.csv"))
    rated = reloaded(FunkSVD(n_factors=2, n_epochs=2).fit(holdout.training), holdout)
    with pytest.raises(RatingsError, match="has learned from ratings, and here are none"):
        find_additions(rated, Interactions.from_arrays([1, 2], [1, 2]))
