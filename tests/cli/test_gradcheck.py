"""`funksvd gradcheck`."""

import json

import pytest

from funksvd import gradcheck
from funksvd.autodiff import AutodiffError
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


def test_each_witness_tells_which_problem_it_was_given(cli):
    pytest.importorskip("sympy")
    out = cli("gradcheck", "--only", "biased").out
    assert "sympy: an excerpt with positions of its own, 3 ratings, 2 users, 2 items, 2 f" in out
    problems = json.loads(cli("gradcheck", "--only", "biased", "--json").out)["problems"]["biased"]
    assert problems["reverse"] == problems["kernel"]
    assert problems["kernel"] == {"n_ratings": 16, "n_users": 6, "n_items": 5, "n_factors": 3}
    assert problems["sympy"] == {"n_ratings": 3, "n_users": 2, "n_items": 2, "n_factors": 2}
    sizes = ("--n-ratings", 1, "--n-users", 1, "--n-items", 1, "-k", 1)
    out = cli("gradcheck", "--only", "biased", *sizes).out
    assert "1 rating, 1 user, 1 item, 1 factor\n" in out
    assert "excerpt" not in out


def test_only_the_objectives_that_are_named(cli):
    names = ("--only", "huber", "--only", "svd++")
    result = cli("gradcheck", *names, "--json")
    assert result.code == 0
    assert list(json.loads(result.out)["objectives"]) == ["svd++", "huber"]
    out = cli("gradcheck", *names).out
    assert "SVD++: 16 ratings" in out
    assert "Huber loss: 16 ratings" in out
    assert out.count("16 ratings") == 2


def test_an_objective_that_there_is_not(error_of):
    error = error_of("gradcheck", "--only", "hubber")
    names = ", ".join(gradcheck.OBJECTIVES)
    message = f"no objective called 'hubber', only {names}. Did you mean huber?"
    assert message in " ".join(error.split())


def test_nothing_left_to_check(error_of):
    error = error_of("gradcheck", "--only", "svd++", "--no-biases")
    assert "nothing is left to check: --only names no objective without biases" in error


def test_a_witness_that_cannot_differentiate_is_shown_and_does_not_fail_the_check(cli, monkeypatch):
    def cannot(checked, problem):
        raise AutodiffError("erf has no rule")

    witness = gradcheck.WITNESSES["forward"]._replace(gradient=cannot)
    monkeypatch.setitem(gradcheck.WITNESSES, "forward", witness)
    result = cli("gradcheck", "--only", "biased")
    assert result.code == 0
    assert "forward cannot differentiate this loss: erf has no rule" in result.out
    value = json.loads(cli("gradcheck", "--only", "biased", "--json").out)
    assert value["cannot"] == {"biased": {"forward": "erf has no rule"}}
    assert value["agrees"] is True
    for name in gradcheck.available_witnesses():
        monkeypatch.setitem(gradcheck.WITNESSES, name, witness)
    result = cli("gradcheck", "--only", "biased")
    assert result.code == 1
    assert "no witness can differentiate: biased" in result.err
    assert "All agree" not in result.out


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
