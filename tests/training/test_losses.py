"""What is learned with each loss, and with non-negative factors."""

import pickle

import numpy as np
import pytest
import scipy.special

from funksvd import FunkSVD, FunkSVDError, Ratings, RatingsError, update
from funksvd.objectives import plain as objective
from funksvd.objectives.parameters import Parameters, Regularization
from funksvd.training import LOSSES, Hyperparameters, Scale, plan_blocks, train
from funksvd.training.losses import TrainingLoss
from funksvd.training.plan import Triples
from funksvd.training.scale import row_shares, scaled_rates

OTHERS = [name for name in LOSSES if name != "squared"]


def plan_of(ratings, values=None, held_back=None):
    values = ratings.values if values is None else values
    triples = Triples(ratings.user_index, ratings.item_index, values)
    return plan_blocks(triples, (ratings.n_users, ratings.n_items), held_back=held_back)


def scores(parameters, ratings):
    return objective.predict(parameters, ratings.user_index, ratings.item_index)


def as_binary(ratings, seed=0):
    """Ratings 0 and 1 whose log-odds are the ratings less 3; and the probabilities."""
    probabilities = scipy.special.expit(ratings.values - 3.0)
    drawn = np.random.default_rng(seed).random(len(ratings)) < probabilities
    users, items = ratings.user_ids[ratings.user_index], ratings.item_ids[ratings.item_index]
    return Ratings.from_arrays(users, items, drawn * 1.0), probabilities


@pytest.fixture
def ratings(planted):
    return planted(60, 50, 2, 1500, 0.3)


@pytest.fixture
def binary(ratings):
    return as_binary(ratings)[0]


def test_a_huber_loss_with_a_large_delta_is_the_squared_loss_bit_for_bit(ratings):
    held_back = np.arange(len(ratings)) % 5 == 0
    ref, comp = (
        train(plan_of(ratings, held_back=held_back), Hyperparameters(n_factors=5, **chosen))
        for chosen in ({}, {"loss": "huber", "huber_delta": 1e6})
    )
    for ref_array, comp_array in zip(
        ref.learned.parameters[1:], comp.learned.parameters[1:], strict=True
    ):
        np.testing.assert_array_equal(comp_array, ref_array)
    assert [record[:4] for record in comp.record.history] == [
        record[:4] for record in ref.record.history
    ]


@pytest.mark.parametrize("name", OTHERS)
def test_the_loss_falls_to_where_its_gradient_nearly_vanishes(ratings, binary, name):
    ratings = binary if LOSSES[name].is_binary else ratings
    chosen = Hyperparameters(
        loss=name, n_factors=2, n_epochs=400, learning_rate_decay=0.98, reg=0.1, bias_reg=0.05
    ).resolved()
    result = train(plan_of(ratings), chosen)
    loss = TrainingLoss.of(chosen, Scale.of(plan_of(ratings).of_learned, True))
    rates = scaled_rates(chosen, 0.03, 0.1, loss.scale, row_shares(plan_of(ratings)))
    data = (ratings.user_index, ratings.item_index, ratings.values)
    data = (*data, Regularization(float(rates.reg), float(rates.bias_reg)), loss.formula)
    end = Parameters(
        loss.scale.center, *(a.astype(np.float64) for a in result.learned.parameters[1:])
    )
    start = Parameters(end.global_mean, *(np.zeros_like(array) for array in end[1:]))
    assert objective.loss(end, *data) < 0.8 * objective.loss(start, *data)
    # no step in any direction leads further down by much
    for seed in range(10):
        random = np.random.default_rng(seed)
        moved = (a + random.normal(0, 0.02, a.shape) for a in end[1:])
        moved = Parameters(end.global_mean, *moved)
        assert objective.loss(moved, *data) > objective.loss(end, *data)


@pytest.mark.parametrize("name", ["absolute", "huber"])
def test_ratings_far_off_do_little_harm(planted, name):
    ratings = planted(150, 100, 2, 6000, 0.1)
    random = np.random.default_rng(0)
    spoilt = ratings.values.copy()
    far_off = random.random(len(ratings)) < 0.05
    spoilt[far_off] += random.choice([-30, 30], far_off.sum()).astype(np.float32)
    errors = {}
    for loss in ("squared", name):
        chosen = {"huber_delta": 0.1} if loss == "huber" else {}
        result = train(plan_of(ratings, spoilt), Hyperparameters(loss=loss, n_factors=2, **chosen))
        clean = ~far_off
        errors[loss] = np.sqrt(
            np.mean((scores(result.learned.parameters, ratings) - ratings.values)[clean] ** 2)
        )
    assert errors[name] < 0.5 * errors["squared"]


