"""`FunkSVD`: learning from what people have, refit, interruption, saving."""

import copy
import inspect
import pickle
import signal
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from funksvd import FunkSVD, FunkSVDError, Monitor, NotFittedError, Ratings, RatingsError, update
from funksvd.learned.scoring import predict_pairs
from funksvd.rng import Stream
from funksvd.splitting import random_part
from funksvd.training import Hyperparameters, Triples, plan_blocks, train
from funksvd.training.stopping import Stopped

QUICK = {"n_factors": 5, "n_epochs": 6}


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


@pytest.fixture
def model(ratings):
    return FunkSVD(**QUICK).fit(ratings)


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.parameters, other.parameters, strict=True))


class TestFit:
    def test_a_table_arrays_and_ratings_give_the_same_model(self, ratings, model):
        frame = ratings.to_pandas()
        pairs = frame[["user", "item"]]
        assert same(FunkSVD(**QUICK).fit(frame), model)
        assert same(FunkSVD(**QUICK).fit(pairs, frame["rating"]), model)
        assert same(FunkSVD(**QUICK).fit(pairs.to_numpy(), frame["rating"].to_numpy()), model)

    def test_a_sparse_matrix(self):
        matrix = scipy.sparse.random_array((20, 15), density=0.4, rng=np.random.default_rng(0))
        fitted = FunkSVD(**QUICK).fit(Ratings.from_scipy(matrix))
        assert fitted.user_factors.shape == (20, 5)

    def test_ids_without_a_rating_are_not_in_the_model(self, ratings):
        part = ratings.subset(ratings.user_index < 10)
        fitted = FunkSVD(**QUICK).fit(part)
        assert fitted.user_ids.tolist() == ratings.user_ids[:10].tolist()
        assert fitted.user_factors.shape == (10, 5)

    def test_hyperparameters_are_left_as_they_were_given(self, model):
        assert model.get_params() == FunkSVD(**QUICK).get_params()

    def test_refit_learns_from_all_ratings_for_the_best_number_of_epochs(self, ratings, model):
        assert model.refitted
        assert model.n_ratings == len(ratings)
        chosen = {"n_epochs": model.best_epoch, "reg": model.reg_used, "validation_fraction": 0}
        assert same(FunkSVD(**QUICK | chosen).fit(ratings), model)

    def test_no_refit_keeps_the_model_of_the_search(self, ratings):
        fitted = FunkSVD(**QUICK, refit=False).fit(ratings)
        assert not fitted.refitted
        held_back = random_part(ratings, 0.05, 0, Stream.VALIDATION)
        assert fitted.n_ratings == len(ratings) - held_back.sum()
        assert fitted.history[fitted.best_epoch - 1].valid_rmse is not None

    def test_the_validation_part_is_not_learned_from_before_the_refit(self, ratings):
        class Sizes(Monitor):
            def __init__(self):
                self.told = []

            def fit_started(self, *facts):
                self.told.append(facts)

        sizes = Sizes()
        FunkSVD(**QUICK, reg=0.05, validation_fraction=0.2).fit(ratings, monitor=sizes)
        (purpose, n_ratings, n_validation, n_epochs), refit, choices = sizes.told
        n_held_back = random_part(ratings, 0.2, 0, Stream.VALIDATION).sum()
        assert n_held_back == 293
        assert (purpose, n_epochs) == ("search", 6)
        assert (n_ratings, n_validation) == (1500 - n_held_back, n_held_back)
        assert refit[:3] == ("refit", 1500, 0)
        assert choices[:3] == ("choice", 1500, 0)

    def test_a_given_validation_part_with_unknown_ids(self, ratings):
        validation = Ratings.from_arrays([1, 9999], [8888, 2], [3.0, 2.0])
        searched = FunkSVD(**QUICK, refit=False).fit(ratings, validation=validation)
        assert searched.n_ratings == len(ratings)
        refitted = FunkSVD(**QUICK).fit(ratings, validation=validation)
        assert 9999 in refitted.user_ids
        assert 9999 not in searched.user_ids

    def test_a_validation_part_that_is_learned_from_is_refused(self, ratings):
        with pytest.raises(RatingsError, match="a validation on what was learned is not honest"):
            FunkSVD(**QUICK).fit(ratings, validation=ratings.subset(np.arange(10)))

    def test_the_seed_decides(self, ratings, model):
        assert same(FunkSVD(**QUICK).fit(ratings), model)
        assert not same(FunkSVD(**QUICK, seed=1).fit(ratings), model)

    @pytest.mark.parametrize(
        ("users", "items", "values", "message"),
        [
            ([], [], [], "there are no ratings to learn from"),
            ([1, 2], [1, 1], [3, 3], r"all 2 ratings are 3, .*Name it with rating_col="),
        ],
    )
    def test_nothing_to_learn(self, users, items, values, message):
        ratings = Ratings.from_arrays(np.array(users, int), np.array(items, int), values)
        with pytest.raises(RatingsError, match=message):
            FunkSVD(**QUICK).fit(ratings)

    def test_two_ratings_are_enough(self):
        fitted = FunkSVD(**QUICK).fit(Ratings.from_arrays(["a", "b"], ["x", "x"], [1, 2]))
        assert 1 <= fitted.predict("a", "x") <= 2

    def test_a_hyperparameter_out_of_range(self, ratings):
        with pytest.raises(FunkSVDError, match="n_factors must be a whole number"):
            FunkSVD(n_factors=0).fit(ratings)


