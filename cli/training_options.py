"""Options for the hyperparameters, made from their declarations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from funksvd.errors import FunkSVDError
from funksvd.hyperparameters import (
    ALGORITHMS,
    DECLARATIONS,
    LOSSES,
    Declaration,
    Hyperparameters,
    stated_default,
)
from funksvd.hyperparameters.ranges import Choice, Flag, Fraction, Range, Whole, WholeOr
from funksvd.hyperparameters.rules import without_effect

from .console import Output
from .groups import option, packed, parameters_of

if TYPE_CHECKING:
    from click.decorators import FC

    from funksvd import Interactions, Ratings


class InRange(click.ParamType[object]):
    """A value in the range that is declared for a hyperparameter.

    Parameters
    ----------
    values : Range
        The range.
    """

    name = "number"

    def __init__(self, values: Range) -> None:
        self.values = values

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """The value that was typed, if it is in the range."""
        try:
            parsed = self.values.parsed(value) if isinstance(value, str) else value
        except ValueError:
            parsed = value
        if problem := self.values.problem(parsed):
            self.fail(problem, param, ctx)
        return parsed


def option_of(name: str) -> str:
    """The option of a hyperparameter, as messages spell it."""
    return DECLARATIONS[name].option


def option_words(name: str, value: Any) -> list[str]:
    """The words that give a value to a hyperparameter, on a command line."""
    flag = option_of(name)
    if isinstance(DECLARATIONS[name].values, Flag):
        return [flag if value else _off(flag)]
    text = f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def given_hyperparameters() -> list[str]:
    """Names of the hyperparameters that the person at the command line has given."""
    context = click.get_current_context()
    return [
        name
        for name in DECLARATIONS
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]


def _option(name: str, declaration: Declaration) -> Callable[[FC], FC]:
    names = [name, declaration.option]
    if declaration.letter:
        names.append(declaration.letter)
    text = f"{declaration.short}  [default: {stated_default(name)}]"
    settings: dict[str, Any] = {}
    match declaration.values:
        case Flag() if stated_default(name) == "True":
            names[1] += f"/{_off(declaration.option)}"
            text = f"{declaration.short}  [default: {declaration.option}]"
        case Flag():
            settings["is_flag"] = True
            text = declaration.short
        case Choice(names=choices):
            settings["type"] = click.Choice(choices)
        case values:
            settings |= {"type": InRange(values), "metavar": _metavar(values)}
    return option(*names, default=None, group=declaration.group, help=text, **settings)


def _metavar(values: Range) -> str:
    match values:
        case WholeOr(word=word):
            return f"[N|{word}]"
        case Whole():
            return "N"
        case Fraction():
            return "FRACTION"
    return "NUMBER"


def _off(flag: str) -> str:
    """The option that turns a switch off."""
    return flag.replace("--", "--no-", 1)


def _hyperparameters(**given: Any) -> Hyperparameters:
    chosen = {name: value for name, value in given.items() if value is not None}
    hyperparameters = Hyperparameters(**chosen)
    supposed = hyperparameters
    if "algorithm" not in chosen and _OF_CHOICES & chosen.keys():
        supposed = replace(hyperparameters, algorithm="ials")  # if there are no ratings: `for_data`
    supposed.check(spell=option_of)
    others = [name for name, value in chosen.items() if value != DECLARATIONS[name].default]
    for sentence in without_effect(hyperparameters, others, option_of):
        Output().warn(sentence)
    return hyperparameters


_OF_CHOICES = set(ALGORITHMS["ials"].hyperparameters) - set(ALGORITHMS["sgd"].hyperparameters)
"""Names of the hyperparameters that mean something to a choice model only."""


def for_data(
    output: Output, chosen: Hyperparameters, data: Ratings | Interactions
) -> Hyperparameters:
    """The hyperparameters, with the algorithm for clicks if there are no ratings.

    Raises
    ------
    FunkSVDError
        If the algorithm that was given needs ratings, or another option means nothing to the one
        that is used.
    """
    if data.values is not None or ALGORITHMS[chosen.algorithm].learns == "choice":
        chosen.check(spell=option_of)
        return chosen
    if "algorithm" in given_hyperparameters():
        raise FunkSVDError(
            f"--algorithm {chosen.algorithm} learns from ratings that differ, and {data.source} "
            "has none; --algorithm ials learns from interactions"
        )
    output.note("No ratings: a choice model is learned (--algorithm ials)")
    of_choices = replace(chosen, algorithm="ials")
    try:
        of_choices.check(spell=option_of)
    except FunkSVDError as error:
        raise FunkSVDError(
            f"{data.source} has no ratings that differ, so that a choice model is learned: {error}"
        ) from error
    return of_choices


def names_of_errors(chosen: Hyperparameters) -> tuple[str, str, str]:
    """Names, for people, of the training error, of the validation's figure, and of an epoch."""
    algorithm = ALGORITHMS[chosen.algorithm]
    if algorithm.learns == "choice":
        return "loss", "NDCG@10", algorithm.epoch
    metric = LOSSES[chosen.loss].metric_title
    return metric, metric, algorithm.epoch


TRAINING = tuple(_option(name, declaration) for name, declaration in DECLARATIONS.items())
"""A decorator for each hyperparameter."""
training_options = packed("hyperparameters", _hyperparameters, *TRAINING)
"""The hyperparameters, `--threads` among them, as `hyperparameters: Hyperparameters`."""
TRAINING_PARAMETERS = {parameter.name: parameter for parameter in parameters_of(*TRAINING)}
"""The options by the names of the hyperparameters."""
