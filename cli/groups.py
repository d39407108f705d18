"""Groups of options and of commands.

A group of options is a heading in `--help`, and one typed object in the command that takes it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])
UNGROUPED = "Options"
WIDEST_NAME = 30
"""Columns for the names of options; the text beside a longer name starts on the next line."""


class GroupedOption(click.Option):
    """An option that `--help` lists under a heading.

    Parameters
    ----------
    *names, **settings
        As for `click.Option`.
    group : str
        The heading.
    """

    def __init__(self, *names: Any, group: str = UNGROUPED, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.group = group

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Names and help text, with all that click adds to the text in one pair of brackets."""
        record = super().get_help_record(ctx)
        return None if record is None else (record[0], record[1].replace("]  [", "; "))


def option(*names: str, group: str = UNGROUPED, **settings: Any) -> Callable[[F], F]:
    """`click.option` with a heading for `--help`."""
    return click.option(*names, cls=GroupedOption, group=group, **settings)


def packed(
    parameter: str, make: Callable[..., object], *options: Callable[[Any], Any]
) -> Callable[[F], F]:
    """Make a decorator that gives a command several options as one object.

    Parameters
    ----------
    parameter : str
        Name of the command's parameter that takes the object.
    make : callable
        Makes the object, from the values of the options as keyword arguments.
    *options : decorator
        Results of `option`, in the order in which `--help` lists them.

    Examples
    --------
    >>> dates = packed("period", Period, option("--first"), option("--last"))
    >>> @click.command(cls=GroupedCommand)
    ... @dates
    ... def command(period: Period) -> None: ...
    """
    names = [each.name for each in parameters_of(*options)]

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def with_values(**values: Any) -> Any:
            values[parameter] = make(**{name: values.pop(name) for name in names})
            return command(**values)

        return cast(F, _decorated(with_values, options))

    return decorate


def parameters_of(*decorators: Callable[[Any], Any]) -> list[click.Parameter]:
    """The parameters that decorators give to a command, in the order of `--help`."""
    return click.command("any")(_decorated(lambda: None, decorators)).params


def _decorated(command: Any, decorators: Sequence[Callable[[Any], Any]]) -> Any:
    for decorator in reversed(decorators):  # click, too, counts from the one next to the function
        command = decorator(command)
    return command


class GroupedCommand(click.Command):
    """A command whose `--help` lists its options under headings."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; an error tells of a likely slip.

        A negative id needs a `--` before it, and some commands take the model by an option.
        """
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            negative = next((word for word in given if re.match(r"-[0-9]", word)), None)
            if negative is None or not negative.startswith(error.option_name[:2]):
                raise
            raise click.UsageError(
                f"{negative} looks like an option; if it is an id, put -- before it: "
                f"{ctx.command_path} -- {negative}",
                ctx,
            ) from None
        except click.UsageError as error:
            if "unexpected extra argument" in error.message and "--model" in self._options():
                from .models import is_model

                models = [word for word in given if is_model(word)]
                if models and "--model" not in given and "-m" not in given:
                    hint = f"{error.message}. The model is given with --model {models[0]}"
                    raise click.UsageError(hint, ctx) from None
            raise

    def _options(self) -> list[str]:
        return [name for parameter in self.params for name in parameter.opts]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group, in the order of definition, with aligned columns."""
        sections: dict[str, list[tuple[str, str]]] = {}
        group = UNGROUPED
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and record is not None:
                if "--help" not in parameter.opts:  # which goes to the end of the last group
                    group = getattr(parameter, "group", UNGROUPED)
                sections.setdefault(group, []).append(record)
        lengths = [len(name) for records in sections.values() for name, _ in records]
        width = min(max(lengths), WIDEST_NAME)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(name.ljust(width), text) for name, text in records], col_max=WIDEST_NAME
                )


class LazyCommands(Mapping[str, click.Command]):
    """Commands that are imported when they are asked for, from modules of their names.

    Parameters
    ----------
    package : str
        The package that has the modules.
    names : collection of str
        The commands, in the order in which they are listed.
    """

    def __init__(self, package: str, names: Collection[str]) -> None:
        self.package, self.names = package, names

    def __getitem__(self, name: str) -> click.Command:
        if name not in self.names:
            raise KeyError(name)
        stem = name.replace("-", "_")
        command: click.Command = getattr(import_module(f".{stem}", self.package), stem)
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names


class CommandGroup(click.Group):
    """A group of commands of which only the one that runs is imported.

    Parameters
    ----------
    name, **settings
        As for `click.Group`.
    package : str
        The package that has a module for each command.
    summaries : mapping of str to str
        For each command, the first line of its help text, for the list in the group's `--help`.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        package: str,
        summaries: Mapping[str, str],
        **settings: Any,
    ) -> None:
        super().__init__(name, **settings)
        self.commands = cast(MutableMapping[str, click.Command], LazyCommands(package, summaries))
        self.summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, as they are used, one after another."""
        return list(self.summaries)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))
