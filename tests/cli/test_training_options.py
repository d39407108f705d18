"""The options of the hyperparameters: they follow from the declarations."""

import json

import click
import pytest
from commands import COMMANDS

from funksvd import FunkSVD
from funksvd.hyperparameters import ALGORITHMS, DECLARATIONS, Hyperparameters, stated_default
from funksvd.hyperparameters.ranges import Flag
from funksvd_cli.groups import GroupedCommand
from funksvd_cli.training_options import (
    TRAINING_PARAMETERS,
    given_hyperparameters,
    option_words,
    training_options,
)

GROUPS = list(dict.fromkeys(declaration.group for declaration in DECLARATIONS.values()))
OTHER_VALUES = {
    "algorithm": "svd++",
    "loss": "huber",
    "optimizer": "adam",
    "batch_size": "full",
    "schedule": "plateau",
    "seed": 7,
    "learning_rate": 0.123456789,
}


@click.command(cls=GroupedCommand)
@training_options
def show(hyperparameters):
    """Print what was given."""
    given = {name: getattr(hyperparameters, name) for name in given_hyperparameters()}
    click.echo(json.dumps(given))


def other_value(name):
    """A value that is not the default."""
    declaration = DECLARATIONS[name]
    if isinstance(declaration.values, Flag):
        return not declaration.default
    return OTHER_VALUES.get(name, 0.5 if "float" in declaration.values.text else 3)


def test_each_hyperparameter_has_an_option():
    assert list(TRAINING_PARAMETERS) == list(DECLARATIONS)


@pytest.mark.parametrize("name", DECLARATIONS)
def test_what_is_given_is_what_the_model_gets(capsys, name):
    chosen = {name: other_value(name)}
    if name == "ensemble_snapshots":
        chosen |= {"schedule": "cyclic", "ensemble": 2}  # which they need
    if name == "unobserved_weight":
        chosen |= {"algorithm": "ials"}
    words = [word for each in chosen.items() for word in option_words(*each)]
    show.main(words, standalone_mode=False)
    assert json.loads(capsys.readouterr().out) == chosen


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--huber-delta 2",
            "--huber-delta makes no difference with --loss squared, only with huber",
        ),
        (
            "--plateau-epochs 3",
            "--plateau-epochs makes no difference with --schedule exponential, only with plateau",
        ),
        ("--no-biases --bias-reg 0.1", "--bias-reg makes no difference without biases"),
    ],
)
def test_what_is_ignored_is_warned_of(capsys, words, message):
    show.main(words.split(), standalone_mode=False)
    assert capsys.readouterr().err == f"Warning: {message}\n"


def test_nothing_given_is_the_default(capsys):
    show.main([], standalone_mode=False)
    assert json.loads(capsys.readouterr().out) == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-k", "0"], "'--n-factors' / '-k': must be a whole number of at least 1, not 0"),
        (["--n-factors", "1.5"], "must be a whole number of at least 1, not 1.5"),
        (["--reg", "nan"], "'--reg': must be a number of at least 0, not nan"),
        (["--reg", "much"], "'--reg': must be a number of at least 0, not 'much'"),
        (["--batch-size", "some"], "must be a whole number of at least 1, or 'full', not 'some'"),
        (["--valid-fraction", "1"], "must be at least 0 and less than 1, not 1.0"),
        (["--threads", "0"], "'--threads': must be a whole number of at least 1, not 0"),
        (["--loss", "cubed"], "'cubed' is not one of 'squared', 'absolute', 'huber', 'logistic'"),
    ],
    ids=" ".join,
)
def test_a_value_out_of_range_is_an_error_about_the_option(error_of, words, message):
    assert message in error_of("train", "no-such-file.csv", *words)


def test_rules_about_several_speak_of_options(error_of):
    error = error_of("train", "r.csv", "--schedule", "plateau", "--plateau-epochs", 9)
    assert "--plateau-epochs (9) must be less than --patience (5)" in error
    error = error_of("train", "r.csv", "--algorithm", "bayes", "--reg", 0.1)
    assert "--algorithm 'bayes' has no --reg; leave it out" in error


@pytest.mark.parametrize("command", ["train", "tune"])
def test_help_has_the_groups_and_the_defaults_of_each_algorithm(cli, command):
    out = cli(command, "--help").out
    places = [out.index(f"\n{group}:\n") for group in GROUPS]
    assert places == sorted(places)
    text = " ".join(out.split())
    for name, declaration in DECLARATIONS.items():
        assert declaration.option in text
        if not isinstance(declaration.values, Flag):
            assert f"{declaration.short} [default: {stated_default(name)}]" in text
    assert "0.03; svd++: 0.012; momentum: 0.003; rmsprop, adam: 0.004" in text


@pytest.mark.parametrize("name", [name for name, d in DECLARATIONS.items() if d.default is True])
def test_a_switch_that_is_on_can_be_turned_off(name):
    flag = DECLARATIONS[name].option
    assert TRAINING_PARAMETERS[name].opts == [flag]
    assert TRAINING_PARAMETERS[name].secondary_opts == [flag.replace("--", "--no-")]
    assert option_words(name, False) == [flag.replace("--", "--no-")]


def test_negative_numbers_are_not_taken_for_options():
    assert option_words("seed", -1) == ["--seed=-1"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_all_of_a_model_can_be_given(capsys, algorithm):
    chosen = Hyperparameters(algorithm=algorithm).resolved().get_params()
    given = {name: value for name, value in chosen.items() if value is not None}
    if algorithm != "sgd":
        given = {n: v for n, v in given.items() if n in ALGORITHMS[algorithm].hyperparameters}
    words = [
        word
        for name, value in given.items()
        if not isinstance(DECLARATIONS[name].values, Flag) or value != DECLARATIONS[name].default
        for word in option_words(name, value)
    ]
    show.main(words, standalone_mode=False)
    out, err = capsys.readouterr()
    assert json.loads(out).items() <= given.items()
    assert err == ""  # of no value that is the default anyway


def test_threads_are_a_hyperparameter(cli, here, monkeypatch):
    seen = []
    fit = FunkSVD.fit

    def spy(model, *args, **options):
        seen.append(model.n_threads)
        return fit(model, *args, **options)

    monkeypatch.setattr(FunkSVD, "fit", spy)
    assert cli("train", "ratings.csv", "-q", "-k", 2, "--n-epochs", 1, "--threads", 1).code == 0
    assert seen == [1]
    assert "--threads" in {option for param in COMMANDS["tune"].params for option in param.opts}
