"""Ranges of the hyperparameters, what goes together, and what each algorithm makes of them."""

import copy
import pickle

import numpy as np
import pytest

from funksvd import FunkSVDError
from funksvd.errors import UnknownHyperparameterError
from funksvd.hyperparameters import (
    ALGORITHMS,
    DECLARATIONS,
    FULL_BATCH,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    Hyperparameters,
)
from funksvd.parallel import available_processors


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
        (
            "optimizer",
            "sdg",
            "optimizer must be one of sgd, momentum, adagrad, adagrad-element, "
            "rmsprop, adam, not 'sdg'",
        ),
        ("batch_size", 0, "batch_size must be a whole number of at least 1, or 'full', not 0"),
        (
            "batch_size",
            "all",
            "batch_size must be a whole number of at least 1, or 'full', not 'all'",
        ),
        ("ensemble_snapshots", 1, "ensemble_snapshots must be True or False, not 1"),
        ("n_threads", 0, "n_threads must be a whole number of at least 1, not 0"),
    ],
)
def test_out_of_range(name, value, message):
    with pytest.raises(FunkSVDError) as error:
        Hyperparameters(**{name: value}).check()
    assert str(error.value) == message


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_defaults_are_in_range_and_go_together(algorithm):
    Hyperparameters(algorithm=algorithm).check()
    Hyperparameters(algorithm=algorithm).resolved().check()


@pytest.mark.parametrize(("name", "value"), [("n_factors", np.int64(4)), ("reg", np.float32(0.5))])
def test_numbers_of_numpy_are_numbers(name, value):
    Hyperparameters(**{name: value}).check()
    Hyperparameters(biases=np.bool_(False)).check()
    with pytest.raises(FunkSVDError, match="biases must be True or False"):
        Hyperparameters(biases=np.array([True])).check()


@pytest.mark.parametrize("name", DECLARATIONS)
def test_none_is_in_range_where_it_is_the_default(name):
    hyperparameters = Hyperparameters(**{name: None})
    if DECLARATIONS[name].default is None:
        hyperparameters.check()
    else:
        with pytest.raises(FunkSVDError, match=f"^{name} must be .*, not None"):
            hyperparameters.check()


def test_messages_can_spell_the_names_otherwise():
    with pytest.raises(FunkSVDError, match=r"^--n-factors must be a whole number"):
        Hyperparameters(n_factors=0).check(lambda name: DECLARATIONS[name].option)
    chosen = Hyperparameters(schedule="plateau", plateau_epochs=7)
    with pytest.raises(FunkSVDError, match=r"^--plateau-epochs \(7\) must be .* --patience \(5\)"):
        chosen.check(lambda name: DECLARATIONS[name].option)


@pytest.mark.parametrize(
    "ask",
    [
        lambda plain: Hyperparameters(**plain),
        lambda plain: Hyperparameters().set_params(**plain),
        Hyperparameters.from_dict,
    ],
    ids=["constructor", "set_params", "from_dict"],
)
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("n_factor", r"did you mean n_factors\?"),
        ("learn_rate", r"did you mean learning_rate\?"),
        ("colour", "it has algorithm, n_factors, .*, n_threads"),
    ],
)
def test_an_unknown_name_is_answered_with_the_right_one(ask, name, hint):
    message = f"^FunkSVD has no hyperparameter '{name}'; {hint}$"
    with pytest.raises(UnknownHyperparameterError, match=message) as caught:
        ask({"seed": 1, name: 3})
    assert caught.value.name == name
    assert pickle.loads(pickle.dumps(caught.value)).name == name


def test_hyperparameters_are_given_by_name():
    with pytest.raises(TypeError):
        Hyperparameters("sgd")
    given = Hyperparameters(n_factors=3)
    assert Hyperparameters.from_dict(given.get_params()).get_params() == given.get_params()
    assert copy.copy(given).get_params() == given.get_params()


