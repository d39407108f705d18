"""`funksvd export`."""

import json

import numpy as np

from funksvd import FunkSVD


def test_items_and_users(cli, here):
    model = FunkSVD.load("model.funksvd")
    result = cli("export", "-o", "items.npz")
    assert result == (0, f"Wrote items.npz ({len(model.item_ids):,} items)\n", "")
    assert json.loads(cli("export", "--users", "-o", "u.parquet", "--json").out) == {
        "path": "u.parquet",
        "of": "users",
        "part": "rating",
        "n_rows": len(model.user_ids),
    }
    np.testing.assert_array_equal(np.load("items.npz")["factors"], model.item_factors)


def test_the_choice_part(cli, here):
    learned = FunkSVD.load("model.funksvd").fitted.choice.learned
    plain = json.loads(cli("export", "--part", "choice", "-o", "c.npz", "--json").out)
    assert (plain["part"], plain["n_rows"]) == ("choice", len(learned.item_factors))
    np.testing.assert_array_equal(np.load("c.npz")["factors"], learned.item_factors)


def test_the_model_is_not_overwritten(error_of, here):
    (here / "model.npz").write_bytes((here / "model.funksvd").read_bytes())
    assert "model.npz is read by this command too" in error_of(
        "export", "model.npz", "-o", "model.npz"
    )
    assert "suffix does not tell the format" in error_of("export", "-o", "x.bin")
