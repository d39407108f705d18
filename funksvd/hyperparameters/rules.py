"""Which hyperparameters mean something, and go together: rules about more than one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from funksvd.hyperparameters.algorithms import ALGORITHMS
from funksvd.hyperparameters.schedules import SCHEDULES
from funksvd.objectives.losses import LOSSES

if TYPE_CHECKING:
    from funksvd.hyperparameters.declaring import Declaration
    from funksvd.hyperparameters.hyperparameters import Hyperparameters
    from funksvd.hyperparameters.schedules import ScheduleKind
    from funksvd.objectives.losses import Loss

MOST_GROUPS = 4_096
"""Largest `n_groups`: the number of blocks is its square."""
LEAST_OF_NOISE = 1e-6
"""Least `reg` of a choice model: with less, the equations for a new user cannot be solved."""
MOST_UNOBSERVED = 1e6
"""Largest `unobserved_weight`: with more, 32-bit floats overflow."""
_OF_BIASES = {"bias_learning_rate", "bias_reg", "days"}


def meaningful(chosen: Hyperparameters, validated: bool) -> set[str]:
    """Names of the hyperparameters that make a difference to the model.

    Parameters
    ----------
    chosen : Hyperparameters
        Resolved.
    validated : bool
        Whether there is a validation part.
    """
    names = set(ALGORITHMS[chosen.algorithm].hyperparameters) - {"n_threads"}
    names -= _of_some(LOSSES) - set(LOSSES[chosen.loss].hyperparameters)
    names -= _of_some(SCHEDULES) - set(SCHEDULES[chosen.schedule].hyperparameters)
    if not chosen.biases:
        names -= _OF_BIASES
    if chosen.loss != "squared":
        names -= {"days"}
    if chosen.bias_learning_rate is None:
        names -= {"bias_learning_rate"}
    if not validated:
        names -= {"patience", "refit"}
    if chosen.ensemble_snapshots:
        names -= {"patience"}
    return names


def violations(
    chosen: Hyperparameters, declarations: Mapping[str, Declaration], spell: Callable[[str], str]
) -> Iterator[str]:
    """Sentences about values that do not go together, though each is in its range.

    Parameters
    ----------
    chosen : Hyperparameters
        As a person gave them.
    declarations : dict of str to Declaration
        The hyperparameters by name.
    spell : callable
        How a sentence spells the name of a hyperparameter.
    """
    algorithm = ALGORITHMS[chosen.algorithm]
    for name, declaration in declarations.items():
        is_given = getattr(chosen, name) != declaration.default
        if is_given and name not in algorithm.hyperparameters:
            yield _meaningless(chosen.algorithm, name, spell)

    if chosen.optimizer not in (None, "sgd") or chosen.batch_size not in (None, 1):
        for name in ("loss", "nonnegative"):
            if getattr(chosen, name) != declarations[name].default:
                yield (
                    f"{spell(name)} {getattr(chosen, name)} is for steps of single ratings: leave "
                    f"{spell('optimizer')} and {spell('batch_size')} out"
                )

    resolved = chosen.resolved()
    if (chosen.n_groups or 0) > MOST_GROUPS:
        yield f"{spell('n_groups')} must be at most {MOST_GROUPS:,}, not {chosen.n_groups:,}"
    if (chosen.unobserved_weight or 0.0) > MOST_UNOBSERVED:
        yield (
            f"{spell('unobserved_weight')} must be at most {MOST_UNOBSERVED:g}, not "
            f"{chosen.unobserved_weight:g}"
        )
    if algorithm.learns == "choice" and resolved.reg is not None and resolved.reg < LEAST_OF_NOISE:
        yield (
            f"with {spell('algorithm')} {chosen.algorithm!r}, {spell('reg')} must be at least "
            f"{LEAST_OF_NOISE:g}, not {resolved.reg:g}"
        )
    patience, decay = resolved.patience, resolved.learning_rate_decay
    if chosen.schedule == "inverse-time" and decay is not None and decay > 1:
        yield (
            f"with {spell('schedule')} 'inverse-time', {spell('learning_rate_decay')} must be at "
            f"most 1, not {decay!r}"
        )
    if chosen.schedule == "plateau" and patience is not None and chosen.plateau_epochs >= patience:
        yield (
            f"{spell('plateau_epochs')} ({chosen.plateau_epochs}) must be less than "
            f"{spell('patience')} ({patience}), or training stops before the learning rate falls"
        )

    is_cyclic = SCHEDULES[chosen.schedule].is_cyclic
    if chosen.ensemble_snapshots:
        if not is_cyclic:
            yield (
                f"{spell('ensemble_snapshots')} are taken at the ends of cycles: choose "
                f"{spell('schedule')} 'cyclic' or 'cyclic-annealed', not {chosen.schedule!r}"
            )
        if chosen.ensemble < 2:
            yield (
                f"{spell('ensemble_snapshots')} are the models of an ensemble: give "
                f"{spell('ensemble')} a number of at least 2, not {chosen.ensemble}"
            )
        n_epochs = chosen.ensemble * chosen.cycle_epochs
        if chosen.n_epochs not in (None, n_epochs):
            yield (
                f"with {spell('ensemble_snapshots')}, {spell('n_epochs')} is "
                f"{spell('ensemble')} x {spell('cycle_epochs')} = {n_epochs}, not "
                f"{chosen.n_epochs}; leave it out"
            )
    elif is_cyclic and patience is not None and chosen.cycle_epochs > patience:
        yield (
            f"{spell('patience')} ({patience}) must be at least {spell('cycle_epochs')} "
            f"({chosen.cycle_epochs}): the error rises within a cycle, and training would stop "
            "there"
        )


def without_effect(
    chosen: Hyperparameters, names: Iterable[str], spell: Callable[[str], str]
) -> Iterator[str]:
    """Sentences about hyperparameters that make no difference beside the others.

    Parameters
    ----------
    chosen : Hyperparameters
    names : iterable of str
        Those to look at.
    spell : callable
        How a sentence spells the name of a hyperparameter.
    """
    tables: dict[str, Mapping[str, ScheduleKind] | Mapping[str, Loss]]
    tables = {"loss": LOSSES, "schedule": SCHEDULES}
    for name in names:
        for which, table in tables.items():
            users = [each for each, entry in table.items() if name in entry.hyperparameters]
            if users and getattr(chosen, which) not in users:
                yield (
                    f"{spell(name)} makes no difference with {spell(which)} "
                    f"{getattr(chosen, which)}, only with {' or '.join(users)}"
                )
        if name == "days" and chosen.loss != "squared":
            yield (
                f"{spell(name)} makes no difference with {spell('loss')} {chosen.loss}, only with "
                "squared"
            )
        if name in _OF_BIASES and not chosen.biases:
            yield f"{spell(name)} makes no difference without biases"


def _meaningless(algorithm: str, name: str, spell: Callable[[str], str]) -> str:
    """The sentence about a hyperparameter that means nothing to the algorithm."""
    if ALGORITHMS[algorithm].learns == "choice" and name in ("biases", "choice"):
        what = "no biases" if name == "biases" else "a choice model and nothing else"
        return f"{spell('algorithm')} {algorithm!r} learns {what}; leave {spell(name)} out"
    if name == "biases":
        return f"{spell('algorithm')} {algorithm!r} always learns biases"
    others = [other for other in ALGORITHMS if name in ALGORITHMS[other].hyperparameters]
    if len(others) == 1:
        return (
            f"{spell(name)} is for {spell('algorithm')} {others[0]!r} only, not for {algorithm!r}"
        )
    return f"{spell('algorithm')} {algorithm!r} has no {spell(name)}; leave it out"


def _of_some(table: Mapping[str, ScheduleKind] | Mapping[str, Loss]) -> set[str]:
    """Names of the hyperparameters that mean something with some entries of a table only."""
    return {name for entry in table.values() for name in entry.hyperparameters}
