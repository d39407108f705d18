"""Items found by a part of their title, or by a title that is almost right."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from funksvd.errors import RatingsError

N_SHOWN = 6
CLEARLY_MEANT, AHEAD = 85.0, 5.0
"""Least similarity of a title that is taken, of at most 100, and its least lead over others."""
NOT_ALIKE = 60.0
"""Least similarity, of at most 100, of a title that an error message lists."""
YEAR = re.compile(r"\s*\((\d{4})\)\s*$")
ARTICLE_BEHIND = re.compile(
    r"^(.*), (the|a|an|le|la|les|l'|un|une|der|die|das|ein|eine|il|lo|i|el|los|las)"
    r"(?= \(|$)(.*)$"
)
ARTICLE_BEFORE = re.compile(r"^(the|an?) (?=.)")


class TitleSearch:
    """Titles of items, to be searched.

    Parameters
    ----------
    titles : mapping of str to str
        Title by item id.
    """

    def __init__(self, titles: Mapping[str, str]) -> None:
        self.titles = titles
        self._names = {item: _names(title) for item, title in titles.items()}

    def find(self, text: str) -> str:
        """The id of the item whose title fits a text best.

        Titles that are equal but for case, accents, punctuation, article and year come first, then
        those that begin with these words, have them anywhere, begin with these letters, or are
        similar. The first of these that there are must be a single one.

        Parameters
        ----------
        text : str

        Returns
        -------
        str

        Raises
        ------
        RatingsError
            If no title is similar, or several are equally well meant; the message lists the
            closest.
        """
        wanted = simplified(text)
        if not wanted:
            raise RatingsError(f"{text!r} is no title; give a part of one, or the id")
        for fits in (
            wanted.__eq__,
            lambda name: name.startswith(f"{wanted} "),
            lambda name: f" {wanted} " in f" {name} ",
            lambda name: name.startswith(wanted),
        ):
            found = [item for item, names in self._names.items() if any(map(fits, names))]
            if len(found) == 1:
                return found[0]
            if found:
                found.sort(key=lambda item: (len(self.titles[item]), self.titles[item]))
                raise RatingsError(self._several(text, found))
        return self._most_similar(text, wanted)

    def _most_similar(self, text: str, wanted: str) -> str:
        from rapidfuzz import fuzz, process

        choices = [(item, name) for item, names in self._names.items() for name in names]
        names = [name for _, name in choices]
        best: dict[str, float] = {}
        for scorer in (fuzz.ratio, fuzz.token_sort_ratio):
            for _, score, at in process.extract(
                wanted, names, scorer=scorer, score_cutoff=NOT_ALIKE, limit=5 * N_SHOWN
            ):
                item = choices[at][0]
                best[item] = max(score, best.get(item, 0.0))
        if not best:
            raise RatingsError(f"no title is like {text!r}; give another part of it, or the id")
        ranked = sorted(best, key=lambda item: -best[item])
        ahead = best[ranked[0]] - (best[ranked[1]] if len(ranked) > 1 else 0.0)
        if best[ranked[0]] >= CLEARLY_MEANT and ahead >= AHEAD:
            return ranked[0]
        raise RatingsError(self._several(text, ranked))

    def _several(self, text: str, items: list[str]) -> str:
        shown = "\n".join(f"  {item}  {self.titles[item]}" for item in items[:N_SHOWN])
        more = f"\n  and {len(items) - N_SHOWN:,} more" if len(items) > N_SHOWN else ""
        return (
            f"it is not clear which title is meant by {text!r}; the closest are\n{shown}{more}\n"
            "Give the id, or more of the title"
        )


def _names(title: str) -> tuple[str, ...]:
    """Names of an item: its title with and without the year, brackets, and a leading article."""
    forms = (title, YEAR.sub("", title), re.sub(r"\(.*", "", title))
    names = [simplified(form) for form in forms]
    names += [ARTICLE_BEFORE.sub("", name) for name in names]
    return tuple(dict.fromkeys(filter(None, names)))


def simplified(title: str) -> str:
    """Lower case, without accents and punctuation; `Matrix, The` is `the matrix`."""
    plain = unicodedata.normalize("NFKD", title.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    moved = ARTICLE_BEHIND.match(plain)
    if moved:
        plain = f"{moved[2]} {moved[1]}{moved[3]}"
    plain = plain.replace("&", " and ")
    # An apostrophe goes without a trace: `Schindler's` is often written without.
    return " ".join(re.findall(r"\w+", re.sub("['`\u2019]", "", plain)))
