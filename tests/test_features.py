"""Models that know features: ids without ratings are known, in the file and after updates too."""

import numpy as np
import pytest

from funksvd import FunkSVD, FunkSVDError, ModelFileError, Ratings, update
from funksvd.learned.features import FULL_COUNT, RIDGE, FeatureFacts
from funksvd.learned.storage import read_model, write_model
from funksvd.model_file import KINDS
from funksvd.ratings import Vocabulary
from funksvd.training.learners.priors import PRIOR_RATINGS, PriorMeans

N_USERS, N_ITEMS = 60, 40
FAST = {"n_factors": 2, "n_epochs": 20, "n_threads": 1, "validation_fraction": 0.1, "refit": True}


@pytest.fixture(scope="module")
def planted():
    """Ratings that depend on items' colours and users' clubs; the last ids have none."""
    random = np.random.default_rng(0)
    color, club = np.arange(N_ITEMS) % 4, np.arange(N_USERS) % 2
    users, items = (a.ravel() for a in np.meshgrid(np.arange(N_USERS - 2), np.arange(N_ITEMS - 4)))
    kept = random.random(len(users)) < 0.6
    users, items = users[kept], items[kept]
    values = 3 + np.where(color[items] % 2 == 0, 0.8, -0.8) * (1 - club[users] * 0.9)
    values += 0.2 * random.standard_normal(len(users))
    ratings = Ratings.from_arrays(users * 2, items, values)
    item_table = {"item": np.arange(N_ITEMS), "color": [f"c{each}" for each in color]}
    user_table = {"user": np.arange(N_USERS) * 2, "club": [f"k{each}" for each in club]}
    return ratings, user_table, item_table


def fitted(planted, **chosen):
    ratings, user_table, item_table = planted
    model = FunkSVD(**{**FAST, **chosen})
    return model.fit(ratings, user_features=user_table, item_features=item_table)


@pytest.mark.parametrize("algorithm", ["sgd", "svd++", "incremental", "ials"])
def test_rows_without_ratings(planted, algorithm, tmp_path):
    model = fitted(planted, algorithm=algorithm)
    assert model.user_ids.tolist() == list(range(0, 2 * N_USERS, 2))
    assert model.item_ids.tolist() == list(range(N_ITEMS))
    assert model.fitted.item_counts[-4:].tolist() == [0] * 4
    assert model.fitted.features["item"].alone.tolist() == [36, 37, 38, 39]
    if algorithm != "ials":
        new = model.predict(np.repeat(116, 4), np.arange(36, 40))  # of club 0
        assert (new[[0, 2]] > 3.4).all()
        assert (new[[1, 3]] < 2.6).all()
        assert abs(model.predict(118, 36) - 3) < abs(new[0] - 3) - 0.2  # of club 1
    listed = [each.item for each in model.recommend(116, 40)]
    assert set(listed) == set(range(N_ITEMS))
    if algorithm != "ials":
        assert {each.item % 2 for each in model.similar(36, 10)} == {0}
    model.save(path := tmp_path / "m.funksvd")
    again = FunkSVD.load(path)
    assert again.recommend(116, 5) == model.recommend(116, 5)
    assert again.fitted.features["item"].encoding == model.fitted.features["item"].encoding
    later = again.with_features(item_features={"item": [5, 99], "color": ["c1", "c0"]})
    assert len(later.item_ids) == N_ITEMS + 1
    assert all(each.n_ratings for each in later.similar(99, 5))  # not 36, of the same features
    if algorithm != "ials":
        assert later.predict(116, 99) == pytest.approx(model.predict(116, 36), abs=1e-6)
    with pytest.raises(FunkSVDError, match="features need the ids"):
        again.with_features(item_features={"color": ["c1"], "x": ["y"]})