class TestEnsemble:
    def test_its_predictions_are_the_mean_of_its_members(self, ratings):
        options = QUICK | {"validation_fraction": 0}
        ensemble = FunkSVD(**options, ensemble=3).fit(ratings)
        plan = plan_blocks(
            Triples(ratings.user_index, ratings.item_index, ratings.values),
            (ratings.n_users, ratings.n_items),
        )
        pairs = ratings.user_index, ratings.item_index
        chosen = Hyperparameters(**options)
        members = [train(plan, chosen, member=m).learned.parameters for m in range(3)]
        predictions = [predict_pairs(member, *pairs) for member in members]
        assert np.abs(predictions[0] - predictions[1]).max() > 0.01
        comp = predict_pairs(ensemble.parameters, *pairs)
        np.testing.assert_allclose(comp, np.mean(predictions, axis=0), rtol=3e-7, atol=1e-6)
        assert ensemble.user_factors.shape == (60, 15)
        assert ensemble.user_factors.dtype == np.float32

    def test_the_first_member_is_the_single_model(self, ratings, model):
        one = FunkSVD(**QUICK, ensemble=1).fit(ratings)
        two = FunkSVD(**QUICK, ensemble=2).fit(ratings)
        assert same(one, model)
        np.testing.assert_allclose(two.user_factors[:, :5] * np.sqrt(2), one.user_factors, 1e-6)
        assert two.best_epoch == one.best_epoch  # one search serves all members

    def test_it_is_saved_and_loaded(self, ratings, tmp_path):
        ensemble = FunkSVD(**QUICK, ensemble=2).fit(ratings)
        ensemble.save(tmp_path / "m")
        assert same(FunkSVD.load(tmp_path / "m"), ensemble)

    def test_an_interrupt_keeps_the_members_that_are_done(self, ratings):
        class AtThird(Monitor):
            def member_started(self, member, n_members):
                self.member = member

            def epoch_done(self, record, is_best):
                if self.member == 3 and record.epoch == 2:
                    raise KeyboardInterrupt

        class AtTheStartOfTheThird(AtThird):
            def ratings_done(self, n_ratings):
                if self.member == 3:
                    raise KeyboardInterrupt

        for monitor in (AtThird(), AtTheStartOfTheThird()):
            fitted = FunkSVD(**QUICK, ensemble=4, validation_fraction=0)
            with pytest.raises(KeyboardInterrupt):
                fitted.fit(ratings, monitor=monitor)
            assert same(fitted, FunkSVD(**QUICK, ensemble=2, validation_fraction=0).fit(ratings))
            assert fitted.training.stopped is Stopped.INTERRUPT