def test_nothing_is_set_where_one_name_is_unknown():
    hyperparameters = Hyperparameters()
    with pytest.raises(UnknownHyperparameterError):
        hyperparameters.set_params(seed=5, sead=6)
    assert hyperparameters.seed == 0


def test_thread_count():
    assert Hyperparameters(n_threads=3).thread_count() == 3
    assert Hyperparameters().thread_count() == available_processors() >= 1


def test_what_is_not_given_is_the_algorithms_own():
    defaults = ALGORITHMS["sgd"].defaults
    resolved = Hyperparameters(n_epochs=7).resolved()
    assert (resolved.n_factors, resolved.n_epochs) == (defaults["n_factors"], 7)
    assert (resolved.reg, resolved.n_threads) == (None, None)  # chosen by the data, the machine


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_has_defaults_of_its_own(name):
    resolved = Hyperparameters(optimizer=name).resolved()
    own = ALGORITHMS["sgd"].defaults | OPTIMIZERS[name].defaults
    assert {key: getattr(resolved, key) for key in own} == own | {"optimizer": name}
    given = Hyperparameters(optimizer=name, learning_rate=0.5, batch_size=7).resolved()
    assert (given.learning_rate, given.batch_size) == (0.5, 7)


def test_a_full_batch_has_defaults_of_its_own():
    resolved = Hyperparameters(batch_size="full").resolved()
    assert {key: getattr(resolved, key) for key in FULL_BATCH} == FULL_BATCH
    adam = Hyperparameters(optimizer="adam", batch_size="full").resolved()
    assert (adam.learning_rate, adam.n_epochs) == (0.03, 1000)
    assert Hyperparameters(batch_size="full", n_epochs=9).resolved().n_epochs == 9


def test_what_is_resolved_stays_so():
    for chosen in ({}, {"optimizer": "adam", "batch_size": "full"}, {"learning_rate": 0.1}):
        resolved = Hyperparameters(**chosen).resolved()
        assert resolved.resolved().__dict__ == resolved.__dict__


@pytest.mark.parametrize("chosen", [{"optimizer": "adam"}, {"batch_size": 8}])
def test_optimizers_are_for_plain_models(chosen):
    with pytest.raises(FunkSVDError, match=r"is for algorithm 'sgd' only, not for 'svd\+\+'"):
        Hyperparameters(algorithm="svd++", **chosen).check()
    Hyperparameters(algorithm="svd++").resolved().check()


@pytest.mark.parametrize(
    "name", ["learning_rate", "learning_rate_decay", "reg", "bias_reg", "init_std"]
)
def test_what_means_nothing_to_an_algorithm_is_refused(name):
    with pytest.raises(FunkSVDError, match=f"algorithm 'bayes' has no {name}; leave it out"):
        Hyperparameters(algorithm="bayes", **{name: 0.1}).check()
    with pytest.raises(FunkSVDError, match="algorithm 'bayes' has no schedule; leave it out"):
        Hyperparameters(algorithm="bayes", schedule="cyclic").check()


def test_sampling_always_learns_biases():
    with pytest.raises(FunkSVDError, match=r"algorithm 'bayes\+\+' always learns biases"):
        Hyperparameters(algorithm="bayes++", biases=False).check()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("biases", "algorithm 'ials' learns no biases; leave biases out"),
        ("choice", "algorithm 'ials' learns a choice model and nothing else; leave choice out"),
    ],
)
def test_what_a_choice_model_cannot_leave_out(name, expected):
    with pytest.raises(FunkSVDError, match=expected):
        Hyperparameters(algorithm="ials", **{name: False}).check()


def test_an_unknown_algorithm():
    with pytest.raises(FunkSVDError, match=r"algorithm must be one of sgd.*, not 'sdg'"):
        Hyperparameters(algorithm="sdg").check()


