"""The study that Optuna keeps of a search: in memory, or in a file from which it is resumed."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from funksvd.atomic import locked_by_another
from funksvd.errors import FunkSVDError, WriteError, how_to_install
from funksvd.learned.storage import MALFORMED
from funksvd.rng import Stream, generator
from funksvd.tuning.trials import COMPLETE, Outcome, Trial, mean

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

NAME = "funksvd tune"
IDENTITY, OUTCOME = "made with", "outcome"
"""Names of the attributes that funksvd adds to Optuna's: to the study, and to each trial."""

OTHER = {
    "ratings": "other ratings, or without another test part",
    "validation": "another validation part",
    "interactions": "other interactions",
}

COMPLETE_FIRST = 5
"""Number of complete trials from which on a trial may be stopped."""
EPOCHS_FIRST, EPOCHS_FIRST_OF_LISTS = 10, 3
"""Epoch from which on a trial may be stopped, by its errors or by the quality of its lists.

Choice models are learned in few epochs, of which each is worth several of the others.
"""
COMPLETE_AT_EPOCH = 3
"""Number of trials that must have come to an epoch for another one to be stopped there."""


def require_optuna() -> None:
    """Raise `FunkSVDError` if Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise FunkSVDError(
            f"tuning needs Optuna, which is not installed: {how_to_install('tune')}"
        ) from error


@contextlib.contextmanager
def quietly_kept(path: str | os.PathLike[str] | None) -> Iterator[None]:
    """Within this context Optuna prints warnings only, and errors name the study file.

    No other process can search with the same file meanwhile: it would take the trial that is
    running for one whose process was killed.
    """
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with contextlib.nullcontext() if path is None else _alone(path):
            yield
    except OSError as error:
        raise WriteError(
            f"{path}: the study cannot be kept: {error.strerror}; the trials that have ended are "
            "in it, and the same command goes on from them",
            error,
        ) from error
    finally:
        optuna.logging.set_verbosity(before)


@contextlib.contextmanager
def _alone(path: str | os.PathLike[str]) -> Iterator[None]:
    """Lock a study file; the lock ends with the process, however that ends."""
    with open(path, "ab") as file:
        if holder := locked_by_another(file):
            raise FunkSVDError(
                f"{path}: {holder} is searching with this study; wait until it has ended, or give "
                "another file name"
            )
        yield


class _Locked:
    """What Optuna is to lock before each entry; all of the search is locked already."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def open_study(
    path: str | os.PathLike[str] | None, identity: dict[str, Any], *, greater_is_better: bool
) -> optuna.Study:
    """Open the study in a file, or make a new one.

    The file is Optuna's journal: a line of JSON for each thing that happened, appended and
    flushed to the disk at once.

    Parameters
    ----------
    path : path or None
        None keeps the study in memory. A line that was cut short is taken off the file's end.
    identity : dict
        Plain data that the study depends on.
    greater_is_better : bool
        Whether trials with greater values are better.

    Raises
    ------
    FunkSVDError
        If the file is something else, or the study depends on other things. The file is then left
        as it is.
    """
    import optuna
    from optuna.trial import TrialState

    identity = json.loads(json.dumps(identity, default=np.generic.item))
    pruner = optuna.pruners.MedianPruner(
        COMPLETE_FIRST,
        EPOCHS_FIRST_OF_LISTS if greater_is_better else EPOCHS_FIRST,
        n_min_trials=COMPLETE_AT_EPOCH,
    )
    if path is None or not os.path.exists(path) or os.path.getsize(path) == 0:
        storage = None if path is None else _journal(path)
        study = optuna.create_study(
            study_name=NAME,
            storage=storage,
            pruner=pruner,
            direction="maximize" if greater_is_better else "minimize",
        )
        study.set_user_attr(IDENTITY, identity)
        return study
    try:
        study = optuna.load_study(study_name=NAME, storage=_journal(path), pruner=pruner)
        made_with = study.user_attrs.get(IDENTITY, {})
        differing = [
            name for name in {**made_with, **identity} if made_with.get(name) != identity.get(name)
        ]
        done = trials(study)
        if done and (not made_with or done[0].state != COMPLETE):
            raise ValueError("an altered study")
        unfinished = study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
    except (*MALFORMED, AssertionError) as error:
        raise FunkSVDError(
            f"{path}: not a study of `funksvd tune`, or a damaged one; give another file name"
        ) from error
    if made_with and differing:
        name = differing[0]
        what = OTHER.get(name) or f"{name} = {made_with.get(name)}, not {identity.get(name)}"
        raise FunkSVDError(
            f"{path}: this study was made with {what}; give another file name, or what it was "
            "made with"
        )
    _drop_torn_line(path)
    if not made_with:  # the disk was full just then
        study.set_user_attr(IDENTITY, identity)
    for trial in unfinished:  # whoever ran it was killed
        study.tell(trial.number, state=TrialState.FAIL)
    return study


def finished_trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials with an outcome, in their order; those that were interrupted have none."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])


def trials(study: optuna.Study) -> list[Trial]:
    """The finished trials as `Trial`."""
    outcomes = [Outcome(**trial.user_attrs[OUTCOME]) for trial in finished_trials(study)]
    return [
        Trial(number=number, value=mean(outcome.values), **outcome._asdict())
        for number, outcome in enumerate(outcomes)
    ]


def ask(
    study: optuna.Study, space: dict[str, BaseDistribution], seed: int, number: int
) -> optuna.Trial:
    """Choose the next point to try by the trials before it, the seed and its number alone.

    The sampler is new each time: one that had been used before would differ in a resumed study.
    """
    from optuna.samplers import TPESampler

    random = generator(seed, Stream.TUNING, number)
    study.sampler = TPESampler(seed=int(random.integers(2**32)), constant_liar=False)
    return study.ask(space)


def _journal(path: str | os.PathLike[str]) -> optuna.storages.JournalStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    locked: Any = _Locked()
    return JournalStorage(JournalFileBackend(os.fspath(path), locked))


def _drop_torn_line(path: str | os.PathLike[str]) -> None:
    """Remove the last line if it is not complete: the disk was full, or the power failed."""
    with open(path, "rb+") as file:
        lines = file.readlines()
        try:
            json.loads(lines[-1])
            is_whole = lines[-1].endswith(b"\n")
        except ValueError:
            is_whole = False
        if not is_whole:
            file.truncate(sum(map(len, lines[:-1])))
