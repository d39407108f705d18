"""From what a fitted model consists of to what its file holds, and back."""

from __future__ import annotations

import math
import os
from dataclasses import asdict
from typing import Any

import numpy as np

from funksvd.errors import UnknownHyperparameterError
from funksvd.fitted import Fitted, liking_of_scale
from funksvd.hyperparameters import ALGORITHMS, LOSSES, Hyperparameters
from funksvd.kernels import sum_values
from funksvd.learned import LearnedChoices, LearnedRatings, storage
from funksvd.learned.calibration import Calibration
from funksvd.learned.choice_model import ChoiceModel
from funksvd.learned.features import KnownFeatures
from funksvd.learned.fold_in import PRIOR_RATINGS, RowPrior
from funksvd.learned.lists import Liking
from funksvd.learned.rating_model import FoldInTerms, RatingModel
from funksvd.learned.storage import Part, SavedModel
from funksvd.learned.weighting import Weighting
from funksvd.objectives.parameters import Regularization
from funksvd.ratings import Vocabulary
from funksvd.ratings.features import UnknownKindError
from funksvd.splitting import Provenance
from funksvd.training import TrainingRecord

KINDS = {LearnedRatings.kind, LearnedChoices.kind}
"""Kinds of parts that a model can have."""


def to_saved(fitted: Fitted, *, with_seen: bool) -> SavedModel:
    """The content of a file of a model.

    Parameters
    ----------
    fitted : Fitted
    with_seen : bool
        Whether the file tells which pairs were rated, and how.
    """
    provenance = fitted.provenance
    features = {what: known.to_dict() for what, known in fitted.features.items()}
    return SavedModel(
        user_ids=fitted.users.ids,
        item_ids=fitted.items.ids,
        seen=fitted.seen if with_seen else None,
        held_out=fitted.held_out if with_seen else None,
        info={
            "n_ratings": fitted.n_ratings,
            "provenance": provenance.to_dict() if provenance else None,
            **({"features": features} if features else {}),
        },
        parts=parts_of(fitted),
        test_pairs=provenance.test_pairs if with_seen and provenance else None,
        item_counts=None if with_seen and fitted.seen is not None else fitted.item_counts,
        alone={what: known.alone for what, known in fitted.features.items()},
    )


def read_fitted(path: str | os.PathLike[str], *, in_memory: bool) -> Fitted:
    """Read what a model consists of.

    Parameters
    ----------
    path : path
        A file or a folder.
    in_memory : bool
        As for `read_model`.

    Raises
    ------
    ModelFileError
        If it is missing, truncated, altered or something else.
    """
    saved = storage.read_model(path, kinds=KINDS, in_memory=in_memory)
    with storage.telling_of_damage(path):
        try:
            return from_saved(saved)
        except UnknownHyperparameterError as error:
            raise storage.newer(path, f"a hyperparameter {error.name!r}") from error
        except UnknownKindError as error:
            raise storage.newer(path, f"a feature of the kind {str(error)!r}") from error


def from_saved(saved: SavedModel) -> Fitted:
    """The opposite of `to_saved`.

    Raises
    ------
    UnknownHyperparameterError
        If there is a hyperparameter that this program does not know.
    LookupError, TypeError, ValueError
        If something is missing, or makes no sense.
    """
    n_ratings, provenance = saved.info["n_ratings"], saved.info["provenance"]
    if type(n_ratings) is not int:
        raise ValueError("n_ratings must be an integer")
    main = saved.parts.get(LearnedRatings.kind) or saved.parts[LearnedChoices.kind]
    hyperparameters = Hyperparameters.from_dict(main.info["hyperparameters"])
    hyperparameters.check()
    record = TrainingRecord.from_dict(main.info)
    rating, choice, liking, calibration = read_parts(saved, hyperparameters, record)
    fitted = Fitted(
        users=Vocabulary(saved.user_ids, "user"),
        items=Vocabulary(saved.item_ids, "item"),
        rating=rating,
        n_ratings=n_ratings,
        seen=saved.seen,
        record=record,
        hyperparameters=hyperparameters,
        choice=choice,
        item_counts=saved.item_counts,
        liking=liking,
        calibration=calibration,
        held_out=saved.held_out,
        provenance=Provenance.from_dict(provenance, saved.test_pairs) if provenance else None,
    )
    return fitted.knowing(read_known_features(saved, fitted))


