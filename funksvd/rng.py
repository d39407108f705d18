"""Random numbers: one seed, a stream for each use of it, and draws that are the same everywhere.

NumPy's uniform numbers, integers and permutations are the same bits on every platform. Its normal
and Gamma variates are not quite: they call logarithms of the C library, whose last bit differs
between libraries and processors, and a C compiler may fuse their products and sums. `normals` and
`gammas` are made of them so that this cannot be seen.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, cast

import numpy as np

DRAWN_AT_ONCE = 1 << 18
"""Normal numbers that are drawn in double precision before they are rounded."""


class Stream(IntEnum):
    """Uses of random numbers. The values are part of the promise of determinism."""

    TEST = 0
    VALIDATION = 1
    TRAINING = 2
    BOOTSTRAP = 3
    CHECK = 4
    SAMPLE = 5
    TUNING = 6
    START = 7


def generator(seed: int, stream: Stream, member: int = 0, *parts: int) -> np.random.Generator:
    """The generator for one use of a seed; streams do not depend on each other.

    Parameters
    ----------
    seed : int
        At least 0.
    stream : Stream
    member : int
        Of an ensemble, whose members draw for the same use.
    *parts : int
        Numbers of a part of what is drawn, where parts are drawn one by one.
    """
    if not member and not parts:
        return np.random.default_rng([seed, int(stream)])
    return np.random.default_rng([seed, int(stream), member, *parts])


def state_of(random: np.random.Generator) -> dict[str, Any]:
    """All that decides what a generator, and those that it spawns, draw next, as plain data."""
    bits = random.bit_generator
    return {"bits": dict(bits.state), "n_spawned": _seeds(random).n_children_spawned}


def go_to(random: np.random.Generator, state: dict[str, Any]) -> None:
    """Put a generator of the same seed, which has spawned no more others, into a state."""
    seeds = _seeds(random)
    seeds.spawn(state["n_spawned"] - seeds.n_children_spawned)
    random.bit_generator.state = state["bits"]


def _seeds(random: np.random.Generator) -> np.random.SeedSequence:
    return cast(np.random.SeedSequence, random.bit_generator.seed_seq)


def normals(random: np.random.Generator, shape: int | tuple[int, ...]) -> np.ndarray:
    """Draw standard normal numbers: float64 draws, rounded to float32.

    One draw in 3,700 lies in the tail, where the C library's `log1p` decides the last bits.
    Rounding removes them. NumPy's own float32 draws keep them: they call the C library in float32.

    Parameters
    ----------
    random : numpy.random.Generator
    shape : int or tuple of int

    Returns
    -------
    ndarray of shape `shape`, float32
    """
    drawn = np.empty(shape, np.float32)
    flat = drawn.reshape(-1)
    for start in range(0, flat.size, DRAWN_AT_ONCE):
        piece = flat[start : start + DRAWN_AT_ONCE]
        piece[:] = random.standard_normal(piece.size)
    return drawn


def gammas(random: np.random.Generator, shapes: np.ndarray) -> np.ndarray:
    """Draw from Gamma distributions of rate 1, by the method of Marsaglia and Tsang.

    A logarithm decides whether a proposal is taken, but is no part of its value.

    Parameters
    ----------
    random : numpy.random.Generator
    shapes : ndarray of shape (n,), float64
        At least 1.

    Returns
    -------
    ndarray of shape (n,), float64

    References
    ----------
    G. Marsaglia, W. W. Tsang, "A Simple Method for Generating Gamma Variables", 2000.
    """
    d = shapes - 1 / 3
    c = 1 / np.sqrt(9 * d)
    drawn = np.empty(len(shapes))
    missing = np.arange(len(shapes))
    while missing.size:
        x = normals(random, missing.size).astype(np.float64)
        root = np.maximum(1 + c[missing] * x, 0)
        v = root * root * root
        uniform = 1 - random.random(missing.size)  # above 0
        with np.errstate(divide="ignore"):  # v = 0 is never taken
            taken = np.log(uniform) < x * x / 2 + d[missing] * (1 - v + np.log(v))
        drawn[missing[taken]] = d[missing[taken]] * v[taken]
        missing = missing[~taken]
    return drawn
