"""What all pictures of a report have in common: width, colours and the place of the legend."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 4.8
"""Width of a picture in inches of 72 units: a telephone's screen, so that text is not scaled."""


class Colors(NamedTuple):
    """Colours by the part they play; any that matplotlib takes.

    Parameters
    ----------
    ink, muted, grid, paper : str
        Colours of text, of text that matters less, of lines and of the background.
    first, second : str
        Colours of two things that are compared: everyone can tell them apart, in grey too.
    soft : str
        A lighter `first`, for areas.
    """

    ink: str
    muted: str
    grid: str
    paper: str
    first: str
    second: str
    soft: str


ON_PAPER = Colors("#1c2127", "#5a6570", "#dfe3e8", "#ffffff", "#0067a8", "#c4560a", "#a9cfe8")


class Picture(NamedTuple):
    """A picture that can be drawn.

    Parameters
    ----------
    height : float
        Height in inches.
    alt : str
        Description for those who cannot see it.
    draw : callable of (Axes, Colors)
        Draws it.
    """

    height: float
    alt: str
    draw: Callable[[Axes, Colors], None]


def put_legend(axes: Axes) -> None:
    """Above the axes, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderpad=0, columnspacing=1.5)
