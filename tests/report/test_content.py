"""What a report tells is true: against plain recomputation and models made by hand."""

import math
import signal
from itertools import pairwise

import numpy as np
import pytest

from funksvd import FunkSVD, Monitor, Ratings, Stopped, hold_out
from funksvd.metrics import Reliability
from funksvd.report import gather
from funksvd.report.factors import N_ITEMS
from funksvd.report.people import N_LIKED, N_RECOMMENDED


def triples(ratings):
    """(user id, item id, value) of each rating."""
    users = ratings.user_ids[ratings.user_index].tolist()
    items = ratings.item_ids[ratings.item_index].tolist()
    return list(zip(users, items, ratings.values.tolist(), strict=True))


@pytest.fixture(scope="module")
def errors(model, holdout):
    """(user id, item id, rating, prediction) of each test rating."""
    return [(u, i, r, model.predict(u, i)) for u, i, r in triples(holdout.test)]


def test_predictions_by_rating(content, errors):
    for spread in content.test.spreads:
        mine = [prediction for _, _, rating, prediction in errors if rating == spread.actual]
        assert spread.n_ratings == len(mine)
        ref = np.percentile(mine, [5, 25, 50, 75, 95])
        np.testing.assert_allclose(spread.quantiles, ref, rtol=1e-6)
    assert sum(spread.n_ratings for spread in content.test.spreads) == len(errors)


def test_calibration(content, errors):
    found = content.test.calibration
    predicted = [each.predicted for each in found]
    assert predicted == sorted(predicted)
    ref = sorted(errors, key=lambda error: error[3])
    n = math.ceil(len(ref) / len(found))
    _, _, ratings, predictions = zip(*ref[:n], strict=True)
    assert found[0].predicted == pytest.approx(np.mean(predictions), rel=1e-6)
    assert found[0].actual == pytest.approx(np.mean(ratings), abs=0.02)  # ties at the end
    assert found[0].margin == pytest.approx(1.96 * np.std(ratings) / math.sqrt(n), rel=0.02)


def test_reliability(content, model, holdout):
    test = holdout.test
    index = test.index_for(model.users, model.items)
    probabilities = model.probabilities(model.predict_index(*index, test.timestamps), 4)
    comp = content.test.evaluation
    assert comp.liked_from == 4
    assert comp.liked == Reliability.of(probabilities, test.values >= 4)
    assert comp.liked.log_loss < comp.liked.log_loss_of_share
    assert content.is_calibrated


def test_residuals(content, errors):
    residuals = [rating - prediction for _, _, rating, prediction in errors]
    counts, edges = content.test.residual_counts, content.test.residual_edges
    assert counts.sum() == len(errors)
    assert content.test.residual_mean == pytest.approx(np.mean(residuals), abs=1e-6)
    ref = [sum(a <= r < b for r in residuals) for a, b in pairwise(edges)]
    assert np.abs(counts - ref).max() <= 1  # the last one holds its end too
    assert len(content.test.within) == 2
    for limit, share in content.test.within.items():
        assert share == pytest.approx(np.mean([abs(r) <= limit for r in residuals]), abs=1e-3)


@pytest.mark.parametrize(("name", "at"), [("by_activity", 0), ("by_popularity", 1)])
def test_groups(content, errors, holdout, name, at):
    known = {}
    for triple in triples(holdout.training):
        known[triple[at]] = known.get(triple[at], 0) + 1
    groups = getattr(content.test, name)
    assert len(groups) >= 5
    assert sum(group.n_ratings for group in groups) == len(errors)
    for group in groups:
        low, *high = (int(bound) for bound in group.label.replace(",", "").split("–"))
        mine = [e for e in errors if low <= known.get(e[at], 0) <= (high or [low])[0]]
        assert group.n_ratings == len(mine)
        ref = math.sqrt(np.mean([(rating - guess) ** 2 for _, _, rating, guess in mine]))
        assert group.rmse == pytest.approx(ref, rel=1e-6)
        assert group.interval.low <= group.rmse <= group.interval.high
    squares = sum(group.n_ratings * group.biases_rmse**2 for group in groups)
    ref = content.test.evaluation.baselines["regularized_biases"].rmse
    assert math.sqrt(squares / len(errors)) == pytest.approx(ref, rel=1e-6)


