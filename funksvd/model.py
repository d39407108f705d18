"""`FunkSVD`: the model of ratings as people use it, in raw ids."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self

import numpy as np

from funksvd.calibrating import calibrate
from funksvd.errors import (
    NotFittedError,
    RatingsError,
    argument,
    counted,
)
from funksvd.evaluation import Evaluation, evaluate
from funksvd.fitted import Fitted
from funksvd.hyperparameters import ALGORITHMS, DECLARATIONS, Hyperparameters
from funksvd.hyperparameters.declaring import check_names
from funksvd.learned import LearnedChoices, storage
from funksvd.learned.calibration import Checked
from funksvd.learned.choice_model import ChoiceModel
from funksvd.learned.ratings import LearnedRatings
from funksvd.learned.weighting import Weighting
from funksvd.learning import InMemory, Known, Prepared, learn
from funksvd.metrics import Errors
from funksvd.model_file import rating_model, read_fitted, to_saved
from funksvd.parallel import count_values
from funksvd.ratings import (
    CompressedRows,
    Interactions,
    Ratings,
    as_data,
    as_interactions,
    as_ratings,
)
from funksvd.recommender import Recommender
from funksvd.rng import Stream
from funksvd.splitting import check_disjoint, part_to_spare
from funksvd.training import (
    Beside,
    Checkpoints,
    GivenFeatures,
    Interrupts,
    Monitor,
    PairPlan,
    TrainingResult,
    beside_ratings,
    check_ratings,
    check_uses_interactions,
    learn_choices,
    opened,
    pairs_of,
    weighting_of,
)

Chosen = ParamSpec("Chosen")


def _given(
    declared: Callable[Chosen, Any],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, Chosen], None]]:
    """Let a constructor have the keyword arguments of another, for readers and type checkers."""

    def with_its_signature(method: Callable[..., None]) -> Callable[..., None]:
        import inspect

        signature = inspect.signature(declared.__init__)
        method.__signature__ = signature  # type: ignore[attr-defined]  # read by inspect
        return method

    return with_its_signature


class FunkSVD(Recommender):
    """A Funk SVD model: biased matrix factorization learned from explicit ratings.

    The keyword arguments are those of `Hyperparameters`, which describes each of them; they are in
    `hyperparameters` afterwards, can be read and set as attributes of the model too, and are not
    changed by `fit`. `Recommender` has all that can be asked of a fitted model: `predict`,
    `recommend`, `similar`, `fold_in`, `explain`.

    Attributes
    ----------
    hyperparameters : Hyperparameters

    Examples
    --------
    >>> ratings = Ratings.from_arrays(["ann", "ann", "bob", "bob"], [1, 2, 1, 3], [5, 3, 4, 2])
    >>> model = FunkSVD(n_factors=2, validation_fraction=0).fit(ratings)
    >>> model.predict(["ann"], [3]).shape
    (1,)
    """

    @_given(Hyperparameters)
    def __init__(self, **chosen: Any) -> None:
        self.hyperparameters = Hyperparameters.from_dict(chosen)

    @classmethod
    def of(cls, hyperparameters: Hyperparameters) -> Self:
        """A model that is not fitted, with these hyperparameters."""
        return cls(**hyperparameters.get_params())

    @property
    def title(self) -> str:
        """A name for people: the algorithm, and the number of factors."""
        chosen = self.fitted.hyperparameters if self.is_fitted else self.hyperparameters
        algorithm = ALGORITHMS[chosen.algorithm]
        n_factors: int | None = chosen.resolved().n_factors
        if self.is_fitted:
            if algorithm.by_feature:
                n_factors = self.best_epoch
            elif algorithm.is_sampler:
                n_factors = self.learned.n_factors_of_draw
        return algorithm.title if n_factors is None else f"{algorithm.title}, {n_factors} factors"

    def thread_count(self) -> int:
        """Number of threads to use."""
        return self.hyperparameters.thread_count()

    # -- scikit-learn's protocol ---------------------------------------------------------------

    if not TYPE_CHECKING:  # to a type checker, hyperparameters are those of `hyperparameters`

        def __getattr__(self, name: str) -> Any:  # asked only for what is not there
            if name in DECLARATIONS and "hyperparameters" in vars(self):
                return getattr(self.hyperparameters, name)
            if hasattr(type(self), name):  # a property of fitted models
                what = "parameters" if name == "fitted" else name
                raise NotFittedError(f"the model has no {what} yet: call fit, or load a model")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def __setattr__(self, name: str, value: Any) -> None:
            if name in DECLARATIONS:
                setattr(self.hyperparameters, name, value)
                return
            if get_close_matches(name, DECLARATIONS, cutoff=0.85):  # subclasses have names as well
                check_names([name], DECLARATIONS)
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *DECLARATIONS})

    def __copy__(self) -> Self:
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        vars(other)["hyperparameters"] = copy.copy(self.hyperparameters)
        return other

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Hyperparameters by name, as scikit-learn asks for them."""
        return self.hyperparameters.get_params()

    def set_params(self, **params: Any) -> Self:
        """Set hyperparameters by name.

        Raises
        ------
        FunkSVDError
            If a name is not one of a hyperparameter.
        """
        self.hyperparameters.set_params(**params)
        return self

    def __repr__(self) -> str:
        default = Hyperparameters().get_params()
        given = {name: value for name, value in self.get_params().items() if value != default[name]}
        inner = ", ".join(f"{name}={value!r}" for name, value in given.items())
        return f"{type(self).__name__}({inner})"

    def __sklearn_tags__(self) -> Any:
        """Called by scikit-learn only, so that it is there to be imported."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True),
            input_tags=InputTags(string=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return self.is_fitted

    def score(self, ratings: Any, values: Any = None) -> float:
        """Negative RMSE on the given ratings: greater is better, as scikit-learn expects."""
        ratings = as_ratings(ratings, values)
        users, items = ratings.index_for(self.users, self.items)
        predictions = self.predict_index(users, items, ratings.timestamps)
        return -Errors.of(ratings.values, predictions).rmse

    def evaluate(self, ratings: Any, *, training: Any = None) -> Evaluation:
        """Errors on ratings, with bootstrap intervals and the share of unknown ids.

        Parameters
        ----------
        ratings : Ratings or table
            Ones the model has not learned from.
        training : Ratings or table, or ratings in shards; optional
            What it has learned from; if given, baselines are fitted to it and set beside.

        Raises
        ------
        RatingsError
            If there are no ratings.
        """
        seed = self.hyperparameters.seed
        if training is not None and not hasattr(training, "by_user"):
            training = as_ratings(training)
        return evaluate(self, as_ratings(ratings), training=training, seed=seed)

    # -- learning ------------------------------------------------------------------------------

    def fit(
        self,
        ratings: Any,
        values: Any = None,
        *,
        validation: Any = None,
        interactions: Any = None,
        user_features: Any = None,
        item_features: Any = None,
        monitor: Monitor | None = None,
        checkpoint: Checkpoints | str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn from ratings; with algorithm "ials", from pairs of users and items.

        A validation part decides how many epochs are best; with `refit`, training then runs once
        more, on all ratings, for that number of epochs. With `choice`, a choice model is learned
        too, unless there are more than 50 million ratings.

        Parameters
        ----------
        ratings : Ratings, or a pandas, polars or Arrow table with user, item and rating columns
            For algorithm "ials", `Interactions`, or a table without ratings, are enough. With
            `values`, instead an array of shape (n_ratings, 2), user ids and item ids, or a
            table with user and item columns, which are known by their names. Or ratings in shards,
            with which none of the others go: `Shards`.
        values : array-like of shape (n_ratings,), optional
            Ratings.
        validation : Ratings or table, optional
            By default `validation_fraction` of the ratings, at random.
        interactions : Interactions, table, or array of shape (n_pairs, 2), optional
            User ids, item ids: what users have dealt with without rating it, for svd++ and
            bayes++. Pairs that are rated, and ids that have no rating, are passed over.
        user_features, item_features : path or table, optional
            What is known of users and of items besides: a column of their ids, and columns of
            categories, numbers, dates or lists such as "Comedy|Drama". Ids of theirs that have no
            rating are known to the model, too. See `funksvd.ratings.features`.
        monitor : Monitor, optional
            Told of each epoch.
        checkpoint : Checkpoints or path, optional
            Where the state is kept every few minutes, so that the same call goes on from there
            after the process was killed, and comes to the same model. A path's checkpoint is gone
            on from if it is there, and removed once the model is fitted. Not for algorithms
            "bayes" and "bayes++".

        Returns
        -------
        FunkSVD
            Itself.

        Raises
        ------
        FunkSVDError
            If a hyperparameter is out of range, or there are interactions that the algorithm has
            no use for.
        RatingsError
            If there are no ratings, or all have the same value, or the loss is not for them; or a
            table of features has no column with their ids.
        DivergenceError
            If no learning rate is small enough.
        CheckpointError
            If the checkpoint is one of other ratings or hyperparameters, is damaged, or belongs to
            another run.
        KeyboardInterrupt
            On Ctrl-C. If an epoch had been completed, the model is fitted, with the best one's
            parameters.
        """
        chosen = self.hyperparameters
        chosen.check()
        monitor = monitor or Monitor()
        features = GivenFeatures(user_features, item_features)
        before = self._fitted
        of_choices = ALGORITHMS[chosen.algorithm].learns == "choice"
        fit = self._fit_choices if of_choices else self._fit_ratings
        try:
            with opened(checkpoint, chosen) as checkpoints:
                if isinstance(ratings, Prepared):
                    self._fit_prepared(ratings, monitor, checkpoints)
                    return self
                fit(ratings, values, validation, interactions, features, monitor, checkpoints)
        finally:
            if features.encoded and self._fitted is not None and self._fitted is not before:
                self._fitted = self._fitted.with_features(features.encoded)
        return self

    def _fit_ratings(
        self,
        ratings: Any,
        values: Any,
        validation: Any,
        interactions: Any,
        features: GivenFeatures,
        monitor: Monitor,
        checkpoints: Checkpoints | None,
    ) -> None:
        """Learn a model of ratings, and a choice model beside it.

        Parameters
        ----------
        ratings, values, validation, interactions, monitor
            As for `fit`.
        features : GivenFeatures
            Encoded, once it is known which users and items have ratings.
        checkpoints : Checkpoints or None
        """
        chosen = self.hyperparameters
        ratings = as_ratings(ratings, values)
        if interactions is not None:
            interactions = as_interactions(interactions)
            check_uses_interactions(chosen)
        held_back = None
        if validation is not None:
            validation = as_ratings(validation)
            check_disjoint("validation", validation, ratings)
            n_training = len(ratings)
            ratings = ratings.joined_with(validation)
            held_back = np.arange(len(ratings)) >= n_training
        elif fraction := chosen.resolved().validation_fraction:
            held_back = part_to_spare(ratings, fraction, chosen.seed, Stream.VALIDATION)
        check_ratings(chosen, ratings.values, ratings.source)
        ratings = ratings.compact()
        beside = Beside(interactions, features.encode(ratings))
        prepared = InMemory(ratings, held_back, beside, self.thread_count())
        self._fit_prepared(prepared, monitor, checkpoints)

    def _fit_prepared(
        self, prepared: Prepared, monitor: Monitor, checkpoints: Checkpoints | None
    ) -> None:
        """Learn a model of ratings that are ready for it, and a choice model beside it."""
        learn(prepared, self.hyperparameters, self._know, monitor, checkpoints)
        chosen = beside_ratings(self.hyperparameters, self.fitted.n_ratings)
        if chosen is None:
            return
        plan, weighting = self.plan_choices()
        plan = prepared.pairs(plan)
        result = learn_choices(plan, chosen, monitor, purpose="choice", checkpoints=checkpoints)
        if result.interrupted:  # the model is then without
            raise KeyboardInterrupt
        self.install_choices_beside(result, weighting)

    def _fit_choices(
        self,
        given: Any,
        values: Any,
        validation: Any,
        interactions: Any,
        features: GivenFeatures,
        monitor: Monitor,
        checkpoints: Checkpoints | None,
    ) -> None:
        """Learn a choice model alone; parameters are those of `_fit_ratings`."""
        chosen = self.hyperparameters
        if interactions is not None:
            check_uses_interactions(chosen)
        pairs = as_data(given, values)
        held_out = None
        if validation is not None:
            held_out = as_data(validation)
            check_disjoint("validation", held_out, pairs)
            pairs = pairs.joined_with(held_out)
        pairs = pairs.compact()
        if not len(pairs):
            raise RatingsError(f"{pairs.source}: there are no pairs to learn from")
        features.encode(pairs)
        weighting, n_threads = weighting_of(pairs), self.thread_count()
        seen = pairs_of(pairs, weighting, n_threads)
        held_back = None
        if held_out is not None:
            places = seen.places(*held_out.index_for(pairs.users, pairs.items), n_threads)
            held_back = np.zeros(len(pairs), bool)
            held_back[places] = True
        elif fraction := chosen.resolved().validation_fraction:
            by_user = Interactions(pairs.users, pairs.items, *seen.pairs)
            held_back = part_to_spare(by_user, fraction, chosen.seed, Stream.VALIDATION)
        monitor.planning_started(len(pairs))
        plan = PairPlan(seen, pairs.n_items, weighting.table, held_back, n_threads)
        if not plan.n_learned:
            raise RatingsError(
                f"{pairs.source}: there are no pairs to learn from; all "
                f"{counted(len(pairs), 'pair')} are {argument('validation')}"
            )
        with Interrupts() as interrupts:
            result = learn_choices(
                plan, chosen, monitor, interrupts=interrupts, checkpoints=checkpoints
            )
            interrupts.requested |= result.interrupted
            if result.record.refitted or not plan.n_held_back:
                self.install_choices(result, pairs, seen, weighting)
            else:
                self._install_choice_search(result, pairs, plan, weighting)

    def _install_choice_search(
        self,
        result: TrainingResult[LearnedChoices],
        pairs: Interactions,
        plan: PairPlan,
        weighting: Weighting,
    ) -> None:
        """Make the search's model the model: without the ids that only pairs held back have.

        Those pairs were observed too, though not learned from.
        """
        seen, user_rows, item_rows = plan.by_user.without_empty(pairs.n_items)
        users, items = pairs.users.select(user_rows), pairs.items.select(item_rows)
        found = replace(result, learned=result.learned.rows(user_rows, item_rows))
        self.install_choices(found, Interactions(users, items, *seen.pairs), seen, weighting)
        held_back = Interactions(pairs.users, pairs.items, *plan.held_back_items.pairs)
        held_out = CompressedRows.from_pairs(*held_back.index_for(users, items), len(users))
        self._fitted = replace(self.fitted, held_out=held_out)

    def install_choices(
        self,
        result: TrainingResult[LearnedChoices],
        pairs: Interactions,
        seen: CompressedRows,
        weighting: Weighting,
    ) -> None:
        """Make a choice model that was learned from these pairs the model's own."""
        self._fitted = Fitted(
            users=pairs.users,
            items=pairs.items,
            rating=None,
            n_ratings=len(pairs),
            seen=seen,
            record=result.record,
            hyperparameters=copy.copy(self.hyperparameters),
            choice=ChoiceModel(result.learned, weighting),
            item_counts=count_values(seen.columns, pairs.n_items),
        )

    def plan_choices(self) -> tuple[PairPlan, Weighting]:
        """The pairs that the model has rated, to learn a choice model from, and their weights."""
        fitted = self.fitted
        assert fitted.seen is not None
        weighting = Weighting("rating", *fitted.rating_model.limits)
        plan = PairPlan(
            fitted.seen, len(fitted.items), weighting.table, n_threads=self.thread_count()
        )
        return plan, weighting

    def install_choices_beside(
        self, result: TrainingResult[LearnedChoices], weighting: Weighting
    ) -> None:
        """Make a choice model a part of the model, beside that of ratings."""
        self._fitted = replace(self.fitted, choice=ChoiceModel(result.learned, weighting))

    def install(self, result: TrainingResult[LearnedRatings], ratings: Ratings) -> None:
        """Make what was learned from all of these ratings the model's own, or nothing of it."""
        prepared = InMemory(ratings, None, Beside(), self.thread_count())
        known = prepared.all()
        rating = rating_model(self.hyperparameters, result.learned, result.record, known.limits)
        self._know(result, known, prepared.check_learned(rating))

    def keep_calibration_of(self, model: FunkSVD) -> None:
        """Take how probable ratings are from a model that has had ratings to check this by."""
        if model.fitted.is_calibrated:
            before = model.fitted
            self._fitted = replace(
                self.fitted, calibration=before.calibration, liking=before.liking
            )

    def _know(
        self, result: TrainingResult[LearnedRatings], known: Known, checked: Checked | None
    ) -> None:
        """Make what was learned the model's own: all of it at once, or nothing.

        Parameters
        ----------
        result : TrainingResult
        known : Known
            What the model knows of the ratings that it has learned from.
        checked : Checked or None
            Ratings that a model like this one had not learned from, and its predictions.
        """
        rating = rating_model(self.hyperparameters, result.learned, result.record, known.limits)
        liking, calibration = calibrate(known.facts, rating, result.record, checked)
        seen = known.seen
        self._fitted = Fitted(
            users=known.users,
            items=known.items,
            rating=rating,
            n_ratings=len(seen.columns),
            seen=seen,
            record=result.record,
            hyperparameters=copy.copy(self.hyperparameters),
            item_counts=count_values(seen.columns, len(known.items)),
            liking=liking,
            calibration=calibration,
            held_out=known.held_out,
        )

    # -- the model file ------------------------------------------------------------------------

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        with_seen: bool = True,
        as_folder: bool | None = None,
    ) -> None:
        """Write the model to one file, or to a folder of files.

        Parameters
        ----------
        path : path
        with_seen : bool
            Whether to write which pairs were rated, and how: needed to leave them out of
            recommendations, and to know them again in a file that has grown; 6 bytes each.
        as_folder : bool, optional
            Whether to write a folder, with a file for each array; by default, for more than 20 GB,
            and where a folder is replaced. A file and a folder are loaded alike, and `copy_model`
            makes one of the other.

        Raises
        ------
        ModelWriteError
            If it cannot be written; what was there before is then untouched.
        """
        storage.write_model(path, to_saved(self.fitted, with_seen=with_seen), as_folder=as_folder)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, in_memory: bool = False) -> Self:
        """Read a model that `save` has written.

        Parameters
        ----------
        path : path
            A file or a folder.
        in_memory : bool
            By default files are mapped, and must not be written over in place as long as the
            model is used; `save` never does that, but other programs do.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, altered or something else.
        """
        fitted = read_fitted(path, in_memory=in_memory)
        model = cls.of(fitted.hyperparameters)
        model._fitted = fitted
        return model