def test_weights_are_those_of_a_ridge_regression(planted):
    ratings, _, item_table = planted
    model = FunkSVD(**FAST, choice=False).fit(ratings, item_features=item_table)
    learned, rated = model.learned, np.arange(36)
    x = np.eye(4)[rated % 4] - np.bincount(rated % 4) / 36
    counts = model.fitted.item_counts[:36]
    weights = counts / (1 + counts / FULL_COUNT)
    targets = np.column_stack([learned.item_biases[:36], learned.item_factors[:36]])
    ref = np.linalg.solve(
        x.T @ (weights[:, None] * x) + RIDGE * np.eye(4), x.T @ (weights[:, None] * targets)
    )
    comp = np.column_stack([learned.item_feature_biases, learned.item_feature_factors])
    np.testing.assert_allclose(comp, ref, atol=1e-5)
    np.testing.assert_allclose(learned.item_biases[36:], x[:4] @ ref[:, 0], atol=1e-5)
    np.testing.assert_allclose(learned.item_factors[36:], x[:4] @ ref[:, 1:], atol=1e-5)
    (worth,) = model.fitted.features["item"].worth
    long = FeatureFacts("tag", "category", 2, worth, {"x" * 1000: 0.5, "y": -0.9})
    assert long.strongest() == [("x" * 39 + "…", 0.5), ("y", -0.9)]
    by_hand = x @ ref[:, 0]
    mean = np.average(by_hand, weights=counts)
    assert worth.bias == pytest.approx(
        np.sqrt(np.average((by_hand - mean) ** 2, weights=counts)), rel=1e-4
    )
    assert worth.bias_share > 0.9  # colours are all that matters here


def test_ratings_are_learned_as_before_where_features_are_no_prior(planted):
    ratings, _, _ = planted
    plain = FunkSVD(**FAST, algorithm="incremental").fit(ratings)
    model = fitted(planted, algorithm="incremental")
    rows = model.items.rows(plain.item_ids)
    np.testing.assert_array_equal(model.item_factors[rows], plain.item_factors)
    pairs = (ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index])
    np.testing.assert_array_equal(model.predict(*pairs), plain.predict(*pairs))
    user = plain.user_ids[3]
    assert model.recommend(user, 5, among=plain.item_ids) == plain.recommend(user, 5)


@pytest.mark.parametrize("algorithm", ["sgd", "svd++"])
def test_descents_go_by_features(planted, algorithm):
    """Few ratings: those of an item tell less than its colour does."""
    ratings, user_table, item_table = planted
    part = np.random.default_rng(1).random(len(ratings)) < 0.15
    training, test = ratings.subset(part), ratings.subset(~part)
    errors, models = [], []
    for n_threads, features in ((1, {}), (1, item_table), (2, item_table)):
        model = FunkSVD(**FAST | {"n_threads": n_threads}, algorithm=algorithm, choice=False)
        more = {"user_features": user_table, "item_features": features} if features else {}
        models.append(model.fit(training, **more))
        errors.append(model.evaluate(test).rmse)
    assert errors[1] < 0.8 * errors[0]
    for name in ("item_factors", "user_biases"):
        ref, comp = (getattr(model, name) for model in models[1:])
        np.testing.assert_array_equal(comp, ref)


def test_rows_move_to_their_prior_means_and_with_them():
    random = np.random.default_rng(0)
    columns, counts = (
        random.standard_normal((6, 2)).astype(np.float32),
        np.array([9, 1, 4, 0, 2, 7]),
    )
    order = np.array([5, 0, 3, 1, 4, 2])
    prior = PriorMeans(columns, order, counts, n_factors=2)
    biases, factors = random.standard_normal(6), random.standard_normal((6, 3))
    rates = np.linspace(0.01, 0.02, 6).astype(np.float32)
    x, n = columns[order], counts[order]
    ref = np.column_stack([biases, factors[:, :2]])
    means = np.zeros((6, 3))
    biases, factors = biases.astype(np.float32), factors.astype(np.float32)
    for _ in range(2):
        w = n / (1 + n / FULL_COUNT)
        solved = np.linalg.solve(
            x.T @ (w[:, None] * x) + RIDGE * np.eye(2), x.T @ (w[:, None] * ref)
        )
        before, means = means, x @ solved
        shares = np.outer(n, [0.05 * 0.3, 0, 0])
        shares[:, 1:] = (n * rates * 0.2)[:, None]
        ref = ref + shares / (1 + shares) * means
        ref += (PRIOR_RATINGS / (PRIOR_RATINGS + n))[:, None] * (means - before)
        prior.move(biases, factors, rates, 0.3, (0.05, 0.2))
    comp = np.column_stack([biases, factors[:, :2]])
    np.testing.assert_allclose(comp, ref, rtol=1e-4, atol=1e-5)


