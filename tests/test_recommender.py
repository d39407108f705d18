"""Predict, recommend, similar, evaluate: in raw ids, against the naive reference."""

import copy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import naive
from funksvd import FunkSVD, FunkSVDError, Ratings, RatingsError, UnknownIdError, hold_out
from funksvd.learned.lists import CAUTION


@pytest.fixture(scope="module")
def model(sample):
    return FunkSVD(n_factors=7, n_epochs=15).fit(sample)


def naive_scores(model, user):
    u = model.user_ids.tolist().index(user)
    return [
        naive.predict(
            model.global_mean,
            float(model.user_biases[u]),
            float(model.item_biases[i]),
            model.user_factors[u].tolist(),
            model.item_factors[i].tolist(),
        )
        for i in range(len(model.item_ids))
    ]


def clip(score, model):
    low, high = model.rating_scale
    return min(max(score, low), high)


class TestPredict:
    def test_equals_the_naive_prediction(self, model):
        items = model.item_ids.tolist()
        ref = [clip(score, model) for score in naive_scores(model, 3)]
        np.testing.assert_allclose(model.predict([3] * len(items), items), ref, rtol=1e-5)

    def test_one_id_goes_with_all_of_the_other(self, model):
        both = model.predict([3, 3, 3], [1, 2, 5])
        np.testing.assert_array_equal(model.predict(3, [1, 2, 5]), both)
        np.testing.assert_array_equal(model.predict([3], [1, 2, 5]), both)
        assert model.predict(3, 5) == both[2]
        assert isinstance(model.predict(3, 5), float)

    def test_pairs_in_one_argument(self, model):
        pairs = pd.DataFrame({"user": [3, 4], "item": [1, 2]})
        ref = model.predict([3, 4], [1, 2])
        np.testing.assert_array_equal(model.predict(pairs), ref)
        np.testing.assert_array_equal(model.predict(pairs.to_numpy()), ref)

    def test_unknown_ids_are_predicted_from_what_is_known(self, model):
        bias = float(model.user_biases[model.user_ids.tolist().index(3)])
        assert model.predict(3, 10**9) == pytest.approx(model.global_mean + bias, rel=1e-6)
        assert model.predict(-1, 10**9) == pytest.approx(model.global_mean, rel=1e-6)

    def test_an_integer_and_its_text_are_the_same_id(self, model):
        assert model.predict("3", "5") == model.predict(3, 5)
        assert model.predict("03", "5") != model.predict(3, 5)

    def test_nothing_to_predict(self, model):
        assert model.predict([], []).shape == (0,)

    @pytest.mark.parametrize(
        ("users", "items", "message"),
        [
            ([1, 2], [1, 2, 3], "2 users and 3 items do not make pairs"),
            ([1.5], [1], "user ids are float64; they must be integers or text"),
            ([[1, 2, 3]], None, r"pairs must be of shape \(n, 2\)"),
            ([1, "a"], [1, 1], "they must be all integers or all text"),
        ],
    )
    def test_arguments_that_make_no_sense(self, model, users, items, message):
        with pytest.raises(RatingsError, match=message):
            model.predict(users, items)


def of_ratings_only(model):
    """The same model without choices, and not knowing how many ratings users and items have."""
    other = copy.copy(model)
    other._fitted = replace(model.fitted, choice=None, item_counts=None, seen=None)
    return other


