"""`funksvd update`."""

import json

import numpy as np
import pytest

from funksvd import FunkSVD, hold_out, read_ratings


@pytest.fixture
def two_files(cli, here, quick, root):
    """old.csv, a model of it, and new.csv: the last 600 of the sample ratings."""
    lines = (root / "data" / "ratings.csv").read_text().splitlines()
    (here / "old.csv").write_text("\n".join(lines[:-600]))
    (here / "new.csv").write_text("\n".join([lines[0], *lines[-600:]]))
    assert cli("train", "old.csv", "-q", *quick).code == 0
    return here


def test_new_ratings_are_learned_and_the_test_part_is_not(cli, two_files):
    before = FunkSVD.load("model.funksvd")
    result = cli("update", "model.funksvd", "new.csv", "-o", "new.funksvd")
    assert (result.code, result.err) == (0, "")
    old, new = read_ratings("old.csv"), read_ratings("new.csv")
    test = hold_out(old).test
    model = FunkSVD.load("new.funksvd")
    assert model.n_ratings == len(old) - len(test) + len(new)
    assert set(model.user_ids) == set(before.user_ids) | set(new.user_ids)
    assert model.seen.contains(*new.index_for(model.users, model.items)).all()
    assert not model.seen.contains(*test.index_for(model.users, model.items)).any()
    known = np.all([index >= 0 for index in test.index_for(model.users, model.items)], axis=0)
    index = test.index_for(model.users, model.items)
    assert model.held_out.contains(*index)[known].all()
    assert "New: 600 ratings" in result.out
    assert f"{before.evaluate(test).rmse:.4f}" in result.out.splitlines()[-1]


def test_the_model_itself_is_replaced_by_default(cli, two_files):
    cli("update", "model.funksvd", "new.csv", "-o", "new.funksvd")
    cli("update", "model.funksvd", "new.csv", "-q")
    assert (two_files / "model.funksvd").read_bytes() == (two_files / "new.funksvd").read_bytes()


def test_evaluate_finds_the_test_part_again(cli, two_files):
    updated = json.loads(cli("update", "model.funksvd", "new.csv", "--json").out)
    comp = json.loads(cli("evaluate", "--json").out)
    assert (
        comp["n_ratings"]
        == updated["test"]["n_ratings"]
        == len(hold_out(read_ratings("old.csv")).test)
    )
    assert comp["rmse"] == updated["test"]["rmse"]
    assert comp["baselines"] == updated["test"]["baselines"]
    assert comp["already_learned"] == 0
    assert json.loads(cli("info", "--json").out)["updated_with"] == ["new.csv"]


def test_an_updated_model_can_be_updated_and_explained(cli, two_files):
    lines = (two_files / "new.csv").read_text().splitlines()
    (two_files / "a.csv").write_text("\n".join(lines[:300]))
    (two_files / "b.csv").write_text("\n".join([lines[0], *lines[300:]]))
    for name in ("a.csv", "b.csv"):
        assert cli("update", "model.funksvd", name, "-q").code == 0
    model = FunkSVD.load("model.funksvd")
    assert [update.ratings.files for update in model.provenance.updates] == [["a.csv"], ["b.csv"]]
    assert cli("evaluate", "-q").code == 0
    user = read_ratings("b.csv").user_ids[0]
    [row] = json.loads(cli("recommend", "--user", user, "-n", 1, "--explain", "--json").out)
    u = model.user_ids.tolist().index(user)
    seen = model.item_ids[model.seen.columns[slice(*model.seen.indptr[u : u + 2])]]
    assert {part["item"] for part in row["contributions"]} == set(seen.tolist())


def test_pairs_of_the_test_part_and_repeated_ones(cli, two_files):
    holdout = hold_out(read_ratings("old.csv"))
    rows = ["user,item,rating"]
    for part, n in ((holdout.test, 3), (holdout.training, 2)):
        users, items = part.user_ids[part.user_index[:n]], part.item_ids[part.item_index[:n]]
        rows += [f"{user},{item},1" for user, item in zip(users, items, strict=True)]
    (two_files / "again.csv").write_text("\n".join([*rows, "1,99999,2"]))
    result = cli("update", "model.funksvd", "again.csv")
    assert "New: 1 rating, 0 users, 1 item\n" in result.out
    assert "2 ratings take the place of older ones\n" in result.out
    assert "3 ratings are of pairs of the test part, and left out\n" in result.out


