"""What bench_peers.py has done by processes of its own, in our interpreter or in the peers'.

    python scripts/peer_workers.py NAME ARGUMENTS

calls the function of that name with a JSON object's values, and prints what it returns as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

TEST, VALIDATION, SEED = 0.1, 0.05, 0
BEST = 10  # items recommended


def split(data: str, folder: str) -> dict:
    """Write the parts as text of indices: CSV with a header, and separated by blanks without."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv

    from funksvd import random_split, read_ratings

    ratings = read_ratings(data)
    train, test = random_split(ratings, TEST, SEED)
    tune, valid = random_split(train, VALIDATION, SEED + 1)
    for name, part in {"train": train, "test": test, "tune": tune, "valid": valid}.items():
        whole = part.values.astype(np.int16)
        values = whole if (whole == part.values).all() else part.values
        columns = [part.user_index, part.item_index, values]
        table = pa.table(columns, names=["user", "item", "rating"])
        for suffix, separator in ((".csv", ","), (".txt", " ")):
            options = pyarrow.csv.WriteOptions(include_header=suffix == ".csv", delimiter=separator)
            pyarrow.csv.write_csv(table, str(Path(folder, name + suffix)), options)
        np.save(Path(folder, name), part.values)
    scale = {"low": float(train.values.min()), "high": float(train.values.max())}
    return scale | {"ratings": len(ratings), "users": ratings.n_users, "items": ratings.n_items}


def rmse(part: str, predictions: str, low: float, high: float) -> float:
    """Error of a file of predictions: a CSV's column, or all there is."""
    import numpy as np
    import pyarrow.csv

    names = None if predictions.endswith(".csv") else ["prediction"]
    options = pyarrow.csv.ReadOptions(column_names=names)
    found = pyarrow.csv.read_csv(predictions, options)["prediction"].to_numpy()
    return float(np.sqrt(np.mean((np.clip(found, low, high) - np.load(part)) ** 2)))


def versions() -> dict[str, str]:
    """What the interpreter has."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("funksvd", "scikit-surprise", "cmfrec", "implicit"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def surprise_train(algorithm: str, train: str, model: str, scale: list, options: dict) -> dict:
    """Learn and save."""
    import surprise

    reader = surprise.Reader(line_format="user item rating", sep=" ", rating_scale=tuple(scale))
    trainset = surprise.Dataset.load_from_file(train, reader).build_full_trainset()
    learner = getattr(surprise, algorithm)(random_state=SEED, **options)
    started = time.perf_counter()
    learner.fit(trainset)
    seconds = time.perf_counter() - started
    surprise.dump.dump(model, algo=learner)
    return {"seconds": seconds}


def surprise_predict(model: str, pairs: str, predictions: str) -> None:
    """Predict a file of pairs."""
    import surprise

    _, learner = surprise.dump.load(model)
    with open(pairs) as lines, open(predictions, "w") as file:
        for line in lines:
            user, item, _ = line.split()
            file.write(f"{learner.predict(user, item).est}\n")


def cmfrec_train(train: str, model: str, options: dict) -> dict:
    """Learn and save."""
    import pickle

    import cmfrec
    import pandas as pd

    table = pd.read_csv(train, sep=" ", names=["UserId", "ItemId", "Rating"])
    learner = cmfrec.CMF(use_float=True, random_state=SEED, verbose=False, **options)
    started = time.perf_counter()
    learner.fit(table)
    seconds = time.perf_counter() - started
    with open(model, "wb") as file:
        pickle.dump(learner, file)
    return {"seconds": seconds}


def cmfrec_predict(model: str, pairs: str, predictions: str) -> None:
    """Predict a file of pairs; where nothing is known, the mean."""
    import pickle

    import numpy as np
    import pandas as pd

    with open(model, "rb") as file:
        learner = pickle.load(file)
    table = pd.read_csv(pairs, sep=" ", names=["UserId", "ItemId", "Rating"])
    found = learner.predict(table["UserId"], table["ItemId"])
    np.savetxt(predictions, np.where(np.isnan(found), learner.glob_mean_, found))


def export(model: str, arrays: str) -> None:
    """Save factors for implicit, which knows no biases: those of the items are one more factor."""
    import numpy as np

    from funksvd import FunkSVD

    found = FunkSVD.load(model)
    users = np.column_stack([found.user_factors, np.ones(len(found.user_ids), np.float32)])
    items = np.column_stack([found.item_factors, found.item_biases])
    np.savez(arrays, users=users, items=items, indptr=found.seen.indptr, seen=found.seen.columns)


def our_recommend(model: str, lists: str, n_threads: int) -> dict:
    """Find the best items of all users."""
    import numpy as np

    from funksvd import FunkSVD

    found = FunkSVD.load(model)
    found.n_threads = n_threads
    started = time.perf_counter()
    batches = list(found.recommend_all(n=BEST))
    seconds = time.perf_counter() - started
    users, items, ranks = (
        np.concatenate([batch[name] for batch in batches]) for name in ("user", "item", "rank")
    )
    best = np.full((len(found.user_ids), BEST), -1)
    rows = np.searchsorted(found.user_ids, users)
    best[rows, ranks - 1] = np.searchsorted(found.item_ids, items)
    np.save(lists, best)
    return {"seconds": seconds}


def implicit_recommend(arrays: str, lists: str, n_threads: int) -> dict:
    """Find the best items of all users."""
    import numpy as np
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    found = np.load(arrays)
    users, items = found["users"], found["items"]
    ones = np.ones(len(found["seen"]), np.float32)
    seen = csr_matrix((ones, found["seen"], found["indptr"]), (len(users), len(items)))
    model = AlternatingLeastSquares(factors=users.shape[1], num_threads=n_threads)
    model.user_factors, model.item_factors = users, items
    started = time.perf_counter()
    best, _ = model.recommend(np.arange(len(users)), seen, N=BEST)
    seconds = time.perf_counter() - started
    np.save(lists, best)
    return {"seconds": seconds}


def same_lists(ours: str, theirs: str) -> float:
    """Share of the lists that have the same items."""
    import numpy as np

    a, b = (np.sort(np.load(path), axis=1) for path in (ours, theirs))
    return float((a == b).all(axis=1).mean())


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](**json.loads(sys.argv[2]))))
