"""Metrics: arrays in, numbers out; they know neither models nor files."""

from funksvd.metrics.beyond_accuracy import (
    coverage,
    exposure_gini,
    intra_list_similarity,
    novelty,
)
from funksvd.metrics.bootstrap import Interval, intervals_of_means
from funksvd.metrics.probability import Reliability, ReliabilityGroup
from funksvd.metrics.ranking import (
    METRICS,
    BestItems,
    RankingMetrics,
    RankingTally,
    mean_ndcg,
    ranking_metrics,
    tally_lists,
)
from funksvd.metrics.rating import Errors, bootstrap_intervals, paired_intervals

__all__ = [
    "METRICS",
    "BestItems",
    "Errors",
    "Interval",
    "RankingMetrics",
    "RankingTally",
    "Reliability",
    "ReliabilityGroup",
    "bootstrap_intervals",
    "coverage",
    "exposure_gini",
    "intervals_of_means",
    "intra_list_similarity",
    "mean_ndcg",
    "novelty",
    "paired_intervals",
    "ranking_metrics",
    "tally_lists",
]