def test_a_single_one_of_each(cli, two_files):
    holdout = hold_out(read_ratings("old.csv"))
    rows = ["user,item,rating"]
    for part in (holdout.test, holdout.training):
        user, item = part.user_ids[part.user_index[0]], part.item_ids[part.item_index[0]]
        rows += [f"{user},{item},1"]
    (two_files / "again.csv").write_text("\n".join([*rows, rows[-1], "1,99999,2"]))
    result = cli("update", "model.funksvd", "again.csv")
    assert "\n1 rating takes the place of older ones\n" in result.out
    assert "\n1 rating is of a pair of the test part, and left out\n" in result.out
    assert "\n1 rating repeated a (user, item) pair" in result.out


def test_how_the_new_file_was_read_is_recorded(cli, two_files):
    text = (two_files / "new.csv").read_text().replace("rating", "liked").replace(",", "^")
    (two_files / "new.txt").write_text(text)
    arguments = ("--sep", "^", "--rating-col", "liked")
    assert cli("update", "model.funksvd", "new.txt", "-q", *arguments).code == 0
    assert cli("evaluate", "-q").code == 0


def test_another_scale_is_warned_of(cli, two_files):
    (two_files / "new.csv").write_text("user,item,rating\n1,1,4\n2,1,80\n3,2,100\n")
    result = cli("update", "model.funksvd", "new.csv", "-q")
    assert "2 of 3 new ratings are outside the model's scale, 0.5 to 5" in result.err


def test_items_that_look_wrong_are_warned_of(cli, two_files):
    (two_files / "odd.csv").write_text("user,item,rating\n1,70001,5\n2,70002,4\n3,3,2\n")
    result = cli("update", "model.funksvd", "odd.csv", "-q")
    assert "Warning: the model does not know 67% of these items" in result.err


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("", "this file is empty"),
        (
            "user,item,rating\nx,y,1\nz,y,2\n",
            "do not go together: the user ids of one are integers",
        ),
    ],
)
def test_what_cannot_be_added(error_of, two_files, new, message):
    before = (two_files / "model.funksvd").read_bytes()
    (two_files / "new.csv").write_text(new)
    assert message in error_of("update", "model.funksvd", "new.csv")
    assert (two_files / "model.funksvd").read_bytes() == before


def test_the_old_ratings_must_be_there(error_of, two_files):
    (two_files / "old.csv").unlink()
    message = error_of("update", "model.funksvd", "new.csv")
    assert "old.csv: the ratings that the model was trained on are no longer there" in message
    assert "or train a new model on all ratings with `funksvd train`" in message


def test_evaluate_says_which_file_it_misses(cli, error_of, two_files):
    cli("update", "model.funksvd", "new.csv", "-q")
    (two_files / "new.csv").unlink()
    assert "new.csv: the ratings that the model was trained on" in error_of("evaluate")


@pytest.mark.parametrize("algorithm", ["bayes", "bayes++", "incremental"])
def test_what_cannot_go_on_is_said_before_reading(error_of, here, sample, algorithm):
    FunkSVD(algorithm=algorithm, n_factors=2, n_epochs=1).fit(sample).save("model.funksvd")
    message = error_of("update", "model.funksvd", "not-there.csv")
    assert f"a model of algorithm '{algorithm}' cannot be trained further" in message


def test_a_model_that_records_nothing(error_of, two_files, sample):
    FunkSVD(n_factors=2, n_epochs=1).fit(sample).save("model.funksvd")
    message = error_of("update", "model.funksvd", "new.csv")
    assert "does not record which ratings it was trained on; train a new model" in message


def test_the_new_ratings_are_not_overwritten(error_of, two_files):
    message = error_of("update", "model.funksvd", "new.csv", "-o", "new.csv")
    assert "new.csv is read by this command too" in message


def test_ratings_in_the_place_of_the_model_are_not_to_be_removed(error_of, two_files):
    message = error_of("update", "ratings.csv", "model.funksvd")
    assert "ratings.csv: not a model file" in message
    assert "remove" not in message


def test_without_seen_pairs_it_stays_without(cli, two_files, quick):
    cli("train", "old.csv", "-q", "--no-seen", *quick)
    assert cli("update", "model.funksvd", "new.csv", "-q").code == 0
    assert FunkSVD.load("model.funksvd").seen is None
