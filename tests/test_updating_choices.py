"""Going on from a model of choices with new clicks, and from one of ratings and choices."""

import numpy as np
import pytest

from funksvd import FunkSVD, FunkSVDError, Interactions, Monitor, Ratings, RatingsError, update
from funksvd.evaluation import evaluate_ranking
from funksvd.learned.weighting import Weighting

IALS = {"algorithm": "ials", "n_factors": 8}
N_USERS, N_ITEMS = 120, 80


@pytest.fixture(scope="module")
def clicks():
    """Clicks of users who like one of four groups of items; some pairs come twice."""
    random = np.random.default_rng(0)
    users = random.integers(0, N_USERS, 4000)
    items = (4 * random.integers(0, N_ITEMS // 4, 4000) + users % 4) % N_ITEMS
    noise = random.random(4000) < 0.2
    items[noise] = random.integers(0, N_ITEMS, noise.sum())
    return Interactions.from_arrays(users, items, duplicates="count")


@pytest.fixture(scope="module")
def is_new(clicks):
    random = np.random.default_rng(1)
    new = random.random(len(clicks)) < 0.1
    return new | (clicks.user_index >= N_USERS - 8) | (clicks.item_index >= N_ITEMS - 4)


@pytest.fixture(scope="module")
def old(clicks, is_new):
    return FunkSVD(**IALS).fit(clicks.subset(~is_new))


def scores(model):
    """The score of each pair: rows may be turned, scores may not."""
    choice = model.fitted.choice.learned
    return choice.user_factors.astype(np.float64) @ choice.item_factors.T.astype(np.float64)


def test_an_updated_model_is_as_good_as_a_new_one(clicks, is_new):
    random = np.random.default_rng(2)
    is_test = random.random(len(clicks)) < 0.1
    training, test = clicks.subset(~is_test), clicks.subset(is_test)
    old = FunkSVD(**IALS).fit(training.subset(~is_new[~is_test]))
    models = {
        "old": old,
        "updated": update(old, training),
        "anew": FunkSVD(**IALS).fit(training),
    }
    ndcg = {
        name: evaluate_ranking(model, test, training=training).model.means.ndcg
        for name, model in models.items()
    }
    assert ndcg["updated"] > 0.97 * ndcg["anew"]
    assert len(models["updated"].user_ids) == len(models["anew"].user_ids) > len(old.user_ids)


def test_many_epochs_come_to_what_a_new_model_learns(clicks, old):
    """The objective has one minimum, but for turned rows, that all ways lead to here."""
    anew = FunkSVD(**IALS, n_epochs=300).fit(clicks)
    updated = update(old, clicks, n_epochs=300)
    np.testing.assert_allclose(scores(updated), scores(anew), atol=0.02)
    assert np.abs(scores(update(old, clicks, n_epochs=3)) - scores(anew)).mean() < 0.05


def test_what_the_new_model_is(clicks, old):
    new = update(old, clicks)
    assert new.rankings == ("choice",)
    assert new.user_ids.tolist() == list(range(N_USERS))
    assert new.n_ratings == len(clicks)
    assert new.seen.contains(clicks.user_index, clicks.item_index).all()
    assert (new.history, new.best_epoch) == (old.history, old.best_epoch)
    assert new.fitted.item_counts.tolist() == np.bincount(clicks.item_index).tolist()
    assert new.fitted.choice.weighting == Weighting.of("count", clicks.weights)
    assert new.fitted.choice.learned.unobserved_weight == 0.4
    assert new.fitted.hyperparameters.get_params() == old.fitted.hyperparameters.get_params()
    assert len(new.recommend(N_USERS - 1, 3)) == 3  # who is new, as well


def test_new_users_and_items_are_known_after_one_epoch(clicks, old):
    learned = update(old, clicks, n_epochs=1).fitted.choice.learned
    assert learned.user_factors.any(axis=1).all()
    assert learned.item_factors.any(axis=1).all()


def test_new_users_of_new_items_only_are_learned_too(clicks, old):
    """Nothing connects them with the others: from rows of zeros they would never come away."""
    new_users, new_items = np.arange(501, 521), np.arange(601, 621)
    users, items = np.meshgrid(new_users, new_items)
    more = clicks.joined_with(Interactions.from_arrays(users.ravel(), items.ravel()), "count")
    new = update(old, more)
    index = new.users.rows(new_users), new.items.rows(new_items)
    assert scores(new)[np.ix_(*index)].min() > 0.2
    assert {each.item for each in new.recommend(501, 20, include_seen=True)} == set(range(601, 621))


def test_a_pair_that_comes_again_counts_more(clicks, is_new, old):
    known = clicks.subset(~is_new)
    user, item = (
        ids[rows[7]]
        for ids, rows in ((known.user_ids, known.user_index), (known.item_ids, known.item_index))
    )
    again = Interactions.from_arrays([user] * 50, [item] * 50, duplicates="count")
    index = known.subset([7]).index_for(old.users, old.items)
    less, more = (
        update(old, each).fitted.choice.scores(*index)[0]
        for each in (known, known.joined_with(again, "count"))
    )
    assert more > less + 0.005


def test_the_order_of_the_pairs_and_the_threads_do_not_matter(clicks, old, tmp_path, monkeypatch):
    shuffled = clicks.subset(np.random.default_rng(3).permutation(len(clicks)))
    for n_threads, given in ((1, clicks), (3, shuffled)):
        monkeypatch.setattr(old.hyperparameters, "n_threads", n_threads)
        update(old, given).save(tmp_path / str(n_threads))
    assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()


def test_the_old_model_stays_as_it_is(clicks, old, tmp_path):
    old.save(tmp_path / "before")
    update(old, clicks)
    old.save(tmp_path / "after")
    assert (tmp_path / "before").read_bytes() == (tmp_path / "after").read_bytes()


def test_a_loaded_model_goes_on_alike(clicks, old, tmp_path):
    old.save(tmp_path / "m")
    np.testing.assert_array_equal(
        scores(update(FunkSVD.load(tmp_path / "m"), clicks)), scores(update(old, clicks))
    )


def test_clicks_without_counts_become_counted(clicks, is_new):
    once = Interactions.from_arrays(clicks.user_index, clicks.item_index)
    old = FunkSVD(**IALS).fit(once.subset(~is_new))
    assert old.fitted.choice.weighting.kind == "none"
    assert update(old, clicks).fitted.choice.weighting.kind == "count"
    assert update(old, once).fitted.choice.weighting.kind == "none"


def rated(clicks):
    stars = 1 + np.arange(len(clicks)) % 5
    return Ratings.from_arrays(clicks.user_index, clicks.item_index, stars)


def test_choices_of_ratings_go_on_with_ratings(clicks, is_new, old):
    ratings = rated(clicks)
    of_ratings = FunkSVD(**IALS).fit(ratings.subset(~is_new))
    new = update(of_ratings, ratings)
    assert (new.fitted.choice.weighting.kind, new.rankings) == ("rating", ("choice",))
    with pytest.raises(RatingsError, match="pairs without ratings, and the model has learned from"):
        update(of_ratings, clicks)
    with pytest.raises(RatingsError, match="pairs with ratings, and the model has learned from"):
        update(old, ratings)


def test_ids_that_are_all_new(old):
    with pytest.raises(RatingsError, match="of 2 users and 1 item, the model knows none"):
        update(old, Interactions.from_arrays([1001, 1002], [1003, 1003]))


def test_what_makes_no_sense(clicks, old):
    with pytest.raises(FunkSVDError, match="n_epochs must be a whole number of at least 1, not 0"):
        update(old, clicks, n_epochs=0)
    with pytest.raises(FunkSVDError, match='algorithm="ials" has no use for interactions'):
        update(old, clicks, interactions=clicks)


def test_an_interrupt_leaves_nothing_half_done(clicks, old):
    class Interrupting(Monitor):
        def epoch_done(self, record, is_best):
            if record.epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update(old, clicks, monitor=Interrupting())


@pytest.fixture(scope="module")
def parts(clicks, is_new):
    """All ratings, and the old ones."""
    ratings = rated(clicks)
    return ratings, ratings.subset(~is_new)


class TestBoth:
    """A model of ratings and choices keeps both; one without choices stays without."""

    def test_both_parts_go_on(self, parts, clicks):
        ratings, before = parts
        old = FunkSVD(n_factors=4, n_epochs=5).fit(before)
        new = update(old, ratings)
        assert new.rankings == ("both", "choice", "rating")
        anew = FunkSVD(n_factors=4, n_epochs=5).fit(ratings)
        assert scores(new).shape == (N_USERS, N_ITEMS)
        assert np.abs(scores(new) - scores(anew)).mean() < 0.05
        assert np.corrcoef(scores(new).ravel(), scores(anew).ravel())[0, 1] > 0.98

    def test_the_ratings_part_is_what_it_is_without_choices(self, parts):
        ratings, before = parts
        both, rating = (
            update(FunkSVD(n_factors=4, n_epochs=5, choice=choice).fit(before), ratings)
            for choice in (True, False)
        )
        assert rating.rankings == ("rating",)
        np.testing.assert_array_equal(both.user_factors, rating.user_factors)
        np.testing.assert_array_equal(both.item_factors, rating.item_factors)

    def test_the_choice_part_starts_where_it_was(self, parts, monkeypatch):
        _, before = parts
        old = FunkSVD(n_factors=4, n_epochs=5).fit(before)
        seen = []

        def train(plan, chosen, *, start, **rest):
            seen.append(start)
            return real(plan, chosen, start=start, **rest)

        from funksvd import updating

        real = updating.train
        monkeypatch.setattr(updating, "train", train)
        update(old, before)
        np.testing.assert_array_equal(seen[-1].item_factors, old.fitted.choice.learned.item_factors)
        np.testing.assert_array_equal(seen[-1].user_factors, old.fitted.choice.learned.user_factors)
