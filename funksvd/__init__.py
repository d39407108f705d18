"""Learn a recommender from a file of ratings: biased matrix factorization (Funk SVD).

>>> from funksvd import FunkSVD, read_ratings
>>> model = FunkSVD().fit(read_ratings("data/ratings.csv"))
>>> model.recommend(7, n=3)  # doctest: +SKIP

The public names are loaded when they are first used, so that `import funksvd` is quick. They stand
here twice: as imports for type checkers and editors, and in a table for `import`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    # ruff would make a statement of each name that is exported by `as`
    # isort: off
    from funksvd.additions import Additions as Additions, find_additions as find_additions
    from funksvd.cluster.fitting import Shards as Shards
    from funksvd.errors import (
        CheckpointError as CheckpointError,
        DataChangedError as DataChangedError,
        DivergenceError as DivergenceError,
        DownloadError as DownloadError,
        FunkSVDError as FunkSVDError,
        GangLostError as GangLostError,
        ModelFileError as ModelFileError,
        ModelWriteError as ModelWriteError,
        NotFittedError as NotFittedError,
        RatingsError as RatingsError,
        ShardError as ShardError,
        UnknownHyperparameterError as UnknownHyperparameterError,
        UnknownIdError as UnknownIdError,
        UnknownIdWarning as UnknownIdWarning,
        WriteError as WriteError,
    )
    from funksvd.evaluation import (
        CrossValidation as CrossValidation,
        Evaluation as Evaluation,
        FoldResult as FoldResult,
        Comparison as Comparison,
        RankingEvaluation as RankingEvaluation,
        compare_models as compare_models,
        cross_validate as cross_validate,
        evaluate_ranking as evaluate_ranking,
    )
    from funksvd.export import export_factors as export_factors
    from funksvd.hyperparameters import Hyperparameters as Hyperparameters
    from funksvd.learned.explain import Explanation as Explanation
    from funksvd.learned.fold_in import FoldedIn as FoldedIn
    from funksvd.learned.storage import copy_model as copy_model
    from funksvd.listing import (
        Recommendation as Recommendation,
        SimilarItem as SimilarItem,
        SimilarUser as SimilarUser,
    )
    from funksvd.model import FunkSVD as FunkSVD
    from funksvd.ratings import (
        Interactions as Interactions,
        Ratings as Ratings,
        ReadOptions as ReadOptions,
        Vocabulary as Vocabulary,
        read_attributes as read_attributes,
        read_ids as read_ids,
        read_interactions as read_interactions,
        read_own_ratings as read_own_ratings,
        read_pairs as read_pairs,
        read_ratings as read_ratings,
        read_titles as read_titles,
        write_table as write_table,
    )
    from funksvd.ratings.io.clicks import read_clicks as read_clicks, read_data as read_data
    from funksvd.recommender import Recommender as Recommender
    from funksvd.splitting import (
        Fold as Fold,
        Holdout as Holdout,
        by_time as by_time,
        hold_out as hold_out,
        leave_last_out as leave_last_out,
        per_user_folds as per_user_folds,
        random_folds as random_folds,
        random_split as random_split,
        rebuild as rebuild,
    )
    from funksvd.training import (
        Checkpoints as Checkpoints,
        EpochRecord as EpochRecord,
        Monitor as Monitor,
        Stopped as Stopped,
        TrainingRecord as TrainingRecord,
    )
    from funksvd.tuning import (
        Trial as Trial,
        Tuning as Tuning,
        TuningMonitor as TuningMonitor,
        tune as tune,
    )
    from funksvd.updating import update as update
    # isort: on
else:
    _NAMES = {
        "additions": ("Additions", "find_additions"),
        "cluster.fitting": ("Shards",),
        "errors": (
            "CheckpointError",
            "DataChangedError",
            "DivergenceError",
            "DownloadError",
            "FunkSVDError",
            "GangLostError",
            "ModelFileError",
            "ModelWriteError",
            "NotFittedError",
            "RatingsError",
            "ShardError",
            "UnknownHyperparameterError",
            "UnknownIdError",
            "UnknownIdWarning",
            "WriteError",
        ),
        "evaluation": (
            "CrossValidation",
            "Evaluation",
            "FoldResult",
            "Comparison",
            "RankingEvaluation",
            "compare_models",
            "cross_validate",
            "evaluate_ranking",
        ),
        "export": ("export_factors",),
        "hyperparameters": ("Hyperparameters",),
        "learned.explain": ("Explanation",),
        "learned.fold_in": ("FoldedIn",),
        "learned.storage": ("copy_model",),
        "listing": ("Recommendation", "SimilarItem", "SimilarUser"),
        "model": ("FunkSVD",),
        "ratings": (
            "Interactions",
            "Ratings",
            "ReadOptions",
            "Vocabulary",
            "read_attributes",
            "read_ids",
            "read_interactions",
            "read_own_ratings",
            "read_pairs",
            "read_ratings",
            "read_titles",
            "write_table",
        ),
        "ratings.io.clicks": ("read_clicks", "read_data"),
        "recommender": ("Recommender",),
        "splitting": (
            "Fold",
            "Holdout",
            "by_time",
            "hold_out",
            "leave_last_out",
            "per_user_folds",
            "random_folds",
            "random_split",
            "rebuild",
        ),
        "training": (
            "Checkpoints",
            "EpochRecord",
            "Monitor",
            "Stopped",
            "TrainingRecord",
        ),
        "tuning": (
            "Trial",
            "Tuning",
            "TuningMonitor",
            "tune",
        ),
        "updating": ("update",),
    }
    _HOMES = {name: home for home, names in _NAMES.items() for name in names}

    __all__ = ["__version__", *sorted(_HOMES)]

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module 'funksvd' has no attribute {name!r}")
        value = getattr(import_module(f"funksvd.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted(__all__)
