"""Better hyperparameters than the defaults, where there are any; needs Optuna."""

from funksvd.tuning.search import tune
from funksvd.tuning.study import require_optuna
from funksvd.tuning.trials import Metric, Trial, Tuning, TuningMonitor

__all__ = ["Metric", "Trial", "Tuning", "TuningMonitor", "require_optuna", "tune"]
