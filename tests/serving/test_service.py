"""Answers in raw ids are the model's."""

from functools import partial

import numpy as np
import pytest
from scipy.stats import norm

from funksvd import FunkSVD, FunkSVDError, Interactions, Ratings, RatingsError, UnknownIdError
from funksvd.listing import Filters
from funksvd.serving import Service


@pytest.fixture
def service(model, titles):
    return Service(model, titles)


def test_warming_up_asks_a_question_of_each_kind(service, monkeypatch):
    asked = set()
    for name in ("predict", "recommend", "similar", "similar_users", "find_items", "fold_in"):
        ask = getattr(service, name)

        def noting(*arguments, name=name, ask=ask, **options):
            answer = ask(*arguments, **options)
            asked.add((name, arguments[2]) if name in ("recommend", "fold_in") else name)
            return answer

        monkeypatch.setattr(service, name, noting)
    service.warm_up()
    of_rankings = {(name, by) for name in ("recommend", "fold_in") for by in service.model.rankings}
    assert asked == {"predict", "similar", "similar_users", "find_items", *of_rankings}


def test_items_have_titles_and_counts(service, model):
    counts = np.bincount(model.seen.columns, minlength=40)
    assert service.item("3") == {"item": 3, "title": "Das Boot", "n_ratings": counts[2]}
    assert service.item(17)["title"] == "17"
    with pytest.raises(UnknownIdError, match="does not know item 99"):
        service.item(99)


def test_titles_that_begin_so_come_first_and_misspelt_ones_are_found(service):
    assert [each["item"] for each in service.find_items("alien", 2)] in ([1, 2], [2, 1])
    assert service.find_items("boot DAS", 5)[0]["item"] == 3
    assert service.find_items("ame", 1)[0]["item"] == 5  # without the accent
    assert service.find_items("lien", 5)[0]["item"] in (1, 2)  # begins no word: by likeness
    assert service.find_items("Dass Boott", 3)[0]["item"] == 3
    assert service.find_items("qqqqqqqq", 3) == []
    popular = [each["n_ratings"] for each in service.find_items("", 10)]
    assert popular == sorted(popular, reverse=True)
    assert len(popular) == 10


def test_answers_are_the_models(service, model):
    user, item = int(model.user_ids[3]), 7
    prediction = round(float(model.predict(user, item)), 4)
    assert service.predict(str(user), str(item)) == {
        "user": user, "item": item, "prediction": prediction, "knows_user": True, "knows_item": True
    }  # fmt: skip
    probability = round(float(model.predict_probability(user, item, at_least=4)), 4)
    assert service.predict(user, item, at_least=4)["probability"] == probability
    stranger = service.predict("nobody", "9999")
    assert (stranger["knows_user"], stranger["knows_item"]) == (False, False)
    assert stranger["prediction"] == round(float(model.global_mean), 4)
    others = model.similar_users(user, 4)
    assert [each["user"] for each in service.similar_users(str(user), 4)] == [u for u, _ in others]
    similar = model.similar(item, 4)
    assert [
        (each["item"], each["similarity"], each["n_ratings"])
        for each in service.similar(str(item), 4)
    ] == [(each.item, round(each.similarity, 4), each.n_ratings) for each in similar]
    with pytest.raises(UnknownIdError, match="does not know user 'nobody'"):
        service.recommend("nobody", 5)


def plain(found):
    """What the service says of recommendations that the model gives."""
    return [
        (
            each.item,
            None if each.prediction is None else round(float(each.prediction), 4),
            round(float(each.score), 4),
            each.n_ratings,
        )
        for each in found
    ]


def told(answer):
    return [(each["item"], each["prediction"], each["score"], each["n_ratings"]) for each in answer]


FILTERED = [
    {},
    {"exclude": [1, "2"]},
    {"among": [4, 5, "6", 7, 30]},
    {"min_ratings": 30},
    {"diversify": 0.5},
    {"exclude": [4], "among": [4, 5, 6], "min_ratings": 1, "diversify": 0.3},
]


@pytest.mark.parametrize("given", FILTERED, ids=str)
def test_users_of_the_model(service, model, given):
    user = int(model.user_ids[3])
    for by in (None, *model.rankings):
        ref = plain(model.recommend(user, 5, by=by, **given))
        assert told(service.recommend(str(user), 5, by, Filters(**given))) == ref
        assert ref


GIVEN = {"1": 5.0, "3": 1.5, "8": 3.0}


@pytest.fixture
def guest(model):
    return model.for_new_users(Ratings.from_arrays([0] * 3, [1, 3, 8], [5.0, 1.5, 3.0]))


@pytest.mark.parametrize("given", FILTERED, ids=str)
def test_a_guest(service, model, guest, given):
    for by in (None, *model.rankings):
        answer = service.fold_in(GIVEN | {"no such item": 4.0}, 6, by, Filters(**given))
        assert told(answer["recommendations"]) == plain(guest.recommend(0, 6, by=by, **given))
        assert not {1, 3, 8} & {each["item"] for each in answer["recommendations"]}
        assert answer["unknown_items"] == ["no such item"]
        assert answer["by"] == (by or model.rankings[0])