@pytest.mark.parametrize("algorithm", ["bayes", "bayes++"])
def test_what_makes_a_difference_to_samplers(algorithm):
    used = Hyperparameters(algorithm=algorithm).in_use(validated=False)
    assert set(used) == {
        *("algorithm", "n_factors", "n_epochs", "validation_fraction", "ensemble", "seed"),
        *("choice", "days"),
    }
    assert {"patience", "refit"} < set(Hyperparameters(algorithm=algorithm).in_use())


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ({"loss": "huber"}, "huber_delta"),
        ({"schedule": "plateau"}, "plateau_epochs"),
        ({"schedule": "cyclic"}, "cycle_epochs"),
        ({"schedule": "cyclic"}, "ensemble_snapshots"),
        ({"bias_learning_rate": 0.1}, "bias_learning_rate"),
    ],
)
def test_what_makes_a_difference_only_with_another_choice(chosen, name):
    assert name not in Hyperparameters().in_use()
    with_it = Hyperparameters(**chosen)
    assert with_it.in_use()[name] == getattr(with_it, name)


@pytest.mark.parametrize(
    ("chosen", "name"),
    [
        ({"schedule": "constant"}, "learning_rate_decay"),
        ({"algorithm": "svd++"}, "optimizer"),
        ({"algorithm": "svd++"}, "loss"),
        ({"algorithm": "incremental"}, "batch_size"),
        ({"biases": False}, "bias_reg"),
    ],
)
def test_what_makes_no_difference_with_another_choice(chosen, name):
    assert name in Hyperparameters().in_use()
    assert name not in Hyperparameters(**chosen).in_use()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_is_in_use_is_known_but_for_regularization(algorithm):
    used = Hyperparameters(algorithm=algorithm).in_use()
    chosen_by_data = {"reg", "n_groups"} | (
        {"n_factors"} if ALGORITHMS[algorithm].is_sampler else set()
    )
    assert {name for name, value in used.items() if value is None} <= chosen_by_data


@pytest.mark.parametrize("algorithm", ALGORITHMS.values())
def test_an_algorithm_speaks_of_hyperparameters_that_there_are(algorithm):
    assert set(algorithm.hyperparameters) <= DECLARATIONS.keys()
    own = set(algorithm.defaults) - {"optimizer", "learning_rate_decay"}
    assert own <= set(algorithm.hyperparameters)
    assert all(DECLARATIONS[name].default is None for name in algorithm.defaults)
    for name, value in algorithm.defaults.items():
        assert DECLARATIONS[name].problem(value) is None


def test_each_hyperparameter_means_something_to_some_algorithm():
    assert set().union(*(each.hyperparameters for each in ALGORITHMS.values())) == set(DECLARATIONS)


@pytest.mark.parametrize("table", [ALGORITHMS, LOSSES, OPTIMIZERS, SCHEDULES])
def test_each_choice_has_a_summary(table):
    assert all(entry.summary for entry in table.values())


def test_snapshots_are_several():
    with pytest.raises(FunkSVDError, match="give ensemble a number of at least 2, not 1"):
        Hyperparameters(ensemble_snapshots=True, schedule="cyclic").check()


def test_snapshots_have_no_patience():
    cycles = {"ensemble": 2, "schedule": "cyclic"}
    assert "patience" in Hyperparameters(**cycles).in_use()
    assert "patience" not in Hyperparameters(**cycles, ensemble_snapshots=True).in_use()


@pytest.mark.parametrize(
    "longest",
    [
        {"schedule": "cyclic", "cycle_epochs": 5, "patience": 5},
        {"schedule": "plateau", "plateau_epochs": 4, "patience": 5},
    ],
)
def test_the_longest_wait_that_patience_allows(longest):
    chosen = Hyperparameters(**longest)
    chosen.check()
    name = next(name for name in longest if name.endswith("_epochs"))
    setattr(chosen, name, longest[name] + 1)
    with pytest.raises(FunkSVDError, match="patience"):
        chosen.check()
