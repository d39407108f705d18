r"""Lists of the best items beside other people's, on the same splits and candidates.

    python scripts/bench_ranking.py folds:ml-100k ml-latest-small/ratings.csv last:ml-100k/u.data \
        --peers-python peers/bin/python

A data set is a file of ratings, of which the test part is set aside that `funksvd train` sets aside
with seed 0; `folds:` and a folder with MovieLens 100K's `u1.base`, `u1.test` to `u5.test`; or
`last:` and a file with times, of which each user's last rating is the test part.

Peers are implicit (ALS by conjugate gradients, BPR, item neighbours) and LensKit (ImplicitMF), of
the peers' interpreter, and EASE and most popular, which are written out in `ranking_workers.py`.
Each peer has ten settings. The best is chosen on a validation part of the first fold's training
part: a random tenth, or each user's last rating where the test part is that. It is chosen once by
the NDCG of liked items and once by that of all, and the test part is looked at once with each
choice. Ours learn with their defaults, the same for all data sets.

Candidates are the items of the training part that the user has not rated there. A test rating is
relevant if it is liked (in the upper quarter of the scale: 4 and up of 5), or in any case; users
without relevant ratings are left out. Relevant items that nobody rated in the training part are
missed by everybody. Figures are means over users, then over folds. "± of difference" is 1.96
standard errors of the mean difference in NDCG to the first row, with the same users.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bench_peers import MISSING, FailedError, machine, run, table

from funksvd import (
    FunkSVD,
    FunkSVDError,
    Interactions,
    Ratings,
    hold_out,
    leave_last_out,
    random_split,
    read_ratings,
)

OUR_VERSION = version("funksvd")
WORKERS = Path(__file__).with_name("ranking_workers.py")
N_BEST = 10
LIKED = 0.75  # of the way from the lowest to the highest rating
VALIDATION, SEED = 0.1, 0
RELEVANCES = ("liked", "all")


class Split(NamedTuple):
    """Ratings to learn from and to test on, as rows of the same ids."""

    training: Ratings
    test: Ratings

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of users and items."""
        return self.training.n_users, self.training.n_items

    def relevant(self, relevance: str) -> np.ndarray:
        """Pairs to find: ndarray of shape (n_users, n_items), bool; none of unknown users."""
        low, high = self.training.values.min(), self.training.values.max()
        chosen = self.test.values >= (low + LIKED * (high - low) if relevance == "liked" else low)
        found = np.zeros(self.shape, bool)
        found[self.test.user_index[chosen], self.test.item_index[chosen]] = True
        known = np.bincount(self.training.user_index, minlength=self.shape[0]) > 0
        return found & known[:, None]


class Data(NamedTuple):
    """A data set: where peers' settings are chosen, and where all are tested."""

    name: str
    validation: Split
    tests: list[Split]


def read(source: str) -> Data:
    """A data set, by its name on the command line."""
    kind, _, path = source.rpartition(":")
    name = f"{Path(path).parent.name}/{Path(path).name}".lstrip("/")
    if kind == "folds":
        tests = [_given(Path(path, f"u{k}.base"), Path(path, f"u{k}.test")) for k in range(1, 6)]
        name = f"{Path(path).name}, u1 to u5"
    elif kind == "last":
        tests = [Split(*leave_last_out(read_ratings(path))[0])]
        name = f"{name}, last rating of each user"
    else:
        holdout = hold_out(read_ratings(path), seed=SEED)
        tests = [Split(holdout.training, holdout.test)]
        name = f"{name}, a random tenth"
    training = tests[0].training
    if kind == "last":
        return Data(name, Split(*leave_last_out(training)[0]), tests)
    return Data(name, Split(*random_split(training, VALIDATION, SEED + 1)), tests)


def _given(training: Path, test: Path) -> Split:
    """Two files as parts of the same whole."""
    first = read_ratings(training)
    whole = first.joined_with(read_ratings(test))
    is_test = np.arange(len(whole)) >= len(first)
    return Split(whole.subset(~is_test), whole.subset(is_test))


class Figures(NamedTuple):
    """Figures of each user who has something relevant: ndarrays of shape (n_users,)."""

    ndcg: np.ndarray
    recall: np.ndarray
    precision: np.ndarray


