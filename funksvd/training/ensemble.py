"""The mean of several models as one model."""

from __future__ import annotations

from funksvd.learned.scoring import Draws
from funksvd.training.hyperparameters import Hyperparameters
from funksvd.training.interrupts import Interrupts
from funksvd.training.loop import TrainingResult, fold_together, train
from funksvd.training.monitor import Monitor
from funksvd.training.plan import BlockPlan


def train_ensemble(
    plan: BlockPlan,
    hyperparameters: Hyperparameters,
    purpose: str,
    *,
    search: TrainingResult | None = None,
    reg_factor: float = 1.0,
    monitor: Monitor,
    interrupts: Interrupts | None = None,
) -> TrainingResult:
    """Train as many models as the hyperparameters say, from different seeds; usually one.

    Predictions of the result are the means of theirs. Snapshots of a single run are a matter of
    that run: `train`.

    Parameters
    ----------
    plan : BlockPlan
    hyperparameters : Hyperparameters
    purpose : {"search", "refit", "fit"}
        A search before a refit needs one member only.
    search : TrainingResult, optional
        What a search has found: each member takes as many epochs, the same learning rates, and
        the same `reg_factor`.
    reg_factor : float
        As for `train`.
    monitor : Monitor
    interrupts : Interrupts, optional

    Returns
    -------
    TrainingResult
        That of the first member, but for the parameters.

    Raises
    ------
    DivergenceError
        As `train` does.
    KeyboardInterrupt
        Likewise, of the first member; later, the members that are complete are kept.
    """
    n_epochs = search.best_epoch if search else hyperparameters.epoch_limit()
    one = hyperparameters.ensemble_snapshots or (purpose == "search" and hyperparameters.refit)
    n_members = 1 if one else hyperparameters.ensemble
    members: list[TrainingResult] = []
    interrupted = False
    while len(members) < n_members and not interrupted:
        if n_members > 1:
            monitor.member_started(len(members) + 1, n_members)
        monitor.fit_started(purpose, plan.n_learned, plan.n_held_back, n_epochs)
        try:
            result = train(
                plan,
                hyperparameters,
                n_epochs=n_epochs,
                rate_factor=search.rate_factor if search else 1.0,
                reg_factor=search.reg_factor if search else reg_factor,
                followed=search.history if search else (),
                passes=search.passes if search else None,
                member=len(members),
                monitor=monitor,
                interrupts=interrupts,
            )
        except KeyboardInterrupt:
            if not members:
                raise
            interrupted = True
            break
        interrupted = result.interrupted
        if not (interrupted and members):  # half a member would spoil the others
            members.append(result)
    parameters, implicit_factors = fold_together(
        [(member.parameters, member.implicit_factors) for member in members]
    )
    draws = [member.draws for member in members if member.draws is not None]
    return members[0]._replace(
        parameters=parameters,
        implicit_factors=implicit_factors,
        interrupted=interrupted,
        draws=Draws.joined(draws) if draws else None,
    )