def test_probabilities_are_calibrated(planted):
    """Of the pairs that are given a probability near p, about a share p is 1."""
    ratings, probabilities = as_binary(planted(600, 400, 2, 90_000, 0))
    test = np.arange(len(ratings)) % 5 == 0
    model = FunkSVD(loss="logistic", n_factors=4).fit(ratings.subset(~test))
    held_out = ratings.subset(test)
    comp = model.predict(
        held_out.user_ids[held_out.user_index], held_out.item_ids[held_out.item_index]
    )
    assert comp.dtype == np.float32
    assert 0 <= comp.min() < 0.1
    assert 0.9 < comp.max() <= 1
    for low in np.arange(0, 1, 0.2):
        near = (comp >= low) & (comp < low + 0.2)
        assert near.sum() > 250
        assert comp[near].mean() == pytest.approx(held_out.values[near].mean(), abs=0.05)
    planted_ones = probabilities[test]
    assert np.sqrt(np.mean((comp - planted_ones) ** 2)) < 0.6 * planted_ones.std()


def test_what_a_logistic_model_predicts(binary, tmp_path):
    model = FunkSVD(loss="logistic", n_factors=3, n_epochs=10).fit(binary)
    log_odds = np.log(binary.values.mean() / (1 - binary.values.mean()))
    assert model.global_mean == pytest.approx(log_odds, rel=1e-5)
    assert model.predict("nobody", "nothing") == pytest.approx(binary.values.mean(), rel=1e-5)
    user = binary.user_ids[0]
    best = model.recommend(user, n=5, by="rating")
    assert [r.prediction for r in best] == [model.predict(user, r.item) for r in best]
    assert [r.score for r in best] == sorted((r.score for r in best), reverse=True)
    evaluation = model.evaluate(binary)
    values, comp = binary.values, model.predict_index(binary.user_index, binary.item_index)
    assert evaluation.rmse == pytest.approx(np.sqrt(np.mean((values - comp) ** 2)), rel=1e-5)
    model.save(tmp_path / "model.funksvd")
    again = FunkSVD.load(tmp_path / "model.funksvd")
    assert again.loss == "logistic"
    np.testing.assert_array_equal(again.predict_index(binary.user_index, binary.item_index), comp)


def test_the_error_without_a_model():
    values = np.array([1, 1, 2, 5, 6], dtype=np.float32)
    scale = Scale.of(lambda function: [function(values)], True)

    def comp(name, values=values, biases=True):
        chosen = Hyperparameters(loss=name, biases=biases, huber_delta=1.0)

        def of_each(function):
            function = pickle.loads(pickle.dumps(function))  # it may go to another process
            return [function(part) for part in (values[:2], values[2:])]

        return TrainingLoss.of(chosen, Scale.of(of_each, biases)).error_without_model(of_each)

    assert comp("squared") == pytest.approx(values.std())
    assert comp("squared", biases=False) == pytest.approx(np.sqrt((values**2).mean()))
    assert comp("absolute") == pytest.approx(np.abs(values - 3).mean())
    sizes, delta = np.abs(values - 3), scale.spread
    costs = np.where(sizes <= delta, sizes**2, delta * (2 * sizes - delta))
    assert comp("huber") == pytest.approx(np.sqrt(costs.mean()))
    ones = np.array([0, 1, 0, 0], dtype=np.float32)
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    assert comp("logistic", ones) == pytest.approx(entropy)
    assert comp("logistic", ones, biases=False) == pytest.approx(np.log(2))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("nonnegative", [False, True])
def test_threads_do_not_change_a_bit(sample, name, nonnegative):
    values = (sample.values > 3).astype(np.float32) if LOSSES[name].is_binary else sample.values
    one, several = (
        train(
            plan_of(sample, values, np.arange(len(sample)) % 5 == 0),
            Hyperparameters(
                loss=name, nonnegative=nonnegative, n_factors=3, n_epochs=3, n_threads=n_threads
            ),
        )
        for n_threads in (1, 4)
    )
    for ref, comp in zip(one.learned.parameters[1:], several.learned.parameters[1:], strict=True):
        np.testing.assert_array_equal(comp, ref)
    assert [r[:4] for r in one.record.history] == [r[:4] for r in several.record.history]


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("name", ["squared", "absolute"])
def test_nonnegative_factors(planted, name, biases):
    ratings = planted(60, 50, 2, 1500, 0.1)
    shifted = ratings.values - ratings.values.min()
    result = train(
        plan_of(ratings, shifted),
        Hyperparameters(loss=name, n_factors=6, biases=biases, nonnegative=True),
    )
    factors = result.learned.parameters[3:]
    assert all((rows >= 0).all() for rows in factors)
    assert any((rows == 0).any() for rows in factors)
    assert result.record.history[-1].train < 0.8 * shifted.std()


