"""Metrics: arrays in, numbers out; they know neither models nor files."""

from funksvd.metrics.bootstrap import Interval, intervals_of_means
from funksvd.metrics.ranking import METRICS, RankingMetrics, RankingTally, ranking_metrics
from funksvd.metrics.rating import Errors, bootstrap_intervals

__all__ = [
    "METRICS",
    "Errors",
    "Interval",
    "RankingMetrics",
    "RankingTally",
    "bootstrap_intervals",
    "intervals_of_means",
    "ranking_metrics",
]
