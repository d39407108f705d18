"""The kinds of checks: generated files, mutated files, model files. Each is made by its seed."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import math
import pkgutil
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from fuzz import grammar, models, mutations, oracle
from fuzz.rows import Made

import funksvd.ratings.io
from funksvd import (
    FunkSVD,
    FunkSVDError,
    Interactions,
    Ratings,
    RatingsError,
    find_additions,
    read_ratings,
    update,
)
from funksvd.evaluation import evaluate_ranking
from funksvd.ratings import (
    read_ids,
    read_interactions,
    read_own_ratings,
    read_pairs,
    read_titles,
)
from funksvd.serving.service import Service
from funksvd_cli.main import run

MODULES = [
    importlib.import_module(f"funksvd.ratings.io.{module.name}")
    for module in pkgutil.iter_modules(funksvd.ratings.io.__path__)
]
SEAMS = {
    "BLOCK_SIZE": (1, 17, 64, 1000),
    "SEGMENT_BYTES": (1, 64, 300, 4000),
    "KERNEL_BYTES": (0, 1 << 30),
    "UNSETTLED_BYTES": (*[64 << 20] * 40, 0, 100),
    "BATCH_ROWS": (1, 3, 10),
    "KEPT_BYTES": (0,),
}
"""Sizes of pieces that files are read in: made small, so that small files have many seams."""
USUAL = {
    (module, name): getattr(module, name)
    for module in MODULES
    for name in (*SEAMS, "in_order")
    if hasattr(module, name)
}


class Kind(Protocol):
    """One kind of check."""

    def warm_up(self) -> None:
        """Called once in each process."""

    def __call__(self, seed: int, folder: Path) -> str:
        """What is wrong, for people; empty if nothing is. Files are left in the folder."""


@contextlib.contextmanager
def seams(r: random.Random) -> Iterator[None]:
    """Read in small pieces more often than not, and without threads, which cost time."""
    chosen: dict[str, Any] = {"KEPT_BYTES": 0}
    if r.random() < 0.6:
        chosen |= {name: r.choice(sizes) for name, sizes in SEAMS.items()}
    if r.random() < 0.8:
        chosen["in_order"] = lambda function, arguments, n_threads: map(function, arguments)
    for (module, name), usual in USUAL.items():
        setattr(module, name, chosen.get(name, usual))
    yield


def _written(made: Made, folder: Path) -> list[str]:
    for name, content in made.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return [str(folder / name) for name in made.source]


READERS: tuple[Callable[..., Any], ...] = (
    read_pairs,
    read_interactions,
    read_ids,
    read_own_ratings,
    lambda path, **options: read_titles(path, options.get("sep"), options.get("encoding")),
)
"""Readers besides `read_ratings`."""


def _read(source: list[str], options: dict[str, Any]) -> Ratings | RatingsError:
    try:
        return read_ratings(source[0] if len(source) == 1 else source, **options)
    except RatingsError as error:
        str(error)
        return error


def _command(*arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command, in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(list(arguments))
    written = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return code, *written


def _judged(code: int, out: str, err: str) -> str:
    """What is wrong with how a command has ended."""
    if code not in (0, 1, 2) or "Traceback" in out + err:
        return f"exit code {code}: {err[-1000:]}"
    if code and err.count("Error:") != 1:
        return f"exit code {code}, but not one error: {err[-1000:]}"
    return ""


class Generated:
    """Files of the grammar are read as the rows that they were made of."""

    share = 0.01
    """Share of the files that are also read by the command line."""

    def warm_up(self) -> None:
        for seed in range(20):
            self(seed, Path(warm_folder()))

    def __call__(self, seed: int, folder: Path) -> str:
        r = random.Random(f"ratings {seed}")
        made = grammar.make(r)
        source = _written(made, folder)
        with seams(r):
            found = _read(source, made.options)
            wrong = oracle.check(made, found)
            if not wrong and not made.bad_lines and r.random() < 0.1 and made.is_named:
                wrong = oracle.pairs_differ(made, *read_pairs(source, **made.options)[:2])
        if not wrong and r.random() < self.share and len(source) == 1:
            wrong = self._by_command(made, source[0], found)
        return wrong and f"{made.layout}; {made.options}; {wrong}"

    def _by_command(self, made: Made, source: str, found: Any) -> str:
        options = [
            text
            for name, value in made.options.items()
            for text in (f"--{name.replace('_', '-')}", str(value))
        ]
        target = Path(source).with_name("converted.csv")
        code, out, err = _command("data", "convert", source, "-o", str(target), *options)
        if wrong := _judged(code, out, err):
            return wrong
        if (code == 0) != isinstance(found, Ratings):
            return f"exit code {code}, but in Python {found!r}"
        if code == 0:
            written = (
                oracle.loosely(oracle.listed(each)) for each in (found, read_ratings(target))
            )
            return oracle.difference(*written, "last")
        return ""


class Mutated:
    """Damaged files are read or refused; a change of one row stays in that row."""

    def warm_up(self) -> None:
        Generated().warm_up()

    def __call__(self, seed: int, folder: Path) -> str:
        r = random.Random(f"mutated {seed}")
        made = grammar.make(r)
        row = None
        if made.spans and len(made.rows) >= 8 and not made.bad_lines and r.random() < 0.5:
            row = r.randrange(2, len(made.rows))
            (name,) = made.files
            made.files[name] = mutations.line_mutated(r, made.files[name], made.spans[row])
            made.options |= {"duplicates": "last", "on_bad_rows": r.choice(("skip", "error"))}
        else:
            name = r.choice(sorted(made.files))
            splices = r.random() < 0.1
            other = next(iter(grammar.make(r).files.values())) if splices else b""
            made.files[name] = mutations.mutated(r, made.files[name], other)
        source = _written(made, folder)
        with seams(r):
            if row is None and r.random() < 0.3 and len(source) == 1:
                with contextlib.suppress(RatingsError):
                    r.choice(READERS)(source[0], **made.options)
            found = _read(source, made.options)
        wrong = ""
        if row is not None and isinstance(found, Ratings):
            wrong = oracle.others_changed(made, row, found)
        if not wrong and r.random() < Generated.share and len(source) == 1:
            wrong = _judged(*_command("data", "describe", source[0]))
        return wrong and f"{made.layout}; {made.options}; {wrong}"


class Models:
    """Altered model files are refused, or answer every question without going out of bounds."""

    share = 0.02
    """Share of the files that are also given to the command line."""

    def __init__(self, bases: dict[str, bytes]) -> None:
        self.bases = bases

    def warm_up(self) -> None:
        for base in self.bases.values():
            path = Path(warm_folder()) / "model.funksvd"
            path.write_bytes(base)
            self._ask(random.Random(0), FunkSVD.load(path), path)
        self._by_command(path)

    def __call__(self, seed: int, folder: Path) -> str:
        r = random.Random(f"models {seed}")
        name = r.choice(list(self.bases))
        other = self.bases[r.choice(list(self.bases))]
        data, what = models.mutate(r, self.bases[name], other)
        path = folder / "model.funksvd"
        path.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                model = FunkSVD.load(path, in_memory=r.random() < 0.5)
        except FunkSVDError as error:
            return (
                "" if "model.funksvd" in str(error) else f"{name}; {what}; names no file: {error}"
            )
        wrong = ""
        if what == "bytes" and models.contents(data) != models.contents(self.bases[name]):
            wrong = "bytes were changed, and the checksum does not notice"
        wrong = wrong or self._ask(r, model, path)
        if not wrong and r.random() < self.share:
            wrong = self._by_command(path)
        return wrong and f"{name}; {what}; {wrong}"

    def _by_command(self, path: Path) -> str:
        output = str(path.with_name("exported"))
        for command in (
            ("info",),
            ("info", "--json"),
            ("recommend", "--all-users", "--json"),
            ("export", "-o", output),
            ("similar", "1000", "--json"),
        ):
            code, out, err = _command(command[0], *self._place(command[0], path), *command[1:])
            if wrong := _judged(code, out, err):
                return f"{command}: {wrong}"
            if "--json" in command and code == 0:
                json.loads(out, parse_constant=_no_json)
        return ""

    def _place(self, command: str, path: Path) -> list[str]:
        return [str(path)] if command in ("info", "export") else ["--model", str(path)]

    def _ask(self, r: random.Random, model: FunkSVD, path: Path) -> str:
        """Everything that can be asked of a model; what is wrong with the answers."""
        users, items = model.user_ids.tolist(), model.item_ids.tolist()
        user = r.choice(users) if users else 1
        some = r.sample(items, min(3, len(items))) or [1]
        values = [r.choice((1, 5, 0.5)) for _ in some]
        rates = model.fitted.rating is not None
        low, high = model.rating_scale if rates else (math.nan, math.nan)
        ratings = Ratings.from_arrays([user] * len(some), some, values)
        pairs = Interactions.from_arrays([user] * len(some), some)
        wrong: list[str] = []

        def recommend() -> None:
            for include_seen in (False, True):
                by = r.choice((None, *model.rankings))
                found = model.recommend(user, 4, by=by, include_seen=include_seen)
                ids = [each.item for each in found]
                if not set(ids) <= set(items) or len(set(ids)) < len(ids):
                    wrong.append(f"recommends {ids}")
                if not all(math.isfinite(each.score) for each in found):
                    wrong.append(f"scores {found}")
                predictions = [each.prediction for each in found]
                if not (
                    all(_within(each, low, high) for each in predictions if each is not None)
                    if rates
                    else predictions == [None] * len(found)
                ):
                    wrong.append(f"predicts {found}")
                if include_seen and len(ids) != min(4, len(items)):
                    wrong.append(f"recommends {len(ids)} of {len(items)}")

        def recommend_all() -> None:
            for batch in model.recommend_all(n=3, include_seen=r.random() < 0.5):
                if not set(batch["item"].tolist()) <= set(items):
                    wrong.append(f"recommends {batch['item']}")

        def filtered() -> None:
            found = model.recommend(
                user,
                5,
                by=r.choice((None, *model.rankings)),
                exclude=some[:1],
                among=[*items[:6], "nothing"],
                min_ratings=r.choice((0, 1, 3, 10**9)),
                diversify=r.choice((0.0, 0.5, 0.999)),
            )
            ids = [each.item for each in found]
            if not set(ids) <= set(items[:6]) - {some[0]} or len(set(ids)) < len(ids):
                wrong.append(f"recommends {ids} of {items[:6]} without {some[0]}")

        def predict() -> None:
            found = model.predict([user, user, "nobody"], [some[0], "nothing", some[0]])
            if not all(_within(each, low, high) for each in np.atleast_1d(found)):
                wrong.append(f"predicts {found} outside {low} to {high}")

            times = [1_296_000_000, 1_296_086_400, 0]
            found = model.predict([user, user, "nobody"], [some[0], "nothing", some[0]], times)
            if not all(_within(each, low, high) for each in np.atleast_1d(found)):
                wrong.append(f"predicts {found} with times, outside {low} to {high}")
            for at_least in (low, (low + high) / 2, high):
                found = model.predict_probability([user, "nobody"], some[0], at_least=at_least)
                if not all(_within(each, 0, 1) for each in np.atleast_1d(found)):
                    wrong.append(f"probabilities {found} of {at_least}")

        def known_later() -> None:
            for facts in model.fitted.feature_facts.values():
                json.dumps([each.to_dict() for each in facts], allow_nan=False)
            if "item" not in model.fitted.features:
                return
            table = {"item": [77_000, some[0]], "kinds": ["a", ""], "zip": ["1", ""], "new": [1, 0]}
            later = model.with_features(item_features=table)
            found = later.recommend(user, 3, include_seen=True)
            if not all(math.isfinite(each.score) for each in found):
                wrong.append(f"scores {found} with features")

        def similar() -> None:
            for each in model.similar(some[0], 4):
                if each.item not in items or not _within(each.similarity, -1, 1):
                    wrong.append(f"similar: {each}")

        questions: list[Callable[[], object]] = [
            recommend,
            recommend_all,
            filtered,
            predict,
            similar,
            known_later,
            lambda: model.predict_std([user], [some[0]]),
            lambda: model.similar_users(user, 3),
            lambda: model.fold_in(some, values),
            lambda: model.fold_in_item([user], [4]),
            lambda: list(model.for_new_users(ratings).recommend_all(n=2)),
            lambda: list(model.for_new_users(pairs).recommend_all(n=2)),
            lambda: model.fold_in(some),
            lambda: model.explain_choices(some, None, some),
            lambda: model.explain_choices(some, values, some),
            lambda: evaluate_ranking(model, pairs, relevant_from="all", n_best=3),
            lambda: model.explain(some, values, some),
            lambda: model.explain(some, values, some, user=user),
            lambda: model.evaluate(ratings, training=ratings),
            lambda: (model.title, repr(model), model.history, model.provenance, model.n_members),
            lambda: model.save(path.with_name("again.funksvd")),
            lambda: self._serve(model, user, some[0]),
        ]
        if r.random() < 0.2:
            questions += [
                model.to_svd,
                lambda: update(model, ratings, n_epochs=1),
                lambda: update(model, pairs, n_epochs=1),
                lambda: find_additions(model, ratings, folder=path.parent),
            ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for question in questions:
                with contextlib.suppress(FunkSVDError):
                    question()
        return "; ".join(wrong)

    def _serve(self, model: FunkSVD, user: Any, item: Any) -> None:
        service = Service(model)
        service.describe()
        service.find_items("a", 3)
        service.recommend(user, 2)
        service.similar(str(item), 2)
        for by in model.rankings:
            service.recommend(user, 2, by)
            for value in (4.0, None):
                with contextlib.suppress(FunkSVDError):
                    service.fold_in({str(item): value}, 2, by, explain=True)


def _within(value: float, low: float, high: float) -> bool:
    """Whether a number lies between two, which float32 may have rounded."""
    return bool(np.float32(low) <= np.float32(value) <= np.float32(high)) and not math.isnan(value)


def _no_json(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


_FOLDER: list[str] = []


def warm_folder() -> str:
    """A folder of this process for files of its warming up."""
    import tempfile

    if not _FOLDER:
        _FOLDER.append(tempfile.mkdtemp())
    return _FOLDER[0]