def figures(best: np.ndarray, relevant: np.ndarray) -> Figures:
    """How many of the relevant items are in the lists, and how far up.

    Parameters
    ----------
    best : ndarray of shape (n_users, n_best), int
        Rows of items, best first; -1 where there are too few.
    relevant : ndarray of shape (n_users, n_items), bool
    """
    n_relevant = relevant.sum(axis=1)
    counts = n_relevant > 0
    best, relevant, n_relevant = best[counts], relevant[counts], n_relevant[counts]
    hits = np.take_along_axis(relevant, best, axis=1) & (best >= 0)
    n_best = best.shape[1]
    gains = 1 / np.log2(np.arange(2, n_best + 2))
    ideal = np.cumsum(gains)[np.minimum(n_relevant, n_best) - 1]
    n_hits = hits.sum(axis=1)
    return Figures((hits @ gains) / ideal, n_hits / n_relevant, n_hits / n_best)


class Recommender(NamedTuple):
    """One that is compared.

    Parameters
    ----------
    name, version : str
    settings : list of dict
        Empty if it is not there.
    lists : callable
        Called with a split and settings; ndarray of shape (n_settings, n_users, N_BEST), int, of
        rows of items, -1 where there are too few.
    """

    name: str
    version: str
    settings: list[dict]
    lists: Callable[[Split, list[dict]], np.ndarray]

    def chosen(self, validation: Split) -> dict[str, dict]:
        """The best settings for each relevance, on a validation part."""
        if len(self.settings) == 1:
            return dict.fromkeys(RELEVANCES, self.settings[0])
        lists = self.lists(validation, self.settings)
        found = {}
        for relevance in RELEVANCES:
            relevant = validation.relevant(relevance)
            values = [figures(best, relevant).ndcg.mean() for best in lists]
            found[relevance] = self.settings[int(np.argmax(values))]
        return found


def row_of(recommender: Recommender, data: Data) -> dict[str, Any]:
    """Choose settings, and test them: means, and `users`, the NDCG of each user."""
    started = time.perf_counter()
    chosen = recommender.chosen(data.validation)
    row: dict[str, Any] = {"trainer": recommender.name, "version": recommender.version}
    words = {key: " ".join(f"{k} {v}" for k, v in each.items()) for key, each in chosen.items()}
    row |= {"settings": chosen, "note": words["liked"]}
    if chosen["all"] != chosen["liked"]:
        row["note"] += f"; for all: {words['all']}"
    settings = [chosen["liked"]]
    settings += [each for each in (chosen["all"],) if each not in settings]
    tested = [recommender.lists(split, settings) for split in data.tests]
    users: dict[str, list[np.ndarray]] = {}
    for relevance in RELEVANCES:
        k = settings.index(chosen[relevance])
        found = [
            figures(lists[k], split.relevant(relevance))
            for lists, split in zip(tested, data.tests, strict=True)
        ]
        users[relevance] = [each.ndcg for each in found]
        for name in Figures._fields:
            means = [getattr(each, name).mean() for each in found]
            row[f"{relevance}_{name}"] = float(np.mean(means))
    return {**row, "seconds": time.perf_counter() - started, "users": users}


def with_differences(rows: list[dict]) -> list[dict]:
    """Each row's NDCG beside the first row's, in place of the users' figures."""
    first = rows[0]["users"]
    for row in rows[1:]:
        for relevance in RELEVANCES if "users" in row else ():
            pairs = zip(row["users"][relevance], first[relevance], strict=True)
            differences = [a - b for a, b in pairs]
            n_folds = len(differences)
            row[f"{relevance}_difference"] = float(np.mean([d.mean() for d in differences]))
            variance = sum(d.var(ddof=1) / len(d) for d in differences) / n_folds**2
            row[f"{relevance}_error"] = float(1.96 * np.sqrt(variance))
    return [{key: value for key, value in row.items() if key != "users"} for row in rows]


# -- ours ------------------------------------------------------------------------------------------


