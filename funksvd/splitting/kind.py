"""The kind of what is split, for type hints: ratings, unless another is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from funksvd.ratings import Interactions, Ratings

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Kind_co = TypeVar("Kind_co", bound=Interactions, default=Ratings, covariant=True)
else:
    from typing import TypeVar

    Kind_co = TypeVar("Kind_co", bound=Interactions, covariant=True)
