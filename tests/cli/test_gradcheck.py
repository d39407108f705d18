"""`funksvd gradcheck`."""

import json

import pytest

from funksvd import gradcheck
from funksvd.objectives import plain as objective


@pytest.fixture
def wrong_gradient(monkeypatch):
    """The gradient of the objective with biases, off by a thousandth in one block."""

    def gradients(*arguments):
        gradient = objective.gradients(*arguments)
        return gradient._replace(item_factors=1.001 * gradient.item_factors)

    wrong = gradcheck.OBJECTIVES["biased"]._replace(gradients=gradients)
    monkeypatch.setitem(gradcheck.OBJECTIVES, "biased", wrong)


def test_it_passes_and_says_what_was_compared(cli):
    result = cli("gradcheck")
    assert result.code == 0
    assert "Funk SVD with biases: 16 ratings, 6 users, 5 items, 3 factors" in result.out
    assert "Funk SVD without biases" in result.out
    assert "DISAGREES" not in result.out
    assert result.out.endswith("All agree: the gradients are right.\n")
    assert result.err == ""


def test_a_mismatch_is_named_and_exits_with_1(cli, wrong_gradient):
    result = cli("gradcheck")
    assert result.code == 1
    assert "All agree" not in result.out
    assert "gradients disagree: item_factors (biased, by reverse)" in result.err
    n_wrong = len(gradcheck.available_witnesses())
    assert result.out.count("DISAGREES") == n_wrong


def test_json(cli, wrong_gradient):
    result = cli("gradcheck", "--json")
    assert result.code == 1
    value = json.loads(result.out)
    assert value["agrees"] is False
    wrong = [row for row in value["objectives"]["biased"] if not row["agrees"]]
    assert {row["block"] for row in wrong} == {"item_factors"}
    assert all(row["agrees"] for row in value["objectives"]["unbiased"])


@pytest.mark.parametrize(("flag", "there"), [("--biases", "with"), ("--no-biases", "without")])
def test_with_or_without_biases_only(cli, flag, there):
    out = cli("gradcheck", flag).out
    assert out.count("Funk SVD with") == 1
    assert f"Funk SVD {there} biases" in out


def test_sizes(cli):
    sizes = ("--n-users", 3, "--n-items", 4, "--n-ratings", 8, "-k", 2, "--seed", 5)
    out = cli("gradcheck", "--no-biases", *sizes).out
    assert "8 ratings, 3 users, 4 items, 2 factors" in out
    assert out != cli("gradcheck", "--no-biases", *sizes[:-1], 6).out


def test_a_sample_of_real_ratings(cli, here):
    result = cli("gradcheck", "--ratings", "ratings.csv", "--n-ratings", 12, "--no-biases")
    assert result.code == 0
    assert "Read ratings.csv: comma-separated" in result.out
    assert "Funk SVD without biases: 12 ratings" in result.out


def test_the_step_study(cli):
    result = cli("gradcheck", "--step-study")
    assert result.code == 0
    rows = [line.split() for line in result.out.splitlines() if line[:1].isspace() or "e-" in line]
    assert len(rows) >= 29
    assert sum("*" in row for row in rows) >= 2
    assert len(json.loads(cli("gradcheck", "--step-study", "--json").out)) == 29


def test_the_plot(cli, here):
    pytest.importorskip("matplotlib")
    assert cli("gradcheck", "--step-study", "--plot", "steps.png").code == 0
    assert (here / "steps.png").read_bytes().startswith(b"\x89PNG")


def test_impossible_sizes_are_bad_input(error_of):
    assert "31 ratings are more than the 30 pairs" in error_of("gradcheck", "--n-ratings", 31)
