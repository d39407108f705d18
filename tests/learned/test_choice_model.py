"""Fold-in and contributions of the choice model, against the equations' exact solution."""

import numpy as np
import pytest

import naive
from funksvd import FunkSVD, Interactions, ModelFileError, Ratings
from funksvd.learned import LearnedChoices
from funksvd.learned.choice_model import ChoiceModel
from funksvd.learned.weighting import Weighting
from funksvd.ratings import CompressedRows


def model_of(n_items=60, k=7, seed=0, spectrum=None, weighting=None):
    """Items in the basis of their Gram matrix, and no users."""
    random = np.random.default_rng(seed)
    q = random.normal(0, 0.4, (n_items, k))
    _, basis = np.linalg.eigh(q.T @ q)
    q = (q @ basis).astype(np.float32)
    if spectrum is None:
        spectrum = 0.3 * (q.astype(float) ** 2).sum(axis=0)
    learned = LearnedChoices(
        np.zeros((0, k), np.float32), q, np.asarray(spectrum, np.float32), 0.3, 0.02
    )
    return ChoiceModel(learned, weighting or Weighting("rating", 1.0, 5.0))


def ridge(model, columns, values):
    """The exact row of someone with these items, and the matrix of eq. (6) of `objectives.ials`."""
    learned = model.learned
    q = learned.item_factors.astype(float)
    w = model.weighting.weights(values, len(columns)).astype(float)
    rho = learned.strength * (len(columns) + learned.unobserved_weight * len(q))
    diagonal = learned.spectrum.astype(float) + rho
    known = q[columns]
    matrix = np.diag(diagonal) + known.T @ (w[:, None] * known)
    ref = naive.choice_row(known.tolist(), w.tolist(), diagonal.tolist())
    return np.array(ref), matrix, w


def someone(model, n, seed=1):
    random = np.random.default_rng(seed)
    columns = np.sort(random.choice(len(model.learned.item_factors), n, replace=False))
    return columns.astype(np.int32), random.integers(1, 6, n).astype(np.float32)


@pytest.mark.parametrize("k", [1, 7, 16])
@pytest.mark.parametrize("n", [1, 6, 7, 8, 16, 17, 60])
def test_a_folded_in_user_is_the_exact_solution(n, k):
    """By as many equations as there are items, or as there are factors if these are fewer."""
    model = model_of(k=k)
    columns, values = someone(model, n)
    folded = model.with_users(CompressedRows(np.array([0, n]), columns, values))
    ref, matrix, w = ridge(model, columns, values)
    np.testing.assert_allclose(folded.learned.user_factors[0], ref, rtol=1e-6, atol=1e-6)
    known = model.learned.item_factors[columns].astype(float)
    np.testing.assert_allclose(matrix @ ref, w @ known, atol=1e-12)


@pytest.mark.parametrize("k", [1, 7, 16])
@pytest.mark.parametrize("n", [0, 1, 6, 7, 8, 16, 17, 60])
def test_contributions_add_up_to_the_score(n, k):
    model = model_of(k=k)
    columns, values = someone(model, n)
    items = np.array([3, 0, 59, 3], np.int32)
    comp = model.contributions(columns, values, items)
    assert comp.shape == (4, n)
    q = model.learned.item_factors.astype(float)
    _, matrix, w = ridge(model, columns, values) if n else (0, np.eye(k), np.empty(0))
    ref = q[items] @ np.linalg.inv(matrix) @ (q[columns] * w[:, None]).T
    np.testing.assert_allclose(comp, ref, rtol=1e-7, atol=1e-9)
    folded = model.with_users(CompressedRows(np.array([0, n]), columns, values))
    scores = folded.scores(np.zeros(4, np.int32), items)
    np.testing.assert_allclose(comp.sum(axis=1), scores, atol=1e-6)
    assert model.contributions(columns, values, items[:0]).shape == (0, n)


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
def test_many_users_are_folded_in_one_by_one_for_any_number_of_threads(n_threads):
    model = model_of()
    lengths = np.random.default_rng(0).integers(0, 20, 200)
    lengths[[0, 7, 199]] = 0
    each = [someone(model, n, seed) for seed, n in enumerate(lengths)]
    indptr = np.cumsum([0, *lengths])
    columns, values = (np.concatenate(parts) for parts in zip(*each, strict=True))
    rows = model.with_users(
        CompressedRows(indptr, columns, values), n_threads=n_threads
    ).learned.user_factors
    for row, (mine, ratings) in zip(rows, each, strict=True):
        alone = model.with_users(CompressedRows(np.array([0, len(mine)]), mine, ratings))
        np.testing.assert_array_equal(row, alone.learned.user_factors[0])
    assert not rows[lengths == 0].any()
    nobody = CompressedRows(np.array([0]), np.empty(0, np.int32))
    assert model.with_users(nobody).learned.user_factors.shape == (0, 7)


