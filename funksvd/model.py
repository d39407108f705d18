"""`FunkSVD`: the model as people use it, in raw ids."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import numpy as np

from funksvd.errors import FunkSVDError
from funksvd.learned import storage
from funksvd.metrics import Errors
from funksvd.newcomers import Newcomers
from funksvd.ratings import CompressedRows, Interactions, Ratings, as_interactions, as_ratings
from funksvd.rng import Stream
from funksvd.splitting import Holdout, Provenance, check_disjoint, is_in, random_part
from funksvd.training import (
    ALGORITHMS,
    LEARNERS,
    BlockPlan,
    EpochRecord,
    Interrupts,
    Monitor,
    TrainingResult,
    Triples,
    check_learnable,
    check_ratings,
    plan_blocks,
    search_best,
    train_ensemble,
)


class FunkSVD(Newcomers):
    """A Funk SVD model: biased matrix factorization learned from explicit ratings.

    The keyword arguments are those of `Hyperparameters`, which describes each of them; they
    become attributes of the same names and are not changed by `fit`. What is learned is described
    by `Recommender`, which also holds `predict`, `recommend`, `similar` and `evaluate`; `fold_in`
    and `explain` are in `Newcomers`.

    Examples
    --------
    >>> ratings = Ratings.from_arrays(["ann", "ann", "bob", "bob"], [1, 2, 1, 3], [5, 3, 4, 2])
    >>> model = FunkSVD(n_factors=2, validation_fraction=0).fit(ratings)
    >>> model.predict(["ann"], [3]).shape
    (1,)
    """

    # -- scikit-learn's protocol ---------------------------------------------------------------

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
        interactions: Any = None,
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
        interactions : Ratings, or a table or an array of shape (n_pairs, 2), optional
            User ids, item ids: what users have dealt with without rating it, for svd++ and
            bayes++. Pairs that are rated, and ids that have no rating, are passed over.
        monitor : Monitor, optional
            Told of each epoch.

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
            If there are no ratings, or all have the same value, or the loss is not for them.
        DivergenceError
            If no learning rate is small enough.
        KeyboardInterrupt
            On Ctrl-C. If an epoch had been completed, the model is fitted, with the best one's
            parameters.
        """
        self.check()
        monitor = monitor or Monitor()
        ratings = as_ratings(ratings, values)
        if interactions is not None:
            interactions = as_interactions(interactions)
            if not LEARNERS[self.algorithm].uses_unrated:
                raise FunkSVDError(f"algorithm {self.algorithm!r} has no use for interactions")
        held_back = None
        if validation is not None:
            validation = as_ratings(validation)
            check_disjoint("validation", validation, ratings)
            n_training = len(ratings)
            ratings = ratings.joined_with(validation)
            held_back = np.arange(len(ratings)) >= n_training
        elif fraction := self.resolved().validation_fraction:
            held_back = random_part(len(ratings), fraction, self.seed, Stream.VALIDATION)
        check_ratings(self, ratings.values, ratings.source)
        ratings = ratings.compact()
        if held_back is None or not held_back.any():
            self._fit(ratings, interactions, monitor)
        else:
            self._fit_with_validation(ratings, held_back, interactions, monitor)
        return self

    def _fit(self, ratings: Ratings, interactions: Interactions | None, monitor: Monitor) -> None:
        check_learnable(ratings.values, ratings.source)
        with Interrupts() as interrupts:
            plan = self._plan(ratings, None, interactions, monitor)
            result = train_ensemble(plan, self, "fit", monitor=monitor, interrupts=interrupts)
            interrupts.requested |= result.interrupted
            self._install(result, ratings)

    def _fit_with_validation(
        self,
        ratings: Ratings,
        held_back: np.ndarray,
        interactions: Interactions | None,
        monitor: Monitor,
    ) -> None:
        """Find the best number of epochs; then, with `refit`, learn from all for so many."""
        check_learnable(ratings.values[~held_back], ratings.source)
        with Interrupts() as interrupts:
            plan = self._plan(ratings, held_back, interactions, monitor)
            search = search_best(plan, self, monitor=monitor, interrupts=interrupts)
            interrupts.requested |= search.interrupted
            if not self.refit or interrupts.requested:
                self._install_search(search, ratings, held_back)
        if not self.refit:
            return
        try:
            plan = plan.with_all_learned(self.thread_count())
            refit = train_ensemble(plan, self, "refit", search=search, monitor=monitor)
            if refit.interrupted:  # half a refit is worse than the whole search
                raise KeyboardInterrupt
        except BaseException:
            self._install_search(search, ratings, held_back)
            raise
        with Interrupts(armed=True):
            self._install(refit, ratings, search)

    def _plan(
        self,
        ratings: Ratings,
        held_back: np.ndarray | None,
        interactions: Interactions | None,
        monitor: Monitor,
    ) -> BlockPlan:
        monitor.planning_started(len(ratings))
        plan = plan_blocks(
            Triples(ratings.user_index, ratings.item_index, ratings.values),
            (ratings.n_users, ratings.n_items),
            held_back=held_back,
            n_batches=LEARNERS[self.algorithm].n_batches,
            n_threads=self.thread_count(),
        )
        if interactions is None:
            return plan
        unrated = interactions.subset(~is_in(interactions, ratings))
        users, items = unrated.index_for(ratings.users, ratings.items)
        known = (users >= 0) & (items >= 0)
        return plan.with_unrated(users[known], items[known])

    def _install_search(
        self, search: TrainingResult, ratings: Ratings, held_back: np.ndarray
    ) -> None:
        """Make the search's model the model: without the ids that only validation ratings have.

        Those ratings are rated too, though not learned from.
        """
        training = ratings.subset(~held_back)
        known = training.compact()
        users = known.users.positions_in(ratings.users)
        items = known.items.positions_in(ratings.items)
        parameters = search.parameters.rows(users, items)
        implicit = None if search.implicit_factors is None else search.implicit_factors[items]
        found = {
            "parameters": parameters,
            "implicit_factors": implicit,
            "draws": search.draws and search.draws.rows(users, items),
        }
        self._install(search._replace(**found), known)
        index = ratings.subset(held_back).index_for(known.users, known.items)
        self.held_out = CompressedRows.from_pairs(*index, known.n_users)

    def _install(
        self, result: TrainingResult, ratings: Ratings, search: TrainingResult | None = None
    ) -> None:
        """Make what was learned from the ratings the model's own: all of it at once, or nothing."""
        learned = {
            "parameters": result.parameters,
            "draws": result.draws,
            "user_ids": ratings.user_ids,
            "item_ids": ratings.item_ids,
            "rating_scale": (float(ratings.values.min()), float(ratings.values.max())),
            "history": (search or result).history,
            "best_epoch": result.best_epoch,
            "refitted": search is not None,
            "reg_used": result.reg,
            "rating_spread": result.spread,
            "implicit_factors": result.implicit_factors,
            "n_ratings": len(ratings),
            "seen": CompressedRows.from_pairs(
                ratings.user_index,
                ratings.item_index,
                ratings.n_users,
                n_threads=self.thread_count(),
            ),
            "held_out": None,
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
        users, items = holdout.test.index_for(self.users, self.items)
        n_users = len(self.users)
        if self.held_out is not None:
            pairs = zip((users, items), self.held_out.pairs, strict=True)
            users, items = map(np.concatenate, pairs)
        self.held_out = CompressedRows.from_pairs(users, items, n_users)

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
        hyperparameters = asdict(self.resolved())
        del hyperparameters["n_threads"]  # not a property of the model
        history = [record.to_dict(self.loss) for record in self.history]
        for record in history:
            del record["seconds"]  # would make each file different
        info = {
            "hyperparameters": hyperparameters,
            "rating_scale": list(self.rating_scale),
            "history": history,
            "best_epoch": self.best_epoch,
            "refitted": self.refitted,
            "reg_used": self.reg_used,
            "rating_spread": self.rating_spread,
            "n_ratings": self.n_ratings,
            "provenance": self.provenance.to_dict() if self.provenance else None,
        }
        pairs = (self.seen, self.held_out) if with_seen else (None, None)
        more = (info, self.implicit_factors, self.draws)
        storage.write_model(
            path,
            storage.SavedModel(self.parameters, self.user_ids, self.item_ids, *pairs, *more),
        )

    @classmethod
    def load(cls, path: str | os.PathLike, *, in_memory: bool = False) -> FunkSVD:
        """Read a model that `save` has written.

        Parameters
        ----------
        path : path
        in_memory : bool
            By default the file is mapped, and must not be written over in place as long as the
            model is used; `save` never does that, but other programs do.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, altered or something else.
        """
        saved = storage.read_model(path, in_memory=in_memory)
        try:
            return cls._from_saved(saved)
        except storage.MALFORMED as error:
            raise storage.altered(path, error) from error

    @classmethod
    def _from_saved(cls, saved: storage.SavedModel) -> FunkSVD:
        info = saved.info
        model = cls(**info["hyperparameters"], n_threads=None)
        model.check()
        n_factors = saved.parameters.user_factors.shape[1]
        of_each = model.resolved().n_factors
        n_members, rest = divmod(n_factors, of_each)
        n_draws = n_members if saved.draws is None else len(saved.draws.global_means)
        most = np.inf if ALGORITHMS[model.algorithm].is_sampler else model.ensemble
        if rest or n_members != n_draws or not 1 <= n_members <= most:
            raise ValueError(f"n_factors is {of_each}, but there are {n_factors}")
        model.parameters, model.seen, model.held_out = saved.parameters, saved.seen, saved.held_out
        model.draws = saved.draws
        model.user_ids, model.item_ids = saved.user_ids, saved.item_ids
        model.implicit_factors = saved.implicit_factors
        low, high = map(float, info["rating_scale"])
        if not -np.inf < low <= high < np.inf:
            raise ValueError(f"rating_scale is {low} to {high}")
        model.rating_scale = (low, high)
        model.history = [EpochRecord.from_dict(each, model.loss) for each in info["history"]]
        model.best_epoch, model.n_ratings = info["best_epoch"], info["n_ratings"]
        model.refitted, model.reg_used = bool(info["refitted"]), float(info["reg_used"])
        model.rating_spread = float(info["rating_spread"])
        if not (0 <= model.reg_used < np.inf and 0 < model.rating_spread < np.inf):
            raise ValueError("reg_used and rating_spread must be finite, and not negative")
        if not all(type(n) is int for n in (model.best_epoch, model.n_ratings)):
            raise ValueError("best_epoch and n_ratings must be integers")
        if not 1 <= model.best_epoch <= len(model.history):
            raise ValueError(f"best_epoch is {model.best_epoch} of {len(model.history)}")
        provenance = info["provenance"]
        model.provenance = Provenance.from_dict(provenance) if provenance else None
        return model
