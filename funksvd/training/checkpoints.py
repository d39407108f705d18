"""Checkpoints: training that was killed goes on from there, and comes to the same bytes.

A fit consists of runs, one after another, which are numbered: searches, members of an ensemble, a
refit, a choice model. A process that resumes runs the same code: a run that had ended is answered
from its result, the one that was under way goes on from the end of the last epoch that was kept,
and all later ones are run.

A checkpoint is two files. `funksvd-NUMBER-GENERATION.arrays` has the bytes of arrays, one after
the other. `funksvd-NUMBER-GENERATION.json` is written when they are complete: with it the
checkpoint is there, and the generation before is removed. It holds all else as plain data, and a
checksum of each array and of itself. At an address, where no lock keeps two runs apart, names also
have a mark of the run, so that none writes to a file of another's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

import numpy as np

from funksvd.errors import CheckpointError, FunkSVDError, argument
from funksvd.hyperparameters import ALGORITHMS, Hyperparameters
from funksvd.learned import Learned, LearnedChoices, LearnedRatings
from funksvd.training.places import place_of

Write = Callable[[str, np.ndarray], None]
"""Takes a name and an array."""
Read = Callable[[str], np.ndarray]
"""Returns the array of a name."""
HEADER, ARRAYS = ".json", ".arrays"
"""Ends of the names of the two files of a checkpoint."""
FORMAT = 1
"""Version of the files' layout."""
EVERY = 300.0
"""Seconds from one checkpoint to the next, unless others are given."""
STEM = re.compile(r"(funksvd-(\d+)-(\d+)(?:-[0-9a-f]+)?)\.(?:json|arrays)")
DIGEST_SIZE = 16
PIECE = 1 << 24
"""Bytes that are read or written at once."""
FAMILIES: dict[str, type[Learned]] = {kind.kind: kind for kind in (LearnedRatings, LearnedChoices)}


