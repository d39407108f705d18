"""scripts/bench_ials.py: its pairs and their parts, its figures, and one small comparison."""

import importlib
import json
import math
import sys

import numpy as np
import pytest


@pytest.fixture(scope="module")
def scripts(root):
    """The folder of scripts can be imported from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "scripts")
        yield


@pytest.fixture(scope="module")
def workers(scripts):
    """What the script has done by other processes."""
    return importlib.import_module("ials_workers")


def pairs_of(path):
    """Pairs of a file, as a set."""
    if path.suffix == ".npz":
        found = np.load(path)
        rows = np.column_stack([found["users"], found["items"]])
    else:
        rows = np.loadtxt(path, int, delimiter=",", skiprows=1)
    pairs = set(map(tuple, rows.tolist()))
    assert len(pairs) == len(rows)
    return pairs


@pytest.fixture(scope="module")
def made(workers, tmp_path_factory):
    """Parts of 60,000 pairs, and the facts about them."""
    folder = tmp_path_factory.mktemp("made")
    return folder, workers.make(str(folder), 2_000, 1_000, 60_000)


def test_parts_are_parts(made):
    folder, facts = made
    names = ("train.csv", "test.npz", "tune.csv", "valid.npz")
    train, test, tune, valid = (pairs_of(folder / name) for name in names)
    assert not train & test
    assert not tune & valid
    assert train == tune | valid
    assert len(train | test) == facts["pairs"] == pytest.approx(60_000, rel=0.02)
    assert len(test) == pytest.approx(0.1 * facts["pairs"], rel=0.1)
    assert len(valid) == pytest.approx(0.09 * facts["pairs"], rel=0.1)
    assert {user for user, _ in tune} == set(range(2_000))


def test_tastes_can_be_learned(scripts, workers, tmp_path, monkeypatch):
    """Lists by the items of the same people are better than most popular."""
    ranking = importlib.import_module("bench_ranking")
    recommenders = importlib.import_module("ranking_workers")
    monkeypatch.setattr(workers, "N_TOPICS", 8)
    workers.make(str(tmp_path), 2_000, 1_000, 60_000)
    users, items = np.array(sorted(pairs_of(tmp_path / "train.csv"))).T
    files = {"users": users, "items": items, "ratings": np.ones(len(users))}
    np.savez(tmp_path / "part.npz", **files, shape=np.array([2_000, 1_000]))
    part = recommenders.Part(str(tmp_path / "part.npz"))
    relevant = np.zeros(part.shape, bool)
    relevant[tuple(np.array(sorted(pairs_of(tmp_path / "test.npz"))).T)] = True
    scores = recommenders.most_popular(part, 1), recommenders.ease(part, 1, reg=100)
    popular, learned = (
        ranking.figures(part.best(each, 10), relevant).ndcg.mean() for each in scores
    )
    assert learned > 1.2 * popular


def test_an_iteration_takes_the_median_time_between_ends(workers):
    assert workers._per_iteration([9.0, 10.0, 12.0, 13.5, 14.0]) == 1.25


def test_ndcg_of_lists_worked_by_hand(workers, tmp_path, monkeypatch):
    np.savez(tmp_path / "test.npz", users=[5, 5, 8, 9], items=[0, 2, 1, 3])
    best = np.full((3, 10), -1)
    best[0, :3], best[1, :2], best[2, :2] = [4, 2, 0], [1, 0], [1, 0]

    def lists(model, users):
        assert users.tolist() == [5, 8, 9]
        return best

    monkeypatch.setattr(workers, "ours_lists", lists)
    comp = workers.ndcg("ours", "model", tmp_path / "test.npz", "pairs")
    second, third = math.log(2) / math.log(3), 0.5
    assert comp == pytest.approx(((second + third) / (1 + second) + 1 + 0) / 3)


def test_one_command_compares_what_is_there(scripts, tmp_path, monkeypatch, capsys):
    bench = importlib.import_module("bench_ials")
    shape = ["--users", "200", "--items", "100", "--pairs", "5000", "--iterations", "3"]
    rest = ["--factors", "8", "--runs", "1", "--json", str(tmp_path / "all.json")]
    monkeypatch.setattr(sys, "argv", ["bench_ials.py", *shape, *rest])
    bench.main()
    report = json.loads((tmp_path / "all.json").read_text())
    (found,) = report["factors"]
    assert found["n_factors"] == 8
    ours, theirs = found["rows"]
    assert 0 < ours["iteration"] < ours["whole"]
    assert ours["iteration_ratio"] == 1
    assert ours["ndcg"] > 0.1
    assert theirs["note"] == bench.MISSING
    assert len(bench.SETTINGS) == 10
    assert "8 factors" in capsys.readouterr().out
