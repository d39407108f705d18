"""The mean of several models as one model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from funksvd.hyperparameters import Hyperparameters
from funksvd.training.checkpoints import Checkpoints
from funksvd.training.context import Findings, PlanT
from funksvd.training.interrupts import Interrupts
from funksvd.training.monitor import Monitor
from funksvd.training.trainer import TrainingResult, train


def train_ensemble(
    plan: PlanT,
    hyperparameters: Hyperparameters,
    purpose: str,
    *,
    findings: Findings | None = None,
    monitor: Monitor,
    interrupts: Interrupts | None = None,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult[Any]:
    """Train as many models as the hyperparameters say, from different seeds; usually one.

    Predictions of the result are the means of theirs. Snapshots of a single run are a matter of
    that run: `train`.

    Parameters
    ----------
    plan : BlockPlan or PairPlan
    hyperparameters : Hyperparameters
    purpose : {"search", "refit", "fit"}
        A search before a refit needs one member only.
    findings : Findings, optional
        What a search has found: each member has as many epochs, and the same learning rates and
        regularization.
    monitor : Monitor
    interrupts : Interrupts, optional
    checkpoints : Checkpoints, optional

    Returns
    -------
    TrainingResult
        That of the first member, but for what was learned.

    Raises
    ------
    DivergenceError
        As `train` does.
    KeyboardInterrupt
        If Ctrl-C comes before the first epoch of the first member is complete. Later, the members
        that are complete are kept.
    """
    findings = findings or Findings()
    n_epochs = findings.n_epochs or hyperparameters.epoch_limit()
    one = hyperparameters.ensemble_snapshots or (purpose == "search" and hyperparameters.refit)
    n_members = 1 if one else hyperparameters.ensemble
    members: list[TrainingResult[Any]] = []
    interrupted = False
    while len(members) < n_members and not interrupted:
        if n_members > 1:
            monitor.member_started(len(members) + 1, n_members)
        monitor.fit_started(purpose, plan.n_learned, plan.n_held_back, n_epochs)
        try:
            result = train(
                plan,
                hyperparameters,
                findings=findings,
                member=len(members),
                monitor=monitor,
                interrupts=interrupts,
                checkpoints=checkpoints,
            )
        except KeyboardInterrupt:
            if not members:
                raise
            interrupted = True
            break
        interrupted = result.interrupted
        if not (interrupted and members):  # half a member would spoil the others
            members.append(result)
    learned = type(members[0].learned).mean([member.learned for member in members])
    whole = replace(members[0], learned=learned)
    return whole.as_interrupted() if interrupted else whole
