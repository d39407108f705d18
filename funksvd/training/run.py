"""The epoch loop: what is kept, when it ends, and what happens when an epoch goes wrong."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from funksvd.errors import CheckpointError, DivergenceError, WriteError
from funksvd.learned import Learned
from funksvd.rng import go_to, state_of
from funksvd.training.checkpoints import RunCheckpoints, Saved, Write, write_learned
from funksvd.training.interrupts import Interrupts
from funksvd.training.learners.base import AnyLearner, Progress
from funksvd.training.monitor import EpochRecord, Monitor
from funksvd.training.steps import StepSizes
from funksvd.training.stopping import EarlyStopping, Stopped
from funksvd.training.validation import Validation

MAX_RESTARTS = 12
"""Divergences of a whole run after which it is given up."""
HOPELESS = 6
"""Divergences of one epoch after which training starts over: it had nowhere good to start from."""


@dataclass(frozen=True)
class Limits:
    """Limits of a run.

    Parameters
    ----------
    n_epochs : int
        Largest number of epochs.
    patience : int
        Epochs without a notably better validation value after which it ends.
    snapshot_every : int
        The result is the mean of the models at the end of each of this number of epochs, and
        nothing ends the run before `n_epochs`; 0 for the model of the best epoch.
    """

    n_epochs: int
    patience: int
    snapshot_every: int = 0


class Run:
    """One run of one learner, whatever its algorithm.

    Two slots of the learner's hold the state of the best epoch and that of the last one that went
    well; they are the same while the last one is the best.

    Parameters
    ----------
    new_learner : callable
        Makes the learner; again where training must start over.
    limits : Limits
    validation : Validation
    metric : str
        Name of the training error.
    steps : StepSizes or None
        The learning rates; None for a learner without.
    monitor : Monitor
    interrupts : Interrupts
        Armed once an epoch is complete: from then on, there is something to lose.
    checkpoints : RunCheckpoints, optional
        If there is one, the run goes on from it.

    Attributes
    ----------
    learner : Learner
    history : list of EpochRecord
        All epochs up to the last one that was completed.
    best_epoch : int
        The epoch whose state is kept; 0 before the first one is complete.
    stopped : Stopped
        Why the run ended.
    """

    def __init__(
        self,
        new_learner: Callable[[], AnyLearner],
        limits: Limits,
        validation: Validation,
        metric: str,
        steps: StepSizes | None,
        monitor: Monitor,
        interrupts: Interrupts,
        checkpoints: RunCheckpoints | None = None,
    ) -> None:
        self._new_learner, self._limits = new_learner, limits
        self._validation, self._metric, self._steps = validation, metric, steps
        self._monitor, self._interrupts = monitor, interrupts
        self._checkpoints = checkpoints
        self._n_restarts = 0
        self.stopped = Stopped.LIMIT
        self._begin()
        if checkpoints is not None and (saved := checkpoints.saved()) is not None:
            self._go_on_from(saved)

    def _begin(self) -> None:
        """Start from the learner's own beginning."""
        # Of the end of the last epoch, as the slots have it; None while they change.
        self._resumable: dict[str, Any] | None = None
        self.learner = self._new_learner()
        self.history: list[EpochRecord] = []
        self.best_epoch = 0
        self._snapshots: list[Learned] = []
        self._stopping = EarlyStopping(self._limits.patience, self._validation.greater_is_better)
        self._n_failures = 0  # of the epoch at hand
        self._best_slot = self._last_slot = 0
        self._saved_epoch = 0
        self.learner.snapshot(0)

    def until_done(self) -> None:
        """Run epochs until one of the limits is reached.

        Raises
        ------
        DivergenceError
            If the errors still grow without bound after the learning rate was halved 12 times.
        KeyboardInterrupt
            If Ctrl-C comes before the first epoch is complete. Later, it ends the run.
        """
        try:
            while len(self.history) < self._limits.n_epochs:
                if self._stopping.is_exhausted:
                    self.stopped = Stopped.PATIENCE
                    break
                if self._checkpoints is not None and self._checkpoints.is_due:
                    self._save()
                self._run_epoch(len(self.history) + 1)
                if self.learner.is_done:
                    self.stopped = Stopped.CONVERGED
                    break
        except KeyboardInterrupt:
            if self.best_epoch == 0:
                raise
            self.stopped = Stopped.INTERRUPT
            with contextlib.suppress(KeyboardInterrupt, CheckpointError):
                self._save()
        except BaseException as error:
            if not isinstance(error, Exception):  # the program is being ended, as by SIGTERM
                self._save()
            raise
        self._monitor.fit_done(self.best_epoch)

    def learned(self) -> Learned:
        """The model of the best epoch; or the mean of the snapshots, where some were taken."""
        self.learner.restore(self._best_slot)
        if self._snapshots:
            self.best_epoch = self._limits.snapshot_every * len(self._snapshots)
            return type(self._snapshots[0]).mean(self._snapshots)
        return self.learner.learned()

    def _run_epoch(self, epoch: int) -> None:
        rates = None
        if self._steps is not None:
            rates = self._steps.of_epoch(epoch, self.history)
        started = time.perf_counter()
        train_error = self.learner.run_epoch(Progress(rates or _no_rate, self._ratings_done))
        rate = None if rates is None else rates(0.5)
        if self.learner.has_diverged(train_error):
            self._repeat_more_slowly(epoch, rate)
            return
        value = self._validation.value(self.learner)
        self._resumable = None
        self._last_slot = 1 - self._best_slot
        self.learner.snapshot(self._last_slot)
        seconds = time.perf_counter() - started
        names = (self._metric, self._validation.name)
        self._keep(EpochRecord(epoch, rate, train_error, value, seconds, *names))

    def _keep(self, record: EpochRecord) -> None:
        """Take note of an epoch that went well, as the best one if it is."""
        self._n_failures = 0
        if self._steps is not None:
            self._steps.went_well()
        self.history.append(record)
        every = self._limits.snapshot_every
        is_best = self._stopping.is_best(record.epoch, None if every else record.valid)
        is_best |= self.learner.latest_is_best
        if is_best:
            self._best_slot, self.best_epoch = self._last_slot, record.epoch
            self._interrupts.armed = True
        self._monitor.epoch_done(record, is_best and not every)
        if every and record.epoch % every == 0:
            self._snapshots.append(self.learner.learned())
            self._monitor.snapshot_taken(len(self._snapshots), self._limits.n_epochs // every)
        if self._checkpoints is None:
            return
        self._resumable = {
            "best_epoch": self.best_epoch,
            "best_slot": self._best_slot,
            "last_slot": self._last_slot,
            "n_restarts": self._n_restarts,
            "rate_factor": None if self._steps is None else self._steps.factor,
            "born": self.learner.born,
            "random": state_of(self.learner.random),
        }

    def _save(self) -> None:
        """Write a checkpoint of the end of the last epoch, unless it is there already."""
        checkpoints, resumable, epoch = self._checkpoints, self._resumable, len(self.history)
        if checkpoints is None or resumable is None or self._saved_epoch == epoch:
            return
        state = {
            **resumable,
            "history": [list(record) for record in self.history],
            "kinds": [learned.kind for learned in self._snapshots],
        }

        def dump(write: Write) -> None:
            self.learner.dump(sorted({self._best_slot, self._last_slot}), write)
            for number, learned in enumerate(self._snapshots):
                write_learned(learned, f"snapshot {number}", write)

        try:
            checkpoints.save(state, dump)
            self._saved_epoch = epoch
        except WriteError as error:
            self._monitor.checkpoint_failed(error)

    def _go_on_from(self, saved: Saved) -> None:
        """Take over the state at the end of an epoch."""
        state = saved.state
        if state["born"] != self.learner.born:  # training had started over
            go_to(self.learner.random, state["born"])
            self.learner = self._new_learner()
        self.history = [EpochRecord(*record) for record in state["history"]]
        for record in self.history:
            self._stopping.is_best(
                record.epoch, None if self._limits.snapshot_every else record.valid
            )
        self.best_epoch, self._n_restarts = state["best_epoch"], state["n_restarts"]
        self._best_slot, self._last_slot = state["best_slot"], state["last_slot"]
        if self._steps is not None:
            self._steps.factor = state["rate_factor"]
            self._steps.went_well()
        self.learner.load(sorted({self._best_slot, self._last_slot}), saved.read)
        self.learner.restore(self._last_slot)
        go_to(self.learner.random, state["random"])
        self._snapshots = [
            saved.learned(f"snapshot {number}", kind) for number, kind in enumerate(state["kinds"])
        ]
        self._saved_epoch = len(self.history)
        self._interrupts.armed = True
        self._monitor.resumed(len(self.history))

    def _repeat_more_slowly(self, epoch: int, rate: float | None) -> None:
        """Go back to the end of the epoch before, and halve the learning rate."""
        if self._steps is None or rate is None or self._n_restarts == MAX_RESTARTS:
            raise DivergenceError(self.learner.divergence_message(rate or 0.0))
        self._n_restarts += 1
        self._n_failures += 1
        self._steps.halve()
        if self._n_failures == HOPELESS and self.history:
            # Errors are taken before each step: the epoch before had ended badly, and no rate is
            # small enough to go on from there.
            self._begin()
            self._steps.start_over()
        else:
            self.learner.restore(self._last_slot)
        self._monitor.restarted(epoch, rate / 2)

    def _ratings_done(self, n_ratings: int) -> None:
        self._monitor.ratings_done(n_ratings)
        self._interrupts.check()


def _no_rate(done: float) -> float:
    raise AssertionError("this learner was made without learning rates")
