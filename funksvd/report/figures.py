"""Pictures of a report, drawn with matplotlib on given axes and in given colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from funksvd.report.content import Content
from funksvd.report.data import RatingBars
from funksvd.report.factors import Factors, Spectrum
from funksvd.report.list_figures import pictures_of_activity, pictures_of_lists
from funksvd.report.map import draw_map
from funksvd.report.palette import Colors, Picture, put_legend
from funksvd.report.testing import Calibration, Group, Spread, TestResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_BARS = 100
"""Largest number of factors in the spectrum."""
MANY_IN_GROUP = 30
"""Least number of ratings in a group whose interval the axis must hold; smaller ones have huge
intervals."""


def pictures_of(content: Content) -> dict[str, Picture]:
    """The pictures for which a report has data, by name."""
    title = "training objective" if content.loss is None else content.loss.metric_title
    found = {
        "learning-curves": Picture(
            2.9,
            f"{title} by {content.epoch} of training",
            lambda axes, colors: draw_history(axes, colors, content),
        ),
        **pictures_of_activity(content.data),
    }
    if content.loss is None and content.record.was_validated:
        found["validation-curve"] = Picture(
            2.9,
            f"Quality of the lists of validation users by {content.epoch} of training",
            lambda axes, colors: draw_validation(axes, colors, content),
        )
    if content.factors is not None:
        found |= _pictures_of_factors(content.factors)
    if content.data.bars is not None:
        bars = content.data.bars
        found["ratings"] = Picture(
            2.4,
            "How often each rating occurs",
            lambda axes, colors: draw_ratings(axes, colors, bars),
        )
    if content.lists is not None:
        found |= pictures_of_lists(content.lists)
    if content.test is not None:
        found |= _pictures_of_test(content.test)
    return found


def _pictures_of_factors(factors: Factors) -> dict[str, Picture]:
    return {
        "spectrum": Picture(
            2.9,
            "Share of energy in each principal factor",
            lambda axes, colors: draw_spectrum(axes, colors, factors.spectrum),
        ),
        "item-map": Picture(
            4.8,
            f"{len(factors.points)} items by {' and '.join(factors.axes)}",
            lambda axes, colors: draw_map(axes, colors, factors.points, factors.axes),
        ),
    }


def _pictures_of_test(test: TestResults) -> dict[str, Picture]:
    return {
        "comparison": Picture(
            1.5,
            "RMSE of the model beside that of simpler predictions",
            lambda axes, colors: draw_comparison(axes, colors, test),
        ),
        "predicted-against-actual": Picture(
            3.6,
            "Predictions, by the rating that was given",
            lambda axes, colors: draw_spreads(axes, colors, test.spreads),
        ),
        "calibration": Picture(
            3.6,
            "Mean rating, by prediction",
            lambda axes, colors: draw_calibration(axes, colors, test.calibration),
        ),
        "reliability": Picture(
            3.6,
            "Share of ratings that are liked ones, by the probability that they are",
            lambda axes, colors: draw_reliability(axes, colors, test),
        ),
        "residuals": Picture(
            2.9,
            "Histogram of rating less prediction",
            lambda axes, colors: draw_residuals(axes, colors, test),
        ),
        "rmse-by-activity": Picture(
            3.1,
            "RMSE by the number of training ratings of the user",
            lambda axes, colors: draw_groups(
                axes, colors, test.by_activity, "training ratings of the user"
            ),
        ),
        "rmse-by-popularity": Picture(
            3.1,
            "RMSE by the number of training ratings of the item",
            lambda axes, colors: draw_groups(
                axes, colors, test.by_popularity, "training ratings of the item"
            ),
        ),
    }


def draw_history(axes: Axes, colors: Colors, content: Content) -> None:
    """The errors of training and validation ratings, epoch by epoch; or the objective."""
    history, best = content.record.history, content.record.best
    epochs = [record.epoch for record in history]
    marker = "o" if len(epochs) < 3 else ""
    curves = [("training", [record.train for record in history], colors.second)]
    validation = [record.valid for record in history if record.valid is not None]
    has_both = content.loss is not None and bool(validation)
    if has_both:
        curves.append(("validation", validation, colors.first))
    if has_both and best.valid is not None and not content.algorithm.is_sampler:
        axes.axvline(best.epoch, color=colors.muted, lw=0.8, ls=(0, (3, 3)))
        axes.plot(best.epoch, best.valid, "o", ms=6, color=colors.first, mec=colors.paper)
    for name, values, color in curves:
        axes.plot(epochs, values, color=color, lw=2, marker=marker, ms=4, label=name)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel(content.epoch)
    axes.set_ylabel("objective per pair" if content.loss is None else content.loss.metric_title)
    put_legend(axes)


def draw_validation(axes: Axes, colors: Colors, content: Content) -> None:
    """The quality of the validation users' lists, epoch by epoch; greater is better."""
    history, best = content.record.history, content.record.best
    epochs = [record.epoch for record in history]
    quality = [record.valid if record.valid is not None else np.nan for record in history]
    marker = "o" if len(epochs) < 3 else ""
    axes.axvline(best.epoch, color=colors.muted, lw=0.8, ls=(0, (3, 3)))
    axes.plot(epochs, quality, color=colors.first, lw=2, marker=marker, ms=4)
    if best.valid is not None:
        axes.plot(best.epoch, best.valid, "o", ms=6, color=colors.first, mec=colors.paper)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel(content.epoch)
    axes.set_ylabel(best.valid_metric.upper())


