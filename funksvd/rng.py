"""Random numbers: one seed, and a stream of its own for each use of it."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """Uses of random numbers. The values are part of the promise of determinism."""

    TEST = 0
    VALIDATION = 1
    TRAINING = 2
    BOOTSTRAP = 3
    CHECK = 4
    SAMPLE = 5
    TUNING = 6


def generator(seed: int, stream: Stream, member: int = 0) -> np.random.Generator:
    """The generator for one use of a seed; streams do not depend on each other.

    Parameters
    ----------
    seed : int
        At least 0.
    stream : Stream
    member : int
        Of an ensemble, whose members draw for the same use.
    """
    return np.random.default_rng([seed, int(stream), member][: 3 if member else 2])
