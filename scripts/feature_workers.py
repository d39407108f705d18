"""What bench_features.py has done by myFM, in the peers' interpreter.

    python scripts/feature_workers.py PART.npz

prints the version of myFM, the RMSE on the test part, and the seconds of training.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version
from typing import Any

import myfm
import numpy as np
from scipy import sparse

RANK, N_DRAWS = 10, 512


def main(path: str) -> None:
    """Learn from the training part, with both sides' sets and features, and test."""
    part = np.load(path)
    learned = ~part["is_test"]
    shape = (len(part["of_users"]), len(part["of_items"]))
    users, items = part["users"], part["items"]
    known = sparse.csr_matrix((np.ones(learned.sum()), (users[learned], items[learned])), shape)
    blocks, sizes = [], []
    for rows, pairs, features in (
        (users, known, part["of_users"]),
        (items, known.T.tocsr(), part["of_items"]),
    ):
        parts: list[Any] = [sparse.identity(len(features)), normalized(pairs)]
        if features.shape[1]:
            parts.append(sparse.csr_matrix(features))
        blocks.append((rows, sparse.hstack(parts, format="csr")))
        sizes += [each.shape[1] for each in parts]

    def relations(chosen: np.ndarray) -> list[Any]:
        return [myfm.RelationBlock(rows[chosen], block) for rows, block in blocks]

    low, high = part["values"].min(), part["values"].max()
    model = myfm.MyFMRegressor(rank=RANK, random_seed=0)
    started = time.perf_counter()
    model.fit(
        None,
        part["values"][learned],
        X_rel=relations(learned),
        group_shapes=sizes,
        n_iter=N_DRAWS,
        n_kept_samples=N_DRAWS,
    )
    seconds = time.perf_counter() - started
    predictions = np.clip(model.predict(None, relations(~learned)), low, high)
    error = np.sqrt(np.mean((predictions - part["values"][~learned]) ** 2))
    print(version("myfm"), error, seconds)


def normalized(pairs: Any) -> Any:
    """Sets of each row, divided by the root of their size."""
    sizes = np.maximum(np.diff(pairs.indptr), 1)
    return sparse.diags(1 / np.sqrt(sizes)) @ pairs


if __name__ == "__main__":
    main(sys.argv[1])