class Checkpoints:
    """The checkpoints of one fit, in a folder that it has to itself.

    Parameters
    ----------
    address : path or str
        A folder, which is made if it is not there; or an address that fsspec knows, such as
        s3://bucket/folder. Only files whose names begin with "funksvd" are touched.
    every : float
        Seconds from one checkpoint to the next: it is written at the end of an epoch. 0 for each
        epoch.
    resume : bool
        Whether to go on from the checkpoints that are there.

    Raises
    ------
    CheckpointError
        If the folder cannot be made or reached, if another process keeps checkpoints there, or if
        some are there that are not to be gone on from.

    Examples
    --------
    >>> model = FunkSVD()
    >>> with Checkpoints("checkpoint", every=60, resume=True) as checkpoints:  # doctest: +SKIP
    ...     model.fit(ratings, checkpoint=checkpoints)
    ...     model.save("model.funksvd")
    ...     checkpoints.finished()
    """

    def __init__(
        self, address: str | os.PathLike[str], *, every: float = EVERY, resume: bool = False
    ) -> None:
        if not every >= 0:
            raise CheckpointError("seconds between checkpoints must be 0 or more")
        self.address, self.every = os.fspath(address), every
        self.place = place_of(address)
        self.identity: dict[str, Any] = {}
        self._n_runs, self._is_open = 0, True
        try:
            if self.found and not resume:
                raise CheckpointError(
                    f"{self.address}: a checkpoint is there already; go on from it with "
                    f"{argument('resume')}, or remove it, or give another {argument('checkpoint')}"
                )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def found(self) -> bool:
        """Whether there are some to go on from."""
        return bool(self.stems())

    def begin(self, hyperparameters: Hyperparameters) -> None:
        """Begin a fit, or go on with it.

        Raises
        ------
        CheckpointError
            If the checkpoints that are there are those of other hyperparameters, or of another
            version of the program.
        """
        chosen = {k: v for k, v in hyperparameters.get_params().items() if k != "n_threads"}
        program = version("funksvd")
        self.identity = _plain({"version": program, "hyperparameters": chosen})
        self._n_runs = 0
        numbers = self.stems()
        if not numbers:
            return
        made_with = self.saved(min(numbers)).identity
        if made_with["version"] != program:
            raise CheckpointError(
                f"{self.address}: the checkpoint is one of funksvd {made_with['version']}, and "
                f"this is {program}; go on with that version, or remove it, or give another "
                f"{argument('checkpoint')}"
            )
        then = made_with["hyperparameters"]
        for name, value in self.identity["hyperparameters"].items():
            if then.get(name) != value:
                raise CheckpointError(
                    f"{self.address}: {argument(name)} was {_said(then.get(name))} when the "
                    f"checkpoint was made, and is {_said(value)} now; give what was given then, "
                    f"or another {argument('checkpoint')}"
                )

    def next_run(self, data: str, call: Mapping[str, Any]) -> RunCheckpoints:
        """The checkpoints of the next run of the fit.

        Parameters
        ----------
        data : str
            Checksum of all that is learned from.
        call : mapping
            All else that the result depends on, besides the hyperparameters, as plain data.

        Raises
        ------
        CheckpointError
            If those that are there are of other ratings.
        """
        self._n_runs += 1
        identity = {**self.identity, "data": data, "call": _digest(_text(_plain(call)))}
        run = RunCheckpoints(self, self._n_runs, identity)
        run.check()
        return run

    def stems(self) -> dict[int, list[str]]:
        """Names, without their ends, of the complete checkpoints of each run, the latest last."""
        found: dict[int, list[tuple[int, str]]] = {}
        for name in self.place.names():
            if name.endswith(HEADER) and (parts := STEM.fullmatch(name)):
                found.setdefault(int(parts[2]), []).append((int(parts[3]), parts[1]))
        return {number: [stem for _, stem in sorted(each)] for number, each in found.items()}

    def saved(self, number: int) -> Saved:
        """The last checkpoint of a run.

        Where the latest is no more than begun, as an address without renames may have it, it is the
        one before.
        """
        for stem in reversed(self.stems()[number]):
            try:
                return Saved(self, stem)
            except TornError as error:
                torn = error
        raise torn

    def remove(self, number: int | None = None, but: str | None = None) -> None:
        """Remove the checkpoints of a run, but for that of a stem; or all.

        Headers go first: without its own, a checkpoint is none.
        """
        for name in sorted(self.place.names(), key=lambda name: not name.endswith(HEADER)):
            parts = STEM.fullmatch(name)
            if parts and (number is None or (int(parts[2]) == number and parts[1] != but)):
                self.place.remove(name)

    def finished(self) -> None:
        """Remove the checkpoints: what they were kept for is safe."""
        self.remove()
        self.close()

    def close(self) -> None:
        """Let other processes have the folder."""
        if self._is_open:
            self._is_open = False
            self.place.release()

    def unusable(self, name: str) -> str:
        """What is said of a file that is damaged."""
        return (
            f"{self.place.path(name)} is damaged: remove {self.address}, and training starts from "
            "the beginning"
        )


class TornError(CheckpointError):
    """A header that is damaged or only half there."""