class Ours:
    """Our lists of a split; the model that was fitted last is kept for its other rankings."""

    def __init__(self, algorithm: str, n_threads: int) -> None:
        self.algorithm, self.n_threads = algorithm, n_threads
        self.models: list[tuple[Split, FunkSVD]] = []

    def of_ratings(self, by: str, split: Split, settings: list[dict]) -> np.ndarray:
        """By a ranking of the model of the split's ratings."""
        known = [model for learned_from, model in self.models if learned_from is split]
        if not known:
            known = [FunkSVD(algorithm=self.algorithm, n_threads=self.n_threads)]
            self.models.append((split, known[0].fit(split.training)))
        return self._lists(known[0], split, settings, by)

    def of_pairs(self, split: Split, settings: list[dict]) -> np.ndarray:
        """By a choice model that is not told the ratings."""
        part = split.training
        pairs = Interactions.from_arrays(
            part.users.labels(part.user_index), part.items.labels(part.item_index)
        )
        model = FunkSVD(algorithm="ials", n_threads=self.n_threads).fit(pairs)
        return self._lists(model, split, settings, "choice")

    def _lists(self, model: FunkSVD, split: Split, settings: list[dict], by: str) -> np.ndarray:
        best = np.full((split.shape[0], N_BEST), -1)
        for batch in model.recommend_all(n=N_BEST, by=by):
            users = split.training.users.known_rows(batch["user"])
            best[users, batch["rank"] - 1] = split.training.items.known_rows(batch["item"])
        return np.stack([best] * len(settings))


def ours(algorithm: str, n_threads: int) -> list[Recommender]:
    """A recommender for each ranking of the model of ratings, and one of pairs only."""
    mine = Ours(algorithm, n_threads)
    rows = [
        Recommender(
            f"funksvd {algorithm}, by {by}", OUR_VERSION, [{}], partial(mine.of_ratings, by)
        )
        for by in ("both", "choice", "rating")
    ]
    return [*rows, Recommender("funksvd ials, pairs only", OUR_VERSION, [{}], mine.of_pairs)]


# -- peers -----------------------------------------------------------------------------------------


def _grid(names: str, *rows: tuple) -> list[dict]:
    return [dict(zip(names.split(), row, strict=True)) for row in rows]


EASE = [{"reg": reg} for reg in (30, 60, 100, 150, 200, 300, 500, 700, 1000, 2000)]
NEIGHBOURS = _grid(
    "similarity neighbours",
    ("Cosine", 20), ("Cosine", 100), ("Cosine", 500),
    ("TFIDF", 50), ("TFIDF", 100), ("TFIDF", 200), ("TFIDF", 500),
    ("BM25", 100), ("BM25", 200), ("BM25", 500),
)  # fmt: skip
ALS = _grid(
    "weights factors alpha reg",
    ("ones", 128, 1.5, 15), ("ones", 128, 3, 30), ("ones", 256, 3, 30), ("ones", 128, 6, 40),
    ("ratings", 64, 0.5, 15), ("ratings", 128, 0.5, 15), ("ratings", 128, 0.5, 20),
    ("ratings", 256, 0.5, 20), ("ratings", 128, 1, 30), ("ratings", 256, 1, 30),
)  # fmt: skip
BPR = _grid(
    "factors rate reg epochs",
    (16, 0.01, 0.03, 100), (32, 0.01, 0.02, 70), (128, 0.01, 0.02, 70), (64, 0.003, 0.01, 120),
    (64, 0.003, 0.01, 300), (128, 0.003, 0.003, 200), (128, 0.003, 0.01, 200),
    (128, 0.003, 0.003, 300), (128, 0.003, 0.01, 300), (256, 0.003, 0.003, 200),
)  # fmt: skip
IMPLICIT_MF = _grid(
    "weights factors weight reg",
    ("ones", 64, 0.5, 15), ("ones", 128, 0.5, 15), ("ones", 64, 2, 25), ("ones", 128, 2, 25),
    ("ratings", 128, 0.5, 10), ("ratings", 128, 0.5, 15), ("ratings", 64, 0.5, 25),
    ("ratings", 128, 0.5, 25), ("ratings", 64, 1, 30), ("ratings", 128, 1, 30),
)  # fmt: skip
PEERS: list[tuple[str, str, str, list[dict]]] = [
    ("most popular", "most_popular", "numpy", [{}]),
    ("EASE", "ease", "numpy", EASE),
    ("implicit ALS", "implicit_als", "implicit", ALS),
    ("implicit BPR", "implicit_bpr", "implicit", BPR),
    ("implicit item neighbours", "implicit_neighbours", "implicit", NEIGHBOURS),
    ("LensKit ImplicitMF", "lenskit_implicit_mf", "lenskit", IMPLICIT_MF),
]
"""Name, function of `ranking_workers.py`, package, and settings.

The settings are those of wider grids that were good on other held-out parts: of u1's training part
and of all but the last ratings of MovieLens 100K, and of all of MovieLens latest-small, which can
only be to the peers' advantage.
"""