def test_unknown_ids_of_filters_are_passed_over(service):
    for ask in (partial(service.recommend, "0"), partial(service.fold_in, GIVEN)):
        assert ask(5, None, Filters(exclude=["nothing", 99])) == ask(5)
        only = ask(5, None, Filters(among=["nothing", "7"]))
        listed = only if isinstance(only, list) else only["recommendations"]
        assert [each["item"] for each in listed] in ([7], [])
        with pytest.raises(UnknownIdError, match="none of the items to choose from"):
            ask(5, None, Filters(among=["nothing"]))


def test_a_ranking_that_the_model_does_not_have(service):
    for ask in (partial(service.recommend, "0"), partial(service.fold_in, GIVEN)):
        with pytest.raises(FunkSVDError, match="must be one of both, choice, rating"):
            ask(5, "popularity")


def contributions(model, by, items):
    """The part of each rating of `GIVEN`, by the model's own explanations of all items."""
    everything = model.item_ids
    of_choice = of_rating = None
    if "choice" in model.rankings:
        of_choice = model.explain_choices([1, 3, 8], [5.0, 1.5, 3.0], everything)[1]
    if "rating" in model.rankings:
        explained = model.explain([1, 3, 8], [5.0, 1.5, 3.0], everything)
        of_rating = np.array([each.contributions for each in explained])
    rows = model.items.rows(items)
    if by == "both":
        return of_choice, of_rating, rows
    parts = of_choice if by == "choice" else of_rating
    return (parts - parts.mean(axis=0))[rows]


@pytest.mark.parametrize("by", ["choice", "rating"])
def test_reasons_are_what_a_rating_adds_to_an_item_more_than_to_others(service, model, by):
    comp = service.fold_in(GIVEN, 6, by, explain=True)["recommendations"]
    ref = contributions(model, by, [each["item"] for each in comp])
    for each, parts in zip(comp, ref, strict=True):
        said = {reason["item"]: reason["contribution"] for reason in each["because"]}
        assert said == pytest.approx(dict(zip([1, 3, 8], parts, strict=True)), abs=1.1e-4)
        order = [reason["contribution"] for reason in each["because"]]
        n_for = sum(part > 0 for part in order)
        assert all(part > 0 for part in order[:n_for])
        assert order[:n_for] == sorted(order[:n_for], reverse=True)
        assert order[n_for:] == sorted(order[n_for:])
        assert {b["title"] for b in each["because"]} <= {"Alien", "Das Boot", "8"}
        assert {b["rating"] for b in each["because"]} <= {5.0, 1.5, 3.0}


def test_reasons_of_both_are_slopes_of_the_logarithm_of_the_score(service, model):
    comp = service.fold_in(GIVEN, 6, "both", explain=True)["recommendations"]
    items = [each["item"] for each in comp]
    of_choice, of_rating, rows = contributions(model, "both", items)
    liking, mean = model.fitted.liking, model.global_mean
    levels = mean + model.item_biases.astype(float)

    def log_score(row, terms, gifts):
        rating = np.clip(levels[row] + gifts.sum(), *model.rating_scale)
        z = (rating - liking.threshold) / liking.error
        return np.log(max(terms.sum(), 0.01)) + np.log(norm.cdf(z)) / 3

    for each, row in zip(comp, rows, strict=True):
        said = {reason["item"]: reason["contribution"] for reason in each["because"]}
        for at, rated in enumerate([1, 3, 8]):
            step = 1e-5
            terms, gifts = of_choice[row].copy(), of_rating[row].copy()
            before = log_score(row, terms, gifts)
            terms[at] += step * (of_choice[row, at] - of_choice[:, at].mean())
            gifts[at] += step * (of_rating[row, at] - of_rating[:, at].mean())
            slope = (log_score(row, terms, gifts) - before) / step
            assert said[rated] == pytest.approx(slope, rel=0.01, abs=2e-3)


def test_generosity_is_no_reason(model, titles, with_learned):
    # Without factors, a high rating only says that the guest rates high: all items alike.
    flat = with_learned(model, item_factors=np.zeros_like(model.item_factors))
    service = Service(flat, titles)
    for each in service.fold_in(GIVEN, 6, "rating", explain=True)["recommendations"]:
        assert each["because"] == []


def test_predictions_for_a_guest_stay_within_the_scale(model, with_learned, titles):
    model = with_learned(model, limits=(2.9, 3.1))  # narrow, so that it is reached
    service = Service(model, titles)
    guest = model.for_new_users(Ratings.from_arrays([0, 0], [1, 3], [3.0, 3.1]))
    ref = plain(guest.recommend(0, 40))
    assert told(service.fold_in({"1": 3.0, "3": 3.1}, 40)["recommendations"]) == ref
    assert {2.9, 3.1} <= {prediction for _, prediction, *_ in ref}


def test_a_guest_of_whom_nothing_is_known(service):
    with pytest.raises(UnknownIdError, match="knows none of these items; it knows, for instance"):
        service.fold_in({"x": 3.0}, 5)


