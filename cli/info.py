"""`funksvd info`: what a model file holds."""

from __future__ import annotations

import os
from typing import Any

import click

from .console import Output
from .options import DEFAULT_MODEL, output_options


@click.command(
    epilog="""\b
Example:
  funksvd info model.funksvd"""
)
@click.argument("model_path", metavar="[MODEL]", default=DEFAULT_MODEL)
@output_options
def info(model_path: str, quiet: bool, as_json: bool) -> None:
    """Show what MODEL holds and how it was trained."""
    from funksvd import FunkSVD

    output = Output(quiet, as_json)
    facts = _facts(FunkSVD.load(model_path), model_path)
    if as_json:
        output.json(facts)
        return
    output.table(("model", model_path), [(name, _text(value)) for name, value in facts.items()], 2)


def _facts(model: Any, path: str) -> dict[str, Any]:
    provenance = model.provenance
    valid_rmse = model.history[model.best_epoch - 1].valid_rmse
    hyperparameters = model.get_params()
    del hyperparameters["n_threads"]
    return {
        "size_bytes": os.path.getsize(path),
        "n_users": len(model.user_ids),
        "n_items": len(model.item_ids),
        "n_ratings": model.n_ratings,
        "user_ids": [str(label) for label in model.user_ids[:3]],
        "item_ids": [str(label) for label in model.item_ids[:3]],
        "rating_scale": list(model.rating_scale),
        "global_mean": model.global_mean,
        "best_epoch": model.best_epoch,
        "valid_rmse": valid_rmse,
        "refitted": model.refitted,
        "knows_seen_pairs": model.seen is not None,
        "trained_on": provenance.ratings.files if provenance else [],
        "test_part": _test_part(provenance),
        **hyperparameters,
    }


def _test_part(provenance: Any) -> str | None:
    if provenance is None:
        return None
    if provenance.test is not None:
        return ", ".join(provenance.test.files) or "given"
    return f"{provenance.test_fraction:.0%} at random" if provenance.test_fraction else "none"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_text(part) for part in value) or "–"
    return str(value)
