"""scripts/model_cluster.py: its terms, worked by hand, and what is printed."""

import importlib
import json

import pytest


@pytest.fixture(scope="module")
def model(root):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "scripts")
        yield importlib.import_module("model_cluster")


def test_two_measured_epochs_give_both_costs_of_a_rating(model):
    # 10 ns + 0.5 ns a factor, of a core
    measured = [[20, 1e9 / 20, 1], [60, 2e9 / 40, 2]]
    assert model.fitted(measured) == pytest.approx((1e-8, 5e-10))
    assert model.fitted([[50, 1e8, 2]]) == pytest.approx((0.0, 4e-10))


def figures(model, n_workers, **changes):
    machines = {
        "cores": 4,
        "seconds_per_rating": 1e-8,
        "seconds_per_factor": 5e-10,
        "memory": 1e9,
        "network": 1e7,
        "step": 0.001,
        "price": 36.0,
    }
    data = model.Data(1e6, 1_000, 8_000, 20, 8)  # rows of 84 bytes; every user is in each block
    return model.predicted(data, n_workers, model.Machines(**(machines | changes)), 100)


def test_the_terms_by_hand(model):
    comp = figures(model, 2)
    assert comp["arithmetic s"] == pytest.approx(500_000 * 2e-8 / 4)
    # 32 blocks, each of 125 users and 1,000 items, read and written
    assert comp["memory s"] == pytest.approx((2 * 32 * 1_125 * 84 + 6e6) / 1e9)
    assert comp["network s"] == pytest.approx(8_000 * 84 / 1e7)
    assert comp["steps s"] == pytest.approx(0.008)
    assert comp["epoch s"] == pytest.approx(0.0672 + 0.008)
    assert comp["GB a worker"] == pytest.approx(2 + (2 * 4_500 * 84 + 6e6) / 1e9)
    assert comp["price"] == pytest.approx(100 * 0.0752 * 2 / 100)


def test_one_machine_hands_nothing_over(model):
    comp = figures(model, 1)
    assert comp["network s"] == comp["steps s"] == 0
    assert comp["epoch s"] == max(comp["arithmetic s"], comp["memory s"])


def test_there_are_no_more_threads_than_groups(model):
    two, eight = (figures(model, n, memory=1e18, network=1e18, step=0) for n in (2, 8))
    assert two["epoch s"] == pytest.approx(eight["epoch s"])  # 2 x 4 threads, 8 x 1


def test_the_estimate_by_hand_is_met_within_a_fifth(model, capsys):
    model.main(["--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    comp = [row["epoch s"] for row in rows if row["workers"] > 1]
    assert comp == pytest.approx([2.9, 0.87, 0.68, 43, 11, 3.4], rel=0.2)


def test_a_table_of_other_data(model, capsys):
    model.main(
        ["--data", "1e6:1e4:1e3:64:4", "--workers", "1", "4", "8", "--calibrate", "64:1e8:1"]
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3  # 8 workers have no groups
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split()[:5] == ["1,000,000", "64", "4", "1", "0.0025"]
