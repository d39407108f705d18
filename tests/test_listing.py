"""Lists in raw ids: which ranking, which items, which columns; and models that know less."""

from pathlib import Path

import numpy as np
import pytest

from funksvd import FunkSVD, FunkSVDError, Interactions, Ratings, UnknownIdError

OLD_FILES = Path(__file__).parent / "learned" / "storage" / "files"


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    users, items = np.divmod(np.sort(random.choice(30 * 20, 250, replace=False)), 20)
    return users, [f"i{i:02}" for i in items], 1 + (users * 3 + items * 7) % 5


@pytest.fixture(scope="module")
def of_both(data):
    return FunkSVD(n_factors=4, n_epochs=10).fit(Ratings.from_arrays(*data))


@pytest.fixture(scope="module")
def of_choices(data):
    return FunkSVD(algorithm="ials", n_factors=8).fit(Interactions.from_arrays(*data[:2]))


@pytest.fixture(scope="module")
def of_ratings(data):
    return FunkSVD(n_factors=4, n_epochs=10, choice=False).fit(Ratings.from_arrays(*data))


def test_the_rankings_of_each_model_the_best_first(of_both, of_choices, of_ratings):
    assert of_both.rankings == ("both", "choice", "rating")
    assert of_choices.rankings == ("choice",)
    assert of_ratings.rankings == ("rating",)
    for model in (of_both, of_choices, of_ratings):
        assert model.ranking() is model.ranking(model.rankings[0])
        assert model.recommend(3) == model.recommend(3, by=model.rankings[0])


@pytest.mark.parametrize(
    ("name", "by", "message"),
    [
        ("of_both", "popularity", "by= must be one of both, choice, rating, not 'popularity'"),
        (
            "of_choices",
            "rating",
            "was trained without ratings, and lists items by choice, not by ra",
        ),
        (
            "of_choices",
            "both",
            "was trained without ratings, and lists items by choice, not by both",
        ),
        ("of_ratings", "choice", "it is of ratings only, and lists items by rating, not by choice"),
        ("of_ratings", "both", "it is of ratings only, and lists items by rating, not by both"),
    ],
)
def test_rankings_that_a_model_does_not_have(request, name, by, message):
    model = request.getfixturevalue(name)
    with pytest.raises(FunkSVDError, match=message):
        model.recommend(3, by=by)
    with pytest.raises(FunkSVDError, match=message):
        model.ranking(by)


def test_columns_are_those_that_the_model_knows(of_both, of_choices, data):
    (table,) = of_both.recommend_all([7, 3], 4)
    assert list(table) == ["user", "rank", "item", "score", "prediction", "n_ratings"]
    assert table["user"].tolist() == [7] * 4 + [3] * 4
    assert table["rank"].tolist() == [1, 2, 3, 4] * 2
    np.testing.assert_array_equal(
        table["prediction"], of_both.predict(table["user"], table["item"])
    )
    assert table["n_ratings"].tolist() == [data[1].count(item) for item in table["item"]]
    (table,) = of_choices.recommend_all([7], 4)
    assert list(table) == ["user", "rank", "item", "score", "n_ratings"]
    assert [each.prediction for each in of_choices.recommend(7, 4)] == [None] * 4


def items_of(model, user, **options):
    return [each.item for each in model.recommend(user, 20, **options)]


