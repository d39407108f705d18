"""`funksvd info`: the contents of a model file."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .console import Output
from .features import show_features
from .groups import GroupedCommand
from .models import load, model_argument
from .options import light_output_options

if TYPE_CHECKING:
    from funksvd import FunkSVD
    from funksvd.splitting import Provenance


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Example:
  funksvd info model.funksvd""",
)
@model_argument
@light_output_options
def info(model_path: str, *, output: Output) -> None:
    """Show what MODEL holds and how it was trained."""
    model = load(output, model_path)
    facts = _facts(model, model_path)
    if output.as_json:
        output.json(facts)
        return
    rows = [
        (name.replace("_", " "), _text(value, name != "seed"))
        for name, value in _for_people(facts, model).items()
    ]
    output.table(("model", model_path), rows, ("model", model_path))
    show_features(output, model)


def _facts(model: FunkSVD, path: str) -> dict[str, object]:
    from funksvd.learned.storage import size_of
    from funksvd.training import ALGORITHMS

    provenance, best = model.provenance, model.training.best
    predicts = model.fitted.rating is not None
    history = [record.to_dict() for record in model.history]
    for record in history:
        del record["seconds"]  # not kept in the file
    hyperparameters = asdict(model.hyperparameters.resolved())
    del hyperparameters["n_threads"]
    return {
        "size_bytes": size_of(path),
        "n_users": len(model.user_ids),
        "n_items": len(model.item_ids),
        "n_ratings": model.n_ratings,
        "first_user_ids": model.user_ids[:3].tolist(),
        "first_item_ids": model.item_ids[:3].tolist(),
        "rankings": list(model.rankings),
        "rating_scale": list(model.rating_scale) if predicts else None,
        "global_mean": model.global_mean if predicts else None,
        "user_days": _user_days(model),
        "choice_model": _choice_model(model),
        "features": {
            what: [each.to_dict() for each in facts]
            for what, facts in model.fitted.feature_facts.items()
        },
        "n_without_ratings": {
            what: len(known.alone) for what, known in model.fitted.features.items()
        },
        "best_epoch": model.best_epoch,
        "n_draws": model.n_members
        if ALGORITHMS[model.hyperparameters.algorithm].is_sampler
        else None,
        f"valid_{best.valid_metric}": best.valid,
        "refitted": model.refitted,
        "knows_seen_pairs": model.seen is not None,
        "trained_on": provenance.ratings.files if provenance else [],
        "updated_with": [
            file
            for update in (provenance.updates if provenance else ())
            for file in update.ratings.files
        ],
        "test_part": _test_part(provenance),
        **hyperparameters,
        "reg_used": model.reg_used,
        "n_groups_used": model.training.n_groups,
        "history": history,
    }


def _user_days(model: FunkSVD) -> dict[str, object] | None:
    """Number of biases of users on days, and their standard deviation; None if there are none."""
    rating = model.fitted.rating
    days = None if rating is None else rating.learned.days
    return None if days is None else {"n_days": len(days.biases), "std": days.spread}


def _choice_model(model: FunkSVD) -> dict[str, object] | None:
    """Facts about the choice model; None if there is none."""
    choice = model.fitted.choice
    if choice is None:
        return None
    return {
        "n_factors": choice.learned.item_factors.shape[1],
        "weights": choice.weighting.to_dict(),
        "unobserved_weight": choice.learned.unobserved_weight,
        "strength": choice.learned.strength,
    }


def _for_people(facts: dict[str, object], model: FunkSVD) -> dict[str, object]:
    """The facts but those too long to look at and those that mean nothing for this model."""
    from funksvd.training import ALGORITHMS

    unused = {
        "history",
        "features",
        "n_without_ratings",
        *(model.get_params().keys() - model.hyperparameters.in_use(model.was_validated).keys()),
    }
    if not model.was_validated:
        unused.add(f"valid_{model.training.best.valid_metric}")
    is_sampler = ALGORITHMS[model.hyperparameters.algorithm].is_sampler
    unused |= {"best_epoch", "reg_used"} if is_sampler else {"n_draws"}
    if model.fitted.rating is None:
        unused |= {"rating_scale", "global_mean"}
    shown = {name: value for name, value in facts.items() if name not in unused}
    if "reg" in shown and shown["reg"] is None:
        shown["reg"] = "by the data"
    if "n_groups" in shown and shown["n_groups"] is None:
        shown["n_groups"] = "by the data"
    if shown["n_groups_used"] is None:
        del shown["n_groups_used"]
    if is_sampler and shown["n_factors"] is None:
        shown["n_factors"] = f"{model.learned.n_factors_of_draw:,}, by the data"
    shown["rankings"] = ", ".join(f"by {name}" for name in model.rankings)
    if (days := _user_days(model)) is not None:
        shown["user_days"] = f"{days['n_days']:,}, biases with a std of {days['std']:.2g}"
    else:
        del shown["user_days"]
    shown["choice_model"] = "none"
    if (choice := model.fitted.choice) is not None:
        shown["choice_model"] = (
            f"{choice.learned.item_factors.shape[1]} factors, weights {choice.weighting}"
        )
    if model.fitted.rating is not None:
        return shown
    return {"n_pairs" if name == "n_ratings" else name: each for name, each in shown.items()}


def _test_part(provenance: Provenance | None) -> str | None:
    if provenance is None:
        return None
    if provenance.test is not None:
        return ", ".join(provenance.test.files) or "given"
    return f"{provenance.test_fraction:.0%} at random" if provenance.test_fraction else "none"


def _text(value: object, counted: bool = True) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and counted:
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_text(part, counted=False) for part in value) or "-"
    return str(value)
