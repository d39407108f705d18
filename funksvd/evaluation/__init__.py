"""Honest figures: what to test on, errors and rankings with intervals, what to compare with."""

from funksvd.evaluation.baselines import global_mean, regularized_biases
from funksvd.evaluation.crossvalidation import CrossValidation, FoldResult, cross_validate
from funksvd.evaluation.holdout import (
    Holdout,
    Provenance,
    check_disjoint,
    hold_out,
    is_in,
    rebuild,
    split_again,
)
from funksvd.evaluation.metrics import Errors, Evaluation, Interval, bootstrap_intervals
from funksvd.evaluation.ranking import RankingEvaluation, RankingQuality, evaluate_ranking
from funksvd.evaluation.splits import (
    Fold,
    Folds,
    by_time,
    leave_last_out,
    per_user_folds,
    random_folds,
)
from funksvd.evaluation.topn import RankingMetrics, ranking_metrics

__all__ = [
    "CrossValidation",
    "Errors",
    "Evaluation",
    "Fold",
    "FoldResult",
    "Folds",
    "Holdout",
    "Interval",
    "Provenance",
    "RankingEvaluation",
    "RankingMetrics",
    "RankingQuality",
    "bootstrap_intervals",
    "by_time",
    "check_disjoint",
    "cross_validate",
    "evaluate_ranking",
    "global_mean",
    "hold_out",
    "is_in",
    "leave_last_out",
    "per_user_folds",
    "random_folds",
    "ranking_metrics",
    "rebuild",
    "regularized_biases",
    "split_again",
]
