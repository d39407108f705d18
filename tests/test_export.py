"""Exported factors are the model's, as other programs read them."""

import numpy as np
import pandas as pd
import pytest

from funksvd import FunkSVD, FunkSVDError, Ratings, export_factors


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