def test_items_without_training_ratings_are_a_group_of_their_own():
    items = [1, 2] * 10 + [3]
    ratings = Ratings.from_arrays(np.arange(21) // 2, items, np.arange(21) % 5)
    training, test = ratings.subset(np.arange(18)), ratings.subset(np.arange(18, 21))
    model = FunkSVD(n_factors=1, n_epochs=1, validation_fraction=0).fit(training)
    content = gather(model, holdout=hold_out(training, test=test))
    found = [(group.label, group.n_ratings) for group in content.test.by_popularity]
    assert found == [("0", 1), ("9", 2)]
    assert content.test.by_activity[0].label == "0"


def test_many_different_ratings_share_columns_and_bars():
    generator = np.random.default_rng(1)
    users, items = np.divmod(generator.permutation(2000), 50)
    ratings = Ratings.from_arrays(users, items, generator.normal(50, 20, 2000))
    holdout = hold_out(ratings, test_fraction=0.3)
    content = gather(FunkSVD(n_factors=2, n_epochs=2).fit(holdout.training), holdout=holdout)
    assert 5 <= len(content.test.spreads) <= 10
    assert sum(spread.n_ratings for spread in content.test.spreads) == len(holdout.test)
    assert content.data.bars.values is None
    assert content.data.bars.counts.sum() == 2000


def test_the_spectrum_holds_all_that_the_factors_predict(content, model):
    spectrum = content.factors.spectrum
    product = model.user_factors.astype(float) @ model.item_factors.T.astype(float)
    assert spectrum.energy.sum() == pytest.approx(1)
    assert (np.diff(spectrum.energy) <= 0).all()
    assert (spectrum.effect**2).sum() == pytest.approx((product**2).mean())
    assert spectrum.factors_for(spectrum.energy[0]) == 1
    assert spectrum.factors_for(spectrum.energy[0] + 1e-4) == 2
    assert spectrum.factors_for(1.0) == 4


def test_the_ends_of_a_factor_are_found_whatever_the_rotation(made):
    generator = np.random.default_rng(2)
    users, items = generator.normal(size=(40, 2)), generator.normal(size=(12, 2)) * [30, 0.1]
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    first = gather(made(users @ turn, items @ turn)).factors.ends[0]
    order = [f"item {row}" for row in np.argsort(items[:, 0])]
    assert first.energy > 0.99
    assert {tuple(first.low), tuple(first.high)} == {tuple(order[:5]), tuple(order[:-6:-1])}
    lean = (users[:, 0] > 0).mean()
    assert first.users_high == pytest.approx(lean if first.high[0] == order[-1] else 1 - lean)


def test_positions_on_the_map_are_in_rating_units(made):
    users = np.full((9, 1), 0.5)
    factors = gather(made(users, [[1.0], [-2.0], [0.0]], [0.1, 0.2, -0.3])).factors
    assert factors.axes == ("factor 1", "item bias")
    points = {point.label: point for point in factors.points}
    assert [abs(points[f"item {n}"].x) for n in range(3)] == pytest.approx([0.5, 1, 0], abs=1e-6)
    assert [points[f"item {n}"].y for n in range(3)] == pytest.approx([0.1, 0.2, -0.3])
    assert [points[f"item {n}"].liking for n in range(3)] == [0, 1, -1]


def test_factors_that_are_zero(made):
    factors = gather(made(np.zeros((5, 3)), np.zeros((4, 3)))).factors
    assert factors.ends == []
    assert all(point.x == point.y == 0 for point in factors.points)


def test_the_items_with_the_most_ratings_are_on_the_map():
    generator = np.random.default_rng(0)
    items = np.concatenate([np.arange(700), np.arange(0, 700, 2)])
    ratings = Ratings.from_arrays(np.arange(len(items)), items, generator.random(len(items)))
    points = gather(FunkSVD(n_factors=2, n_epochs=1).fit(ratings)).factors.points
    assert len(points) == N_ITEMS
    assert {f"item {n}" for n in range(0, 700, 2)} < {point.label for point in points}
    assert points[0].n_ratings == 2
    assert points[-1].n_ratings == 1


def test_example_users(content, model, holdout, titles):
    items = {title: item for item, title in titles.items()}
    assert len(items) == len(titles)
    counts = dict(zip(model.user_ids.tolist(), np.diff(model.seen.indptr).tolist(), strict=True))
    n_ratings = [person.n_ratings for person in content.people]
    assert n_ratings[0] > n_ratings[1] > n_ratings[2]
    for person in content.people:
        assert person.n_ratings == counts[person.user]
        rated = {item: r for user, item, r in triples(holdout.training) if user == person.user}
        tested = {item: r for user, item, r in triples(holdout.test) if user == person.user}
        assert person.mean == pytest.approx(np.mean(list(rated.values())))
        shown = [*person.liked, *person.disliked]
        assert {items[each.label]: each.rating for each in shown}.items() <= rated.items()
        best = sorted(rated.values(), reverse=True)
        assert [each.rating for each in person.liked] == best[:N_LIKED]
        assert [each.rating for each in person.disliked] == best[N_LIKED:][-3:]
        assert person.n_tested == len(tested) > 0
        for each in person.tested:
            assert tested[items[each.label]] == each.rating
            assert each.prediction == model.predict(person.user, items[each.label])
        found = [(items[best.label], *best[1:]) for best in person.recommended]
        assert found == model.recommend(person.user, N_RECOMMENDED, by="both")
        assert not {item for item, *_ in found} & (rated.keys() | tested.keys())


def test_what_is_known_of_the_data(content, model, sample):
    facts = content.data.facts
    assert facts["ratings learned from"] == "17,994"
    assert facts["test ratings"] == "2,006"
    assert facts["rated"].startswith("20")
    bars = content.data.bars
    found = dict(zip(bars.values.tolist(), bars.counts.tolist(), strict=True))
    assert found == {value: sample.values.tolist().count(value) for value in found}
    assert sum(found.values()) == len(sample)
    counts = np.diff(model.seen.indptr)
    quantiles = content.data.user_counts
    assert (quantiles["least"], quantiles["most"]) == (counts.min(), counts.max())
    assert np.mean(counts <= quantiles["half at most"]) >= 0.5


@pytest.mark.parametrize("first", [-(2**62), 0, 2**62])
def test_timestamps_that_are_no_seconds_are_not_shown(first):
    ratings = Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 2], [1, 2, 3, 4], first + np.arange(4))
    model = FunkSVD(n_factors=1, n_epochs=1, validation_fraction=0).fit(ratings)
    content = gather(model, holdout=hold_out(ratings, test_fraction=0))
    assert "rated" not in content.data.facts


