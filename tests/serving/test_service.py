"""Answers in raw ids are the model's."""

import numpy as np
import pytest

from funksvd import Ratings, UnknownIdError
from funksvd.serving import Service


@pytest.fixture
def service(model, titles):
    return Service(model, titles)


def test_warming_up_asks_a_question_of_each_kind(service, monkeypatch):
    asked = []
    for name in ("predict", "recommend", "similar", "fold_in"):
        ask = getattr(service, name)

        def noting(*arguments, name=name, ask=ask, **options):
            asked.append((name, len(ask(*arguments, **options))))

        monkeypatch.setattr(service, name, noting)
    service.warm_up()
    assert [name for name, _ in asked] == ["predict", "recommend", "similar", "fold_in"]
    assert all(n > 0 for _, n in asked)


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
    stranger = service.predict("nobody", "9999")
    assert (stranger["knows_user"], stranger["knows_item"]) == (False, False)
    assert stranger["prediction"] == round(float(model.global_mean), 4)
    others = model.similar_users(user, 4)
    assert [each["user"] for each in service.similar_users(str(user), 4)] == [u for u, _ in others]
    found = model.recommend(user, 5)
    assert [each["item"] for each in service.recommend(user, 5)] == [item for item, _ in found]
    similar = model.similar(item, 4)
    assert [each["item"] for each in service.similar(str(item), 4)] == [i for i, _ in similar]
    with pytest.raises(UnknownIdError, match="does not know user 'nobody'"):
        service.recommend("nobody", 5)


def test_a_guest(service, model):
    given = {"1": 5.0, "3": 1.5, "8": 3.0, "no such item": 4.0}
    answer = service.fold_in(given, 6, explain=True)
    guest = model.for_new_users(Ratings.from_arrays([0] * 3, [1, 3, 8], [5.0, 1.5, 3.0]))
    ref = guest.recommend(0, 6)
    comp = answer["recommendations"]
    assert [(each["item"], each["prediction"]) for each in comp] == [
        (item, round(float(prediction), 4)) for item, prediction in ref
    ]
    assert not {1, 3, 8} & {each["item"] for each in comp}
    assert answer["unknown_items"] == ["no such item"]
    low, high = model.rating_scale
    for each in comp:  # three ratings, so that all of them are named
        total = each["without_your_ratings"] + sum(b["contribution"] for b in each["because"])
        assert np.clip(total, low, high) == pytest.approx(each["prediction"], abs=1e-3)
        assert {b["title"] for b in each["because"]} <= {"Alien", "Das Boot", "8"}


def test_predictions_for_a_guest_stay_within_the_scale(model, with_learned, titles):
    model = with_learned(model, limits=(2.9, 3.1))  # narrow, so that it is reached
    service = Service(model, titles)
    guest = model.for_new_users(Ratings.from_arrays([0, 0], [1, 3], [3.0, 3.1]))
    ref = [round(prediction, 4) for _, prediction in guest.recommend(0, 40)]
    found = service.fold_in({"1": 3.0, "3": 3.1}, 40)["recommendations"]
    assert [each["prediction"] for each in found] == ref
    assert {2.9, 3.1} <= set(ref)


def test_a_guest_of_whom_nothing_is_known(service):
    with pytest.raises(UnknownIdError, match="knows none of these items; it knows, for instance"):
        service.fold_in({"x": 3.0}, 5)
