"""Models to make reports of."""

from dataclasses import replace

import numpy as np
import pytest

from funksvd import FunkSVD, Ratings, hold_out, read_titles
from funksvd.report import gather


@pytest.fixture(scope="session")
def holdout(sample):
    return hold_out(sample, seed=3)


@pytest.fixture(scope="session")
def titles(root):
    return read_titles(root / "data" / "items.csv")


@pytest.fixture(scope="session")
def model(holdout):
    model = FunkSVD(n_factors=4, n_epochs=6, learning_rate=0.1).fit(holdout.training)
    model.remember_origin(holdout)
    return model


@pytest.fixture(scope="session")
def content(model, holdout, titles):
    return gather(model, holdout=holdout, titles=titles, name="sample", command=("train it", ()))


@pytest.fixture(scope="session")
def click_holdout(holdout):
    """The same pairs without ratings."""
    training, test = (part.to_interactions() for part in (holdout.training, holdout.test))
    return replace(holdout, training=training, test=test)


@pytest.fixture(scope="session")
def click_model(click_holdout):
    """A model of choices only, with a validation part."""
    chosen = {"n_factors": 8, "n_epochs": 5, "validation_fraction": 0.1}
    model = FunkSVD(algorithm="ials", **chosen).fit(click_holdout.training)
    model.remember_origin(click_holdout)
    return model


@pytest.fixture(scope="session")
def click_content(click_model, click_holdout, titles):
    return gather(click_model, holdout=click_holdout, titles=titles, name="clicks")


@pytest.fixture
def made(with_learned):
    """A model with given factors; all biases are zero, unless those of items are given."""

    def make(user_factors, item_factors, item_biases=None):
        (n_users, n_factors), n_items = np.shape(user_factors), len(item_factors)
        users, items = np.divmod(np.arange(n_users * n_items), n_items)
        values = np.random.default_rng(0).integers(1, 6, len(users))
        ratings = Ratings.from_arrays(users, items, values)
        model = FunkSVD(n_factors=n_factors, n_epochs=1, validation_fraction=0).fit(ratings)
        return with_learned(
            model,
            global_mean=3.0,
            user_biases=np.zeros(n_users, np.float32),
            item_biases=np.asarray([0] * n_items if item_biases is None else item_biases, "f4"),
            user_factors=np.asarray(user_factors, np.float32),
            item_factors=np.asarray(item_factors, np.float32),
        )

    return make
