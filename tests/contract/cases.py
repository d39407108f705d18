"""Every learner there is, by the hyperparameters that choose it; and what tests do with one.

The table is made from the registries of algorithms, optimizers and losses: what is added there is
held to the contract without being named here.
"""

import copy
import importlib
import inspect
import pkgutil
from dataclasses import dataclass, replace

import numpy as np
import pytest

import naive
from funksvd import FunkSVDError, Monitor
from funksvd.hyperparameters import OPTIMIZERS
from funksvd.learned.weighting import Weighting
from funksvd.ratings import CompressedRows
from funksvd.rng import Stream, generator
from funksvd.training import (
    ALGORITHMS,
    LOSSES,
    Context,
    Hyperparameters,
    PairPlan,
    RatingLearner,
    Triples,
    Validation,
    learners,
    plan_blocks,
    train,
)
from funksvd.training.executors import Executor
from funksvd.training.learners.base import Learner, Progress
from funksvd.training.learners.registry import choose_learner
from funksvd.training.validation import list_quality

N_EPOCHS = 6
N_GROUPS = 3
BATCH_SIZES = {"batches": 50, "batches of strata": 900, "full batch": "full"}


class OneByOne(Executor):
    """One part after the other, in this thread."""

    n_threads = 1

    def map(self, function, *arguments):
        return [function(*part) for part in zip(*arguments, strict=True)]

    def __exit__(self, kind, error, trace):
        pass


@dataclass(frozen=True)
class Case:
    """A learner, chosen by `options`, and the little that it is given to do.

    An algorithm that learns by feature has `N_EPOCHS` features, the others `N_EPOCHS` epochs.
    """

    name: str
    options: dict

    @property
    def hyperparameters(self):
        small = {"n_factors": N_EPOCHS if self.by_feature else 5, "n_epochs": N_EPOCHS}
        return Hyperparameters(**small | self.options).resolved()

    @property
    def by_feature(self):
        return ALGORITHMS[self.options["algorithm"]].by_feature

    @property
    def learner(self):
        return choose_learner(self.hyperparameters)

    @property
    def is_binary(self):
        return LOSSES[self.hyperparameters.loss].is_binary

    def allows(self, **options):
        """Whether its learner can be given these hyperparameters, too."""
        try:
            replace(self.hyperparameters, **options).check()
        except FunkSVDError:
            return False
        return True

    def but(self, **options):
        return Case(self.name, self.options | options)

    def triples(self, ratings):
        values = (ratings.values > 3).astype(np.float32) if self.is_binary else ratings.values
        return Triples(ratings.user_index, ratings.item_index, values)

    def plan(self, ratings, held_back=None, *, values=None, shape=None, n_groups=N_GROUPS):
        """Of ratings; of other values for the same pairs, or for more users and items."""
        triples = self.triples(ratings)
        if values is not None:
            triples = triples._replace(values=values)
        if not is_of_ratings(self):
            return pair_plan(triples, shape or (ratings.n_users, ratings.n_items), held_back)
        return plan_blocks(
            triples,
            shape or (ratings.n_users, ratings.n_items),
            held_back=held_back,
            n_groups=n_groups,
            n_batches=self.learner.n_batches,
        )

    def error_without_model(self, ratings):
        """The error of predicting the mean."""
        values = self.triples(ratings).values.astype(float)
        mean, chosen = values.mean(), self.hyperparameters
        level = np.log(mean / (1 - mean)) if self.is_binary else mean
        delta = chosen.huber_delta * values.std()
        return naive.error(chosen.loss, values.tolist(), [level] * len(values), delta)

    def train(self, plan, *, options=None, **arguments):
        return train(plan, replace(self.hyperparameters, **options or {}), **arguments)

    def new_learner(self, plan, executor=None, **context):
        random = generator(0, Stream.TRAINING)
        return self.learner(
            Context(plan, self.hyperparameters, random, executor or OneByOne(), **context)
        )

    def progress(self, share=1.0):
        """An epoch at a share of the default learning rate."""
        rate = self.hyperparameters.learning_rate or 0.0
        return Progress(lambda done: rate * share, lambda n_ratings: None)


def held_back_error(learner):
    """How bad what was learned is on what is held back; None where nothing is."""
    if isinstance(learner, RatingLearner):
        return learner.held_back_error()
    quality = list_quality().value(learner)
    return None if quality is None else 1 - quality