class Peer(NamedTuple):
    """A function of `ranking_workers.py` in an interpreter."""

    function: str
    interpreter: Path
    n_threads: int
    folder: Path

    def lists(self, split: Split, settings: list[dict]) -> np.ndarray:
        """Have them made by a process of its own."""
        part, output = self.folder / "part.npz", self.folder / "lists.npy"
        training = split.training
        np.savez(
            part,
            users=training.user_index,
            items=training.item_index,
            ratings=training.values,
            shape=np.array(split.shape),
        )
        arguments = {"name": self.function, "part": part, "output": output, "settings": settings}
        arguments |= {"n_best": N_BEST, "n_threads": self.n_threads}
        text = json.dumps(arguments, default=str)
        run([self.interpreter, WORKERS, "lists", text], self.n_threads)
        return np.load(output)


def peers(python: Path | None, n_threads: int, folder: Path) -> Iterator[Recommender]:
    """The other recommenders; those that are not there have no settings."""
    here = Path(sys.executable)
    versions = {each: _versions(each) for each in {here, python or here}}
    for name, function, package, settings in PEERS:
        interpreter = here if package == "numpy" else python or here
        found = versions[interpreter].get(package, "")
        lists = Peer(function, interpreter, n_threads, folder).lists
        yield Recommender(name, found, settings if found else [], lists)


def _versions(python: Path) -> dict[str, str]:
    return json.loads(run([python, WORKERS, "versions", "{}"]).output)


COLUMNS = {
    "trainer": ("", "{}"),
    "version": ("version", "{}"),
    "liked_ndcg": ("liked: NDCG", "{:.4f}"),
    "liked_difference": ("difference", "{:+.4f}"),
    "liked_error": ("±", "{:.4f}"),
    "liked_recall": ("recall", "{:.4f}"),
    "liked_precision": ("precision", "{:.4f}"),
    "all_ndcg": ("all: NDCG", "{:.4f}"),
    "all_difference": ("difference", "{:+.4f}"),
    "all_error": ("±", "{:.4f}"),
    "all_recall": ("recall", "{:.4f}"),
    "all_precision": ("precision", "{:.4f}"),
    "seconds": ("s", "{:.0f}"),
}


def compare(data: Data, recommenders: list[Recommender]) -> list[dict]:
    """A row for each."""
    rows = []
    for each in recommenders:
        print(f"{data.name}: {each.name}", file=sys.stderr)
        try:
            if not each.settings:
                raise FailedError(MISSING)
            rows.append(row_of(each, data))
        except (FailedError, FunkSVDError) as error:
            rows.append({"trainer": each.name, "version": each.version or "–", "note": str(error)})
    return with_differences(rows)


def main() -> None:
    """Print a table for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", help="a file of ratings, folds:FOLDER or last:FILE")
    parser.add_argument("--peers-python", type=Path, help="interpreter that has the peers")
    parser.add_argument("--algorithm", default="sgd", help="of our rating model (default: sgd)")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--no-ours", action="store_true", help="only the peers")
    parser.add_argument("--markdown", action="store_true", help="tables for a README")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    arguments = parser.parse_args()
    n_threads, python = arguments.threads, arguments.peers_python
    report: dict[str, Any] = {"machine": machine(), "threads": n_threads, "data": []}
    print(f"{machine()}; {n_threads} threads")
    for source in arguments.data:
        data = read(source)
        split = data.tests[0]
        counts = [int(split.relevant(each).any(axis=1).sum()) for each in RELEVANCES]
        print(
            f"\n{data.name}: {len(split.training):,} ratings to learn from, of which users", end=""
        )
        print(f" {counts[0]:,} have liked test ratings and {counts[1]:,} any\n", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            recommenders = list(peers(python, n_threads, Path(folder)))
            if not arguments.no_ours:
                recommenders = [*ours(arguments.algorithm, n_threads), *recommenders]
            rows = compare(data, recommenders)
        print(table(rows, COLUMNS, arguments.markdown), flush=True)
        report["data"].append({"name": data.name, "rows": rows})
    if arguments.json:
        text = json.dumps(report, indent=1, ensure_ascii=False)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (FailedError, FunkSVDError) as error:
        sys.exit(str(error))
