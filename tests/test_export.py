"""Exported factors are the model's, as other programs read them."""

import numpy as np
import pandas as pd
import pytest

from funksvd import FunkSVD, FunkSVDError, Interactions, Ratings, export_factors


@pytest.fixture
def model(planted):
    ratings = planted(12, 9, 2, 60, 0.3)
    return FunkSVD(n_factors=3, n_epochs=2, validation_fraction=0).fit(ratings)


@pytest.fixture
def named():
    """A model with text ids."""
    ratings = Ratings.from_arrays(["ann", "bob", "ann"], ["x", "y", "a b"], [1.0, 2.0, 3.0])
    return FunkSVD(n_factors=2, n_epochs=2, validation_fraction=0).fit(ratings)


@pytest.mark.parametrize("of", ["items", "users"])
def test_parquet(model, tmp_path, of):
    assert export_factors(model, tmp_path / "f.parquet", of) == (9 if of == "items" else 12)
    table = pd.read_parquet(tmp_path / "f.parquet")
    side = of[:-1]
    assert table["id"].tolist() == getattr(model, f"{side}_ids").tolist()
    np.testing.assert_array_equal(table["bias"], getattr(model, f"{side}_biases"))
    np.testing.assert_array_equal(
        np.stack(table["factors"].to_numpy()), getattr(model, f"{side}_factors")
    )


def test_numpy_without_pickle(named, tmp_path):
    export_factors(named, tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz", allow_pickle=False) as arrays:
        assert arrays["id"].tolist() == ["a b", "x", "y"]
        np.testing.assert_array_equal(arrays["factors"], named.item_factors)
        np.testing.assert_array_equal(arrays["bias"], named.item_biases)
        assert arrays["global_mean"] == named.global_mean


@pytest.fixture
def of_clicks():
    """A choice model without ratings."""
    pairs = Interactions.from_arrays(["ann", "bob", "ann"], [7, 7, 9])
    return FunkSVD(algorithm="ials", n_factors=3, n_epochs=2).fit(pairs)


def test_products_of_exported_choice_factors_are_the_scores(model, tmp_path):
    for of in ("items", "users"):
        export_factors(model, tmp_path / f"{of}.npz", of, part="choice")
    items, users = (np.load(tmp_path / f"{of}.npz") for of in ("items", "users"))
    assert set(items) == set(users) == {"id", "factors"}
    assert users["id"].tolist() == model.user_ids.tolist()
    [first, *_] = model.recommend(users["id"][4], by="choice", include_seen=True)
    scores = items["factors"].astype(float) @ users["factors"][4].astype(float)
    assert items["id"][np.argmax(scores)] == first.item
    assert scores.max() == pytest.approx(first.score, rel=1e-5)


def test_without_ratings_the_choice_factors_are_written(of_clicks, tmp_path):
    assert export_factors(of_clicks, tmp_path / "f.parquet") == 2
    table = pd.read_parquet(tmp_path / "f.parquet")
    assert table.columns.tolist() == ["id", "factors"]
    ref_factors = of_clicks.fitted.choice.learned.item_factors
    np.testing.assert_array_equal(np.stack(table["factors"].to_numpy()), ref_factors)
    assert export_factors(of_clicks, tmp_path / "f.vec", "users") == 2
    assert (tmp_path / "f.vec").read_text().startswith("2 3\nann ")


def test_a_part_that_is_not_there(of_clicks, planted, tmp_path):
    with pytest.raises(FunkSVDError, match="knows choices only: it was trained without ratings"):
        export_factors(of_clicks, tmp_path / "f.npz", part="rating")
    with pytest.raises(FunkSVDError, match="part= must be one of rating, choice, not 'both'"):
        export_factors(of_clicks, tmp_path / "f.npz", part="both")
    alone = FunkSVD(n_factors=1, n_epochs=1, choice=False).fit(planted(12, 9, 2, 60, 0.3))
    with pytest.raises(FunkSVDError, match="has no choice model"):
        export_factors(alone, tmp_path / "f.npz", part="choice")
    assert list(tmp_path.iterdir()) == []


def test_the_same_model_gives_the_same_bytes(model, tmp_path):
    for suffix in (".npz", ".parquet", ".txt"):
        contents = []
        for name in ("a", "b"):
            export_factors(model, tmp_path / f"{name}{suffix}")
            contents.append((tmp_path / f"{name}{suffix}").read_bytes())
        assert contents[0] == contents[1]


def test_word2vec_text_keeps_every_bit(named, tmp_path):
    assert export_factors(named, tmp_path / "f.vec", "users") == 2
    first, *lines = (tmp_path / "f.vec").read_text().splitlines()
    assert first == "2 2"
    assert [line.split()[0] for line in lines] == ["ann", "bob"]
    read = np.array([line.split()[1:] for line in lines], dtype=np.float32)
    np.testing.assert_array_equal(read, named.user_factors)


def test_word2vec_text_cannot_hold_blanks(named, tmp_path):
    with pytest.raises(FunkSVDError, match=r"the id 'a b' has a blank.*use \.parquet or \.npz"):
        export_factors(named, tmp_path / "f.vec")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "of", "message"),
    [
        ("f.xls", "items", r"f\.xls: the suffix does not tell the format; use one of \.parquet"),
        ("f.npz", "films", "of must be one of items, users, not 'films'"),
    ],
)
def test_what_cannot_be_done(model, path, of, message):
    with pytest.raises(FunkSVDError, match=message):
        export_factors(model, path, of)


def test_the_history_is_a_table(model):
    table = pd.DataFrame(record.to_dict() for record in model.history)
    assert table["epoch"].tolist() == [1, 2]
    assert table.columns.tolist()[:4] == ["epoch", "learning_rate", "train_rmse", "valid_rmse"]