class TestSampler:
    OPTIONS: ClassVar = {"algorithm": "bayes++", "n_factors": 3, "n_epochs": 12}

    def test_it_learns_from_all_ratings_at_once(self, ratings):
        fitted = FunkSVD(**self.OPTIONS).fit(ratings)
        assert not fitted.refitted
        assert fitted.n_ratings == len(ratings)
        assert fitted.history[-1].valid_rmse is None
        assert fitted.title == "Bayesian SVD++, 3 factors"

    def test_predictions_and_deviations_are_saved(self, ratings, tmp_path):
        fitted = FunkSVD(**self.OPTIONS).fit(ratings)
        fitted.save(tmp_path / "m")
        loaded = FunkSVD.load(tmp_path / "m")
        pairs = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
        np.testing.assert_array_equal(loaded.predict(*pairs), fitted.predict(*pairs))
        deviations = fitted.predict_std(*pairs)
        np.testing.assert_array_equal(loaded.predict_std(*pairs), deviations)
        assert loaded.predict_std(pairs[0][0], pairs[1][0]) == deviations[0]
        assert [record.learning_rate for record in loaded.history] == [None] * 12

    def test_a_validation_part_with_ids_of_its_own(self, ratings):
        held_back = np.random.default_rng(0).random(len(ratings)) < 0.3
        held_back |= ratings.user_index == 7
        parts = ratings.subset(~held_back), ratings.subset(held_back)
        fitted = FunkSVD(**self.OPTIONS, refit=False).fit(parts[0], validation=parts[1])
        assert 7 not in fitted.user_ids
        assert len(fitted.draws.user_biases) == len(fitted.user_ids) == 59
        values = [parts[1].values, fitted.predict(*parts[1].to_pandas()[["user", "item"]].T.values)]
        assert np.corrcoef(*values)[0, 1] > 0.3
        again = FunkSVD(**self.OPTIONS).fit(parts[0], validation=parts[1])
        assert same(again, FunkSVD(**self.OPTIONS).fit(ratings))  # the refit

    def test_an_ensemble_has_the_draws_of_all_members(self, ratings, tmp_path):
        fitted = FunkSVD(**self.OPTIONS, ensemble=2).fit(ratings)
        one = FunkSVD(**self.OPTIONS).fit(ratings)
        n_draws = len(one.draws.global_means)
        assert fitted.draws.item_biases.shape == (50, 2 * n_draws)
        np.testing.assert_array_equal(fitted.draws.global_means[:n_draws], one.draws.global_means)
        fitted.save(tmp_path / "m")
        assert same(FunkSVD.load(tmp_path / "m"), fitted)

    def test_new_users_are_folded_into_each_draw(self, ratings, tmp_path):
        fitted = FunkSVD(**self.OPTIONS | {"n_epochs": 60}).fit(ratings)
        again = fitted.for_new_users(ratings)
        pairs = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
        assert np.corrcoef(again.predict(*pairs), fitted.predict(*pairs))[0, 1] > 0.95
        assert again.evaluate(ratings).rmse < 1.3 * fitted.evaluate(ratings).rmse
        with pytest.raises(FunkSVDError, match="does not know how sure"):  # of these users
            again.predict_std(*pairs)
        again.save(tmp_path / "m")
        assert same(FunkSVD.load(tmp_path / "m"), again)

    def test_others_do_not_know_how_sure_they_are(self, model):
        with pytest.raises(FunkSVDError, match=r"\(Funk SVD, 5 factors\) does not know how sure"):
            model.predict_std(1, 1)


class InterruptAfter(Monitor):
    """Interrupts at the end of an epoch of the search or of the refit."""

    def __init__(self, purpose, epoch):
        self.wanted = (purpose, epoch)

    def fit_started(self, purpose, *_):
        self.purpose = purpose

    def epoch_done(self, record, is_best):
        if (self.purpose, record.epoch) == self.wanted:
            raise KeyboardInterrupt