class Saved:
    """A checkpoint that is there.

    Parameters
    ----------
    checkpoints : Checkpoints
    stem : str
        Names of its files, without their ends.

    Attributes
    ----------
    identity : dict
        What its run was given.
    state : dict
        Plain data.
    is_result : bool
        Whether the run had ended, and this is what it came to.

    Raises
    ------
    TornError
        If the header is damaged.
    """

    def __init__(self, checkpoints: Checkpoints, stem: str) -> None:
        self._checkpoints = checkpoints
        name, self._arrays_name = stem + HEADER, stem + ARRAYS
        with checkpoints.place.reading(name) as file:
            text = file.read()
        try:
            header = json.loads(text)
            content = header["content"]
            is_whole = header["checksum"] == _digest(_text(content))
        except (ValueError, LookupError, TypeError):
            is_whole = False
        if not is_whole:
            raise TornError(checkpoints.unusable(name))
        if content["format"] != FORMAT:
            raise CheckpointError(
                f"{checkpoints.place.path(name)} was written by another version of the program; "
                f"give another {argument('checkpoint')}"
            )
        self.identity: dict[str, Any] = content["identity"]
        self.state: dict[str, Any] = content["state"]
        self.is_result: bool = content["is_result"]
        self._arrays: dict[str, dict[str, Any]] = content["arrays"]

    def read(self, name: str) -> np.ndarray:
        """An array.

        Raises
        ------
        CheckpointError
            If it is damaged or missing.
        """
        of_array = self._arrays[name]
        array = np.empty(of_array["shape"], of_array["dtype"])
        data = _bytes_of(array)
        place, n_read = self._checkpoints.place, 0
        with place.reading(self._arrays_name) as file:
            try:
                file.seek(of_array["start"])
                for piece in _pieces(data):
                    found = file.read(len(piece))
                    piece[: len(found)] = found
                    n_read += len(found)
            except Exception as error:  # of whatever store it is in
                raise place.unreadable(self._arrays_name, error) from error
        if n_read < len(data) or _digest(data) != of_array["checksum"]:
            raise CheckpointError(self._checkpoints.unusable(self._arrays_name))
        return array

    def learned(self, name: str, kind: str) -> Any:
        """What was learned, as `write_learned` has written it."""
        family, values = FAMILIES[kind], {}
        for field, declared in family.declared().items():
            if f"{name}/{field}" in self._arrays:
                array = self.read(f"{name}/{field}")
                values[field] = array if declared.axes else float(array)
        return family(**values)


