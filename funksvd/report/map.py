"""The map of items: a picture of points, some of which have labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funksvd.report.factors import Point
from funksvd.report.labels import shortened
from funksvd.report.palette import WIDTH, Colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_LABELS = 16
"""Largest number of labels on the map."""
LABEL_LENGTH = 30
"""Largest number of characters of a label on the map."""
LABEL_SIZE = 7.0
"""Height of the text of a label, in units."""
LABEL_RISE = 5.0
"""Distance of the lower edge of a label from its point, in units."""
LABEL_TOP = LABEL_RISE + LABEL_SIZE
"""Distance of the upper edge of a label from its point, in units."""
MAX_COVERED = 2
"""Largest number of other points that a label may cover."""
LABEL = "label"
"""Beginning of the ids of the map's labels; "more" follows if the label can be left out."""
N_FIRST_LABELS = 10
"""Number of labels that cannot be left out: those of the points farthest out."""
POINT_SIZES = (6, 14, 28, 52)
"""Areas of the points on the map, in square units: a size for each quarter of the items."""


def draw_map(axes: Axes, colors: Colors, points: list[Point], names: tuple[str, str]) -> None:
    """Items in two dimensions; the mark of the n-th has the address `#n`, by which it is found."""
    x, y = np.array([point.x for point in points]), np.array([point.y for point in points])
    size = _size_classes(points)
    liking = np.array([point.liking for point in points])
    axes.axhline(0, color=colors.grid, lw=1)
    axes.axvline(0, color=colors.grid, lw=1)
    styles = {-1: ("v", colors.second), 0: ("o", colors.muted), 1: ("^", colors.first)}
    for kind in range(len(POINT_SIZES)):
        for side, (marker, color) in styles.items():
            chosen = np.flatnonzero((size == kind) & (liking == side))
            if not len(chosen):
                continue
            found = axes.scatter(
                x[chosen],
                y[chosen],
                s=POINT_SIZES[kind],
                marker=marker,
                color=color,
                alpha=0.75,
                ec=colors.paper,
                lw=0.5,
            )
            found.set_urls([f"#{n}" for n in chosen.tolist()])
    axes.grid(visible=False)
    axes.margins(0.07)
    axes.set_xlabel(f"← {names[0]} →")
    axes.set_ylabel(f"← {names[1]} →")
    for rank, (n, alignment) in enumerate(_labelled(x, y, axes, points).items()):
        axes.annotate(
            shortened(points[n].label, LABEL_LENGTH),
            (x[n], y[n]),
            (0, LABEL_RISE),
            textcoords="offset points",
            ha=alignment,
            fontsize=LABEL_SIZE,
            color=colors.ink,
            parse_math=False,
            gid=LABEL if rank < N_FIRST_LABELS else f"{LABEL} more",
        )


def _size_classes(points: list[Point]) -> np.ndarray:
    """Size class of each point, 0 to 3 by the quarter in which its number of ratings is."""
    if points[0].n_ratings is None:
        return np.ones(len(points), dtype=int)
    counts = np.array([point.n_ratings for point in points])
    return np.searchsorted(np.quantile(counts, [0.25, 0.5, 0.75]), counts, side="right")


def _labelled(x: np.ndarray, y: np.ndarray, axes: Axes, points: list[Point]) -> dict[int, str]:
    """Points to be labelled, the ones farthest out first, and how their labels are aligned.

    A label is left out if it would overlap another one or cover several other points.
    """
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    u, v = (x - left) / max(right - left, 1e-30), (y - bottom) / max(top - bottom, 1e-30)
    spread = [max(float(each.std()), 1e-30) for each in (x, y)]
    outermost = np.argsort(-np.hypot(x / spread[0], y / spread[1]), kind="stable")
    length = WIDTH * 72 * 0.86  # of the axes, in units
    height = 1.8 * LABEL_SIZE / length
    placed: list[tuple[float, float, float]] = []
    chosen: dict[int, str] = {}
    for n in outermost.tolist():
        half = 0.29 * LABEL_SIZE * len(shortened(points[n].label, LABEL_LENGTH)) / length
        middle, base, side = float(u[n]), float(v[n]), "center"
        if middle < half:
            middle, side = middle + half, "left"
        elif middle > 1 - half:
            middle, side = middle - half, "right"
        above = (v - base) * length
        covers = (np.abs(u - middle) < half) & (above > LABEL_RISE - 2) & (above < LABEL_TOP + 2)
        if np.count_nonzero(covers) <= MAX_COVERED and all(
            abs(middle - other) > half + width or abs(base - level) > height
            for other, level, width in placed
        ):
            placed.append((middle, base, half))
            chosen[n] = side
        if len(chosen) == N_LABELS:
            break
    return chosen