class TestInterrupt:
    def test_in_the_search_the_best_epoch_is_kept(self, ratings):
        fitted = FunkSVD(**QUICK)
        with pytest.raises(KeyboardInterrupt):
            fitted.fit(ratings, monitor=InterruptAfter("search", 2))
        assert fitted.is_fitted
        assert len(fitted.history) == 2
        assert not fitted.refitted

    def test_in_the_refit_the_model_of_the_search_is_kept(self, ratings):
        fitted = FunkSVD(**QUICK)
        with pytest.raises(KeyboardInterrupt):
            fitted.fit(ratings, monitor=InterruptAfter("refit", 1))
        assert same(fitted, FunkSVD(**QUICK, refit=False).fit(ratings))
        assert not fitted.refitted

    def test_before_the_first_epoch_there_is_no_model(self, ratings):
        class Hasty(Monitor):
            def ratings_done(self, n_ratings):
                raise KeyboardInterrupt

        fitted = FunkSVD(**QUICK)
        with pytest.raises(KeyboardInterrupt):
            fitted.fit(ratings, monitor=Hasty())
        assert not fitted.is_fitted


class TestWhyItStopped:
    """`model.training.stopped`, however training came to its end."""

    @pytest.mark.parametrize("refit", [True, False])
    def test_patience(self, ratings, refit):
        fitted = FunkSVD(n_factors=5, n_epochs=300, patience=2, reg=0.0, refit=refit).fit(ratings)
        assert len(fitted.history) < 300
        assert fitted.training.stopped is Stopped.PATIENCE
        assert fitted.refitted == refit

    @pytest.mark.parametrize("options", [{}, {"refit": False}, {"validation_fraction": 0}], ids=str)
    def test_limit(self, ratings, options):
        fitted = FunkSVD(**QUICK, **options).fit(ratings)
        assert len(fitted.history) == 6
        assert fitted.training.stopped is Stopped.LIMIT

    @pytest.mark.parametrize("algorithm", ["svd++", "bayes", "bayes++", "incremental"])
    def test_limit_of_other_algorithms(self, ratings, algorithm):
        options = {"n_factors": 2, "validation_fraction": 0}
        if algorithm != "incremental":
            options["n_epochs"] = 3
        fitted = FunkSVD(algorithm=algorithm, **options).fit(ratings)
        assert fitted.training.stopped is Stopped.LIMIT

    def interrupted(self, ratings, monitor, **options):
        fitted = FunkSVD(**QUICK, **options)
        with pytest.raises(KeyboardInterrupt):
            fitted.fit(ratings, monitor=monitor)
        return fitted

    @pytest.mark.parametrize("refit", [True, False])
    def test_ctrl_c_in_the_search(self, ratings, refit):
        fitted = self.interrupted(ratings, InterruptAfter("search", 2), refit=refit)
        assert fitted.training.stopped is Stopped.INTERRUPT
        assert len(fitted.history) == 2

    def test_ctrl_c_in_the_refit(self, ratings):
        fitted = self.interrupted(ratings, InterruptAfter("refit", 1))
        assert fitted.training.stopped is Stopped.INTERRUPT
        assert not fitted.refitted
        assert len(fitted.history) == 6  # the search's

    def test_ctrl_c_without_a_validation_part(self, ratings):
        fitted = self.interrupted(ratings, InterruptAfter("fit", 3), validation_fraction=0)
        assert fitted.training.stopped is Stopped.INTERRUPT
        assert fitted.best_epoch == 3

    def test_ctrl_c_in_a_second_search(self, planted):
        """A clear signal: another search, with less regularization, is worth running."""

        class InSecond(Monitor):
            told = ()

            def fit_started(self, purpose, *_):
                self.told += (purpose,)

            def epoch_done(self, record, is_best):
                if self.told == ("search", "search"):
                    raise KeyboardInterrupt

        ratings = planted(60, 50, 2, 2500, 0.05)
        fitted = FunkSVD(n_factors=5, n_epochs=20, validation_fraction=0.2)
        with pytest.raises(KeyboardInterrupt):
            fitted.fit(ratings, monitor=(monitor := InSecond()))
        assert monitor.told == ("search", "search")  # and no refit
        assert fitted.training.stopped is Stopped.INTERRUPT
        assert len(fitted.history) > 1  # the first one's

    def test_an_error_in_the_refit_leaves_what_the_search_came_to(self, ratings):
        class Failing(InterruptAfter):
            def epoch_done(self, record, is_best):
                if self.purpose == "refit":
                    raise RuntimeError

        fitted = FunkSVD(**QUICK)
        with pytest.raises(RuntimeError):
            fitted.fit(ratings, monitor=Failing("refit", 1))
        assert fitted.training.stopped is Stopped.LIMIT
        assert not fitted.refitted

    def test_an_update_leaves_it_as_it_was(self, ratings, model):
        assert update(model, ratings, n_epochs=1).training.stopped is Stopped.LIMIT


