"""Metrics: arrays in, numbers out; they know neither models nor files."""

from funksvd.metrics.ranking import RankingMetrics, ranking_metrics
from funksvd.metrics.rating import Errors, Interval, bootstrap_intervals

__all__ = ["Errors", "Interval", "RankingMetrics", "bootstrap_intervals", "ranking_metrics"]
