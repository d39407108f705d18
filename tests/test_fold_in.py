"""New users and new items, in raw ids: as if they had been there; and explanations that add up."""

from dataclasses import replace

import numpy as np
import pytest

from funksvd import FunkSVD, Ratings, RatingsError, UnknownIdError, UnknownIdWarning
from funksvd.learned import LearnedRatings
from funksvd.model_file import rating_model
from funksvd.ratings import CompressedRows

KINDS = {
    "sgd": {},
    "svd++": {"algorithm": "svd++"},
    "ensemble": {"ensemble": 2},
    "svd++ ensemble": {"algorithm": "svd++", "ensemble": 2},
    "no biases": {"biases": False},
}


@pytest.fixture(scope="module", params=KINDS.values(), ids=KINDS)
def model(request, sample):
    return FunkSVD(n_factors=5, n_epochs=25, **request.param).fit(sample)


@pytest.fixture(scope="module")
def plain(sample):
    return FunkSVD(n_factors=5, n_epochs=25).fit(sample)


def ratings_by(ratings, user):
    mine = ratings.user_ids[ratings.user_index] == user
    return ratings.item_ids[ratings.item_index[mine]], ratings.values[mine]


class TestFoldIn:
    def test_someone_with_the_ratings_of_a_trained_user_gets_nearly_the_same_model(
        self, model, sample
    ):
        differences, spreads = [], []
        for user in (1, 7, 42, 200, 300):
            folded = model.fold_in(*ratings_by(sample, user))
            comp = model.global_mean + folded.bias + model.item_biases
            comp = np.clip(comp + model.item_factors @ folded.factors, *model.rating_scale)
            ref = model.predict(user, model.item_ids)
            differences.append(np.sqrt(np.mean((comp - ref) ** 2)))
            spreads.append(ref.std())
        assert np.mean(differences) < 0.35 * np.mean(spreads)

    def test_more_exactly_so_where_training_has_come_to_its_end(self, planted):
        ratings = planted(120, 60, 2, 4000, 0.1)
        model = FunkSVD(n_factors=3, n_epochs=150, validation_fraction=0, learning_rate_decay=0.97)
        model.fit(ratings)
        for user in (0, 50, 119):
            folded = model.fold_in(*ratings_by(ratings, user))
            row = model.user_ids.tolist().index(user)
            assert folded.bias == pytest.approx(float(model.user_biases[row]), abs=0.02)
            np.testing.assert_allclose(folded.factors, model.user_factors[row], atol=0.03)

    def test_one_rating_says_little(self, plain):
        """Eq. (3) alone, with one rating's regularization, would follow it nearly all the way."""
        expected = plain.predict("nobody", 1)
        folded = plain.fold_in([1], [plain.rating_scale[1]])
        surprise = plain.rating_scale[1] - expected
        change = folded.bias + plain.item_factors[0] @ folded.factors
        assert 0.1 * surprise < change < 0.75 * surprise

    def test_unrated_unknown_and_repeated_items(self, plain):
        ref = plain.fold_in([1, 2, 3], [5, 4, 2])
        with pytest.warns(UnknownIdWarning, match=r"does not know 1 of 4 items \(999999\)") as told:
            comp = plain.fold_in([3, 999_999, 1, 2, 3], [1, 5, 5, 4, 2])
        assert told[0].filename == __file__
        assert comp.bias == ref.bias
        np.testing.assert_array_equal(comp.factors, ref.factors)

    def test_text_for_integers(self, plain):
        np.testing.assert_array_equal(
            plain.fold_in(["1", "2"], [5, 4]).factors, plain.fold_in([1, 2], [5, 4]).factors
        )

    @pytest.mark.parametrize(
        ("items", "values", "error", "message"),
        [
            ([], [], RatingsError, "there are no ratings to fold in"),
            ([1, 2], [1], RatingsError, r"item ids and ratings must .* have \(2,\) and \(1,\)"),
            ([1], [np.nan], RatingsError, "the rating at position 0 is nan"),
            (
                [77777, 88888],
                [1, 2],
                UnknownIdError,
                "the model knows none of these 2 items .77777, 88888.; the ids it knows look "
                "like 1, 2, 3",
            ),
        ],
    )
    def test_what_cannot_be_folded_in(self, plain, items, values, error, message):
        with pytest.raises(error, match=message):
            plain.fold_in(items, values)

    @pytest.mark.parametrize("algorithm", ["sgd", "svd++"])
    def test_a_new_item(self, planted, algorithm):
        ratings = planted(120, 60, 2, 4000, 0.1)
        options = {"n_epochs": 150, "validation_fraction": 0, "learning_rate_decay": 0.97}
        model = FunkSVD(n_factors=3, algorithm=algorithm, **options).fit(ratings)
        mine = ratings.item_index == 17
        users = ratings.user_ids[ratings.user_index[mine]]
        folded = model.fold_in_item(users, ratings.values[mine])
        assert folded.bias == pytest.approx(float(model.item_biases[17]), abs=0.02)
        np.testing.assert_allclose(folded.factors, model.item_factors[17], atol=0.03)
        with pytest.raises(UnknownIdError, match="knows no user -1"):
            model.fold_in_item([-1], [3])