@pytest.mark.parametrize("algorithm", ["svd++", "bayes++"])
def test_interactions_are_learned_from_and_counted(ratings, algorithm):
    rated, options = (
        ratings.subset(np.arange(len(ratings)) % 3 > 0),
        QUICK | {"algorithm": algorithm},
    )
    pairs = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
    fitted = FunkSVD(**options).fit(rated, interactions=np.column_stack(pairs))
    without = FunkSVD(**options).fit(rated)
    assert (fitted.training.n_unrated, without.training.n_unrated) == (500, 0)
    assert fitted.n_ratings == without.n_ratings == 1000
    assert not same(fitted, without)


class TestHyperparameters:
    def test_they_are_attributes_of_the_model_too(self):
        model = FunkSVD(n_factors=3)
        assert (model.n_factors, model.hyperparameters.n_factors) == (3, 3)
        model.seed = 7
        assert model.hyperparameters.seed == model.get_params()["seed"] == 7
        model.hyperparameters.reg = 0.5
        assert model.reg == 0.5
        assert vars(model).keys() == {"hyperparameters"}

    @pytest.mark.parametrize("of", [lambda model: model, lambda model: model.hyperparameters])
    def test_a_misspelt_attribute_is_an_error(self, of):
        with pytest.raises(FunkSVDError, match=r"'n_factor'; did you mean n_factors\?"):
            of(FunkSVD()).n_factor = 3

    def test_they_are_found_by_completion(self):
        assert {"n_factors", "reg", "fit"} <= set(dir(FunkSVD()))

    def test_numbers_of_numpy_are_numbers(self, ratings):
        plain = {"batch_size": 64, "n_factors": 3, "n_epochs": 5, "reg": 0.05, "refit": False}
        numpy = {
            name: np.bool_(value) if value is False else np.array(value)[()]
            for name, value in plain.items()
        }
        ref, comp = FunkSVD(**plain).fit(ratings), FunkSVD(**numpy).fit(ratings)
        assert comp.best_epoch == ref.best_epoch
        np.testing.assert_array_equal(comp.user_factors, ref.user_factors)
        resolved = comp.hyperparameters.resolved()
        assert {type(getattr(resolved, name)) for name in plain} == {int, float, bool}
        FunkSVD(
            schedule="cyclic", ensemble=2, ensemble_snapshots=True, cycle_epochs=np.int64(2)
        ).fit(ratings)

    def test_a_fitted_model_keeps_those_it_was_fitted_with(self, ratings, tmp_path):
        model = FunkSVD(n_factors=3, n_epochs=3).fit(ratings)
        title, pair = model.title, (ratings.user_ids[0], ratings.item_ids[0])
        ref = model.predict(*pair)
        model.set_params(n_factors=5, loss="logistic", patience=0)
        assert (model.title, model.predict(*pair)) == (title, ref)
        model.save(tmp_path / "m")
        again = FunkSVD.load(tmp_path / "m")
        assert (again.n_factors, again.predict(*pair)) == (3, ref)
        assert update(model, ratings).user_factors.shape[1] == 3

    def test_a_copy_of_a_subclass_has_what_that_adds(self, ratings):
        class Mine(FunkSVD):
            extra = 1

        model = Mine(n_factors=2, n_epochs=2)
        model.extra = 5
        model.fit(ratings)
        assert copy.copy(model).extra == model.for_new_users(ratings).extra == 5

    def test_a_keyword_that_is_none_is_an_error(self):
        with pytest.raises(FunkSVDError, match=r"'n_factor'; did you mean n_factors\?"):
            FunkSVD(n_factor=3)

    def test_they_are_given_by_name(self):
        with pytest.raises(TypeError):
            FunkSVD("sgd")

    def test_readers_are_told_their_names_and_defaults(self):
        parameters = inspect.signature(FunkSVD).parameters
        assert list(parameters) == list(FunkSVD().get_params())
        assert {name: each.default for name, each in parameters.items()} == FunkSVD().get_params()

    def test_a_model_of_given_ones_has_them_for_itself(self):
        chosen = Hyperparameters(n_factors=3)
        model = FunkSVD.of(chosen)
        model.n_factors = 4
        assert chosen.n_factors == 3

    def test_a_copy_has_its_own(self, model):
        other = copy.copy(model)
        assert other.get_params() == model.get_params()
        assert other.fitted is model.fitted
        other.set_params(n_factors=9, seed=3)
        assert (model.n_factors, model.seed) == (5, 0)
        model.n_epochs = 1
        assert other.n_epochs == 6

    def test_a_copy_that_learns_leaves_the_model_alone(self, model, ratings):
        other, before = copy.copy(model), model.fitted
        other.fit(ratings.subset(ratings.user_index < 30))
        assert model.fitted is before
        assert len(other.user_ids) == 30

    def test_deep_copies_and_pickles_answer_alike(self, model):
        ref = model.predict([1, 2], [3, 4])
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            np.testing.assert_array_equal(other.predict([1, 2], [3, 4]), ref)
            other.seed = 9
            assert model.seed == 0


