"""`funksvd update`."""

import json

import numpy as np
import pytest

from funksvd import FunkSVD, hold_out, read_ratings
from funksvd_cli.reproduce import reproducing_command

QUICK = ("-k", "4", "--n-epochs", "4", "--learning-rate", "0.1")


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
    words = ("recommend", "--user", user, "-n", 1, "--by", "rating", "--explain", "--json")
    [row] = json.loads(cli(*words).out)
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
    assert "\n1 rating takes the place of an older one\n" in result.out
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
    assert "2 of 3 ratings are outside the model's scale, 0.5 to 5 (like 80)" in result.err


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
            "new.csv has text among its user ids (like 'x'), and the model integers (like 1). "
            "Correct these ids, or train a new model on all ratings with `funksvd train`",
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


class TestGrown:
    """RATINGS is the whole file, with old rows and new ones, as a nightly dump is."""

    @pytest.fixture
    def grown(self, cli, two_files):
        """old.csv, with the 600 new rows among the others; and what `update` makes of new.csv."""
        result = cli("update", "model.funksvd", "new.csv", "-o", "ref.funksvd", "--json")
        self.ref = json.loads(result.out)["test"]
        lines = (two_files / "ratings.csv").read_text().splitlines()
        (two_files / "old.csv").write_text("\n".join([lines[0], *sorted(lines[1:])]))
        return two_files

    def test_only_what_is_new_is_learned_from(self, cli, grown):
        result = cli("update", "model.funksvd", "old.csv")
        assert (result.code, result.err) == (0, "")
        assert "the file that the model has learned from, grown" in result.out
        assert "New: 600 ratings, 0 users, 0 items\n" in result.out
        comp, ref = (FunkSVD.load(name) for name in ("model.funksvd", "ref.funksvd"))
        np.testing.assert_array_equal(comp.user_factors, ref.user_factors)
        np.testing.assert_array_equal(comp.item_biases, ref.item_biases)
        (grown / "new.csv").unlink()
        tested = json.loads(cli("evaluate", "--json").out)
        assert tested["rmse"] == pytest.approx(self.ref["rmse"], abs=1e-9)
        assert tested["n_ratings"] == self.ref["n_ratings"]
        again = cli("update", "model.funksvd", "old.csv")
        assert "There is nothing to learn: the model stays as it is\n" in again.out
        np.testing.assert_array_equal(FunkSVD.load("model.funksvd").user_factors, ref.user_factors)

    def test_what_has_changed_or_is_gone_is_said(self, cli, grown):
        model = FunkSVD.load("model.funksvd")
        lines = (grown / "old.csv").read_text().splitlines()
        index = [model.users.rows([row.split(",")[0] for row in lines[1:]])]
        index.append(model.items.rows([row.split(",")[1] for row in lines[1:]]))
        mine = np.flatnonzero(model.seen.contains(*index))[:8] + 1
        for at in mine[:5]:
            user, item, stars, *rest = lines[at].split(",")
            lines[at] = ",".join([user, item, "1" if float(stars) > 2 else "5", *rest])
        rows = [row for at, row in enumerate(lines) if at not in mine[5:]]
        (grown / "old.csv").write_text("\n".join(rows))
        result = cli("update", "model.funksvd", "old.csv", "--json")
        plain = json.loads(result.out)
        assert (plain["grown"], plain["n_new_ratings"], plain["n_repeated"]) == (True, 605, 5)
        assert (plain["n_gone"], plain["saved"]) == (3, True)
        assert (
            f"old.csv: of the {model.n_ratings:,} ratings that the model has learned from, 5 have "
            "another value now, which takes the old one's place; 3 are gone, but what was learned "
            "from them stays. To learn from this file alone, train a new model on it"
        ) in result.err

    def test_the_report_says_that_its_command_is_not_the_same(self, cli, grown):
        cli("update", "model.funksvd", "old.csv", "-q")
        command, remarks = reproducing_command(FunkSVD.load("model.funksvd"), "model.funksvd")
        assert command.startswith("funksvd train old.csv")
        assert "update" not in command
        assert "has grown" in remarks[0]


