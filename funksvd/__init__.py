"""Learn a recommender from a file of ratings: biased matrix factorization (Funk SVD).

>>> from funksvd import FunkSVD, read_ratings
>>> model = FunkSVD().fit(read_ratings("data/ratings.csv"))
>>> model.recommend(7, n=3)  # doctest: +SKIP

The names below are loaded when they are first used, so that `import funksvd` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from funksvd.errors import (
        DataChangedError,
        DivergenceError,
        DownloadError,
        FunkSVDError,
        ModelFileError,
        NotFittedError,
        RatingsError,
        UnknownIdError,
    )
    from funksvd.evaluation import (
        CrossValidation,
        Evaluation,
        RankingEvaluation,
        cross_validate,
        evaluate_ranking,
    )
    from funksvd.export import export_factors
    from funksvd.model import FunkSVD
    from funksvd.ratings import (
        Interactions,
        Ratings,
        ReadOptions,
        Vocabulary,
        read_ids,
        read_interactions,
        read_own_ratings,
        read_pairs,
        read_ratings,
        read_titles,
        write_table,
    )
    from funksvd.splitting import (
        Fold,
        by_time,
        hold_out,
        leave_last_out,
        per_user_folds,
        random_folds,
        random_split,
        rebuild,
    )
    from funksvd.training import EpochRecord, Monitor
    from funksvd.tuning import Trial, Tuning, TuningMonitor, tune
    from funksvd.updating import update

__version__ = "0.1.0"

_HOME = {
    "CrossValidation": "evaluation",
    "DataChangedError": "errors",
    "DivergenceError": "errors",
    "DownloadError": "errors",
    "EpochRecord": "training",
    "Evaluation": "evaluation",
    "Fold": "splitting",
    "FunkSVD": "model",
    "FunkSVDError": "errors",
    "Interactions": "ratings",
    "ModelFileError": "errors",
    "Monitor": "training",
    "NotFittedError": "errors",
    "RankingEvaluation": "evaluation",
    "Ratings": "ratings",
    "RatingsError": "errors",
    "ReadOptions": "ratings",
    "Trial": "tuning",
    "Tuning": "tuning",
    "TuningMonitor": "tuning",
    "UnknownIdError": "errors",
    "Vocabulary": "ratings",
    "by_time": "splitting",
    "cross_validate": "evaluation",
    "evaluate_ranking": "evaluation",
    "export_factors": "export",
    "hold_out": "splitting",
    "leave_last_out": "splitting",
    "per_user_folds": "splitting",
    "random_folds": "splitting",
    "random_split": "splitting",
    "read_ids": "ratings",
    "read_interactions": "ratings",
    "read_own_ratings": "ratings",
    "read_pairs": "ratings",
    "read_ratings": "ratings",
    "read_titles": "ratings",
    "rebuild": "splitting",
    "tune": "tuning",
    "update": "updating",
    "write_table": "ratings",
}

__all__ = [  # noqa: RUF022 - sorted as _HOME is
    "__version__",
    "CrossValidation",
    "DataChangedError",
    "DivergenceError",
    "DownloadError",
    "EpochRecord",
    "Evaluation",
    "Fold",
    "FunkSVD",
    "FunkSVDError",
    "Interactions",
    "ModelFileError",
    "Monitor",
    "NotFittedError",
    "RankingEvaluation",
    "Ratings",
    "RatingsError",
    "ReadOptions",
    "Trial",
    "Tuning",
    "TuningMonitor",
    "UnknownIdError",
    "Vocabulary",
    "by_time",
    "cross_validate",
    "evaluate_ranking",
    "export_factors",
    "hold_out",
    "leave_last_out",
    "per_user_folds",
    "random_folds",
    "random_split",
    "read_ids",
    "read_interactions",
    "read_own_ratings",
    "read_pairs",
    "read_ratings",
    "read_titles",
    "rebuild",
    "tune",
    "update",
    "write_table",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'funksvd' has no attribute {name!r}")
    value = getattr(import_module(f"funksvd.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