def draw_comparison(axes: Axes, colors: Colors, test: TestResults) -> None:
    """The model's RMSE with its interval, above those of the baselines."""
    evaluation = test.evaluation
    rows = [
        ("this model", evaluation.rmse, colors.first),
        ("biases only", evaluation.baselines["regularized_biases"].rmse, colors.second),
        ("mean of all ratings", evaluation.baselines["global_mean"].rmse, colors.muted),
    ]
    for at, (_, rmse, color) in enumerate(rows):
        axes.plot(rmse, at, "o", ms=8, color=color)
        end = evaluation.rmse_interval.high if at == 0 else rmse
        axes.annotate(
            f"{rmse:.4f}", (max(rmse, end), at), (8, 0), textcoords="offset points", va="center"
        )
    axes.plot(evaluation.rmse_interval, [0, 0], color=colors.first, lw=3, solid_capstyle="round")
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.14)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("RMSE on the test part (less is better)")


def draw_spreads(axes: Axes, colors: Colors, spreads: list[Spread]) -> None:
    """Spread of the predictions for each rating: median, middle half and nine tenths."""
    at = np.array([spread.actual for spread in spreads])
    quantiles = np.array([spread.quantiles for spread in spreads])
    width = 0.55 * (np.diff(at).min() if len(at) > 1 else 1.0)
    low, lower, middle, upper, high = quantiles.T
    axes.vlines(at, low, high, color=colors.first, lw=1.2)
    axes.bar(at, upper - lower, width, lower, color=colors.soft, ec=colors.first, lw=1)
    axes.hlines(middle, at - width / 2, at + width / 2, color=colors.ink, lw=2)
    _draw_diagonal(axes, colors, [at.min(), at.max()])
    if len(at) <= 10:
        axes.set_xticks(at, [f"{value:g}" for value in at])
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("rating given")
    axes.set_ylabel("predicted")


def draw_calibration(axes: Axes, colors: Colors, calibration: list[Calibration]) -> None:
    """Mean rating that was given, for groups of nearly equal predictions."""
    predicted, actual, margins = np.array(calibration).T
    _draw_diagonal(axes, colors, [predicted.min(), predicted.max()])
    axes.errorbar(predicted, actual, margins, fmt="o", ms=5, color=colors.first, lw=1.2)
    axes.set_xlabel("predicted")
    axes.set_ylabel("mean rating given")


def draw_reliability(axes: Axes, colors: Colors, test: TestResults) -> None:
    """Share of the ratings that are liked ones, for groups of like probability."""
    liked = test.evaluation.liked
    assert liked is not None, "every model of ratings has probabilities"
    probability, share, n = np.array(liked.groups).T
    margins = 1.96 * np.sqrt(share * (1 - share) / n)
    _draw_diagonal(axes, colors, [0, 1])
    axes.errorbar(probability, share, margins, fmt="o", ms=5, color=colors.first, lw=1.2)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_xlabel(f"probability of {test.evaluation.liked_from:g} or more")
    axes.set_ylabel("share of test ratings")