class TestNotFitted:
    @pytest.mark.parametrize("name", ["user_factors", "global_mean", "parameters", "history"])
    def test_learned_attributes_say_what_to_do(self, name):
        with pytest.raises(NotFittedError, match=r"the model has no .* yet: call fit"):
            getattr(FunkSVD(), name)
        assert not hasattr(FunkSVD(), name)

    def test_predict(self):
        with pytest.raises(NotFittedError):
            FunkSVD().predict(1, 1)

    def test_other_names_are_plain_attribute_errors(self):
        with pytest.raises(AttributeError, match="object has no attribute 'nonsense'"):
            FunkSVD().nonsense  # noqa: B018


class TestSave:
    def test_what_is_loaded_is_what_was_saved(self, model, ratings, tmp_path):
        model.save(tmp_path / "m")
        loaded = FunkSVD.load(tmp_path / "m")
        assert same(loaded, model)
        assert loaded.get_params() == model.hyperparameters.resolved().get_params()
        assert loaded.recommend(1) == model.recommend(1)
        assert loaded.similar(1) == model.similar(1)
        assert loaded.best_epoch == model.best_epoch
        assert loaded.refitted
        assert loaded.rating_scale == model.rating_scale
        assert [record[:4] for record in loaded.history] == [r[:4] for r in model.history]
        assert loaded.evaluate(ratings) == model.evaluate(ratings)

    def test_what_is_loaded_can_be_saved_again_to_the_same_bytes(self, model, tmp_path):
        model.save(tmp_path / "one")
        FunkSVD.load(tmp_path / "one").save(tmp_path / "two")
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()

    def test_text_ids(self, tmp_path):
        ratings = Ratings.from_arrays(["007", "7", "ünï"], ["a,b", "b", "a,b"], [1, 2, 3])
        model = FunkSVD(**QUICK, validation_fraction=0).fit(ratings)
        model.save(tmp_path / "m")
        assert FunkSVD.load(tmp_path / "m").user_ids.tolist() == ["007", "7", "ünï"]

    def test_without_the_seen_pairs(self, model, tmp_path):
        model.save(tmp_path / "with")
        model.save(tmp_path / "without", with_seen=False)
        assert (tmp_path / "without").stat().st_size < (tmp_path / "with").stat().st_size
        loaded = FunkSVD.load(tmp_path / "without")
        with pytest.raises(FunkSVDError, match="include_seen="):
            loaded.recommend(1)
        assert len(loaded.recommend(1, include_seen=True)) == 10

    def test_an_unfitted_model_cannot_be_saved(self, tmp_path):
        with pytest.raises(NotFittedError):
            FunkSVD().save(tmp_path / "m")
        assert not list(tmp_path.iterdir())