def test_nonnegative_factors_do_as_well_where_such_were_planted():
    random = np.random.default_rng(0)
    p, q = (random.exponential(1, (n, 3)) * (random.random((n, 3)) < 0.6) for n in (80, 70))
    chosen = random.random((80, 70)) < 0.6
    users, items = np.nonzero(chosen)
    noise = 0.05
    values = (p @ q.T + noise * random.normal(size=(80, 70)))[chosen]
    ratings = Ratings.from_arrays(users, items, np.maximum(values, 0))
    common = {"n_factors": 3, "biases": False, "reg": 0.001, "n_epochs": 300}
    common |= {"learning_rate": 0.05, "learning_rate_decay": 0.99}
    errors = [
        train(plan_of(ratings), Hyperparameters(nonnegative=each, **common))
        .record.history[-1]
        .train
        for each in (False, True)
    ]
    assert errors[1] < 1.2 * errors[0]
    assert errors[1] < 3 * noise


def test_ratings_that_the_logistic_loss_is_not_for(ratings):
    whole = Ratings.from_arrays([1, 1, 2, 2, 3], [1, 2, 1, 3, 4], [0, 1, 2, 0.5, 1])
    with pytest.raises(
        RatingsError, match=r"0 or 1, but these are of 4 values: 0, 0\.5, 1, 2\. Make"
    ):
        FunkSVD(loss="logistic").fit(whole)
    with pytest.raises(RatingsError, match=r"but these are of 1,\d+ values: (.*, ){5}…\. Make"):
        FunkSVD(loss="logistic").fit(ratings)
    zeros_and_ones = Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 3], [0, 1, 1, 0])
    with pytest.raises(RatingsError, match="but these are of 3 values: 0, 1, 2"):
        FunkSVD(loss="logistic").fit(
            zeros_and_ones, validation=Ratings.from_arrays([3], [3], [2.0])
        )


def test_nonnegative_factors_alone_cannot_make_what_is_below_zero(ratings, binary):
    chosen = {"nonnegative": True, "biases": False}
    with pytest.raises(RatingsError, match=r"never below 0, but the lowest rating is -"):
        FunkSVD(**chosen).fit(ratings)
    with pytest.raises(RatingsError, match="never below 0, but log-odds can be"):
        FunkSVD(loss="logistic", **chosen).fit(binary)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"loss": "cubed"}, "loss must be one of squared, absolute, .*, not 'cubed'"),
        ({"huber_delta": 0}, "huber_delta must be a number greater than 0, not 0"),
        ({"nonnegative": "yes"}, "nonnegative must be True or False, not 'yes'"),
    ],
)
def test_what_cannot_be_chosen(chosen, message):
    with pytest.raises(FunkSVDError, match=message):
        Hyperparameters(**chosen).check()


@pytest.mark.parametrize("chosen", [{"loss": "huber"}, {"nonnegative": True}])
def test_an_algorithm_without_the_option(chosen):
    with pytest.raises(FunkSVDError, match=r"is for algorithm 'sgd' only, not for 'svd\+\+'"):
        Hyperparameters(algorithm="svd++", **chosen).check()


def test_a_logistic_model_has_no_closed_form(binary):
    model = FunkSVD(loss="logistic", n_factors=2, n_epochs=2).fit(binary)
    items = binary.item_ids[:2]
    for ask in (
        lambda: model.fold_in(items, [1, 0]),
        lambda: model.for_new_users(binary),
        lambda: model.explain(items, [1, 0], items),
    ):
        with pytest.raises(FunkSVDError, match="no closed form for new users and items"):
            ask()


@pytest.mark.parametrize("chosen", [{"loss": "huber"}, {"nonnegative": True}])
@pytest.mark.parametrize("other", [{"optimizer": "adam"}, {"batch_size": 8}])
def test_what_is_for_steps_on_single_ratings_only(chosen, other):
    Hyperparameters(**other).check()
    Hyperparameters(**chosen, optimizer="sgd", batch_size=1).check()
    with pytest.raises(FunkSVDError, match="is for steps of single ratings"):
        Hyperparameters(**chosen, **other).check()


def test_an_update_keeps_to_what_was_chosen(ratings, binary):
    model = FunkSVD(nonnegative=True, loss="absolute", n_factors=3, n_epochs=4).fit(ratings)
    updated = update(model, ratings)
    assert min(updated.user_factors.min(), updated.item_factors.min()) >= 0
    logistic = FunkSVD(loss="logistic", n_factors=2, n_epochs=2).fit(binary)
    with pytest.raises(RatingsError, match="is for ratings that are 0 or 1"):
        update(logistic, ratings)