def pair_plan(triples, shape, held_back):
    """Observed pairs with ratings from 1 to 5."""
    users, items, values = triples
    weighting = Weighting("rating", 1.0, 5.0)
    levels = weighting.levels(values, len(values))
    if held_back is not None:
        marks = held_back.astype(np.float32)
        held_back = CompressedRows.from_pairs(users, items, shape[0], marks).values > 0
    pairs = CompressedRows.from_pairs(users, items, shape[0], levels)
    return PairPlan(pairs, shape[1], weighting.table, held_back)


def all_cases():
    """Each algorithm, and each of its options that makes a difference to how it learns."""
    found = []
    for name, algorithm in ALGORITHMS.items():
        chosen = {"algorithm": name}
        found.append(Case(name, chosen))
        if "optimizer" in algorithm.defaults:
            found += [
                Case(
                    f"{name}, {optimizer}, {batches}",
                    chosen | {"optimizer": optimizer, "batch_size": size},
                )
                for optimizer in OPTIMIZERS
                for batches, size in BATCH_SIZES.items()
                if batches != "batches of strata" or optimizer == "momentum"
            ]
        if "loss" in algorithm.hyperparameters:
            others = [loss for loss in LOSSES if loss != Hyperparameters.loss]
            found += [Case(f"{name}, {loss} loss", chosen | {"loss": loss}) for loss in others]
        if "nonnegative" in algorithm.hyperparameters:
            found += [
                Case(f"{case.name}, nonnegative", case.options | {"nonnegative": True})
                for case in found
                if case.options["algorithm"] == name and "optimizer" not in case.options
            ]
    return found


CASES = all_cases()


def each_case(keep=lambda case: True):
    """Run a test for every learner, or for those to which what it says applies."""
    kept = [case for case in CASES if keep(case)]
    return pytest.mark.parametrize("case", kept, ids=lambda case: case.name)


def has_steps(case):
    """Whether it follows gradients, and may diverge."""
    return case.hyperparameters.learning_rate is not None


def goes_back(case):
    return not case.learner.latest_is_best


def can_go_on(case):
    return ALGORITHMS[case.options["algorithm"]].is_updatable


def has_unit(case):
    """Whether its ratings may be of any size."""
    return is_of_ratings(case) and not case.is_binary


def is_of_ratings(case):
    """Whether it learns to predict ratings."""
    return ALGORITHMS[case.options["algorithm"]].learns == "rating"


def learner_classes():
    """The learners in the package that are not made for others to build on."""
    for module in pkgutil.iter_modules(learners.__path__):
        importlib.import_module(f"{learners.__name__}.{module.name}")

    def below(kind):
        for each in kind.__subclasses__():
            yield each
            yield from below(each)

    return {
        kind
        for kind in below(Learner)
        if not inspect.isabstract(kind) and kind.__module__.startswith(learners.__name__)
    }


def assert_same(comp, ref):
    """Two models, bit for bit."""
    comp_arrays, ref_arrays = comp.arrays(), ref.arrays()
    assert comp_arrays.keys() == ref_arrays.keys()
    for name, ref_array in ref_arrays.items():
        np.testing.assert_array_equal(comp_arrays[name], ref_array, err_msg=name)


def without_seconds(history):
    return [record[:4] for record in history]


class Following(Monitor):
    """Knows what had been learned after each epoch, as `validation`; notes what it is told.

    Ctrl-C comes at the first step of epoch `within`, after `after_ratings` ratings, or at the end
    of epoch `after_epoch`.
    """

    def __init__(self, *, within=None, after_ratings=None, after_epoch=None, values=None):
        self.within, self.after_ratings, self.after_epoch = within, after_ratings, after_epoch
        self.learned, self.records, self.best, self.restarts = [], [], [], []
        self.n_done, self.done_by_epoch = 0, []
        self.values = values

    @property
    def validation(self):
        """The error on what is held back; or the values given, the greater the better."""

        def value(learner):
            self.learned.append(copy.deepcopy(learner.learned()))
            if self.values is None:
                return held_back_error(learner)
            return self.values[len(self.learned) - 1]

        return Validation("followed", value, greater_is_better=self.values is not None)

    def ratings_done(self, n_ratings):
        self.n_done += n_ratings
        if self.n_done == self.after_ratings or len(self.records) + 1 == self.within:
            raise KeyboardInterrupt

    def epoch_done(self, record, is_best):
        self.records.append(record)
        self.best.append(is_best)
        self.done_by_epoch.append(self.n_done)
        if record.epoch == self.after_epoch:
            raise KeyboardInterrupt

    def restarted(self, epoch, learning_rate):
        self.restarts.append((epoch, learning_rate))