def test_unknown_users_and_items_have_a_score_of_zero():
    model = model_of()
    folded = model.with_users(CompressedRows(np.array([0, 1]), np.array([2], np.int32)))
    users, items = np.array([0, -1, 0, -1], np.int32), np.array([2, 2, -1, -1], np.int32)
    scores = folded.scores(users, items)
    assert scores[0] > 0
    assert scores[1:].tolist() == [0, 0, 0]


def data_of(n_users=60, n_items=40, n_pairs=600):
    random = np.random.default_rng(0)
    places = random.choice(n_users * n_items, n_pairs, replace=False)
    return *np.divmod(places, n_items), random.integers(1, 6, n_pairs)


@pytest.mark.parametrize("column", ["values", "weights", None])
def test_trained_users_who_are_folded_in_again_have_nearly_their_rows(column):
    users, items, numbers = data_of()
    columns = {} if column is None else {column: numbers}
    pairs = Interactions.from_arrays(users, items, **columns)
    model = FunkSVD(algorithm="ials", n_factors=20).fit(pairs)
    again = model.for_new_users(pairs)
    trained, folded = (m.fitted.choice.learned.user_factors for m in (model, again))
    assert np.abs(trained).max() > 0.1
    np.testing.assert_allclose(folded, trained, atol=1e-3)
    one = model.fold_in(items[users == 7], None if column is None else numbers[users == 7])
    np.testing.assert_allclose(one.factors, trained[7], atol=1e-3)
    assert one.bias == 0


def test_someone_whose_ratings_are_not_known_counts_as_by_the_middle_of_the_scale():
    users, items, ratings = data_of()
    data = Ratings.from_arrays(users, items, ratings)
    model = FunkSVD(algorithm="ials", n_factors=20).fit(data)
    mine = [3, 9, 30]
    comp = model.fold_in(mine).factors
    pairs = Interactions.from_arrays([0] * 3, mine)
    ref = model.for_new_users(pairs).fitted.choice.learned.user_factors[0]
    np.testing.assert_array_equal(comp, ref)
    np.testing.assert_allclose(comp, model.fold_in(mine, [3.0] * 3).factors, atol=1e-3)
    assert np.linalg.norm(comp) > 1.3 * np.linalg.norm(model.fold_in(mine, [1.0] * 3).factors)
    parts = [model.explain_choices(mine, given, [5])[1] for given in (None, [3.0] * 3)]
    np.testing.assert_allclose(*parts, atol=1e-3)


def test_explained_choices_add_up_for_raw_ids_in_any_order():
    users, items, ratings = data_of()
    data = Ratings.from_arrays([f"u{u}" for u in users], [f"i{i:02}" for i in items], ratings)
    model = FunkSVD(n_factors=4).fit(data)
    mine, known = ["i09", "i03", "i30"], [5, 1, 3]
    rated, contributions = model.explain_choices(mine, known, ["i20", "i01"])
    assert rated.tolist() == ["i03", "i09", "i30"]
    new = model.for_new_users(Ratings.from_arrays(["new"] * 3, mine, known))
    rows = np.zeros(2, np.int32), model.items.rows(["i20", "i01"])
    np.testing.assert_allclose(
        contributions.sum(axis=1), new.fitted.choice.scores(*rows), atol=1e-6
    )


