"""An array that is appended to."""

from __future__ import annotations

import numpy as np

from funksvd.parallel import PIECE


class Growing:
    """A one-dimensional array that is appended to.

    Parameters
    ----------
    dtype : type
    room : int
        How many values to expect. Room that is never used takes no memory; if there is too
        little, the array moves to twice as much.
    """

    def __init__(self, dtype: type, room: int = 0) -> None:
        self._array = np.empty(max(room, PIECE), dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def extend(self, values: np.ndarray) -> None:
        """Append values, cast to the array's type."""
        start, self._size = self._size, self._size + len(values)
        if self._size > len(self._array):
            # `resize` would fill what is new with zeros, and so use it.
            larger = np.empty(max(self._size, 2 * len(self._array)), self._array.dtype)
            larger[:start] = self._array[:start]
            self._array = larger
        self._array[start : self._size] = values

    @property
    def array(self) -> np.ndarray:
        """What was appended, without copying."""
        return self._array[: self._size]
