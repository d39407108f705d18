"""Commands that have commands of their own."""

from __future__ import annotations

import click


class InOrder(click.Group):
    """Lists its commands as they were added: as they are used, one after another."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names, in that order."""
        return list(self.commands)
