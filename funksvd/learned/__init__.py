"""Learned models: named arrays, and the answers they give; in rows, not in raw ids."""

from funksvd.learned.base import Axis, Learned
from funksvd.learned.choices import LearnedChoices
from funksvd.learned.draws import Draws
from funksvd.learned.ratings import Days, LearnedRatings

__all__ = ["Axis", "Days", "Draws", "Learned", "LearnedChoices", "LearnedRatings"]