def read_known_features(saved: SavedModel, fitted: Fitted) -> dict[str, KnownFeatures]:
    """What a model knows of features, checked.

    Raises
    ------
    UnknownKindError
        If there is a kind of feature that this program does not know.
    LookupError, TypeError, ValueError
        If something is missing, or makes no sense.
    """
    found = {}
    for what, plain in sorted(saved.info.get("features", {}).items(), reverse=True):
        known = KnownFeatures.from_dict(what, plain, saved.alone[what])
        for part in (fitted.rating, fitted.choice):
            weights: Any = part and getattr(part.learned, f"{what}_feature_factors")
            if part and (weights is None or len(weights) != known.encoding.n_columns):
                raise ValueError(f"the weights are not those of the features of {what}s")
        found[what] = known
    return found


def parts_of(fitted: Fitted) -> dict[str, Part]:
    """The parts of a model as its file has them."""
    chosen = fitted.hyperparameters.resolved().get_params()
    del chosen["n_threads"]  # not a property of the model
    main = {"hyperparameters": chosen, **fitted.record.to_dict()}
    parts = {}
    if fitted.rating is not None:
        liking = fitted.liking
        parts[LearnedRatings.kind] = Part(
            info={
                **main,
                "rating_scale": list(fitted.rating.limits),
                "liking": liking and asdict(liking),
                "calibration": fitted.calibration and fitted.calibration.to_dict(),
            },
            tensors=fitted.rating.learned.tensors(),
        )
        main = {}
    if fitted.choice is not None:
        parts[LearnedChoices.kind] = Part(
            info={**main, "weighting": fitted.choice.weighting.to_dict()},
            tensors=fitted.choice.learned.tensors(),
        )
    return parts


def read_parts(
    saved: SavedModel, hyperparameters: Hyperparameters, record: TrainingRecord
) -> tuple[RatingModel | None, ChoiceModel | None, Liking | None, Calibration | None]:
    """The opposite of `parts_of`, checked.

    Raises
    ------
    LookupError, TypeError, ValueError
        If something is missing, or makes no sense.
    """
    shape = (len(saved.user_ids), len(saved.item_ids))
    rating = choice = liking = calibration = None
    if part := saved.parts.get(LearnedRatings.kind):
        learned = LearnedRatings.from_tensors(part.tensors, *shape)
        low, high = map(float, part.info["rating_scale"])
        if not -np.inf < low <= high < np.inf:
            raise ValueError(f"rating_scale is {low} to {high}")
        rating = rating_model(hyperparameters, learned, record, (low, high))
        if plain := part.info.get("liking"):
            liking = Liking(*(float(plain[name]) for name in Liking.__dataclass_fields__))
        else:
            liking = liking_of_scale(low, high, record)
        if plain := part.info.get("calibration"):
            calibration = Calibration.from_dict(plain)
    if part := saved.parts.get(LearnedChoices.kind):
        choice = ChoiceModel(
            LearnedChoices.from_tensors(part.tensors, *shape),
            Weighting.from_dict(part.info["weighting"]),
        )
    return rating, choice, liking, calibration


def rating_model(
    hyperparameters: Hyperparameters,
    learned: LearnedRatings,
    record: TrainingRecord,
    limits: tuple[float, float],
) -> RatingModel:
    """A learned model, with the facts that its answers depend on besides.

    Raises
    ------
    ValueError
        If the number of factors is not that of the members: both may come from a file.
    """
    chosen = hyperparameters.resolved()
    n_factors = learned.user_factors.shape[1]
    if ALGORITHMS[chosen.algorithm].is_sampler:  # which has as many as the mean needs
        n_members = 1 if learned.draw_scales is not None else max(learned.n_draws, 1)
    else:
        n_members, rest = divmod(n_factors, chosen.n_factors)
        if rest or not 1 <= n_members <= chosen.ensemble:
            raise ValueError(f"n_factors is {chosen.n_factors}, but there are {n_factors}")
    unexplained = (record.best.train / record.spread) ** 2
    return RatingModel(
        learned,
        limits,
        n_members,
        LOSSES[chosen.loss],
        terms=FoldInTerms(
            Regularization(record.reg * record.spread, chosen.bias_reg),
            PRIOR_RATINGS * min(unexplained, 1.0) if chosen.biases else 0.0,
            bool(chosen.biases),
            _priors_of(learned, chosen.ensemble) if n_members == 1 else None,
        ),
    )


def _priors_of(learned: LearnedRatings, ensemble: int) -> tuple[RowPrior, RowPrior] | None:
    """The distributions of a sampler's rows of users and of items; None for other models."""
    if learned.user_noise is None or learned.item_noise is None:
        return None
    shares = (learned.user_noise, learned.item_noise)
    if min(float(share.min(initial=1)) for share in shares) <= 0:
        raise ValueError("user_noise and item_noise must be above 0")
    noise = math.prod(float(sum_values(share)) / len(share) for share in shares)
    return (
        RowPrior.of(learned.user_biases, learned.user_factors, noise, ensemble),
        RowPrior.of(learned.item_biases, learned.item_factors, noise, ensemble),
    )
