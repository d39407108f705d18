"""What bench_ranking.py has done by processes of its own, in our interpreter or in the peers'.

    python scripts/ranking_workers.py NAME ARGUMENTS

calls the function of that name with a JSON object's values, and prints what it returns as JSON.

Each recommender of `RECOMMENDERS` learns from the same training part and yields the scores of all
items for all users. Items are ordered here, for all of them in the same way: items of the user's
training part and items without training ratings are left out, and of equal scores the item with
the lower row comes first.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

SEED = 0


class Part:
    """A training part: pairs, ratings, and what is no candidate.

    Parameters
    ----------
    path : str
        File with the arrays users, items and ratings, one entry a rating, and `shape`, the numbers
        of users and items.
    """

    def __init__(self, path: str) -> None:
        found = np.load(path)
        self.users, self.items, self.ratings = (found[k] for k in ("users", "items", "ratings"))
        self.shape: tuple[int, int] = tuple(found["shape"])
        self.left_out = np.zeros(self.shape, bool)
        self.left_out[self.users, self.items] = True
        self.left_out |= ~self.left_out.any(axis=0)

    def matrix(self, weights: str) -> Any:
        """Sparse matrix of "ones", or of "ratings"."""
        from scipy.sparse import csr_matrix

        values = self.ratings if weights == "ratings" else np.ones(len(self.users))
        return csr_matrix((values.astype(np.float32), (self.users, self.items)), self.shape)

    def best(self, scores: np.ndarray, n_best: int) -> np.ndarray:
        """Rows of each user's best items; -1 where there are too few."""
        scores = np.where(self.left_out, -np.inf, scores)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :n_best]
        return np.where(np.isneginf(np.take_along_axis(scores, order, axis=1)), -1, order)


def most_popular(part: Part, n_threads: int) -> np.ndarray:
    """The number of training ratings of each item."""
    return np.broadcast_to(np.bincount(part.items, minlength=part.shape[1]), part.shape)


def ease(part: Part, n_threads: int, reg: float) -> np.ndarray:
    """EASE: item weights by ridge regression, with none from an item to itself.

    With P = (XᵀX + λ)⁻¹, the scores are X (I - P / diag P). By the identity
    X P = (XXᵀ + λ)⁻¹ X they need no more than the inverse of a matrix of users, which are fewer.

    References
    ----------
    H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019.
    """
    x = np.zeros(part.shape)
    x[part.users, part.items] = 1
    xp = np.linalg.solve(x @ x.T + reg * np.eye(len(x)), x)
    return x - xp * (reg / (1 - np.einsum("ui,ui->i", x, xp)))


def implicit_als(
    part: Part, n_threads: int, weights: str, factors: int, alpha: float, reg: float
) -> np.ndarray:
    """Implicit's alternating least squares, by conjugate gradients, 15 iterations."""
    from implicit.cpu.als import AlternatingLeastSquares

    options = {"factors": factors, "alpha": alpha, "regularization": reg}
    return _implicit_factors(AlternatingLeastSquares, part, n_threads, weights, options)


def implicit_bpr(
    part: Part, n_threads: int, factors: int, rate: float, reg: float, epochs: int
) -> np.ndarray:
    """Implicit's Bayesian personalized ranking."""
    from implicit.cpu.bpr import BayesianPersonalizedRanking

    options = {
        "factors": factors,
        "learning_rate": rate,
        "regularization": reg,
        "iterations": epochs,
    }
    return _implicit_factors(BayesianPersonalizedRanking, part, n_threads, "ones", options)


def _implicit_factors(
    learner: Any, part: Part, n_threads: int, weights: str, options: dict
) -> np.ndarray:
    model = learner(num_threads=n_threads, random_state=SEED, **options)
    model.fit(part.matrix(weights), show_progress=False)
    return model.user_factors @ model.item_factors.T


def implicit_neighbours(part: Part, n_threads: int, similarity: str, neighbours: int) -> np.ndarray:
    """Implicit's item neighbours."""
    from implicit import nearest_neighbours

    model = getattr(nearest_neighbours, f"{similarity}Recommender")(neighbours)
    matrix = part.matrix("ones")
    model.fit(matrix, show_progress=False)
    return (matrix @ model.similarity).toarray()


def lenskit_implicit_mf(
    part: Part, n_threads: int, weights: str, factors: int, weight: float, reg: float
) -> np.ndarray:
    """LensKit's matrix factorization of implicit feedback, 10 epochs."""
    import pandas as pd
    from lenskit.als import ImplicitMFScorer
    from lenskit.data import from_interactions_df
    from lenskit.training import TrainingOptions

    columns = {"user_id": part.users, "item_id": part.items, "rating": part.ratings}
    model = ImplicitMFScorer(
        embedding_size=factors,
        weight=weight,
        regularization=reg,
        epochs=10,
        use_ratings=weights == "ratings",
    )
    model.train(from_interactions_df(pd.DataFrame(columns)), TrainingOptions(rng=SEED))
    scores = np.full(part.shape, -np.inf, np.float32)
    rows = np.ix_(model.users.ids(), model.items.ids())
    scores[rows] = model.user_embeddings @ model.item_embeddings.T
    return scores


RECOMMENDERS = {
    function.__name__: function
    for function in (
        most_popular,
        ease,
        implicit_als,
        implicit_bpr,
        implicit_neighbours,
        lenskit_implicit_mf,
    )
}


def lists(
    name: str, part: str, output: str, settings: list[dict], n_best: int, n_threads: int
) -> None:
    """Save the lists of a recommender: ndarray of shape (n_settings, n_users, n_best), int64."""
    learned_from = Part(part)
    recommender = RECOMMENDERS[name]
    found = [
        learned_from.best(recommender(learned_from, n_threads, **each), n_best) for each in settings
    ]
    np.save(output, np.stack(found))


def versions() -> dict[str, str]:
    """What the interpreter has."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("implicit", "lenskit", "numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