def test_without_the_ratings(model):
    content = gather(model, missing="The file is gone.")
    assert content.test is None
    assert content.data.bars is None
    assert content.without_test == content.without_ratings == "The file is gone."
    for person in content.people:
        assert person.mean is None
        assert not person.liked
        assert not person.tested
        assert len(person.recommended) == N_RECOMMENDED
    assert content.factors.points[0].label.startswith("item ")


def test_without_a_test_part(sample):
    holdout = hold_out(sample, test_fraction=0)
    model = FunkSVD(n_factors=2, n_epochs=2, validation_fraction=0).fit(holdout.training)
    content = gather(model, holdout=holdout)
    assert content.test is None
    assert "no test part was set aside" in content.without_test
    assert content.without_ratings == ""
    assert content.people[0].liked
    assert "trained again" not in content.training


def test_without_the_rated_pairs(model, holdout, tmp_path):
    model.save(tmp_path / "m", with_seen=False)
    bare = FunkSVD.load(tmp_path / "m")
    known = gather(bare, holdout=holdout)
    assert not known.knows_seen
    assert known.factors.points == gather(model).factors.points
    unknown = gather(bare)
    assert unknown.data.user_counts is None
    assert unknown.factors.points[0].n_ratings is None
    assert "not known" in unknown.factors.chosen_by
    assert unknown.people[0].n_ratings is None


