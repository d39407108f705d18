"""Honest figures: the test part, errors with their intervals, and what to compare them with."""

from funksvd.evaluation.baselines import global_mean, regularized_biases
from funksvd.evaluation.holdout import (
    Holdout,
    Provenance,
    check_disjoint,
    hold_out,
    rebuild,
    split_again,
)
from funksvd.evaluation.metrics import Errors, Evaluation, Interval, bootstrap_intervals

__all__ = [
    "Errors",
    "Evaluation",
    "Holdout",
    "Interval",
    "Provenance",
    "bootstrap_intervals",
    "check_disjoint",
    "global_mean",
    "hold_out",
    "rebuild",
    "regularized_biases",
    "split_again",
]
