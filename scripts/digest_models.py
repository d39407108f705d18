"""Digests of a table of small models: has a change moved a single learned number?

    python scripts/digest_models.py > before.txt
    ... change the program ...
    python scripts/digest_models.py | diff before.txt -

A line is one model: every algorithm, optimizer, schedule and loss, ensembles, interactions, models
of choices, a validation part of one's own, models that are folded in or updated. Its digests are of
what was learned (arrays and history), and of what is answered (predictions, lists, explanations,
deviations). Both are the same on every processor, for any number of threads.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from funksvd import FunkSVD, Interactions, Ratings, random_split, read_ratings, update

SAMPLE = Path(__file__).parents[1] / "data" / "ratings.csv"
SETTINGS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "sgd and choices": {"choice": True},
    "sgd, one thread": {"n_threads": 1},
    "sgd, seed 7": {"seed": 7},
    "sgd, no refit": {"refit": False},
    "sgd, no validation": {"validation_fraction": 0.0, "n_epochs": 5},
    "sgd, no biases": {"biases": False},
    "sgd, reg given": {"reg": 0.02, "bias_reg": 0.01},
    "sgd, bias rate given": {"bias_learning_rate": 0.01},
    "sgd, diverges at first": {"learning_rate": 0.6},
    "sgd, nonnegative": {"nonnegative": True},
    "sgd, nonnegative, no biases": {"nonnegative": True, "biases": False},
    "sgd, absolute": {"loss": "absolute"},
    "sgd, huber": {"loss": "huber", "huber_delta": 0.7},
    "sgd, ensemble": {"ensemble": 3},
    "sgd, ensemble, no refit": {"ensemble": 2, "refit": False},
    "sgd, snapshots": {"ensemble": 3, "ensemble_snapshots": True, "schedule": "cyclic"},
    **{
        f"sgd, {schedule}": {"schedule": schedule}
        for schedule in ("constant", "inverse-time", "plateau", "cyclic", "cyclic-annealed")
    },
    **{
        f"sgd, {optimizer}": {"optimizer": optimizer, "n_epochs": 12}
        for optimizer in ("momentum", "adagrad", "adagrad-element", "rmsprop", "adam")
    },
    "sgd, batches of 50": {"batch_size": 50, "n_epochs": 12},
    "sgd, full batch": {"batch_size": "full", "n_epochs": 30},
    "sgd, adam, large batches": {"optimizer": "adam", "batch_size": 2_000, "n_epochs": 12},
    "svd++": {"algorithm": "svd++"},
    "svd++, ensemble": {"algorithm": "svd++", "ensemble": 2, "n_epochs": 10},
    "svd++, snapshots": {
        "algorithm": "svd++",
        "ensemble": 2,
        "ensemble_snapshots": True,
        "schedule": "cyclic-annealed",
    },
    "svd++, no refit": {"algorithm": "svd++", "refit": False},
    "incremental": {"algorithm": "incremental", "n_factors": 6, "n_epochs": 40},
    "incremental, ensemble": {
        "algorithm": "incremental",
        "n_factors": 3,
        "n_epochs": 30,
        "ensemble": 2,
    },
    "bayes": {"algorithm": "bayes", "n_epochs": 30},
    "bayes, validated": {"algorithm": "bayes", "n_epochs": 30, "validation_fraction": 0.1},
    "bayes, no refit": {
        "algorithm": "bayes",
        "n_epochs": 30,
        "validation_fraction": 0.1,
        "refit": False,
    },
    "bayes++": {"algorithm": "bayes++", "n_epochs": 30},
    "bayes++, ensemble": {"algorithm": "bayes++", "n_epochs": 20, "ensemble": 2},
    "ials": {"algorithm": "ials"},
    "ials, 40 factors": {"algorithm": "ials", "n_factors": 40, "n_threads": 3},
    "ials, validated": {"algorithm": "ials", "validation_fraction": 0.1},
    "ials, no refit": {"algorithm": "ials", "validation_fraction": 0.1, "refit": False},
}

UPDATED: dict[str, dict[str, Any]] = {
    "sgd": {},
    "adam": {"optimizer": "adam", "n_epochs": 12},
    "svd++": {"algorithm": "svd++"},
    "svd++, ensemble": {"algorithm": "svd++", "ensemble": 2},
    "ials": {"algorithm": "ials"},
    "sgd and choices": {"choice": True},
}


def models() -> Iterator[tuple[str, FunkSVD, Ratings]]:
    """Name, model, and ratings that it has not learned from."""
    everything = read_ratings(SAMPLE)
    a_third_of_users = everything.user_index % 3 == 0
    rest, test = random_split(everything.subset(a_third_of_users).compact(), 0.2, seed=1)
    training, later = random_split(rest, 0.2, seed=2)
    for name, settings in SETTINGS.items():
        yield name, _new(settings).fit(training), test
    liked = training.values >= 4
    zeros_and_ones = Ratings.from_arrays(
        training.user_ids[training.user_index],
        training.item_ids[training.item_index],
        liked.astype(np.float32),
    )
    yield "sgd, logistic", _new({"loss": "logistic"}).fit(zeros_and_ones), test
    for algorithm in ("sgd", "svd++", "bayes++"):
        own = _new({"algorithm": algorithm, "n_epochs": 20}).fit(training, validation=later)
        yield f"{algorithm}, validation given", own, test
    pairs = training.user_ids[training.user_index], training.item_ids[training.item_index]
    plays = 1 + training.user_index * training.item_index % 97
    for name, columns in {"clicks": {}, "plays": {"weights": plays}}.items():
        interactions = Interactions.from_arrays(*pairs, **columns)
        yield f"ials, {name}", _new({"algorithm": "ials"}).fit(interactions), test
    for algorithm in ("svd++", "bayes++"):
        more = _new({"algorithm": algorithm, "n_epochs": 15})
        yield f"{algorithm}, interactions", more.fit(training, interactions=later), test
    for name, settings in UPDATED.items():
        old = _new(settings).fit(training)
        yield f"{name}, updated", update(old, training.joined_with(later)), test
        yield f"{name}, for new users", old.for_new_users(later), test


def _new(settings: dict[str, Any]) -> FunkSVD:
    alone = {} if settings.get("algorithm") == "ials" else {"choice": False}
    return FunkSVD(**{"n_factors": 8, "n_threads": 2, **alone, **settings})


def learned(model: FunkSVD) -> Iterator[Any]:
    """All that training came to."""
    if model.fitted.rating is not None:
        yield from (model.global_mean, model.user_biases, model.item_biases)
        yield from (model.user_factors, model.item_factors, model.implicit_factors)
        yield from model.draws or ()
        yield model.rating_scale
    if model.fitted.choice is not None:
        yield from model.fitted.choice.learned.arrays().values()
    yield from (model.user_ids, model.item_ids)
    yield from (model.best_epoch, model.reg_used, model.rating_spread)
    yield from (tuple(record)[:4] for record in model.history)


def answers(model: FunkSVD, test: Ratings) -> Iterator[Any]:
    """What people are told."""
    users, items = test.user_ids[test.user_index], test.item_ids[test.item_index]
    for by in model.rankings:
        yield from (model.recommend(user, 5, by=by) for user in model.user_ids[:20].tolist())
    yield model.similar(model.item_ids[3], 5)
    if model.fitted.choice is not None:
        yield from model.explain_choices(model.item_ids[::40], None, model.item_ids[:3])
        yield model.recommend(model.user_ids[0], 5, diversify=0.4)
    if model.fitted.rating is None:
        yield from model.fold_in(model.item_ids[::40])
        return
    yield model.predict(users, items)
    if model.loss != "logistic":
        rated, values = model.item_ids[::40], np.resize([1.0, 5.0, 4.0], len(model.item_ids[::40]))
        yield from model.fold_in(rated, values)
        yield from model.fold_in_item(model.user_ids[:9], np.arange(9) % 5 + 1.0)
        yield from (tuple(each) for each in model.explain(rated, values, model.item_ids[:3]))
    if model.draws is not None:
        yield model.predict_std(users, items)


def digest(values: Iterator[Any]) -> str:
    """Of their bits."""
    whole = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, np.ndarray) and value.dtype != object:
            whole.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
        elif isinstance(value, (list, tuple, np.ndarray)):
            for each in value:
                add(each)
        else:
            plain = value.item() if isinstance(value, np.generic) else value
            whole.update(repr(plain).encode())

    for value in values:
        add(value)
    return whole.hexdigest()[:16]


def main() -> None:
    """Print the table."""
    names = sys.argv[1:]
    for name, model, test in models():
        if not names or any(part in name for part in names):
            print(f"{name:32} {digest(learned(model))}  {digest(answers(model, test))}", flush=True)


if __name__ == "__main__":
    main()