class TestScikitLearn:
    def test_clone(self, model):
        base = pytest.importorskip("sklearn.base")
        copy = base.clone(model)
        assert copy.get_params() == model.get_params()
        assert not copy.is_fitted

    def test_set_params_knows_its_names(self):
        assert FunkSVD().set_params(n_factors=3).n_factors == 3
        for ask in (FunkSVD().set_params, FunkSVD):
            with pytest.raises(FunkSVDError, match=r"'n_factor'; did you mean n_factors\?"):
                ask(n_factor=3)

    def test_grid_search(self, ratings):
        selection = pytest.importorskip("sklearn.model_selection")
        frame = ratings.to_pandas()
        longer = FunkSVD(n_factors=5, n_epochs=40, validation_fraction=0)
        search = selection.GridSearchCV(longer, {"reg": [0.02, 5.0]}, cv=3)
        search.fit(frame[["user", "item"]], frame["rating"])
        assert search.best_params_ == {"reg": 0.02}
        assert -1.5 < search.best_score_ < 0
        assert search.predict(frame[["user", "item"]]).shape == (len(frame),)

    def test_cross_val_score_is_the_negative_rmse(self, ratings):
        selection = pytest.importorskip("sklearn.model_selection")
        frame = ratings.to_pandas()
        pairs, values = frame[["user", "item"]].to_numpy(), frame["rating"].to_numpy()
        scores = selection.cross_val_score(FunkSVD(**QUICK), pairs, values, cv=2)
        fold = len(values) // 2
        fitted = FunkSVD(**QUICK).fit(pairs[fold:], values[fold:])
        errors = values[:fold] - fitted.predict(pairs[:fold])
        assert scores[0] == pytest.approx(-np.sqrt(np.mean(errors**2)), rel=1e-5)
        swapped = frame[["item", "user"]]  # columns of a frame are known by their names
        by_name = selection.cross_val_score(FunkSVD(**QUICK), swapped, values, cv=2)
        assert by_name.tolist() == scores.tolist()

    def test_it_counts_as_fitted_only_when_it_is(self, model):
        validation = pytest.importorskip("sklearn.utils.validation")
        exceptions = pytest.importorskip("sklearn.exceptions")
        validation.check_is_fitted(model)
        with pytest.raises(exceptions.NotFittedError):
            validation.check_is_fitted(FunkSVD())


def test_history_is_easily_a_table(model):
    table = pd.DataFrame(record.to_dict() for record in model.history)
    assert list(table.columns) == [
        "epoch",
        "learning_rate",
        "train_rmse",
        "valid_rmse",
        "seconds",
    ]


def test_ctrl_c_after_the_last_epoch_of_the_search_is_recorded(ratings):
    class AtTheEnd(Monitor):
        def fit_done(self, best_epoch):
            signal.raise_signal(signal.SIGINT)

    model = FunkSVD(**QUICK, reg=0.05)
    with pytest.raises(KeyboardInterrupt):
        model.fit(ratings, monitor=AtTheEnd())
    assert (model.training.stopped, model.refitted) == (Stopped.INTERRUPT, False)