# -- what comes from files -------------------------------------------------------------------


def tensors_of(model):
    return {name: array.copy() for name, array in model.learned.tensors().items()}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("spectrum", -1e-9, "spectrum holds negative numbers"),
        ("item_factors", -3e38, "item_factors holds numbers above 1e\\+15"),
        ("spectrum", np.nan, "spectrum holds values that are not finite"),
        ("strength", 0.0, "unobserved_weight and strength must be above 0"),
        ("strength", -1.0, "unobserved_weight and strength must be above 0"),
        ("unobserved_weight", 0.0, "unobserved_weight and strength must be above 0"),
        ("unobserved_weight", np.inf, "unobserved_weight holds values that are not finite"),
        ("item_factors", np.inf, "item_factors holds values that are not finite"),
    ],
)
def test_numbers_with_which_nobody_can_be_folded_in_are_refused(name, value, message):
    tensors = tensors_of(model_of())
    tensors[name].flat[0] = value
    with pytest.raises(ValueError, match=message):
        LearnedChoices.from_tensors(tensors, 0, 60)


def test_other_shapes_are_refused():
    tensors = tensors_of(model_of())
    with pytest.raises(ValueError, match="item_factors has the shape"):
        LearnedChoices.from_tensors(tensors, 0, 61)
    with pytest.raises(ValueError, match="spectrum has the shape"):
        LearnedChoices.from_tensors(tensors | {"spectrum": tensors["spectrum"][1:]}, 0, 60)
    with pytest.raises(KeyError, match="strength"):
        LearnedChoices.from_tensors({k: v for k, v in tensors.items() if k != "strength"}, 0, 60)


@pytest.mark.parametrize("algorithm", ["sgd", "ials"])
@pytest.mark.parametrize("with_seen", [True, False])
def test_model_files_come_back_bit_for_bit(tmp_path, algorithm, with_seen):
    users, items, ratings = data_of()
    data = Ratings.from_arrays(users, items, ratings)
    model = FunkSVD(algorithm=algorithm, n_factors=4).fit(data)
    model.save(tmp_path / "model", with_seen=with_seen)
    again = FunkSVD.load(tmp_path / "model")
    again.save(tmp_path / "again", with_seen=with_seen)
    assert (tmp_path / "model").read_bytes() == (tmp_path / "again").read_bytes()
    assert again.rankings == model.rankings
    assert again.fitted.choice.weighting == model.fitted.choice.weighting
    assert again.fitted.liking == model.fitted.liking
    np.testing.assert_array_equal(again.fitted.item_counts, model.fitted.item_counts)
    for by in model.rankings:
        ref = model.recommend(3, 5, by=by, include_seen=True, min_ratings=12)
        assert again.recommend(3, 5, by=by, include_seen=True, min_ratings=12) == ref
    assert again.similar(4, 5) == model.similar(4, 5)


def test_a_file_with_another_weighting_or_choice_part_is_refused(tmp_path, monkeypatch):
    users, items, ratings = data_of()
    model = FunkSVD(algorithm="ials", n_factors=4).fit(Ratings.from_arrays(users, items, ratings))
    learned = model.fitted.choice.learned
    learned.spectrum[0] = -1
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="spectrum holds negative numbers"):
        FunkSVD.load(tmp_path / "model")
    learned.spectrum[0] = 1
    monkeypatch.setattr(Weighting, "to_dict", lambda self: {"kind": "count", "low": 0, "high": 1})
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=r"weights are for 0\.0 to 1\.0"):
        FunkSVD.load(tmp_path / "model")
