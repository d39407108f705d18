"""Pictures of lists, and of how active users and how popular items are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funksvd.evaluation import RankingEvaluation
from funksvd.rankings import TITLES
from funksvd.report.data import Data
from funksvd.report.palette import Colors, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS_PER_TENFOLD = 6
"""Number of bars for numbers of ratings up to ten times as large as the least of them."""


def pictures_of_lists(lists: RankingEvaluation) -> dict[str, Picture]:
    """The picture of the quality of lists, by name."""
    return {
        "list-quality": Picture(
            0.75 + 0.27 * len(lists.recommenders),
            "NDCG of the model's lists beside that of simpler ones",
            lambda axes, colors: draw_lists(axes, colors, lists),
        )
    }


def pictures_of_activity(data: Data) -> dict[str, Picture]:
    """Pictures of the numbers of ratings of users and of items, by name; none if unknown."""

    def picture(side: str) -> Picture:
        one = side[:-1]
        return Picture(
            2.4,
            f"How many {side} have how many {data.noun}",
            lambda axes, colors: draw_activity(
                axes, colors, data.activity[side], (f"{data.noun} of the {one}", side)
            ),
        )

    return {f"{side}-by-{data.noun}": picture(side) for side in data.activity}


def draw_lists(axes: Axes, colors: Colors, lists: RankingEvaluation) -> None:
    """NDCG of the model's lists with intervals, above that of simpler recommenders."""
    names = list(lists.recommenders)
    for at, (name, quality) in enumerate(lists.recommenders.items()):
        color = colors.first if name in lists.rankings else colors.muted
        interval = quality.intervals["ndcg"]
        axes.plot(interval, [at, at], color=color, lw=3, solid_capstyle="round")
        axes.plot(quality.means.ndcg, at, "o", ms=8, color=color)
        axes.annotate(
            f"{quality.means.ndcg:.3f}",
            (interval.high, at),
            (8, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(names)), [TITLES[name] for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.margins(x=0.14)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"NDCG@{lists.n_best} on the test part (more is better)")


def draw_activity(axes: Axes, colors: Colors, counts: np.ndarray, names: tuple[str, str]) -> None:
    """Histogram of numbers of ratings, in steps that grow with the number."""
    edges = steps_for(int(counts.max()))
    found, _ = np.histogram(counts, edges)
    axes.bar(
        edges[:-1], found, np.diff(edges), align="edge", color=colors.soft, ec=colors.first, lw=0.6
    )
    axes.set_xscale("log")
    axes.set_xlim(edges[0], edges[-1])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.minorticks_off()
    axes.grid(axis="x", visible=False)
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])


def steps_for(most: int) -> np.ndarray:
    """Ends of the bars for numbers from 1 to `most`: between whole numbers, ever wider.

    Returns
    -------
    ndarray of shape (n_bars + 1,), float64
    """
    n_bars = max(1, int(np.ceil(BARS_PER_TENFOLD * np.log10(most + 1))))
    starts = np.unique(np.rint(10.0 ** (np.arange(n_bars + 1) / BARS_PER_TENFOLD)))
    starts = starts[starts <= most]
    return np.append(starts, most + 1.0) - 0.5
