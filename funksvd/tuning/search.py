"""The search: one trial after another; the first is that of the defaults."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from funksvd.errors import DivergenceError, FunkSVDError
from funksvd.hyperparameters import ALGORITHMS, Hyperparameters
from funksvd.model import FunkSVD
from funksvd.ratings import (
    FeatureTable,
    Interactions,
    as_data,
    as_interactions,
    as_ratings,
    read_features,
)
from funksvd.training import EpochRecord, Interrupts, Monitor
from funksvd.tuning import study as studies
from funksvd.tuning.space import rounded, search_space, tunable, within
from funksvd.tuning.trials import (
    COMPLETE,
    DIVERGED,
    STOPPED,
    Metric,
    Outcome,
    Trial,
    Tuning,
    TuningMonitor,
    mean,
)

if TYPE_CHECKING:
    import os

    from optuna.distributions import BaseDistribution

ENOUGH_VALIDATION_RATINGS = 50_000
"""Number of ratings of a validation part that judges a trial alone."""
CHOICES_SET_ASIDE = 0.1
"""Share of the pairs that judge a choice model which training would leave out nothing for."""
REPEATS = 3
"""Number of validation parts that judge a trial, if they are smaller."""


def tune(
    model: FunkSVD,
    ratings: Any,
    *,
    n_trials: int = 50,
    fixed: Collection[str] = (),
    n_repeats: int | None = None,
    validation: Any = None,
    interactions: Any = None,
    user_features: Any = None,
    item_features: Any = None,
    timeout: float | None = None,
    study: str | os.PathLike[str] | None = None,
    monitor: TuningMonitor | None = None,
) -> Tuning:
    """Search for hyperparameters that do better on validation parts than the defaults.

    Each trial learns from the ratings without a validation part, as `fit` would set it aside, and
    is judged by the RMSE on that part, of the best epoch; with `n_repeats`, by the mean over that
    number of parts, those of the seeds `seed`, `seed + 1` and so on. Other losses are judged by
    the error that they are watched by, and choice models (algorithm "ials") by NDCG@10: how high
    the items of the validation part stand in the list of their user. For a choice model that is
    trained without a validation part, a tenth of the pairs is one here, and the last epoch counts.

    Points to try are chosen by Optuna's tree-structured Parzen estimator. A trial is stopped at
    an epoch on the first part at which it is worse than half of the complete trials were.

    Deterministic: the same ratings, hyperparameters and seed give the same trials, whether or not
    the search is interrupted and resumed (by the same version of Optuna).

    Parameters
    ----------
    model : FunkSVD
        Its hyperparameters are those of the first trial; the others differ from them in those that
        are searched. It is left as it is. `ensemble` and `refit` play no part.
    ratings : Ratings, Interactions or table
        What `fit` takes, without the test part.
    n_trials : int
        Number of trials, that of the defaults and those in the study file included.
    fixed : collection of str
        Names of hyperparameters that are not searched.
    n_repeats : int, optional
        Number of validation parts; by default 3, or 1 if a part has 50,000 ratings.
    validation : Ratings, Interactions or table, optional
        Validation part to use instead of random ones; repeats then differ in their initial factors.
    interactions : Ratings, table, or array of shape (n_pairs, 2), optional
        What `fit` takes by this name; without the pairs of the test part.
    user_features, item_features : path or table, optional
        As for `fit`.
    timeout : float, optional
        Seconds after which no more trial is started.
    study : path, optional
        File that keeps the trials. If it is there already, the search goes on from it.
    monitor : TuningMonitor, optional
        Told of each trial.

    Returns
    -------
    Tuning
        Also after Ctrl-C, with the trials that ended before.

    Raises
    ------
    FunkSVDError
        If Optuna is not installed, if there is nothing to search or nothing to judge by, or if
        the study file is another kind of file, was made with other ratings or hyperparameters, or
        another process is searching with it.
    RatingsError
        If there is nothing to learn from.
    DivergenceError
        If the defaults diverge.
    WriteError
        If the study file cannot be written; the trials that have ended are kept in it.
    KeyboardInterrupt
        On Ctrl-C before the trial of the defaults has ended.
    """
    studies.require_optuna()
    model.hyperparameters.check()
    learns_choices = ALGORITHMS[model.hyperparameters.algorithm].learns == "choice"
    of_kind = as_data if learns_choices else as_ratings
    ratings = of_kind(ratings)
    validation = None if validation is None else of_kind(validation)
    interactions = None if interactions is None else as_interactions(interactions)
    features = (
        source if source is None else read_features(source, what)
        for what, source in (("user", user_features), ("item", item_features))
    )
    judged = replace(model.hyperparameters, ensemble=1, ensemble_snapshots=False, refit=False)
    sets_aside = learns_choices and validation is None and judged.validation_fraction is None
    if sets_aside:
        judged.validation_fraction = CHOICES_SET_ASIDE
        judged.patience = judged.resolved().n_epochs  # as in training, nothing ends it before
    if not learns_choices:
        judged.choice = False  # it would be learned in vain
    n_validation = (
        round(judged.resolved().validation_fraction * len(ratings))
        if validation is None
        else len(validation)
    )
    if not n_validation:
        raise FunkSVDError("there are no validation ratings, by which trials are judged")
    if n_repeats is None:
        n_repeats = 1 if n_validation >= ENOUGH_VALIDATION_RATINGS else REPEATS
    names = tunable(model.hyperparameters.resolved(), fixed)
    if not names:
        raise FunkSVDError("all hyperparameters are given: there is nothing to search")
    monitor = monitor or TuningMonitor()
    started = time.monotonic()
    check, interrupted = None, False
    with studies.quietly_kept(study), Interrupts(armed=True) as interrupts:
        given = _Parts(ratings, validation, interactions, *features)
        objective = _Objective(judged, given, n_repeats, interrupts, by_last_epoch=sets_aside)
        search = _Search(objective, names, study)
        try:
            search.start(monitor)
            while search.n_done < n_trials:
                if timeout is not None and time.monotonic() - started >= timeout:
                    break
                search.try_next(monitor)
            check = _check(objective, Tuning(search.trials(), n_repeats, objective.metric))
        except KeyboardInterrupt:
            if not search.n_done:
                raise
            interrupted = True
        interrupted |= interrupts.requested
        interrupts.requested = False
        return Tuning(search.trials(), n_repeats, objective.metric, check, interrupted)


def _check(objective: _Objective, tuning: Tuning) -> dict[str, float | None] | None:
    """Compare the best trial with the defaults on parts that did not choose it."""
    if tuning.best is tuning.defaults or objective.given.validation is not None:
        return None
    check: dict[str, float | None] = {}
    for name, chosen in (("defaults", {}), ("best", tuning.best.hyperparameters)):
        try:
            check[name] = mean(objective.run(chosen, objective.parts_of_check).values)
        except DivergenceError:
            check[name] = None
    return check


class _Parts(NamedTuple):
    """Arguments of `fit`."""

    ratings: Interactions
    validation: Interactions | None
    interactions: Interactions | None
    user_features: FeatureTable | None
    item_features: FeatureTable | None


class _Judged(NamedTuple):
    """Hyperparameters, judged by each validation part.

    Parameters
    ----------
    model : FunkSVD
        The model of the first part.
    values : list of float
        The metric of each part, after the epoch that counts.
    epochs : list of int
        That epoch, of each part.
    """

    model: FunkSVD
    values: list[float]
    epochs: list[int]


class _Objective:
    """The mean of the metric of hyperparameters."""

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        given: _Parts,
        n_repeats: int,
        interrupts: Interrupts,
        *,
        by_last_epoch: bool,
    ) -> None:
        self.hyperparameters, self.metric = hyperparameters, Metric.of(hyperparameters)
        self.by_last_epoch = by_last_epoch
        self.given = given
        self.parts, self.parts_of_check = range(n_repeats), range(n_repeats, 2 * n_repeats)
        self.interrupts = interrupts

    def identity(self, names: list[str]) -> dict[str, Any]:
        """Everything that the trials depend on, as plain data."""
        identity = self.hyperparameters.resolved().get_params()
        del identity["n_threads"]
        if self.metric.greater_is_better:
            identity["metric"] = self.metric.name
        fingerprints = {
            name: None if part is None else part.fingerprint
            for name, part in self.given._asdict().items()
            if part is not None or not name.endswith("features")
        }
        return {
            **fingerprints,
            "tuned": names,
            "n_repeats": len(self.parts),
            **identity,
        }

    def run(
        self,
        chosen: dict[str, Any],
        parts: range,
        report: Callable[[EpochRecord], None] | None = None,
    ) -> _Judged:
        """Train without each validation part, and judge by it.

        Parameters
        ----------
        chosen : dict
            Hyperparameters to use instead of the model's.
        parts : range
            Numbers of the validation parts.
        report : callable, optional
            Told of each epoch on the first part.
        """
        models = []
        for part in parts:
            seed = self.hyperparameters.seed + part
            models.append(FunkSVD.of(replace(self.hyperparameters, **chosen, seed=seed)))
            watch = _Watch(self.interrupts, report if part == parts[0] else None)
            models[-1].fit(**self.given._asdict(), monitor=watch)
        best = [
            model.history[-1] if self.by_last_epoch else model.training.best for model in models
        ]
        return _Judged(
            models[0], [record.watched for record in best], [record.epoch for record in best]
        )


class _Watch(Monitor):
    """Reports epochs, and raises `KeyboardInterrupt` after Ctrl-C in place of `fit`."""

    def __init__(
        self, interrupts: Interrupts, report: Callable[[EpochRecord], None] | None
    ) -> None:
        self.interrupts, self.report = interrupts, report

    def ratings_done(self, n_ratings: int) -> None:
        self.interrupts.check()

    def reg_lowered(self, tried: float, reg: float, unexplained: float) -> None:
        self.report = None  # epochs are counted anew

    def epoch_done(self, record: EpochRecord, is_best: bool) -> None:
        if self.report is not None:
            self.report(record)


class _Search:
    """A study, and the next trials for it."""

    def __init__(
        self, objective: _Objective, names: list[str], path: str | os.PathLike[str] | None
    ) -> None:
        self.objective, self.names, self.path = objective, names, path
        self.seed = objective.hyperparameters.seed
        self.study = studies.open_study(
            path,
            objective.identity(names),
            greater_is_better=objective.metric.greater_is_better,
        )
        self.space: dict[str, BaseDistribution] = {}

    @property
    def n_done(self) -> int:
        return len(self.trials())

    def start(self, monitor: TuningMonitor) -> None:
        """Try the defaults, unless the study has; the search space lies around what they are."""
        import optuna

        if self.n_done:
            self.space = search_space(self.trials()[0].hyperparameters)
            if studies.finished_trials(self.study)[0].distributions != self.space:
                raise FunkSVDError(
                    f"{self.path}: this study was made by another version of funksvd, which "
                    "searches elsewhere; give another file name"
                )
            monitor.resumed(self.trials())
            return
        monitor.trial_started(0)
        curve: dict[int, float] = {}

        def report(record: EpochRecord) -> None:
            curve[record.epoch] = record.watched

        started = time.perf_counter()
        model, values, epochs = self.objective.run({}, self.objective.parts, report)
        used = model.hyperparameters.resolved().get_params() | {"reg": model.reg_used}
        defaults = {name: used[name] for name in self.names}
        self.space = search_space(defaults)
        outcome = Outcome(COMPLETE, defaults, values, epochs, time.perf_counter() - started)
        self.study.add_trial(
            optuna.trial.create_trial(
                params=within(self.space, defaults),
                distributions=self.space,
                value=mean(values),
                intermediate_values=curve,
                user_attrs={studies.OUTCOME: outcome._asdict()},
            )
        )
        monitor.trial_done(self.trials()[-1])

    def try_next(self, monitor: TuningMonitor) -> None:
        """One more trial."""
        from optuna import TrialPruned
        from optuna.trial import TrialState

        number = self.n_done
        monitor.trial_started(number)
        trial = studies.ask(self.study, self.space, self.seed, number)
        chosen = rounded(trial.params)
        values, epochs = list[float](), [0]

        def report(record: EpochRecord) -> None:
            epochs[0] = record.epoch
            trial.report(record.watched, record.epoch)
            if trial.should_prune():
                raise TrialPruned

        started = time.perf_counter()
        try:
            _, values, epochs = self.objective.run(chosen, self.objective.parts, report)
            state = COMPLETE
        except TrialPruned:
            state = STOPPED
        except DivergenceError:
            state = DIVERGED
        except OSError:  # the study file cannot be written: what has ended is safe in it
            raise
        except BaseException:
            self.study.tell(trial, state=TrialState.FAIL)
            raise
        outcome = Outcome(state, chosen, values, epochs, time.perf_counter() - started)
        trial.set_user_attr(studies.OUTCOME, outcome._asdict())
        if state == COMPLETE:
            self.study.tell(trial, mean(values))
        else:
            self.study.tell(trial, state=TrialState.PRUNED)
        monitor.trial_done(self.trials()[-1])

    def trials(self) -> list[Trial]:
        """The trials that ended, in their order."""
        return studies.trials(self.study)
