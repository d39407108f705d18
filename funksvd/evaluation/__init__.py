"""Evaluation of models: errors and rankings with intervals, beside others'."""

from funksvd.evaluation.baselines import global_mean, regularized_biases
from funksvd.evaluation.compare import Comparison, Difference, compare_models
from funksvd.evaluation.cross_validation import CrossValidation, FoldResult, cross_validate
from funksvd.evaluation.errors import Evaluation, evaluate
from funksvd.evaluation.ranking import RankingEvaluation, RankingQuality, evaluate_ranking

__all__ = [
    "Comparison",
    "CrossValidation",
    "Difference",
    "Evaluation",
    "FoldResult",
    "RankingEvaluation",
    "RankingQuality",
    "compare_models",
    "cross_validate",
    "evaluate",
    "evaluate_ranking",
    "global_mean",
    "regularized_biases",
]
