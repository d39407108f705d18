"""`FunkSVD`: the model as people use it, in raw ids."""

from __future__ import annotations

import os
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from funksvd import storage
from funksvd.errors import FunkSVDError, RatingsError
from funksvd.evaluation import Errors, Holdout, Provenance, check_disjoint
from funksvd.ratings import Ratings, as_ratings, random_split
from funksvd.recommender import Recommender
from funksvd.scoring import UserItems
from funksvd.streams import Stream
from funksvd.training import (
    EpochRecord,
    Hyperparameters,
    Interrupts,
    Monitor,
    TrainingResult,
    Triples,
    train,
)


class _Found(NamedTuple):
    """What training found, and the ratings it was found with."""

    result: TrainingResult
    training: Ratings
    validation: Triples | None


class FunkSVD(Recommender):
    """A Funk SVD model: biased matrix factorization learned from explicit ratings.

    The keyword arguments are those of `Hyperparameters`, which describes each of them; they
    become attributes of the same names and are not changed by `fit`. What is learned is described
    by `Recommender`, which also holds `predict`, `recommend`, `similar` and `evaluate`.

    Examples
    --------
    >>> ratings = Ratings.from_arrays(["ann", "ann", "bob", "bob"], [1, 2, 1, 3], [5, 3, 4, 2])
    >>> model = FunkSVD(n_factors=2, validation_fraction=0).fit(ratings)
    >>> model.predict(["ann"], [3]).shape
    (1,)
    """

    # -- scikit-learn's protocol ---------------------------------------------------------------

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Hyperparameters by name, as scikit-learn asks for them."""
        return {field.name: getattr(self, field.name) for field in fields(Hyperparameters)}

    def set_params(self, **params: Any) -> FunkSVD:
        """Set hyperparameters by name.

        Raises
        ------
        FunkSVDError
            If a name is not one of a hyperparameter.
        """
        unknown = params.keys() - self.get_params().keys()
        if unknown:
            raise FunkSVDError(
                f"FunkSVD has no hyperparameter {min(unknown)!r}; it has "
                f"{', '.join(self.get_params())}"
            )
        for name, value in params.items():
            setattr(self, name, value)
        return self

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
        return -Errors.of(ratings.values, self._predict_ratings(ratings)).rmse

    # -- learning ------------------------------------------------------------------------------

    def fit(
        self,
        ratings: Any,
        values: Any = None,
        *,
        validation: Any = None,
        monitor: Monitor | None = None,
    ) -> FunkSVD:
        """Learn from ratings.

        A validation part decides how many epochs are best; with `refit`, training then runs once
        more on all ratings for so many epochs.

        Parameters
        ----------
        ratings : Ratings, or a pandas, polars or Arrow table with user, item and rating columns
            With `values`, instead an array or a table of shape (n_ratings, 2): user ids, item
            ids.
        values : array-like of shape (n_ratings,), optional
            Ratings.
        validation : Ratings or table, optional
            By default `validation_fraction` of the ratings, at random.
        monitor : Monitor, optional
            Told of each epoch.

        Returns
        -------
        FunkSVD
            Itself.

        Raises
        ------
        FunkSVDError
            If a hyperparameter is out of range.
        RatingsError
            If there are no ratings, or all have the same value.
        DivergenceError
            If no learning rate is small enough.
        KeyboardInterrupt
            On Ctrl-C. If an epoch had been completed, the model is fitted, with the best one's
            parameters.
        """
        self.check()
        training = everything = as_ratings(ratings, values)
        if validation is not None:
            validation = as_ratings(validation)
            check_disjoint("validation", validation, training)
            everything = training.joined_with(validation) if self.refit else training
        elif self.validation_fraction:
            training, validation = random_split(
                training, self.validation_fraction, self.seed, Stream.VALIDATION
            )
        monitor = monitor or Monitor()
        with Interrupts() as interrupts:
            purpose = "search" if validation else "fit"
            found = self._train(training, validation or None, purpose, monitor, interrupts)
            self._install(found)
            interrupts.requested |= found.result.interrupted
        if validation and self.refit:
            search = found.result
            found = self._train(everything, None, "refit", monitor, None, search)
            if found.result.interrupted:  # half a refit is worse than the whole search
                raise KeyboardInterrupt
            self._install(found, search)
        return self

    def _train(
        self,
        training: Ratings,
        validation: Ratings | None,
        purpose: str,
        monitor: Monitor,
        interrupts: Interrupts | None = None,
        search: TrainingResult | None = None,
    ) -> _Found:
        """Learn; as many epochs, and as fast, as a search has found best."""
        training = training.compact()
        _check_learnable(training)
        n_epochs = search.best_epoch if search else self.n_epochs
        monitor.fit_started(purpose, len(training), len(validation or ()), n_epochs)
        if validation is not None:
            index = validation.index_for(training.user_ids, training.item_ids)
            validation = Triples(*index, validation.values)
        result = train(
            Triples(training.user_index, training.item_index, training.values),
            (training.n_users, training.n_items),
            self,
            validation=validation,
            n_epochs=n_epochs,
            rate_factor=search.rate_factor if search else 1.0,
            monitor=monitor,
            interrupts=interrupts,
        )
        return _Found(result, training, validation)

    def _install(self, found: _Found, search: TrainingResult | None = None) -> None:
        """Make what was learned the model's own: all of it at once, or nothing."""
        result, training, validation = found
        n_users = training.n_users
        learned = {
            "parameters": result.parameters,
            "user_ids": training.user_ids,
            "item_ids": training.item_ids,
            "rating_scale": (float(training.values.min()), float(training.values.max())),
            "history": (search or result).history,
            "best_epoch": result.best_epoch,
            "refitted": search is not None,
            "n_ratings": len(training),
            "seen": UserItems.of(training.user_index, training.item_index, n_users),
            # Without a refit, the validation pairs are rated too, though not learned from.
            "held_out": UserItems.of(*validation[:2], n_users) if validation else None,
            "provenance": None,
        }
        vars(self).update(learned)

    def remember_origin(self, holdout: Holdout) -> None:
        """Keep where the ratings came from, and which pairs were held out.

        `rebuild(model.provenance)` finds the test part again; held-out pairs are rated too, and
        are left out of recommendations like those learned from.
        """
        self.provenance = holdout.provenance
        if holdout.test is None:
            return
        users, items = holdout.test.index_for(self.user_ids, self.item_ids)
        n_users = len(self.user_ids)
        if self.held_out is not None:
            owners = np.repeat(np.arange(n_users), np.diff(self.held_out.indptr))
            users = np.concatenate([users, owners])
            items = np.concatenate([items, self.held_out.items])
        self.held_out = UserItems.of(users, items, n_users)

    # -- the model file ------------------------------------------------------------------------

    def save(self, path: str | os.PathLike, *, with_seen: bool = True) -> None:
        """Write the model to one file.

        Parameters
        ----------
        path : path
        with_seen : bool
            Whether to write which pairs were rated: needed to leave them out of recommendations,
            4 bytes each.

        Raises
        ------
        ModelWriteError
            If it cannot be written; a file that was there before is then untouched.
        """
        hyperparameters = self.get_params()
        del hyperparameters["n_threads"]  # not a property of the model
        history = [record._asdict() for record in self.history]
        for record in history:
            del record["seconds"]  # would make each file different
        info = {
            "hyperparameters": hyperparameters,
            "rating_scale": list(self.rating_scale),
            "history": history,
            "best_epoch": self.best_epoch,
            "refitted": self.refitted,
            "n_ratings": self.n_ratings,
            "provenance": self.provenance.to_dict() if self.provenance else None,
        }
        pairs = (self.seen, self.held_out) if with_seen else (None, None)
        storage.write_model(
            path,
            storage.SavedModel(self.parameters, self.user_ids, self.item_ids, *pairs, info),
        )

    @classmethod
    def load(cls, path: str | os.PathLike) -> FunkSVD:
        """Read a model that `save` has written.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, altered or something else.
        """
        saved = storage.read_model(path)
        try:
            return cls._from_saved(saved)
        except storage.MALFORMED as error:
            raise storage.altered(path, error) from error

    @classmethod
    def _from_saved(cls, saved: storage.SavedModel) -> FunkSVD:
        info = saved.info
        model = cls(**info["hyperparameters"], n_threads=None)
        model.check()
        if model.n_factors != saved.parameters.user_factors.shape[1]:
            raise ValueError(f"n_factors is {model.n_factors}, but there are others")
        model.parameters, model.seen, model.held_out = saved.parameters, saved.seen, saved.held_out
        model.user_ids, model.item_ids = saved.user_ids, saved.item_ids
        low, high = map(float, info["rating_scale"])
        if not -np.inf < low <= high < np.inf:
            raise ValueError(f"rating_scale is {low} to {high}")
        model.rating_scale = (low, high)
        model.history = [_read_record(**record) for record in info["history"]]
        model.best_epoch, model.n_ratings = info["best_epoch"], info["n_ratings"]
        model.refitted = bool(info["refitted"])
        if not all(type(n) is int for n in (model.best_epoch, model.n_ratings)):
            raise ValueError("best_epoch and n_ratings must be integers")
        if not 1 <= model.best_epoch <= len(model.history):
            raise ValueError(f"best_epoch is {model.best_epoch} of {len(model.history)}")
        provenance = info["provenance"]
        model.provenance = Provenance.from_dict(provenance) if provenance else None
        return model


def _read_record(
    epoch: int, learning_rate: float, train_rmse: float, valid_rmse: float | None
) -> EpochRecord:
    valid_rmse = None if valid_rmse is None else float(valid_rmse)
    return EpochRecord(int(epoch), float(learning_rate), float(train_rmse), valid_rmse, np.nan)


def _check_learnable(ratings: Ratings) -> None:
    if not ratings:
        raise RatingsError(f"{ratings.source}: there are no ratings to learn from")
    if ratings.values.min() == ratings.values.max():
        raise RatingsError(
            f"{ratings.source}: all {len(ratings):,} ratings are {ratings.values[0]:g}, and from a "
            "constant nothing can be learned. Is another column the rating? Name it with "
            "--rating-col (ratings are kept as 32-bit floats, to 7 digits)"
        )