def test_uncertainty_of_rows_without_ratings(planted):
    model = fitted(planted, algorithm="bayes", n_epochs=20, validation_fraction=0.0)
    known, new, unknown = (float(model.predict_std(0, item)) for item in (0, 36, 12345))
    assert known < new == unknown
    others = {"color": ["c1"] * 5000, "item": np.arange(100, 5100)}
    more = model.with_features(item_features=others)
    pairs = [0, 0, 118, 9999], [0, 36, 0, 12345]
    np.testing.assert_array_equal(more.predict_std(*pairs), model.predict_std(*pairs))
    draws, n = model.learned.draws, model.learned.n_draws
    stand_ins = np.arange(n) * 36 // n  # by hand: the item of each draw, all of them rated
    of_draws = (
        draws.global_means + draws.user_biases[0] + draws.item_biases[stand_ins, np.arange(n)]
    )
    for d, item in enumerate(stand_ins):
        products = draws.user_factors[0, :, d] * draws.item_factors[item, :, d].astype(np.float64)
        of_draws[d] += products @ draws.scales[:, d]
    assert new == pytest.approx(of_draws.std(ddof=1), rel=1e-5)
    assert model.recommend(0, 40, by="rating")[0].item < 36  # nothing is said to be sure


def test_updates_keep_what_features_tell(planted):
    ratings, _, _ = planted
    model = fitted(planted)
    more = Ratings.from_arrays([0, 2, 4], [36, 36, 0], [4.0, 4.0, 3.0])
    updated = update(model, ratings.joined_with(more))
    assert updated.fitted.features["item"].alone.tolist() == [37, 38, 39]
    np.testing.assert_array_equal(updated.item_biases[37:], model.item_biases[37:])
    assert len(updated.with_features(item_features={"item": [77], "color": ["c0"]}).items) == 41


def test_damaged_and_newer_files_are_refused(planted, tmp_path):
    model = fitted(planted, choice=False)
    model.save(path := tmp_path / "m.funksvd")

    def saved_with(change):
        saved = read_model(path, kinds=KINDS)
        change(saved)
        write_model(other := tmp_path / "n.funksvd", saved)
        with pytest.raises(ModelFileError) as error:
            FunkSVD.load(other)
        return str(error.value)

    item = lambda saved: saved.info["features"]["item"]  # noqa: E731
    assert "a feature of the kind 'map'" in saved_with(
        lambda saved: item(saved)["features"][0].update(kind="map")
    )
    assert "weights are not those" in saved_with(
        lambda saved: saved.parts["rating"].tensors.pop("item_feature_factors")
    )
    assert "ascending rows" in saved_with(
        lambda saved: saved.alone.update(item=np.array([3, 99], np.int32))
    )
    assert "is damaged" in saved_with(lambda saved: item(saved).update(worth=[]))


def test_features_need_training_with_them(planted):
    ratings, _, item_table = planted
    model = FunkSVD(**FAST, choice=False).fit(ratings)
    with pytest.raises(FunkSVDError, match="has learned from no features of items; train one with"):
        model.with_features(item_features=item_table)
    assert isinstance(model.users, Vocabulary)
