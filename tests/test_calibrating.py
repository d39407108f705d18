"""Calibrated probabilities of models, from training to predictions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import naive
from funksvd import FunkSVD, FunkSVDError, Interactions, Ratings
from funksvd.calibrating import MOST_CHECKED, RatingFacts, calibrate, leave_one_out
from funksvd.learned import LearnedRatings
from funksvd.learned.calibration import Checked
from funksvd.learned.rating_model import RatingModel
from funksvd.splitting import random_split
from funksvd.splitting.pairs import pair_hashes, smallest_pairs
from funksvd.updating import update

OLD_FILES = Path(__file__).parent / "learned" / "storage" / "files"


@pytest.fixture(scope="module")
def parts():
    """Training and test ratings of planted factors, of 1 to 5, where few people give a 2 or a 4."""
    random = np.random.default_rng(0)
    pairs = random.choice(400 * 150, 24_000, replace=False)
    users, items = np.divmod(pairs, 150)
    p, q = random.normal(0, 0.7, (400, 2)), random.normal(0, 0.7, (150, 2))
    targets = 3 + random.normal(0, 0.6, 150)[items] + (p[users] * q[items]).sum(axis=1)
    targets += random.normal(0, 0.7, len(pairs))
    values = 1 + np.searchsorted([1.8, 2.1, 3.6, 3.9], targets)
    return random_split(Ratings.from_arrays(users, items, values), 0.3, seed=0)


@pytest.fixture(scope="module")
def fitted(parts):
    kinds = {"sgd": {}, "bayes": {"n_epochs": 120}}
    return {
        name: FunkSVD(algorithm=name, n_factors=2, choice=False, **more).fit(parts[0])
        for name, more in kinds.items()
    }


@pytest.mark.parametrize("name", ["sgd", "bayes"])
def test_of_test_ratings_with_a_probability_that_share_is_as_high(fitted, parts, name):
    model, test = fitted[name], parts[1]
    pairs = np.column_stack([test.user_ids[test.user_index], test.item_ids[test.item_index]])
    for level in (2, 3, 4, 5):
        probabilities = model.predict_probability(pairs, at_least=level)
        is_above = test.values >= level
        of_each = list(zip(probabilities.tolist(), is_above.tolist(), strict=True))
        assert naive.expected_calibration_error(of_each, 10) < 0.02
    assert model.fitted.is_calibrated


def test_without_calibration_they_are_not(fitted, parts):
    """The data are such that normal errors are a wrong guess."""
    model = FunkSVD(n_factors=2, choice=False, validation_fraction=0).fit(parts[0])
    assert not model.fitted.is_calibrated
    test = parts[1]
    predictions = model.predict_index(*test.index_for(model.users, model.items))
    probabilities = model.fitted.probabilities(predictions, 4)
    of_each = list(zip(probabilities.tolist(), (test.values >= 4).tolist(), strict=True))
    assert naive.expected_calibration_error(of_each, 10) > 0.03


def test_a_lucky_check_makes_nothing_sure(fitted, parts):
    """The only two ratings that are checked are predicted as they are."""
    rating, record = fitted["sgd"].fitted.rating_model, fitted["sgd"].fitted.record
    values = np.array([2, 4], np.float32)
    _, calibration = calibrate(
        RatingFacts.of_all(parts[0], rating.limits), rating, record, Checked(values, values)
    )
    assert calibration is not None
    assert 0.1 < calibration.probabilities(np.array([3.1], np.float32), 4)[0] < 0.5


def test_leaving_one_out_is_the_naive_reference(fitted):
    """The mean of the draws, weighted by how much likelier each is without the rating."""
    random = np.random.default_rng(0)
    n, n_draws, k = 40, 9, 2
    values = random.normal(3, 1, n).astype(np.float32)
    users, items = np.repeat(np.arange(8), 5), np.tile(np.arange(5), 8)
    drawn = [random.normal(0, 0.4, (rows, n_draws)).astype(np.float32) for rows in (8, 5)]
    factors = [random.integers(-9, 10, (rows, k, n_draws)).astype(np.int8) for rows in (8, 5)]
    noise = [random.uniform(0.5, 1.5, rows).astype(np.float32) for rows in (8, 5)]
    learned = replace(
        LearnedRatings(3.0, *(np.zeros(r, np.float32) for r in (8, 5, (8, k), (5, k)))),
        draw_means=np.full(n_draws, 3.0), draw_user_biases=drawn[0], draw_item_biases=drawn[1],
        draw_user_factors=factors[0], draw_item_factors=factors[1],
        draw_scales=np.full((k, n_draws), 0.02), user_noise=noise[0], item_noise=noise[1],
        day_users=np.array([2], np.int32), day_numbers=np.array([1], np.int32),
        day_biases=np.array([0.7], np.float32),
    )  # fmt: skip
    before = fitted["bayes"].fitted.rating
    model = RatingModel(learned, (1.5, 4.5), n_draws, before.loss, before.terms)
    times = np.where(users == 2, 86_400, 864_000)
    ratings = Ratings.from_arrays(users, items, values, timestamps=times)
    comp = leave_one_out(model, ratings, 2)
    order = smallest_pairs(ratings, len(ratings))
    for place, at in enumerate(order):
        u, i = users[at], items[at]
        by_draw, weights = [], []
        for s in range(n_draws):
            product = factors[0][u, :, s].astype(float) @ factors[1][i, :, s]
            by_draw.append(3 + drawn[0][u, s] + drawn[1][i, s] + 0.02 * product)
            error = values[at] - 0.7 * (u == 2) - by_draw[s]
            weights.append(np.exp(error**2 / 2 / noise[0][u] / noise[1][i]))
        weights = np.minimum(weights, np.mean(weights) * np.sqrt(n_draws))
        ref = np.clip(np.average(by_draw, weights=weights), 1.5, 4.5)
        assert comp.predictions[place] == pytest.approx(ref, rel=1e-5)
    np.testing.assert_array_equal(comp.values, values[order])
    assert leave_one_out(fitted["sgd"].fitted.rating, ratings, 1) is None


def test_large_data_are_calibrated_on_some_of_the_ratings(monkeypatch, parts):
    assert MOST_CHECKED == 50_000
    monkeypatch.setattr("funksvd.calibrating.MOST_CHECKED", 100)
    for algorithm in ("sgd", "bayes"):
        model = FunkSVD(algorithm=algorithm, n_factors=1, n_epochs=8, choice=False).fit(parts[0])
        assert 90 < model.fitted.calibration.n_checked <= 100


@pytest.mark.parametrize("n_levels", [5, 40, 41, 3000])
def test_neither_order_nor_pieces_change_what_is_taken_from_ratings(fitted, monkeypatch, n_levels):
    """The sample is of those with the smallest hashes; levels are all there are, or many."""
    monkeypatch.setattr("funksvd.calibrating.MOST_CHECKED", 200)
    random = np.random.default_rng(n_levels)
    users, items = np.divmod(random.permutation(4000), 50)
    values = 1 + 4 * random.integers(0, n_levels, 4000) / (n_levels - 1)
    ratings = Ratings.from_arrays(users, items, values)
    rating, record = fitted["sgd"].fitted.rating_model, fitted["sgd"].fitted.record

    def made(facts):
        return calibrate(facts, rating, record, None)

    ref = made(RatingFacts.of_all(ratings, rating.limits))
    assert ref[1].has_steps == (n_levels <= 40)
    assert ref[0].liked_from == values[values >= 4].min().astype(np.float32)
    left_out = random.random(4000) < 0.3
    assert (made(RatingFacts.of_all(ratings, rating.limits, left_out)) == ref) == (n_levels <= 40)
    shuffled = ratings.subset(random.permutation(4000))
    assert made(RatingFacts.of_all(shuffled, rating.limits)) == ref
    hashes = pair_hashes(shuffled).view(np.uint64)
    pieces = [
        RatingFacts.of(shuffled.values[piece], hashes[piece], rating.limits)
        for piece in np.split(np.arange(4000), [0, 30, 1500, 2000])
    ]
    assert made(pieces[0] + pieces[1] + (pieces[2] + pieces[3] + pieces[4])) == ref


def test_what_is_given_and_what_comes_back(fitted):
    model = fitted["sgd"]
    one = model.predict_probability(3, 7, at_least=4)
    assert isinstance(one, float)
    many = model.predict_probability([3, 3, -1], [7, -1, 7], at_least=4)
    assert many.dtype == np.float32
    assert many[0] == np.float32(one)
    assert model.predict_probability(3, 7) == one  # liked: 4 and 5 of 1 to 5
    bias = model.global_mean + model.user_biases[model.users.row(3)]
    threshold, spread = model.fitted.calibration.threshold_and_spread(4)
    assert many[1] == pytest.approx(naive.liking(bias, threshold, spread), abs=1e-5)
    assert model.predict_probability(3, 7, at_least=1) == 1


@pytest.mark.parametrize("at_least", [0.5, 5.01, 1e39, float("nan"), float("inf"), "4", [4]])
def test_what_is_not_on_the_scale_is_an_error(fitted, at_least):
    with pytest.raises(FunkSVDError, match=r"at_least= must be a rating .* scale, 1 to 5, not "):
        fitted["sgd"].predict_probability(3, 7, at_least=at_least)


def test_a_model_without_ratings_has_no_probabilities(parts):
    clicks = Interactions.from_arrays(parts[0].user_index, parts[0].item_index)
    model = FunkSVD(algorithm="ials", n_factors=2, n_epochs=2).fit(clicks)
    with pytest.raises(FunkSVDError, match="knows choices only"):
        model.predict_probability(3, 7)
    assert not model.fitted.is_calibrated


def test_threads_make_no_difference(fitted, parts):
    again = FunkSVD(n_factors=2, choice=False, n_threads=3).fit(parts[0])
    assert again.fitted.calibration == fitted["sgd"].fitted.calibration


def test_a_file_has_the_calibration(fitted, tmp_path):
    for name, model in fitted.items():
        model.save(tmp_path / name)
        again = FunkSVD.load(tmp_path / name)
        assert again.fitted.calibration == model.fitted.calibration
        assert again.fitted.liking == model.fitted.liking


def test_files_of_earlier_programs_are_not_calibrated():
    model = FunkSVD.load(OLD_FILES / "sgd.funksvd")
    assert not model.fitted.is_calibrated
    pair = model.user_ids[0], model.item_ids[0]
    ref = naive.liking(model.predict(*pair), 4, model.fitted.liking.error)
    assert model.predict_probability(*pair, at_least=4) == pytest.approx(ref, abs=1e-5)


def test_an_update_keeps_the_calibration(fitted, parts):
    model = fitted["sgd"]
    updated = update(model, parts[0].joined_with(parts[1]), n_epochs=1)
    assert updated.fitted.calibration == model.fitted.calibration
    assert updated.fitted.liking == model.fitted.liking


def test_predictions_by_the_logistic_loss_are_the_probabilities(parts):
    training = parts[0]
    binary = Ratings.from_arrays(
        training.user_index, training.item_index, (training.values >= 4).astype(np.float32)
    )
    model = FunkSVD(loss="logistic", n_factors=2, n_epochs=3, choice=False).fit(binary)
    assert model.fitted.is_calibrated
    assert model.predict_probability(3, 7, at_least=1) == model.predict(3, 7)
    assert model.predict_probability(3, 7, at_least=0) == 1


def test_a_scale_without_steps(parts):
    whole = parts[0].joined_with(parts[1])
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, len(whole))
    many = Ratings.from_arrays(whole.user_index, whole.item_index, whole.values + noise)
    training, test = random_split(many, 0.3, seed=0)
    model = FunkSVD(n_factors=2, choice=False, validation_fraction=0.2).fit(training)
    assert not model.fitted.calibration.has_steps
    predictions = model.predict_index(*test.index_for(model.users, model.items))
    for asked in (2.5, 3.3, 4.0):
        probabilities = model.fitted.probabilities(predictions, asked)
        of_each = list(zip(probabilities.tolist(), (test.values >= asked).tolist(), strict=True))
        assert naive.expected_calibration_error(of_each, 10) < 0.03
