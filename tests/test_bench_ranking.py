"""scripts/bench_ranking.py: its splits, figures and choices, and the peers that are written out."""

import importlib
import itertools
import json
import math
import sys

import numpy as np
import pytest

from funksvd.metrics import ranking_metrics

LOG2 = math.log(2)


@pytest.fixture(scope="module")
def scripts(root):
    """The folder of scripts can be imported from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "scripts")
        yield


@pytest.fixture(scope="module")
def bench(scripts):
    """The script."""
    return importlib.import_module("bench_ranking")


@pytest.fixture(scope="module")
def workers(scripts):
    """What it has done by other processes."""
    return importlib.import_module("ranking_workers")


@pytest.fixture
def part(workers, tmp_path):
    """A training part: 20 users, 15 items, of which nobody rated the last."""
    random = np.random.default_rng(0)
    users, items = np.nonzero(random.random((20, 14)) < 0.3)
    ratings = random.integers(1, 6, len(users))
    path = tmp_path / "part.npz"
    np.savez(path, users=users, items=items, ratings=ratings, shape=np.array([20, 15]))
    return workers.Part(path)


def test_figures_of_lists_worked_by_hand(bench):
    relevant = np.zeros((3, 6), bool)
    relevant[0, [1, 4, 5]] = relevant[2, 3] = True
    best = np.array([[4, 0, 1, 2], [0, 1, 2, 3], [5, 3, -1, -1]])
    comp = bench.figures(best, relevant)
    ideal = 1 + LOG2 / math.log(3) + 0.5
    assert comp.ndcg == pytest.approx([1.5 / ideal, LOG2 / math.log(3)])
    assert comp.recall == pytest.approx([2 / 3, 1])
    assert comp.precision == pytest.approx([0.5, 0.25])


def test_figures_are_those_of_the_package(bench):
    random = np.random.default_rng(1)
    relevant = random.random((50, 30)) < random.choice([0, 0.03, 0.6], (50, 1))
    best = np.argsort(random.random((50, 30)), axis=1)[:, :10]
    comp = bench.figures(best, relevant)
    counts = relevant.any(axis=1)
    assert 0 < counts.sum() < 50
    hits = np.take_along_axis(relevant, best, axis=1)
    ref = ranking_metrics(hits[counts], relevant.sum(axis=1)[counts], 10)
    for name in bench.Figures._fields:
        assert getattr(comp, name) == pytest.approx(getattr(ref, name), abs=1e-12)


def test_lists_leave_out_what_is_no_candidate_and_break_ties_by_row(part):
    best = part.best(np.zeros(part.shape), 15)
    for user, row in enumerate(best):
        unseen = np.flatnonzero(~np.isin(np.arange(14), part.items[part.users == user]))
        assert row[: len(unseen)].tolist() == unseen.tolist()
        assert (row[len(unseen) :] == -1).all()


def test_ease_is_that_of_its_paper(workers, part):
    x = np.zeros(part.shape)
    x[part.users, part.items] = 1
    p = np.linalg.inv(x.T @ x + 7 * np.eye(15))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0)
    assert workers.ease(part, 1, reg=7) == pytest.approx(x @ b, abs=1e-10)


def write(path, rows):
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))


def test_given_folds_have_the_ids_of_both_parts(bench, tmp_path):
    for k in range(1, 6):
        rows = [(u, i, 1 + (u + i) % 5, 0) for u, i in itertools.product((1, 2, 3), (7, 8, k + 10))]
        write(tmp_path / f"u{k}.base", rows)
        write(tmp_path / f"u{k}.test", [(1, 20, 5, 0), (2, 20, 4, 0), (9, 8, 5, 0), (3, 20, 3, 0)])
    data = bench.read(f"folds:{tmp_path}")
    assert len(data.tests) == 5
    split = data.tests[1]
    assert split.shape == (4, 4)
    assert (len(split.training), len(split.test)) == (9, 4)
    # user 9 is unknown, and user 3's rating is not liked
    assert split.relevant("liked").sum(axis=1).tolist() == [1, 1, 0, 0]
    assert split.relevant("all").sum(axis=1).tolist() == [1, 1, 1, 0]
    assert len(data.validation.test) == 1


def test_the_last_rating_of_each_user_and_before_it_the_last_but_one(bench, tmp_path):
    write(tmp_path / "u.data", [(u, i, 1 + i % 5, 10 - i) for u in (1, 2) for i in range(5)])
    data = bench.read(f"last:{tmp_path / 'u.data'}")
    (split,) = data.tests
    assert split.test.items.labels(split.test.item_index).tolist() == [0, 0]
    assert data.validation.test.items.labels(data.validation.test.item_index).tolist() == [1, 1]
    assert len(data.validation.training) == 6


def test_settings_are_chosen_for_each_relevance(bench):
    class Validation:
        def relevant(self, relevance):
            return np.array([[relevance == "liked", False, relevance == "all"]])

    lists = np.array([[[1, 0]], [[2, 1]], [[0, 1]]])
    settings = [{"k": 1}, {"k": 2}, {"k": 3}]
    found = bench.Recommender("r", "1", settings, lambda _, tried: lists[: len(tried)])
    assert found.chosen(Validation()) == {"liked": {"k": 3}, "all": {"k": 2}}


def test_differences_are_of_the_same_users(bench):
    first = {"users": {"liked": [np.array([0.1, 0.2]), np.array([0.4, 0.6])], "all": []}}
    other = {"users": {"liked": [np.array([0.3, 0.2]), np.array([0.5, 0.9])], "all": []}}
    first["users"]["all"] = other["users"]["all"] = first["users"]["liked"]
    same, row = bench.with_differences([first, other])
    assert same == {}
    assert row["liked_difference"] == pytest.approx(0.15)
    # variances of the folds' means are .02 / 2 and .02 / 2
    assert row["liked_error"] == pytest.approx(1.96 * math.sqrt(0.02) / 2)
    assert row["all_difference"] == row["all_error"] == 0


def test_one_command_compares_what_is_there(bench, root, tmp_path, monkeypatch, capsys):
    arguments = ["--no-ours", "--threads", "1", "--json", str(tmp_path / "all.json")]
    data = str(root / "data" / "ratings.csv")
    monkeypatch.setattr(sys, "argv", ["bench_ranking.py", data, *arguments])
    bench.main()
    (found,) = json.loads((tmp_path / "all.json").read_text())["data"]
    rows = {row["trainer"]: row for row in found["rows"]}
    assert list(rows) == [name for name, *_ in bench.PEERS]
    assert rows["most popular"]["settings"] == {"liked": {}, "all": {}}
    for relevance in bench.RELEVANCES:
        assert rows["most popular"][f"{relevance}_ndcg"] > 0.15
        assert rows["EASE"][f"{relevance}_ndcg"] > 0.15
        assert rows["EASE"]["settings"][relevance] in bench.EASE
    assert "note" in rows["implicit ALS"]
    out = capsys.readouterr().out
    for name in rows:
        assert name in out


def test_peers_have_ten_settings_each(bench):
    assert {name: len(settings) for name, _, _, settings in bench.PEERS[1:]} == dict.fromkeys(
        (name for name, *_ in bench.PEERS[1:]), 10
    )
