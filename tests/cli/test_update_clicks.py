"""`funksvd update` of models of choices, from clicks, and of both."""

import json
import re

import numpy as np
import pytest

from funksvd import FunkSVD, evaluate_ranking, hold_out, read_clicks, read_ratings, rebuild

N_OLD = 2600


@pytest.fixture(scope="module")
def rows():
    """Clicks of users who like one of four groups of items; some pairs come again."""
    random = np.random.default_rng(0)
    users, items = random.integers(0, 80, 3000), random.integers(0, 60, 3000)
    items = np.where(random.random(3000) < 0.7, items // 4 * 4 + users % 4, items)
    users[-30:] += 100
    items[-9:] += 100
    return [f"{user},{item}" for user, item in zip(users, items, strict=True)]


def write(path, rows, header="user,item"):
    path.write_text("\n".join([header, *rows, ""]))


@pytest.fixture
def folder(tmp_path, monkeypatch, rows):
    """old.csv, model.funksvd of it, and new.csv."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "old.csv", rows[:N_OLD])
    write(tmp_path / "new.csv", rows[N_OLD:])
    save(read_clicks("old.csv"), algorithm="ials", n_factors=4)
    return tmp_path


def save(data, **options):
    holdout = hold_out(data)
    model = FunkSVD(**options).fit(holdout.training)
    model.remember_origin(holdout)
    model.save("model.funksvd")


def test_what_a_person_sees(cli, folder):
    before = FunkSVD.load("model.funksvd")
    result = cli("update", "model.funksvd", "new.csv", "-o", "new.funksvd")
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    [new] = [line for line in lines if line.startswith("New: ")]
    assert re.fullmatch(r"New: \d+ interactions, \d+ users, \d+ items", new)
    assert re.search(r"\n\d+ interactions are of known pairs, which count more now\n", result.out)
    assert re.search(
        r"\n\d+ interactions are of pairs of the test part, and left out\n", result.out
    )
    assert "by choice" in result.out
    assert "RMSE" not in result.out
    holdout = rebuild(FunkSVD.load("new.funksvd").provenance)
    ref = evaluate_ranking(before, holdout.test, training=holdout.all_but_test).model.means.ndcg
    assert lines[-1] == f"Before the update, the NDCG of its lists was {ref:.4f}"
    assert len(FunkSVD.load("new.funksvd").user_ids) > len(before.user_ids)


@pytest.mark.parametrize("order", [list, sorted, lambda rows: rows[::-1]])
def test_a_file_that_has_grown_gives_the_same_answers(cli, folder, rows, order):
    ref = json.loads(cli("update", "model.funksvd", "new.csv", "-o", "ref", "--json").out)
    write(folder / "old.csv", order(rows))
    comp = json.loads(cli("update", "model.funksvd", "old.csv", "--json").out)
    assert (ref["grown"], comp["grown"]) == (False, True)
    for name in ("n_ratings", "n_users", "n_new_users", "test_ranking"):
        assert comp[name] == ref[name]
    # Counts that are the largest of all can grow without any more weight.
    assert 0.95 * ref["n_repeated"] < comp["n_repeated"] <= ref["n_repeated"]
    assert comp["test"] is None
    assert comp["test_ranking"]["recommenders"]["choice"]["ndcg"] > 0
    again = cli("update", "model.funksvd", "old.csv")
    assert "There is nothing to learn: the model stays as it is\n" in again.out


def test_the_same_file_again_changes_nothing(cli, folder):
    assert cli("update", "model.funksvd", "new.csv", "-q").code == 0
    before = (folder / "model.funksvd").read_bytes()
    result = cli("update", "model.funksvd", "new.csv")
    assert re.search(r"\n\d+ interactions are known already\n", result.out)
    assert "There is nothing to learn" in result.out
    assert (folder / "model.funksvd").read_bytes() == before


def test_clicks_that_are_gone_are_forgotten_and_it_is_said(cli, folder, rows):
    write(folder / "old.csv", rows[200:])
    result = cli("update", "model.funksvd", "old.csv")
    assert result.code == 0
    assert re.search(r"of the [\d,]+ interactions that .* \d+ are gone, and forgotten", result.err)
    assert re.search(r"\n\d+ interactions of known pairs: these count more now\n", result.out)


def test_a_limit_of_the_rmse_is_refused(error_of, folder):
    message = error_of("update", "model.funksvd", "new.csv", "--max-rmse", "1")
    assert (
        "--max-rmse looks at errors of predicted ratings, and model.funksvd predicts none"
        in message
    )


def test_ratings_for_a_model_of_clicks_are_read_as_clicks(cli, folder, rows):
    write(folder / "new.csv", [f"{row},{1 + n % 5}" for n, row in enumerate(rows[N_OLD:])],
          "user,item,rating")  # fmt: skip
    result = cli("update", "model.funksvd", "new.csv")
    assert result.code == 0
    assert "interactions" in result.out


def test_a_model_of_both_tells_of_both(cli, folder, rows):
    header = "user,item,rating"
    stars = [f"{row},{1 + (3 * n + n // 7) % 5}" for n, row in enumerate(rows)]
    write(folder / "old.csv", stars[:N_OLD], header)
    write(folder / "new.csv", stars[N_OLD:], header)
    save(read_ratings("old.csv"), n_factors=4, n_epochs=3)
    result = cli("update", "model.funksvd", "new.csv")
    assert (result.code, "RMSE" in result.out) == (0, True)
    before, after = result.out.splitlines()[-1], result.out.splitlines()[-2]
    assert re.fullmatch(r"Lists of 10: NDCG 0\.\d{4}", after)
    parts = r"Before the update, its RMSE was \d\.\d{4}, and the NDCG of its lists was 0\.\d{4}"
    assert re.fullmatch(parts, before)
    assert FunkSVD.load("model.funksvd").rankings == ("both", "choice", "rating")
