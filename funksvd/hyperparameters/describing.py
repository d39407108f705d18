"""Descriptions that follow from the declarations: defaults in words, and a docstring."""

from __future__ import annotations

import functools
import textwrap

from funksvd.hyperparameters.algorithms import ALGORITHMS
from funksvd.hyperparameters.declaring import Declaration
from funksvd.hyperparameters.hyperparameters import DECLARATIONS, Hyperparameters
from funksvd.hyperparameters.optimizers import OPTIMIZERS
from funksvd.hyperparameters.ranges import Choice

_WIDTH = 92


def stated_default(name: str) -> str:
    """The default of a hyperparameter, and where it is another one.

    Returns
    -------
    str
        For instance "64; bayes, bayes++: 12".
    """
    algorithms, optimizers, full_batches = _resolved()
    usual = _stated(name, getattr(algorithms["sgd"], name))
    others: dict[str, list[str]] = {}

    def note(choice: str, value: str) -> None:
        if value != usual:
            others.setdefault(value, []).append(choice)

    for algorithm, hyperparameters in algorithms.items():
        if name in ALGORITHMS[algorithm].hyperparameters and name != "algorithm":
            note(algorithm, _stated(name, getattr(hyperparameters, name)))
    for optimizer, hyperparameters in optimizers.items():
        if name != "optimizer":
            note(optimizer, _stated(name, getattr(hyperparameters, name)))
    of_full = {getattr(hyperparameters, name) for hyperparameters in full_batches.values()}
    if name not in ("optimizer", "batch_size"):
        ends = of_full if len(of_full) == 1 else (min(of_full), max(of_full))
        note("full batches", " to ".join(_stated(name, value) for value in ends))
    if not usual and len(others) == 1:  # nothing but these have it
        return next(iter(others))
    return "; ".join([usual, *(f"{', '.join(who)}: {value}" for value, who in others.items())])


def in_words(value: object) -> str:
    """A value as it is typed."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def meaning(declaration: Declaration) -> str:
    """The help text, and the names to choose from with what each stands for; in Markdown."""
    if not isinstance(declaration.values, Choice):
        return declaration.help
    choices = (f"`{name}`: {summary}" for name, summary in declaration.values.summaries.items())
    return f"{declaration.help} {'; '.join(choices)}."


def parameters_section() -> str:
    """The section "Parameters" of a docstring."""
    lines = ["Parameters", "----------"]
    for name, declaration in DECLARATIONS.items():
        is_optional = ", optional" * (declaration.default is None)
        lines.append(f"{name} : {declaration.values.text}{is_optional}")
        text = f"{meaning(declaration)} Default: {stated_default(name)}."
        lines += textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


@functools.cache
def _resolved() -> tuple[dict[str, Hyperparameters], ...]:
    """The defaults: of each algorithm, of each optimizer, and of each with full batches."""
    return (
        {name: Hyperparameters(algorithm=name).resolved() for name in ALGORITHMS},
        {name: Hyperparameters(optimizer=name).resolved() for name in OPTIMIZERS},
        {
            name: Hyperparameters(optimizer=name, batch_size="full").resolved()
            for name in OPTIMIZERS
        },
    )


def _stated(name: str, value: object) -> str:
    return DECLARATIONS[name].otherwise if value is None else in_words(value)
