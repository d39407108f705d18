"""Options for checkpoints, from which training goes on after its process was killed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .console import Output
from .groups import option, packed

if TYPE_CHECKING:
    from funksvd import Checkpoints
    from funksvd.hyperparameters import Hyperparameters

CHECKPOINTS = "Checkpoints"
"""Heading of these options."""
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds by the letter of a unit."""


class Duration(click.ParamType[float]):
    """A time with its unit, such as 30s, 5m or 1h, in seconds; or 0."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number of seconds that was typed."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])|0()", str(value))
        if not found:
            self.fail(f"{value!r} is not a time such as 30s, 5m or 1h", param, ctx)
        return float(found[1] or 0) * UNITS.get(found[2], 1.0)


class Checkpointing(NamedTuple):
    """Where checkpoints are kept, how often, and whether those that are there are gone on from.

    Parameters
    ----------
    address : str or None
        Folder or address; None for no checkpoints.
    every : float
        Seconds.
    resume : bool
    """

    address: str | None
    every: float
    resume: bool

    def open(self, output: Output, hyperparameters: Hyperparameters) -> Checkpoints | None:
        """The checkpoints, closed when the command ends; None if there are none to be kept.

        Parameters
        ----------
        output : Output
            Told if there is nothing to go on from.
        hyperparameters : Hyperparameters
            Refused if their algorithm cannot be gone on with.
        """
        if self.address is None:
            return None
        from funksvd import Checkpoints
        from funksvd.training import check_resumable

        check_resumable(hyperparameters)
        checkpoints = Checkpoints(self.address, every=self.every, resume=self.resume)
        click.get_current_context().with_resource(checkpoints)
        if self.resume and not checkpoints.found:
            output.note(f"No checkpoint in {self.address}: training starts from the beginning")
        return checkpoints


def _checkpointing(checkpoint: str | None, checkpoint_every: float, resume: bool) -> Checkpointing:
    source = click.get_current_context().get_parameter_source("checkpoint_every")
    given = {
        "--checkpoint-every": source is click.core.ParameterSource.COMMANDLINE,
        "--resume": resume,
    }
    for name, is_given in given.items():
        if is_given and checkpoint is None:
            raise click.UsageError(f"{name} needs --checkpoint, the place of the checkpoints")
    return Checkpointing(checkpoint, checkpoint_every, resume)


checkpoint_options = packed(
    "checkpointing",
    _checkpointing,
    option(
        "--checkpoint",
        metavar="URL",
        group=CHECKPOINTS,
        help="Folder, or address such as s3://bucket/folder, where the state of training is kept "
        "until the model is saved.",
    ),
    option(
        "--checkpoint-every",
        metavar="TIME",
        type=Duration(),
        default="5m",
        show_default=True,
        group=CHECKPOINTS,
        help="Time between checkpoints: 30s, 5m, 1h; 0: after each epoch.",
    ),
    option(
        "--resume",
        is_flag=True,
        group=CHECKPOINTS,
        help="Go on from the checkpoint, if there is one; the model is the same, byte for byte.",
    ),
)
"""`--checkpoint`, `--checkpoint-every` and `--resume`, as `checkpointing: Checkpointing`."""