def draw_residuals(axes: Axes, colors: Colors, test: TestResults) -> None:
    """Histogram of rating less prediction."""
    edges, counts = test.residual_edges, test.residual_counts
    widths = np.diff(edges)
    shares = counts / counts.sum()
    axes.bar(edges[:-1], shares, widths, align="edge", color=colors.soft, ec=colors.first, lw=0.6)
    axes.axvline(0, color=colors.muted, lw=0.8, ls=(0, (3, 3)))
    axes.axvline(test.residual_mean, color=colors.second, lw=1.5)
    used = np.flatnonzero(shares > 5e-4)  # the few beyond would squeeze all others
    axes.set_xlim(edges[used[0]], edges[used[-1] + 1])
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("rating less prediction")
    axes.set_ylabel("share of test ratings")


def draw_groups(axes: Axes, colors: Colors, groups: list[Group], what: str) -> None:
    """RMSE of the model by group, with intervals, and that of the biases."""
    at = np.arange(len(groups))
    rmse = np.array([group.rmse for group in groups])
    intervals = np.array([group.interval for group in groups])
    biases = [group.biases_rmse for group in groups]
    axes.plot(at, biases, "s", ms=5, color=colors.second, mfc=colors.paper, label="biases only")
    axes.vlines(at, *intervals.T, color=colors.first, lw=2)
    axes.plot(at, rmse, "o", ms=6, color=colors.first, label="this model")
    axes.set_xticks(at, [group.label for group in groups], rotation=35, ha="right")
    axes.margins(x=0.06)
    axes.set_ylim(*_limits(groups))
    axes.grid(axis="x", visible=False)
    axes.set_xlabel(what)
    axes.set_ylabel("RMSE")
    put_legend(axes)


def _limits(groups: list[Group]) -> tuple[float, float]:
    """Ends of the axis, which holds all points and the intervals of the large groups."""
    large = [group for group in groups if group.n_ratings >= MANY_IN_GROUP] or groups
    shown = [*(end for group in large for end in group.interval)]
    shown += [rmse for group in groups for rmse in (group.rmse, group.biases_rmse)]
    margin = 0.06 * (max(shown) - min(shown)) or 0.1
    return min(shown) - margin, max(shown) + margin


def draw_ratings(axes: Axes, colors: Colors, bars: RatingBars) -> None:
    """Share of the ratings that have each value."""
    shares = bars.counts / bars.counts.sum()
    if bars.values is None:
        axes.bar(bars.edges[:-1], shares, np.diff(bars.edges), align="edge", color=colors.soft)
    else:
        width = 0.75 * (np.diff(bars.values).min() if len(bars.values) > 1 else 1.0)
        axes.bar(bars.values, shares, width, color=colors.soft, ec=colors.first, lw=1)
        if len(bars.values) <= 11:
            axes.set_xticks(bars.values, [f"{value:g}" for value in bars.values])
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("rating")
    axes.set_ylabel("share of ratings")


def draw_spectrum(axes: Axes, colors: Colors, spectrum: Spectrum) -> None:
    """Energy of each principal factor, and of all up to it."""
    energy = spectrum.energy[:MAX_BARS]
    at = np.arange(1, len(energy) + 1)
    axes.bar(at, energy, 0.8, color=colors.soft, ec=colors.first, lw=0.6, label="of one factor")
    style = "-" if len(energy) > 1 else "o"
    axes.plot(at, np.cumsum(energy), style, color=colors.second, lw=2, label="of all up to it")
    axes.set_ylim(0, 1.04)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.locator_params(axis="x", integer=True)
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("principal factor")
    axes.set_ylabel("share of the energy")
    put_legend(axes)


def _draw_diagonal(axes: Axes, colors: Colors, ends: list[float]) -> None:
    axes.plot(ends, ends, color=colors.muted, lw=0.8, ls=(0, (3, 3)), zorder=0.5)
