"""Training: a run of the algorithm that the hyperparameters name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Generic

import numpy as np

from funksvd.errors import WriteError
from funksvd.hyperparameters import ALGORITHMS, LOSSES, SCHEDULES, Hyperparameters
from funksvd.learned import Learned, LearnedRatings
from funksvd.rng import Stream, generator
from funksvd.training.checkpoints import (
    Checkpoints,
    RunCheckpoints,
    Saved,
    fingerprint,
    write_learned,
)
from funksvd.training.context import Context, Findings, LearnedT, PlanT
from funksvd.training.days import PlanElsewhere, centered, without_days
from funksvd.training.executors import Threads
from funksvd.training.interrupts import Interrupts
from funksvd.training.learners.registry import choose_learner
from funksvd.training.monitor import EpochRecord, Monitor
from funksvd.training.plan import DAY, BlockPlan
from funksvd.training.record import TrainingRecord
from funksvd.training.run import Limits, Run
from funksvd.training.steps import StepSizes
from funksvd.training.stopping import Stopped
from funksvd.training.validation import Validation, held_back_error, list_quality


@dataclass(frozen=True, eq=False)
class TrainingResult(Generic[LearnedT]):
    """The result of training.

    Parameters
    ----------
    learned : Learned
        That of the best epoch, or the mean of the snapshots.
    record : TrainingRecord
    findings : Findings
        What another run on the same kind of data should know.
    """

    learned: LearnedT
    record: TrainingRecord
    findings: Findings

    @property
    def interrupted(self) -> bool:
        """True if Ctrl-C ended training."""
        return self.record.stopped is Stopped.INTERRUPT

    def save(self, checkpoints: RunCheckpoints) -> None:
        """Keep it as what a run came to.

        Raises
        ------
        WriteError
            If it cannot be written.
        """
        state = {
            "kind": self.learned.kind,
            "record": asdict(self.record),
            "findings": asdict(self.findings),
        }
        checkpoints.save(
            state, lambda write: write_learned(self.learned, "learned", write), is_result=True
        )

    @classmethod
    def of(cls, saved: Saved) -> TrainingResult[Any]:
        """The opposite of `save`."""
        record, findings = saved.state["record"], saved.state["findings"]
        for each in (record, findings):
            each["history"] = [EpochRecord(*epoch) for epoch in each["history"]]
        record["stopped"] = Stopped(record["stopped"])
        return cls(
            saved.learned("learned", saved.state["kind"]),
            TrainingRecord(**record),
            Findings(**findings),
        )

    def as_interrupted(self) -> TrainingResult[LearnedT]:
        """The same, where Ctrl-C came later."""
        return replace(self, record=replace(self.record, stopped=Stopped.INTERRUPT))


def train(
    plan: PlanT,
    hyperparameters: Hyperparameters,
    *,
    findings: Findings | None = None,
    member: int = 0,
    start: Learned | None = None,
    validation: Validation | None = None,
    monitor: Monitor | None = None,
    interrupts: Interrupts | None = None,
    checkpoints: Checkpoints | None = None,
) -> TrainingResult[Any]:
    """Learn parameters, epoch by epoch, by the algorithm that the hyperparameters name.

    Deterministic: the result depends on the ratings, the hyperparameters and the seed, not on
    `n_threads`.

    Parameters
    ----------
    plan : BlockPlan or PairPlan
        The ratings, or pairs. Those that it holds back decide which epoch is best, and when
        to stop.
    hyperparameters : Hyperparameters
    findings : Findings, optional
        Of another run on the same kind of data.
    member : int
        Number of the model within an ensemble, whose models have random numbers of their own.
    start : Learned, optional
        Go on from these parameters rather than from random ones.
    validation : Validation, optional
        Decides in the place of the loss's error on the ratings held back, or of NDCG@10 on the
        pairs held back.
    monitor : Monitor, optional
    interrupts : Interrupts, optional
        Armed once an epoch is complete: from then on, there is something to lose.
    checkpoints : Checkpoints, optional
        The run goes on from the one that is there, and is not run at all if it had ended.

    Raises
    ------
    DivergenceError
        If the errors still grow without bound after the learning rate was halved 12 times.
    KeyboardInterrupt
        If Ctrl-C comes before the first epoch is complete. Later, it ends training with the best
        epoch so far.
    """
    chosen = hyperparameters.resolved()
    findings = findings or Findings()
    monitor, interrupts = monitor or Monitor(), interrupts or Interrupts()
    kept = None
    if checkpoints is not None:
        begun = {} if start is None else start.arrays()
        call = {
            "member": member,
            "findings": _without_seconds(findings),
            "start": fingerprint(*map(np.asarray, begun.values())),
        }
        kept = checkpoints.next_run(plan.fingerprint(), call)
        if (saved := kept.saved()) is not None and saved.is_result:
            result = TrainingResult.of(saved)
            interrupts.armed = True
            monitor.resumed(len(result.record.history))
            monitor.fit_done(result.record.best_epoch)
            return result
    n_epochs = findings.n_epochs or chosen.epoch_limit()
    if not ALGORITHMS[chosen.algorithm].by_feature:
        chosen = replace(chosen, n_epochs=n_epochs)
    rest: Any = plan
    days = None
    with Threads(chosen.thread_count()) as executor:
        draws_days = ALGORITHMS[chosen.algorithm].is_sampler
        if isinstance(rest, PlanElsewhere):
            days = rest.days
        elif isinstance(plan, BlockPlan) and DAY in plan.columns and not draws_days:
            rest, days = without_days(plan, executor)
        random = generator(chosen.seed, Stream.TRAINING, member)
        context = Context(rest, chosen, random, executor, start, findings, member)
        algorithm = ALGORITHMS[chosen.algorithm]
        metric = LOSSES[chosen.loss].metric
        decides = validation or held_back_error(metric)
        if algorithm.learns == "choice":
            metric = "loss"
            decides = validation or list_quality()
        steps = None
        if chosen.learning_rate is not None:
            schedule = SCHEDULES[chosen.schedule].make(chosen)
            steps = StepSizes(
                schedule,
                chosen.learning_rate,
                findings.rate_factor,
                findings.history,
                decides.greater_is_better,
            )
        run = Run(
            lambda: choose_learner(chosen, rest)(context),
            Limits(
                n_epochs,
                chosen.patience,
                snapshot_every=chosen.cycle_epochs if chosen.ensemble_snapshots else 0,
            ),
            decides,
            metric,
            steps,
            monitor,
            interrupts,
            kept,
        )
        run.until_done()
        learned: Any = run.learned()
        if days is not None:
            learned = learned.with_days(days)
        elif isinstance(learned, LearnedRatings) and learned.days is not None:
            learned = centered(learned, rest)
    n_unrated = 0 if plan.unrated is None else len(plan.unrated.user_index)
    learner = run.learner
    result = TrainingResult(
        learned,
        TrainingRecord(
            history=run.history,
            best_epoch=run.best_epoch,
            reg=learner.reg,
            spread=learner.spread,
            stopped=run.stopped,
            n_unrated=n_unrated,
            n_groups=getattr(plan, "n_groups", None),
        ),
        Findings(
            n_epochs=run.best_epoch,
            rate_factor=1.0 if steps is None else steps.factor,
            reg_factor=findings.reg_factor,
            history=run.history,
            passes=learner.passes(),
        ),
    )
    if kept is not None and not result.interrupted:
        try:
            result.save(kept)
        except WriteError as error:
            monitor.checkpoint_failed(error)
    return result


def _without_seconds(findings: Findings) -> dict[str, Any]:
    """Plain data that are the same for the same findings."""
    history = [record._replace(seconds=0.0) for record in findings.history]
    return asdict(replace(findings, history=history))
