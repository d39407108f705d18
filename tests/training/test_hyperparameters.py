"""Limits of the hyperparameters, and the messages outside them."""

import pytest

from funksvd import FunkSVDError
from funksvd.training import ALGORITHMS, Hyperparameters, available_processors


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n_factors", 0, "n_factors must be a whole number of at least 1, not 0"),
        ("n_factors", 1.5, "n_factors must be a whole number of at least 1, not 1.5"),
        ("n_epochs", -1, "n_epochs must be a whole number of at least 1, not -1"),
        ("patience", 0, "patience must be a whole number of at least 1, not 0"),
        ("seed", -1, "seed must be a whole number of at least 0, not -1"),
        ("learning_rate", 0, "learning_rate must be a number greater than 0, not 0"),
        ("learning_rate", float("nan"), "learning_rate must be a number greater than 0, not nan"),
        ("learning_rate_decay", -1, "learning_rate_decay must be a number greater than 0, not -1"),
        ("reg", -0.1, "reg must be a number of at least 0, not -0.1"),
        ("bias_reg", float("inf"), "bias_reg must be a number of at least 0, not inf"),
        ("init_std", "big", "init_std must be a number of at least 0, not 'big'"),
        ("validation_fraction", 1, "validation_fraction must be at least 0 and less than 1, not 1"),
        ("n_threads", 0, "n_threads must be a whole number of at least 1, not 0"),
    ],
)
def test_out_of_range(name, value, message):
    with pytest.raises(FunkSVDError) as error:
        Hyperparameters(**{name: value}).check()
    assert str(error.value) == message


def test_the_defaults_are_in_range():
    Hyperparameters().check()


def test_thread_count():
    assert Hyperparameters(n_threads=3).thread_count() == 3
    assert Hyperparameters().thread_count() == available_processors() >= 1


def test_what_is_not_given_is_the_algorithms_own():
    defaults = ALGORITHMS["sgd"].defaults
    resolved = Hyperparameters(n_epochs=7).resolved()
    assert (resolved.n_factors, resolved.n_epochs) == (defaults["n_factors"], 7)
    assert (resolved.reg, resolved.n_threads) == (None, None)  # chosen by the data, the machine


def test_an_unknown_algorithm():
    with pytest.raises(FunkSVDError, match=r"algorithm must be one of sgd.*, not 'sdg'"):
        Hyperparameters(algorithm="sdg").check()