class TestForNewUsers:
    def test_predicts_as_fold_in_says(self, model, sample):
        items, values = ratings_by(sample, 42)
        others = Ratings.from_arrays(
            ["ann"] * len(items) + ["bob", "bob"], [*items, 1, 2], [*values, 5, 1]
        )
        comp = model.for_new_users(others)
        assert comp.user_ids.tolist() == ["ann", "bob"]
        for user, folded in (
            ("ann", model.fold_in(items, values)),
            ("bob", model.fold_in([1, 2], [5, 1])),
        ):
            ref = model.global_mean + folded.bias + model.item_biases
            ref = np.clip(ref + model.item_factors @ folded.factors, *model.rating_scale)
            np.testing.assert_allclose(comp.predict(user, model.item_ids), ref, atol=1e-5)

    def test_recommends_what_they_have_not_rated(self, plain, sample):
        items, values = ratings_by(sample, 42)
        comp = plain.for_new_users(Ratings.from_arrays(["ann"] * len(items), items, values))
        recommended = {r.item for r in comp.recommend("ann", 1000)}
        assert recommended == set(plain.item_ids.tolist()) - set(items.tolist())

    def test_leaves_the_model_alone(self, plain, tmp_path):
        plain.save(tmp_path / "before")
        plain.for_new_users(Ratings.from_arrays(["ann"], [1], [5]))
        plain.save(tmp_path / "after")
        assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()

    def test_unknown_items_are_passed_over_unless_all_are(self, plain):
        some = Ratings.from_arrays(["ann", "ann", "bob"], [1, 10**6, 10**6], [5, 1, 5])
        with pytest.warns(
            UnknownIdWarning, match=r"does not know 1 of 2 items \(1000000\)"
        ) as told:
            comp = plain.for_new_users(some)
        assert told[0].filename == __file__
        ref = plain.for_new_users(Ratings.from_arrays(["ann"], [1], [5]))
        assert comp.predict("ann", 7) == ref.predict("ann", 7)
        assert comp.predict("bob", 7) == pytest.approx(comp.predict("nobody", 7))
        with pytest.raises(UnknownIdError, match="knows no item 1000000"):
            plain.for_new_users(Ratings.from_arrays(["ann"], [10**6], [5]))