class RunCheckpoints:
    """The checkpoints of one run, of which only the last one is kept.

    Parameters
    ----------
    checkpoints : Checkpoints
    number : int
        Number of the run, from 1.
    identity : dict
        All that its result depends on.
    """

    def __init__(self, checkpoints: Checkpoints, number: int, identity: dict[str, Any]) -> None:
        self._checkpoints, self._number = checkpoints, number
        self._identity = identity
        self._last = time.monotonic()

    def check(self) -> None:
        """Refuse checkpoints of other ratings."""
        saved = self.saved()
        if saved is None or saved.identity == self._identity:
            return
        if saved.identity["data"] != self._identity["data"]:
            what = "other ratings, or of others held out of them,"
        else:
            what = "another program"
        raise CheckpointError(
            f"{self._checkpoints.address}: the checkpoint is one of {what} than this training's; "
            f"give what was given then, or another {argument('checkpoint')}"
        )

    def saved(self) -> Saved | None:
        """The last checkpoint; None if there is none."""
        if self._number not in self._checkpoints.stems():
            return None
        return self._checkpoints.saved(self._number)

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next checkpoint."""
        return time.monotonic() - self._last >= self._checkpoints.every

    def save(
        self, state: Mapping[str, Any], dump: Callable[[Write], None], *, is_result: bool = False
    ) -> None:
        """Write a checkpoint, and remove the one before.

        Parameters
        ----------
        state : mapping
            Plain data.
        dump : callable
            Hands arrays to what it is given, one at a time.
        is_result : bool
            Whether the run has ended, and this is what it came to.

        Raises
        ------
        WriteError
            If it cannot be written; the one before is then still there.
        CheckpointError
            If another run has taken the folder over.
        """
        self._last = time.monotonic()
        place = self._checkpoints.place
        place.check_owner()
        stem = self._next_stem()
        name, arrays_name = stem + HEADER, stem + ARRAYS
        arrays: dict[str, dict[str, Any]] = {}
        with place.writing(arrays_name) as file:
            start = 0

            def write(name: str, array: np.ndarray) -> None:
                nonlocal start
                data = _bytes_of(array)
                try:
                    for piece in _pieces(data):
                        file.write(piece)
                except Exception as error:  # of whatever store it is in
                    raise place.unwritable(arrays_name, error) from error
                arrays[name] = {
                    "dtype": array.dtype.str,
                    "shape": array.shape,
                    "start": start,
                    "checksum": _digest(data),
                }
                start += len(data)

            dump(write)
        content = {
            "format": FORMAT,
            "identity": self._identity,
            "is_result": is_result,
            "state": state,
            "arrays": arrays,
        }
        try:
            place.check_owner()
            with place.writing(name) as file:
                text = _text(_plain(content))
                file.write(b'{"checksum": "%s", "content": %s}' % (_digest(text).encode(), text))
        except BaseException:
            if name not in place.names():  # else Ctrl-C came just after it was there
                place.remove(arrays_name)
            raise
        self._checkpoints.remove(self._number, but=stem)
        self._last = time.monotonic()

    def _next_stem(self) -> str:
        stems = self._checkpoints.stems().get(self._number, [])
        found = STEM.fullmatch(stems[-1] + HEADER) if stems else None
        generation = int(found[3]) + 1 if found else 1
        return f"funksvd-{self._number:04d}-{generation:06d}{self._checkpoints.place.mark}"


def write_learned(learned: Learned, name: str, write: Write) -> None:
    """Write what was learned, in arrays whose names begin with a name."""
    for field, value in learned.arrays().items():
        write(f"{name}/{field}", np.asarray(value))


def check_resumable(hyperparameters: Hyperparameters) -> None:
    """Refuse checkpoints of an algorithm whose state cannot be kept.

    Raises
    ------
    FunkSVDError
        If it is a sampler.
    """
    name = hyperparameters.algorithm
    if ALGORITHMS[name].is_sampler:
        raise FunkSVDError(
            f"{argument('checkpoint')} does not go with {argument('algorithm', name)}, whose draws "
            "cannot be gone on with"
        )


@contextlib.contextmanager
def opened(
    given: Checkpoints | str | os.PathLike[str] | None, hyperparameters: Hyperparameters
) -> Iterator[Checkpoints | None]:
    """The checkpoints of a fit.

    Parameters
    ----------
    given : Checkpoints or path or None
        Those of a path are gone on from if they are there, and removed at the end.
    hyperparameters : Hyperparameters
    """
    if given is None:
        yield None
        return
    check_resumable(hyperparameters)
    if isinstance(given, Checkpoints):
        given.begin(hyperparameters)
        yield given
        return
    with Checkpoints(given, resume=True) as checkpoints:
        checkpoints.begin(hyperparameters)
        yield checkpoints
        checkpoints.finished()


def fingerprint(*arrays: np.ndarray | None) -> str:
    """Checksum of arrays: of their types, shapes and bytes."""
    hashed = hashlib.blake2b(digest_size=DIGEST_SIZE)
    for array in arrays:
        if array is None:
            hashed.update(b"none;")
            continue
        hashed.update(f"{array.dtype.str}{array.shape};".encode())
        hashed.update(_bytes_of(array))
    return hashed.hexdigest()


def _bytes_of(array: np.ndarray) -> memoryview:
    """The bytes of an array; its own, if they lie one after the other."""
    flat: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return memoryview(flat)


def _pieces(data: memoryview) -> Iterator[memoryview]:
    """Parts of a long array: a file at an address keeps a copy of what it is given at once."""
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


def _digest(data: bytes | memoryview) -> str:
    return hashlib.blake2b(data, digest_size=DIGEST_SIZE).hexdigest()


def _text(content: Any) -> bytes:
    return json.dumps(content).encode()


def _plain(content: Any) -> Any:
    """The same as it comes back from JSON."""
    return json.loads(json.dumps(content, default=np.generic.item))


def _said(value: Any) -> str:
    return "not given" if value is None else f"{value}"