class TestRecommend:
    def test_the_best_unseen_items_come_first(self, model, sample):
        rated = set(sample.item_index[sample.user_ids[sample.user_index] == 3].tolist())
        margins = CAUTION * model.rating_spread / np.sqrt(model.fitted.item_counts + 1.0)
        scores = (naive_scores(model, 3) - margins).tolist()
        comp = model.recommend(3, n=400, by="rating")
        assert len(comp) == len(scores) - len(rated)
        best = naive.best_items(scores, 10, rated)
        assert [r.item for r in comp[:10]] == model.item_ids[best].tolist()
        np.testing.assert_allclose(
            [r.score for r in comp[:10]], [scores[i] for i in best], rtol=1e-5
        )
        ref = [clip(scores[i] + margins[i], model) for i in best]
        np.testing.assert_allclose([r.prediction for r in comp[:10]], ref, rtol=1e-5)

    def test_seen_items_on_request(self, model):
        comp = model.recommend(3, n=400, include_seen=True)
        assert sorted(r.item for r in comp) == model.item_ids.tolist()

    def test_held_out_ratings_are_left_out_too(self, sample):
        holdout = hold_out(sample, test_fraction=0.3)
        fitted = FunkSVD(n_factors=3, n_epochs=2).fit(holdout.training)
        fitted.remember_origin(holdout)
        rated = set(sample.item_ids[sample.item_index[sample.user_ids[sample.user_index] == 3]])
        recommended = {r.item for r in fitted.recommend(3, n=400)}
        assert not rated & recommended
        assert recommended | rated >= set(fitted.item_ids.tolist())

    @pytest.mark.parametrize("n_threads", [1, 3])
    @pytest.mark.parametrize(("by", "n_batches"), [("rating", 6), ("choice", 6), ("both", 1)])
    def test_all_users_at_once_equal_one_at_a_time(
        self, model, monkeypatch, n_threads, by, n_batches
    ):
        monkeypatch.setattr("funksvd.learned.scoring.ROWS_PER_BATCH", 400)
        monkeypatch.setattr(model.hyperparameters, "n_threads", n_threads)
        batches = list(model.recommend_all(n=4, by=by))
        assert len(batches) == n_batches  # of 96 users, or all
        users = np.concatenate([batch["user"] for batch in batches])
        items = np.concatenate([batch["item"] for batch in batches])
        ranks = np.concatenate([batch["rank"] for batch in batches])
        assert users.tolist() == np.repeat(model.user_ids, 4).tolist()
        assert ranks.tolist() == [1, 2, 3, 4] * len(model.user_ids)
        for user in (1, 200, 500):
            assert items[users == user].tolist() == [
                r.item for r in model.recommend(user, 4, by=by)
            ]

    def test_predictions_are_those_of_predict_to_the_last_bit(self, model):
        for batch in model.recommend_all(n=20):
            ref = model.predict(batch["user"], batch["item"])
            np.testing.assert_array_equal(batch["prediction"], ref)

    def test_equal_items_come_in_the_order_of_their_ids(self, model, with_learned):
        twins = np.repeat(np.arange(0, len(model.item_ids), 3), 3)[: len(model.item_ids)]
        model = with_learned(
            of_ratings_only(model),
            item_biases=model.item_biases[twins],
            item_factors=model.item_factors[twins],
        )
        for batch in model.recommend_all([1, 2, 3], n=60, include_seen=True):
            for user in (1, 2, 3):
                mine = batch["user"] == user
                items, predictions = batch["item"][mine], batch["prediction"][mine]
                assert (predictions[1:] <= predictions[:-1]).all()
                equal = predictions[1:] == predictions[:-1]
                assert equal.sum() >= 35
                below = predictions[1:] < model.rating_scale[1]  # clipped ones are not equal
                assert (items[1:] > items[:-1])[equal & below].all()

    def test_a_user_who_has_rated_everything(self):
        ratings = Ratings.from_arrays([1, 1, 2], [1, 2, 1], [3, 4, 5])
        fitted = FunkSVD(n_factors=2, n_epochs=2, validation_fraction=0).fit(ratings)
        assert fitted.recommend(1) == []
        assert [r.item for r in fitted.recommend(2)] == [2]

    def test_an_unknown_user_is_an_error_that_shows_known_ones(self, model):
        with pytest.raises(UnknownIdError) as error:
            model.recommend("nobody")
        assert str(error.value) == (
            "the model does not know user 'nobody'; it knows 500 users, for instance 1, 2, 3, …"
        )

    def test_n_must_be_positive(self, model):
        with pytest.raises(FunkSVDError, match="n must be a whole number of at least 1, not 0"):
            model.recommend(3, n=0)


class TestSimilar:
    def test_cosines_equal_the_naive_ones(self, model):
        comp = of_ratings_only(model).similar(5, n=400)
        row = model.item_ids.tolist().index(5)
        factors = model.item_factors.tolist()
        ref = {
            item: naive.cosine(factors[row], factors[i])
            for i, item in enumerate(model.item_ids.tolist())
            if i != row
        }
        assert {s.item for s in comp} == set(ref)
        np.testing.assert_allclose(
            [s.similarity for s in comp], [ref[s.item] for s in comp], atol=1e-5
        )
        assert all(a.similarity >= b.similarity for a, b in pairwise(comp))

    def test_users_likewise(self, model):
        comp = of_ratings_only(model).similar_users(3, n=5)
        row = model.user_ids.tolist().index(3)
        factors = model.user_factors.tolist()
        ref = [naive.cosine(factors[row], other) for other in factors]
        best = naive.best_items(ref, 5, {row})
        assert [s.user for s in comp] == model.user_ids[best].tolist()
        np.testing.assert_allclose([s.similarity for s in comp], [ref[u] for u in best], atol=1e-5)
        with pytest.raises(UnknownIdError, match="does not know user 'nobody'; it knows 500 users"):
            model.similar_users("nobody")

    def test_an_unknown_item(self, model):
        with pytest.raises(UnknownIdError, match="does not know item 99999; it knows 300 items"):
            model.similar(99999)


class TestEvaluate:
    def test_equals_the_naive_error(self, model, sample):
        part = sample.subset(np.arange(500))
        frame = part.to_pandas()
        predictions = model.predict(frame["user"].to_numpy(), frame["item"].to_numpy())
        comp = model.evaluate(part)
        assert comp.rmse == pytest.approx(
            naive.rmse(frame["rating"].tolist(), predictions.tolist()), rel=1e-6
        )
        assert comp.rmse_interval.low < comp.rmse < comp.rmse_interval.high
        assert comp.mae_interval.low < comp.mae < comp.mae_interval.high
        assert comp.already_learned == 1
        assert comp.n_ratings == 500

    def test_shares_of_unknown_ids(self, model):
        ratings = Ratings.from_arrays(
            ["1", "2", "x", "y"], ["10**9", "3", "4", "z"], [3.0, 4.0, 2.0, 5.0]
        )
        comp = model.evaluate(ratings)
        assert comp.unknown_users == 0.5
        assert comp.unknown_items == 0.5

    def test_nothing_to_evaluate_on(self, model, sample):
        with pytest.raises(RatingsError, match="there are no ratings to evaluate on"):
            model.evaluate(sample.subset(np.zeros(len(sample), bool)))