def test_ratings_that_a_guest_cannot_give(service, model):
    low, high = model.rating_scale
    with pytest.raises(FunkSVDError, match=f"ratings go from {low:g} to {high:g}, not 77"):
        service.fold_in({"1": 77.0}, 5)
    with pytest.raises(FunkSVDError, match="a rating is missing"):
        service.fold_in({"1": None}, 5)


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([1, 2, 3, 4, 5], 1.0),
        ([0.5, 1, 1.5, 2, 3, 4, 5], 0.5),
        ([1, 4, 5], 1.0),
        ([0, 1], 1.0),
        ([2, 3.5, 6.5], 1.5),
        (np.linspace(0, 10, 200), None),
        ([1, 2.03, 3.9, 7.2], None),
    ],
    ids=str,
)
def test_the_step_of_the_rating_scale(values, step):
    model = FunkSVD(n_factors=2, n_epochs=1, validation_fraction=0)
    model.fit(Ratings.from_arrays(range(len(values)), [0] * len(values), values))
    assert Service(model).describe()["rating_step"] == step


@pytest.fixture(scope="module")
def choices():
    generator = np.random.default_rng(0)
    taste = generator.integers(0, 2, 60)
    users = np.repeat(np.arange(60), 8)
    items = generator.integers(0, 10, len(users)) * 2 + taste[users] + 1
    return FunkSVD(algorithm="ials", n_factors=4).fit(Interactions.from_arrays(users, items))


class TestChoices:
    """A model that knows no ratings."""

    @pytest.fixture
    def service(self, choices, titles):
        return Service(choices, titles)

    def test_it_describes_itself(self, service):
        told = service.describe()
        assert (told["rankings"], told["rating_scale"]) == (["choice"], None)
        assert told["rating_step"] is None
        service.warm_up()

    def test_guests_say_what_they_like(self, service, choices):
        guest = choices.for_new_users(Interactions.from_arrays([0, 0], [1, 5]))
        answer = service.fold_in({"1": None, "5": None}, 6, explain=True)
        assert told(answer["recommendations"]) == plain(guest.recommend(0, 6))
        parts = choices.explain_choices([1, 5], None, choices.item_ids)[1]
        parts -= parts.mean(axis=0)
        first = answer["recommendations"][0]
        ref = dict(zip([1, 5], parts[choices.items.row(first["item"])], strict=True))
        said = {reason["item"]: reason["contribution"] for reason in first["because"]}
        assert said == pytest.approx(ref, abs=1e-4)
        assert all("rating" not in reason for reason in first["because"])
        assert all(each["item"] % 2 for each in answer["recommendations"][:4])  # of their taste

    def test_a_number_in_place_of_a_rating_changes_nothing(self, service):
        assert service.fold_in({"1": 3.0}, 6) == service.fold_in({"1": None}, 6)


class TestConditions:
    """Items by the columns of the file of items."""

    @pytest.fixture
    def service(self, model, titles, attributes):
        return Service(model, titles, attributes)

    @pytest.mark.parametrize(
        ("where", "among", "expected"),
        [
            (["genre=comedy"], None, {4, 5}),
            (["genre=space", "year<1980"], None, {1}),
            (["genre=comedy"], ["5", 7], {5}),
            (["genre=comedy", "genre!=comedy"], None, set()),
            (["genre=comedy"], [7], set()),
            (["genre=opera"], None, set()),  # the model does not know it
        ],
    )
    def test_only_items_that_meet_all_are_listed(self, service, model, where, among, expected):
        filters = Filters(among=among)
        seen = set(model.item_ids[model.seen.columns[: model.seen.indptr[1]]].tolist())
        listed = service.recommend(model.user_ids[0], 50, None, filters, where)
        assert {each["item"] for each in listed} == expected - seen
        answer = service.fold_in({"3": 3.0}, 50, None, filters, where=where)
        assert {each["item"] for each in answer["recommendations"]} == expected

    def test_what_cannot_be_asked(self, service, model, titles):
        with pytest.raises(RatingsError, match="no item has 'Polka' in the column genre"):
            service.fold_in({"3": 3.0}, 5, where=["genre=Polka"])
        with pytest.raises(RatingsError, match="is no condition such as genre=Comedy"):
            service.recommend("0", 5, where=["comedy"])
        without = Service(model, titles)
        for ask in (partial(without.recommend, "0"), partial(without.fold_in, {"3": 3.0})):
            with pytest.raises(FunkSVDError, match="the server has to be started with one"):
                ask(5, where=["genre=Comedy"])


def test_several_users_are_each_told_what_they_would_be_alone(service, model):
    users = [str(user) for user in model.user_ids[[5, 2, 9]].tolist()]
    filters = Filters(exclude=[4], min_ratings=2)
    comp = service.recommend_all(users, 6, "both", filters)
    assert [each["user"] for each in comp] == model.user_ids[[5, 2, 9]].tolist()
    for user, each in zip(users, comp, strict=True):
        assert each["recommendations"] == service.recommend(user, 6, "both", filters)
    twice = service.recommend_all([users[0], users[0]], 6)
    assert twice[0] == twice[1]
    with pytest.raises(UnknownIdError, match="does not know user 'nobody'"):
        service.recommend_all([users[0], "nobody"], 6)
