"""Evaluation of models: errors and rankings with intervals, beside those of baselines."""

from funksvd.evaluation.baselines import global_mean, regularized_biases
from funksvd.evaluation.cross_validation import CrossValidation, FoldResult, cross_validate
from funksvd.evaluation.errors import Evaluation, evaluate
from funksvd.evaluation.ranking import RankingEvaluation, RankingQuality, evaluate_ranking

__all__ = [
    "CrossValidation",
    "Evaluation",
    "FoldResult",
    "RankingEvaluation",
    "RankingQuality",
    "cross_validate",
    "evaluate",
    "evaluate_ranking",
    "global_mean",
    "regularized_biases",
]