class TestGate:
    """`--max-rmse` keeps the old model where the new one is worse than that on the test part."""

    @pytest.mark.parametrize("as_json", [False, True])
    @pytest.mark.parametrize(
        "arguments",
        [
            ("train", "old.csv", "-o", "model.funksvd", *QUICK),
            ("update", "model.funksvd", "new.csv"),
        ],
        ids=lambda arguments: arguments[0],
    )
    def test_it(self, cli, two_files, arguments, as_json):
        before = (two_files / "model.funksvd").read_bytes()
        json_too = ("--json",) if as_json else ()
        result = cli(*arguments, "--max-rmse", "0.1", *json_too)
        assert result.code == 1
        assert (
            "more than the 0.1 of --max-rmse: the new model was not saved to model.funksvd, "
            in (result.err)
        )
        assert (two_files / "model.funksvd").read_bytes() == before
        (two_files / "model.funksvd").unlink() if arguments[0] == "train" else None
        good = cli(*arguments, "--max-rmse", "2", *json_too)
        assert (good.code, (two_files / "model.funksvd").exists()) == (0, True)
        assert (two_files / "model.funksvd").read_bytes() != before or arguments[0] == "train"
        if as_json:
            for each, is_saved, limit in ((result, False, 0.1), (good, True, 2)):
                plain = json.loads(each.out)
                assert (plain["saved"], plain["max_rmse"]) == (is_saved, limit)
                assert 0.1 < plain["test"]["rmse"] < 2

    def test_it_needs_a_test_part(self, cli, error_of, two_files, quick):
        arguments = ("train", "old.csv", *quick, "--test-fraction", "0")
        assert "--test-fraction 0 sets none aside" in error_of(*arguments, "--max-rmse", "1")
        assert cli(*arguments, "-q").code == 0
        message = error_of("update", "model.funksvd", "new.csv", "--max-rmse", "1")
        assert "model.funksvd was trained without one" in message
        (two_files / "tiny.csv").write_text("user,item,rating\n1,1,5\n1,2,3\n2,1,4\n")
        message = error_of("train", "tiny.csv", "--max-rmse", "1")
        assert "set aside for the test, and there are none" in message

    @pytest.mark.parametrize("limit", ["0", "-1", "nan", "x"])
    def test_a_limit_that_makes_no_sense(self, error_of, two_files, limit):
        assert "--max-rmse" in error_of("train", "old.csv", "--max-rmse", limit)


def test_an_older_rating_is_left_out_and_not_said_to_replace_one(cli, here):
    rows = [f"{u},{i},{1 + (u + i) % 5},{1_600_000_000 + u}" for u in range(8) for i in range(8)]
    (here / "base.csv").write_text("\n".join(["user,item,rating,timestamp", *rows]))
    (here / "older.csv").write_text("user,item,rating,timestamp\n1,4,5,1500000000\n")
    arguments = ("-o", "b.funksvd", "-q", *QUICK, "--test-fraction", "0")
    assert cli("train", "base.csv", *arguments).code == 0
    before = (here / "b.funksvd").read_bytes()
    result = cli("update", "b.funksvd", "older.csv")
    assert "1 rating is older than the model's own and is left out\n" in result.out
    assert "take" not in result.out
    assert (here / "b.funksvd").read_bytes() == before
    plain = json.loads(cli("update", "b.funksvd", "older.csv", "--json").out)
    assert (plain["n_older"], plain["n_new_ratings"], plain["n_repeated"]) == (1, 0, 0)


def test_a_single_rating_of_another_scale(cli, two_files):
    (two_files / "new.csv").write_text("user,item,rating\n1,1,500\n")
    result = cli("update", "model.funksvd", "new.csv", "-q")
    assert "1 of 1 rating is outside the model's scale, 0.5 to 5 (like 500)" in result.err
    if "biases alone" in result.err:
        assert "train a new one with other hyperparameters (--reg, --learning-rate)" in result.err