@pytest.mark.parametrize("name", ["of_both", "of_choices", "of_ratings"])
def test_filters_leave_the_order_of_the_others_as_it_is(request, name, data):
    model = request.getfixturevalue(name)
    whole = items_of(model, 5, include_seen=True)
    assert len(whole) == 20
    rated = {item for user, item in zip(*data[:2], strict=True) if user == 5}
    unseen = items_of(model, 5)
    assert unseen == [item for item in whole if item not in rated]
    assert items_of(model, 5, exclude=[unseen[0], "nothing"]) == unseen[1:]
    assert items_of(model, 5, exclude=[]) == unseen
    among = [*unseen[1::2], "nothing", *rated]
    assert items_of(model, 5, among=among) == unseen[1::2]
    assert items_of(model, 5, among=among, exclude=unseen[1]) == unseen[3::2]
    assert items_of(model, 5, among=unseen[2]) == [unseen[2]]
    counts = {item: data[1].count(item) for item in unseen}
    least = sorted(counts.values())[len(unseen) // 2]
    expected = [item for item in unseen if counts[item] >= least]
    assert items_of(model, 5, min_ratings=least) == expected
    assert items_of(model, 5, min_ratings=10_000) == []
    assert items_of(model, 5, among=[]) == []
    assert sorted(items_of(model, 5, diversify=0.5)) == sorted(unseen)


def test_items_may_be_a_set(of_both):
    first, second, third = items_of(of_both, 5)[:3]
    assert items_of(of_both, 5, among={first, second, third}, exclude={second}) == [first, third]


def test_a_least_number_of_ratings_that_is_no_number(of_both):
    with pytest.raises(FunkSVDError, match="min_ratings= must be a number, not nan"):
        of_both.recommend(3, min_ratings=float("nan"))


@pytest.mark.parametrize("n", [0, True, "3", 2.5])
def test_a_number_of_items_that_is_no_number(of_both, n):
    with pytest.raises(FunkSVDError, match=f"n must be a whole number of at least 1, not {n}"):
        of_both.recommend(3, n)


@pytest.mark.parametrize("diversify", [1, -0.1, 1.5, float("nan")])
def test_diversity_out_of_its_range(of_both, diversify):
    with pytest.raises(FunkSVDError, match="diversify= must be at least 0 and less than 1, not"):
        of_both.recommend(3, diversify=diversify)


def test_unknown_users_items_and_counts_that_make_no_sense(of_both):
    with pytest.raises(UnknownIdError, match="knows no item 'nothing'"):
        of_both.recommend(3, among=["nothing"])
    with pytest.raises(UnknownIdError, match="99"):
        of_both.recommend(99)
    for n in (0, -1, 1.5):
        with pytest.raises(FunkSVDError, match="n must be a whole number of at least 1"):
            of_both.recommend(3, n)


def test_nobody_gets_no_lists(of_both, of_choices):
    for model in (of_both, of_choices):
        assert list(model.recommend_all([])) == []


@pytest.mark.parametrize("name", ["of_both", "of_choices"])
def test_models_saved_without_the_pairs_know_how_many_ratings_items_have(
    request, name, tmp_path, data
):
    model = request.getfixturevalue(name)
    model.save(tmp_path / "model", with_seen=False)
    without = FunkSVD.load(tmp_path / "model")
    assert without.seen is None
    with pytest.raises(FunkSVDError, match=r"saved without the pairs it has seen.*include_seen="):
        without.recommend(3)
    options = {"include_seen": True, "min_ratings": 12}
    assert without.recommend(3, 9, **options) == model.recommend(3, 9, **options)
    assert without.similar("i03", 5) == model.similar("i03", 5)


@pytest.mark.parametrize("name", ["sgd", "svd++", "bayes"])
def test_files_of_earlier_programs_list_by_rating(name):
    model = FunkSVD.load(OLD_FILES / f"{name}.funksvd")
    assert model.rankings == ("rating",)
    user = model.user_ids[0]
    listed = model.recommend(user, 5, include_seen=True)
    assert [each.score for each in listed] == sorted((each.score for each in listed), reverse=True)
    for each in listed:
        assert each.prediction == model.predict(user, each.item)
        assert each.n_ratings == np.count_nonzero(model.item_ids[model.seen.columns] == each.item)
    with pytest.raises(FunkSVDError, match="it is of ratings only, and lists items by rating"):
        model.recommend(user, by="both", include_seen=True)


@pytest.mark.parametrize("algorithm", ["sgd", "bayes"])
def test_a_file_of_the_format_before_lists_by_rating(algorithm, tmp_path, data, monkeypatch):
    """It has neither a choice part nor a liking."""
    import funksvd.model_file

    model = FunkSVD(algorithm=algorithm, n_factors=3, n_epochs=9, choice=False).fit(
        Ratings.from_arrays(*data)
    )
    parts_of = funksvd.model_file.parts_of

    def without_liking(fitted):
        parts = parts_of(fitted)
        del parts["rating"].info["liking"]
        return parts

    monkeypatch.setattr(funksvd.model_file, "parts_of", without_liking)
    model.save(tmp_path / "model")
    again = FunkSVD.load(tmp_path / "model")
    assert again.rankings == ("rating",)
    assert again.recommend(3) == model.recommend(3)
    assert again.fitted.liking.liked_from == 4
    assert again.fitted.liking.error > 0


def test_a_liking_that_makes_no_sense_is_refused(tmp_path, of_both, monkeypatch):
    import funksvd.model_file
    from funksvd import ModelFileError

    bad = {"liked_from": 4, "threshold": 3.5, "error": -1.0}
    monkeypatch.setattr(funksvd.model_file, "asdict", lambda liking: bad)
    of_both.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=r"error of liking is -1\.0"):
        FunkSVD.load(tmp_path / "model")