def test_seconds_are_told_where_they_are_known(content, model, tmp_path):
    assert content.training["seconds"].endswith("in the epochs watched")
    model.save(tmp_path / "m")
    again = gather(FunkSVD.load(tmp_path / "m"))
    assert again.training["seconds"].startswith("not kept in model files")


def test_why_training_ended(holdout, content, model):
    assert model.training.stopped is Stopped.LIMIT
    assert content.training["training ended"] == "with the last epoch that was allowed"
    early = FunkSVD(n_factors=2, patience=1, learning_rate=0.1).fit(holdout.training)
    assert early.training.stopped is Stopped.PATIENCE
    ended = "after 1 epoch without a notably lower validation RMSE"
    assert gather(early).training["training ended"] == ended

    class Impatient(Monitor):
        def epoch_done(self, record, is_best):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        early.fit(holdout.training, monitor=Impatient())
    assert gather(early).training["training ended"] == "by Ctrl-C"


def test_snapshots_need_not_end_at_the_lowest_error(holdout, content):
    assert content.keeps_lowest
    model = FunkSVD(
        n_factors=2, ensemble=2, cycle_epochs=2, schedule="cyclic", ensemble_snapshots=True
    ).fit(holdout.training)
    told = gather(model, holdout=holdout)
    valid = [epoch.valid_rmse for epoch in told.record.history]
    assert told.keeps_lowest == (valid[-1] == min(valid))
    assert told.training["models"].startswith("2, ")


def test_other_losses(sample):
    generator = np.random.default_rng(4)
    users, items = np.divmod(generator.permutation(40 * 30)[:900], 30)
    likes = Ratings.from_arrays(users, items, (users + items) % 3 // 2)
    holdout = hold_out(likes, test_fraction=0.2)
    model = FunkSVD(n_factors=2, loss="logistic", n_epochs=5).fit(holdout.training)
    content = gather(model, holdout=holdout)
    assert (content.loss.metric_title, content.loss.score_unit) == ("log loss", "log-odds")
    assert all(
        0 <= spread.quantiles[0] <= spread.quantiles[-1] <= 1 for spread in content.test.spreads
    )
    predictions = [model.predict(u, i) for u, i, _ in triples(holdout.test)]
    ref = np.mean([r for _, _, r in triples(holdout.test)]) - np.mean(predictions)
    assert content.test.residual_mean == pytest.approx(ref, abs=1e-6)
    assert "log loss" in content.training["epoch kept"]
    assert "mean rating" not in content.data.facts


def test_what_is_told_of_an_ensemble(holdout):
    model = FunkSVD(n_factors=2, n_epochs=2, ensemble=3).fit(holdout.training)
    content = gather(model, holdout=holdout)
    assert content.training["models"].startswith("3, ")
    assert len(content.factors.spectrum.energy) == 6
    assert content.hyperparameters["reg"] == f"{model.reg_used:.4g} (chosen by the data)"


def test_days_of_users_are_among_the_facts(holdout, with_days):
    model = FunkSVD(n_factors=2, n_epochs=2, validation_fraction=0).fit(holdout.training)
    assert "days of users" not in gather(model).training
    user, other = model.user_ids[:2].tolist()
    content = gather(with_days(model, {(user, 13_032): 0.75, (other, 13_032): -0.25}))
    assert content.training["days of users"] == "2, whose biases have a standard deviation of 0.50"
