"""What a report tells of lists, of the choice model and of similar items."""

from dataclasses import replace

import numpy as np
import pytest

from funksvd import FunkSVD, Interactions, Ratings, evaluate_ranking, hold_out
from funksvd.rankings import TITLES
from funksvd.report import gather
from funksvd.report.lists import EXPLANATIONS, N_SIMILAR, N_WELL_KNOWN
from funksvd.report.people import N_CHOSEN, N_RECOMMENDED, N_TESTED


def pairs_of(interactions, user):
    users = interactions.user_ids[interactions.user_index]
    return set(interactions.item_ids[interactions.item_index[users == user]].tolist())


def test_the_figures_of_lists_are_those_of_the_evaluation(content, model, holdout):
    ref = evaluate_ranking(model, holdout.test, training=holdout.training)
    assert content.lists.to_dict() == ref.to_dict()
    assert content.without_lists == ""
    assert content.rankings == ("both", "choice", "rating")
    assert set(content.lists.recommenders) == set(EXPLANATIONS) == set(TITLES)


def test_lists_that_cannot_be_judged(sample):
    test = Ratings.from_arrays([1, 2], [1, 2], [0.5, 1.0])
    kept = sample.subset((sample.user_index > 5) | (sample.item_index > 5)).compact()
    model = FunkSVD(n_factors=2, n_epochs=1, choice=False).fit(kept)
    content = gather(model, holdout=hold_out(kept, test=test))
    assert content.lists is None
    assert content.test is not None
    assert content.without_lists.startswith("Lists cannot be judged: ")
    assert "no user has a relevant item" in content.without_lists


def test_without_a_test_part_the_reason_is_given(click_model, click_holdout):
    content = gather(click_model, holdout=replace(click_holdout, test=None))
    assert content.lists is None
    assert content.without_lists == (
        "The model was trained on all pairs: no test part was set aside."
    )


def test_facts_about_the_choice_model(content, click_content, model, holdout):
    learned = model.fitted.choice.learned
    assert content.choice["factors"] == f"{learned.item_factors.shape[1]}"
    assert content.choice["weights of observed pairs"] == "by rating, 0.25 for 0.5 to 1.75 for 5"
    assert content.choice["weight of any other pair"] == f"{learned.unobserved_weight:g}"
    assert click_content.choice["factors"] == "8"
    assert click_content.choice["weights of observed pairs"] == "all alike"
    without = FunkSVD(n_factors=2, n_epochs=1, choice=False).fit(holdout.training)
    assert gather(without).choice == {}


def test_similar_items_are_the_models(content, model, titles):
    items = {title: item for item, title in titles.items()}
    counts = dict(zip(model.item_ids.tolist(), model.fitted.item_counts.tolist(), strict=True))
    assert len(content.similar) == N_WELL_KNOWN
    assert content.similar[0].n_ratings == max(counts.values())
    shown = set()
    for item in content.similar:
        assert item.n_ratings == counts[items[item.label]]
        assert item.label not in shown
        found = [(items[each.label], *each[1:]) for each in item.similar]
        assert found == model.similar(items[item.label], N_SIMILAR)
        shown |= {item.label, *(each.label for each in item.similar)}
    known = [item.n_ratings for item in content.similar]
    assert known == sorted(known, reverse=True)


def test_similar_items_need_to_know_which_are_well_known(model, tmp_path):
    model.save(tmp_path / "m", with_seen=False)
    assert gather(FunkSVD.load(tmp_path / "m")).similar == []


def test_people_of_a_model_of_choices(click_content, click_model, click_holdout, titles):
    items = {title: item for item, title in titles.items()}
    assert click_content.factors is click_content.test is click_content.rating_scale is None
    for person in click_content.people:
        own = pairs_of(click_holdout.training, person.user)
        tested = pairs_of(click_holdout.test, person.user)
        assert person.n_ratings == len(own)
        assert person.mean is None
        assert person.liked == person.disliked == []
        chosen = [items[each.label] for each in person.chosen]
        assert len(chosen) == min(N_CHOSEN, len(own))
        known = dict(
            zip(click_model.item_ids.tolist(), click_model.fitted.item_counts.tolist(), strict=True)
        )
        ref = sorted(own, key=lambda item: (-known[item], item))
        assert chosen == ref[:N_CHOSEN]
        assert [items[each.label] for each in person.tested] == sorted(tested)[:N_TESTED]
        for each in person.tested:
            assert each.rating is each.prediction is None
            user, item = (
                np.array([vocabulary.row(label)], np.int32)
                for vocabulary, label in (
                    (click_model.users, person.user),
                    (click_model.items, items[each.label]),
                )
            )
            assert each.score == click_model.fitted.choice.scores(user, item)[0]
        found = [(items[best.label], *best[1:]) for best in person.recommended]
        assert found == click_model.recommend(person.user, N_RECOMMENDED)


def test_counts_put_what_users_come_to_most_often_first():
    users, items = np.divmod(np.arange(40), 5)
    counts = 1.0 + (7 * items + users) % 9
    pairs = Interactions.from_arrays(users, items, weights=counts)
    model = FunkSVD(algorithm="ials", n_factors=2, n_epochs=2).fit(pairs)
    ratings = Ratings.from_arrays(users, items, counts)
    holdout = replace(hold_out(ratings, test_fraction=0), training=pairs)
    content = gather(model, holdout=holdout)
    for person in content.people:
        ref = sorted(counts[users == person.user].tolist(), reverse=True)
        assert [own.times for own in person.chosen] == ref
        for own in person.chosen:
            assert own.times == counts[(users == person.user) & (items == int(own.label[5:]))]
    assert content.data.facts["counts of a pair"] == "1 to 9; half of them at most 5"
    assert content.choice["weights of observed pairs"].startswith("by count, 0.5 for 1 ")


def test_a_choice_model_of_ratings_shows_them(holdout):
    model = FunkSVD(algorithm="ials", n_factors=2, n_epochs=2).fit(holdout.training)
    content = gather(model, holdout=holdout)
    assert content.data.noun == "ratings"
    assert content.data.bars is not None
    assert content.test is None
    assert content.lists.rankings == ("choice",)
    for person in content.people:
        assert person.liked
        assert all(own.rating is not None for own in person.tested)
        assert all(own.score is not None for own in person.tested)


@pytest.mark.parametrize("noun", ["ratings", "pairs"])
def test_activity_is_that_of_users_and_items(noun, content, click_content, sample):
    data = (content if noun == "ratings" else click_content).data
    assert data.noun == noun
    assert {name: counts.sum() for name, counts in data.activity.items()} == {
        "users": 17_994,
        "items": 17_994,
    }
    assert data.facts[f"{noun} learned from"] == "17,994"
    assert data.facts[f"test {noun}"] == "2,006"
