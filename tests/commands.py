"""The command line's commands, those of groups included."""

from collections.abc import Iterator

import click

from funksvd_cli.main import cli


def commands(group: click.Group = cli, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Each command with its whole name, such as "data fetch"."""
    for name, command in group.commands.items():
        yield before + name, command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")


COMMANDS = dict(sorted(commands()))