def test_samplers_that_agree_fold_in_as_one_of_them_does(sample):
    model = FunkSVD(algorithm="bayes", n_factors=3, n_epochs=10, choice=False).fit(sample)
    three = rating_model(
        replace(model.hyperparameters, ensemble=3),
        LearnedRatings.mean([model.learned] * 3),
        model.fitted.record,
        model.rating_scale,
    )
    items, values = ratings_by(sample, 42)
    row = CompressedRows.from_pairs(
        np.zeros(len(items), np.int32), model.items.rows(items), 1, values
    )
    everything = np.arange(len(model.item_ids), dtype=np.int32)
    ref, comp = (
        rating.with_users(row).predict(np.zeros_like(everything), everything)
        for rating in (model.fitted.rating_model, three)
    )
    assert ref.std() > 0.1
    np.testing.assert_allclose(comp, ref, atol=1e-4)


class TestExplain:
    def test_adds_up_to_the_prediction_for_someone_new(self, model, sample):
        items, values = ratings_by(sample, 42)
        new = model.for_new_users(Ratings.from_arrays(["ann"] * len(items), items, values))
        wanted = model.item_ids[:40]
        for item, e in zip(wanted, model.explain(items, values, wanted), strict=True):
            assert e.item == item
            assert e.rest == 0
            total = e.global_mean + e.item_bias + e.contributions.sum() + e.rest + e.limit
            assert e.prediction == pytest.approx(total, abs=1e-12)
            assert e.prediction == pytest.approx(new.predict("ann", item), abs=1e-5)
            assert sorted(e.rated) == sorted(items)

    def test_adds_up_to_the_prediction_for_a_user_of_the_model(self, model, sample):
        items, values = ratings_by(sample, 42)
        wanted = model.item_ids[:40]
        rests = []
        for item, e in zip(wanted, model.explain(items, values, wanted, user=42), strict=True):
            total = e.global_mean + e.item_bias + e.contributions.sum() + e.rest + e.limit
            assert e.prediction == pytest.approx(total, abs=1e-12)
            assert e.prediction == pytest.approx(model.predict(42, item), abs=1e-6)
            rests.append(abs(e.rest))
        assert 0 < np.mean(rests) < 0.3

    def test_the_limits_of_the_scale_are_a_part_of_their_own(self, plain):
        loved = plain.item_ids[np.argsort(-plain.item_biases)[:20]]
        e = plain.explain(loved, np.full(20, 50.0), loved[:1])[0]
        assert e.prediction == plain.rating_scale[1]
        assert e.limit < -1

    def test_the_strongest_come_first(self, plain, sample):
        e = plain.explain(*ratings_by(sample, 42), [1])[0]
        parts = e.contributions
        top, bottom = e.speaking_for(3), e.speaking_against(3)
        assert parts[top].tolist() == sorted(parts, reverse=True)[:3]
        assert parts[bottom].tolist() == sorted(parts)[:3]
        assert (parts[e.speaking_for(1000)] > 0).all()
        assert len(e.speaking_for(1000)) + len(e.speaking_against(1000)) == len(parts)

    def test_ids_that_the_model_does_not_know(self, plain):
        with pytest.raises(UnknownIdError, match="does not know item 99999"):
            plain.explain([1], [5], [2, 99999])
        with pytest.raises(UnknownIdError, match="does not know user 'nobody'"):
            plain.explain([1], [5], [2], user="nobody")


class TestTheModelFile:
    def test_folds_in_as_before(self, model, tmp_path):
        model.save(tmp_path / "m")
        loaded = FunkSVD.load(tmp_path / "m")
        ref, comp = (each.fold_in([1, 2, 5], [5, 1, 3]) for each in (model, loaded))
        assert comp.bias == ref.bias
        np.testing.assert_array_equal(comp.factors, ref.factors)

    def test_without_a_refit_items_that_were_not_learned_are_left_out_everywhere(self, sample):
        model = FunkSVD(
            n_factors=3, n_epochs=3, algorithm="svd++", refit=False, validation_fraction=0.5
        ).fit(sample.subset(np.arange(len(sample)) % 60 == 0))
        assert model.implicit_factors.shape == model.item_factors.shape
        assert len(model.item_ids) < len(np.unique(sample.item_index[::60]))
