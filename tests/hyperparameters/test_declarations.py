"""What follows from the declarations: groups, defaults in words, docstrings, search ranges."""

import inspect
import subprocess
import sys
from dataclasses import fields

import pytest

from funksvd.hyperparameters import (
    ALGORITHMS,
    DECLARATIONS,
    OPTIMIZERS,
    Hyperparameters,
    stated_default,
)
from funksvd.hyperparameters.searching import DecayAround, LogAround, Multiples


def test_each_field_is_declared():
    assert list(DECLARATIONS) == [field.name for field in fields(Hyperparameters)]
    for name, declaration in DECLARATIONS.items():
        assert getattr(Hyperparameters(), name) == declaration.default
        assert declaration.problem(declaration.default) is None
        assert declaration.help.endswith(".")
        assert declaration.short.endswith(".")


def test_the_fields_of_a_group_stand_together():
    groups = [declaration.group for declaration in DECLARATIONS.values()]
    changes = [a for a, b in zip(groups, [*groups[1:], ""], strict=True) if a != b]
    assert len(changes) == len(set(changes))


def test_options_are_unique():
    options = [declaration.option for declaration in DECLARATIONS.values()]
    assert len(set(options)) == len(options)
    assert {"--n-factors", "--valid-fraction", "--threads", "--reg"} <= set(options)


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("algorithm", "sgd"),
        ("seed", "0"),
        ("refit", "True"),
        ("reg", "chosen by the data; ials: 0.6"),
        ("n_threads", "all processors"),
        ("n_factors", "64; bayes, bayes++: chosen by the data; ials: 256"),
        ("init_std", "0.02; incremental: 0.1"),
        (
            "learning_rate",
            "0.03; svd++: 0.012; momentum: 0.003; rmsprop, adam: 0.004; full batches: 0.001 to 0.2",
        ),
        ("patience", "5; bayes, bayes++: 100; ials: 3; full batches: 50"),
    ],
)
def test_a_default_is_stated_for_each_algorithm(name, stated):
    assert stated_default(name) == stated


@pytest.mark.parametrize("name", DECLARATIONS)
def test_the_stated_default_is_the_one_that_is_used(name):
    usual, *others = stated_default(name).split("; ")
    stated = {}
    for who, value in (other.split(": ") for other in others):
        stated |= dict.fromkeys(who.split(", "), value)
    chosen = {each: {"optimizer": each} for each in OPTIMIZERS if name != "optimizer"}
    for each, algorithm in ALGORITHMS.items():
        if name != "algorithm" and name in algorithm.hyperparameters:
            chosen[each] = {"algorithm": each}
    for each, given in chosen.items():
        used = getattr(Hyperparameters(**given).resolved(), name)
        if used is not None:
            comp = stated.get(each, usual)
            assert comp == (f"{used:g}" if isinstance(used, float) else str(used))


def test_the_docstring_describes_each_parameter():
    doc = inspect.getdoc(Hyperparameters)
    assert "\nParameters\n----------\nalgorithm : {" in doc
    for name, declaration in DECLARATIONS.items():
        assert f"\n{name} : {declaration.values.text}" in doc
        assert f"Default: {stated_default(name)}." in " ".join(doc.split())
    assert max(map(len, doc.splitlines())) <= 96


def test_declarations_load_nothing_that_is_slow():
    code = (
        "import funksvd.hyperparameters, sys\n"
        "slow = {'numpy', 'scipy', 'numba', 'pandas', 'optuna', 'funksvd.kernels'}\n"
        "print(sorted(slow & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_ranges_to_search():
    assert LogAround(4).interval(0.02) == (0.005, 0.08, True, None)
    assert LogAround(4).interval(0) == (0, 0.2, False, None)
    multiples = Multiples(16, up_to=128)
    assert multiples.interval(64) == (16, 128, False, 16)
    assert multiples.interval(150) == (16, 144, False, 16)
    assert [multiples.nearest(n) for n in (1, 12, 25, 64, 130)] == [16, 16, 32, 64, 128]
    low, high, is_log, _ = DecayAround().interval(0.8)
    assert (low, high, is_log) == (pytest.approx(0.6), pytest.approx(0.95), False)
    assert DecayAround().interval(1.2)[:2] == (pytest.approx(0.9), 1.2)
    assert DecayAround().is_worthwhile(0.9)
    assert not DecayAround().is_worthwhile(1.0)
