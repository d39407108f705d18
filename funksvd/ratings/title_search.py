"""Items found by a title as people type it: popular ones first, misspelt ones too."""

from __future__ import annotations

import bisect
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from funksvd.errors import RatingsError, counted

N_SHOWN = 6
"""Largest number of titles that an error message lists."""
CLEARLY_ALIKE, AHEAD = 85.0, 5.0
"""Least similarity, of at most 100, of a misspelt title that is taken, and its lead over others."""
NOT_ALIKE = 60.0
"""Least similarity, of at most 100, of a title that is listed."""
ALIKE_WORD = 70.0
"""Least similarity, of at most 100, of a word that may be a misspelt one."""
SHORT_WORD = 2
"""Number of letters up to which a word is not taken for a misspelt one."""
LEAD = math.log2(3)
"""Lead of the title that is clearly meant over the next one: three times as many ratings."""
SMALL_WORDS = frozenset(["a", "an", "and", "in", "of", "the", "to"])
"""Words that may be missing from a title, or be too many."""
YEAR = re.compile(r"\s*\((\d{4})\)\s*$")
ARTICLE_BEHIND = re.compile(
    r"^(.*), (the|a|an|le|la|les|l'|un|une|der|die|das|ein|eine|il|lo|i|el|los|las)"
    r"(?= \(|$)(.*)$"
)
ARTICLE_BEFORE = re.compile(r"^(the|an?) (?=.)")
INITIALS = re.compile(r"\b(?:\w[.*]){2,}(?:\w\b)?")
MARKS_INSIDE = re.compile("['`\u2019]")
BRACKETS = re.compile(r"\(([^()]*)\)")
ROMAN = ["ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"]
UP_TO_SIX = ["two", "three", "four", "five", "six"]
NUMBERS = [*UP_TO_SIX, "seven", "eight", "nine", "ten", "eleven", "twelve"]
DIGITS = {word: str(n) for words in (ROMAN, NUMBERS) for n, word in enumerate(words, start=2)}
SERIES = re.compile(r"(.+?)(?::| - | and the |,? (?:part )?(?:\d+|[ivx]+)\b)", re.IGNORECASE)


class Fit(IntEnum):
    """How a text fits a title, best first."""

    EQUAL = 0
    BEGINS = 1
    INSIDE = 2
    WORDS = 3
    LETTERS = 4


HEAD_START = {
    Fit.EQUAL: 2.5,
    Fit.BEGINS: 1.0,
    Fit.INSIDE: 0.0,
    Fit.WORDS: -0.5,
    Fit.LETTERS: -1.5,
}
"""What a fit is worth beside the number of ratings, as a number of its doublings."""


class Found(NamedTuple):
    """An item whose title fits a text.

    Parameters
    ----------
    item : str
    fit : Fit
    score : float
        Doublings of the number of ratings, and the head start of the fit: the higher, the likelier
        it is that the item is meant.
    alike : float
        Similarity of the text and the title, of at most 100; below 100 for misspelt words.
    """

    item: str
    fit: Fit
    score: float
    alike: float


class TitleSearch:
    """Titles of items, to be searched.

    Popular titles come first, and those that fit better. A title that is equal but for case,
    accents, punctuation, article and year is as good as one that has about six times as many
    ratings and only has these words somewhere; one that begins with them, as one with twice as
    many. Where no title has these words, or words that begin so, similar words count; where there
    are none of these either, similar titles.

    Parameters
    ----------
    titles : mapping of str to str
        Title by item id.
    n_ratings : mapping of str to int, optional
        Number of ratings by item id; without it, all titles are equally popular.
    """

    def __init__(
        self, titles: Mapping[str, str], n_ratings: Mapping[str, int] | None = None
    ) -> None:
        self.titles = titles
        self.n_ratings = n_ratings
        self._items = list(titles)
        self._names = [_names(titles[item]) for item in self._items]
        self._joined = [[name.replace(" ", "") for name in names] for names in self._names]
        with_word = defaultdict(set)
        for at, names in enumerate(self._names):
            for word in {word for name in names for word in name.split()}:
                with_word[word].add(at)
        self._with_word = dict(with_word)
        self._words = sorted(with_word)

    def search(self, text: str, n: int) -> list[str]:
        """The items whose titles fit a text best.

        Parameters
        ----------
        text : str
            A title, a part of one, or its beginning. Without a letter or digit, the most popular
            items of all are found.
        n : int
            Largest number of items.

        Returns
        -------
        list of str
            Ids, the likeliest first.
        """
        wanted = simplified(text)
        if not wanted:
            everything = range(len(self._items))
            return [self._items[at] for at in sorted(everything, key=self._by_popularity)[:n]]
        return [found.item for found in self._found(wanted)[:n]]

    def find(self, text: str) -> str:
        """The id of the one item that is meant by a text.

        The likeliest item is taken if it is clearly ahead of the next one, by as much as three
        times the number of ratings are worth, or if it is the first of a series that is called so
        and has the most ratings of them.

        Parameters
        ----------
        text : str

        Returns
        -------
        str

        Raises
        ------
        RatingsError
            If no title is similar, or it is not clear which one is meant; the message lists the
            likeliest.
        """
        wanted = simplified(text)
        if not wanted:
            raise RatingsError(f"{text!r} is no title; give a part of one, or the id")
        found = self._found(wanted)
        if not found:
            raise RatingsError(f"no title is like {text!r}; give another part of it, or the id")
        if self._is_clear(wanted, found):
            return found[0].item
        raise RatingsError(self._several(text, found))

    def _found(self, wanted: str) -> list[Found]:
        """All items whose titles fit, the likeliest first."""
        return (
            self._with_words(wanted)
            or self._with_words(_with_digits(wanted))
            or self._with_similar_words(wanted)
            or self._similar(wanted)
        )

    def _is_clear(self, wanted: str, found: list[Found]) -> bool:
        best = found[0]
        if best.alike < CLEARLY_ALIKE:
            return False
        if len(found) == 1:
            return True
        if best.fit is Fit.LETTERS:  # of words that are not whole, anything may be meant
            return False
        if best.alike < 100 and self.n_ratings is None and best.alike - found[1].alike < AHEAD:
            return False
        rivals = [other for other in found[1:] if best.score - other.score < LEAD]
        return not rivals or self._is_first_of_series(wanted, best, rivals)

    def _is_first_of_series(self, wanted: str, best: Found, rivals: list[Found]) -> bool:
        """Whether an item is the oldest of a series that is called so, and equal or popular."""
        from rapidfuzz import fuzz

        def is_called_so(item: str) -> bool:
            series = _series(self.titles[item])
            return any(fuzz.ratio(wanted, name) >= CLEARLY_ALIKE for name in series)

        if best.fit is not Fit.EQUAL and not (
            is_called_so(best.item)
            and self._count(best.item) > max(self._count(each.item) for each in rivals)
        ):
            return False
        oldest = min(_year(self.titles[each.item]) for each in rivals)
        return _year(self.titles[best.item]) < oldest and all(
            each.fit is not Fit.EQUAL and is_called_so(each.item) for each in rivals
        )

    def _with_words(self, wanted: str) -> list[Found]:
        """Items with a word that begins with each word of the text, or with its words as one."""
        words = wanted.split()
        whole = [self._with_word.get(word, set()) for word in words]
        begun = [self._beginning_with(word) for word in words]
        candidates = set.intersection(*begun) | self._with_joined(wanted.replace(" ", ""))
        if not candidates:
            large = [at for at, word in enumerate(words) if word not in SMALL_WORDS]
            if large:
                candidates = set.intersection(*(begun[at] for at in large))
                whole = [whole[at] for at in large]
        with_all = set.intersection(*whole)
        found = []
        for at in candidates:
            fit = self._fit(wanted, at)
            if fit is None:
                fit = Fit.WORDS if at in with_all else Fit.LETTERS
            found.append(self._scored(at, fit, 100.0))
        if re.fullmatch(r"\d{4}", wanted):  # a title first, a year where there is none
            found = [each for each in found if each.fit <= Fit.BEGINS] or found
        return sorted(found, key=self._order)

    def _fit(self, wanted: str, at: int) -> Fit | None:
        """How the words of a text stand in the names of an item; None if they are not together."""
        names = self._names[at]
        joined = wanted.replace(" ", "")
        if wanted in names or joined in self._joined[at]:
            return Fit.EQUAL
        if any(name.startswith(f"{wanted} ") for name in names):
            return Fit.BEGINS
        if any(f" {wanted} " in f" {name} " for name in names):
            return Fit.INSIDE
        places = [_place_of_joined(joined, name) for name in names]
        if 0 in places:
            return Fit.BEGINS
        return Fit.INSIDE if any(place is not None for place in places) else None

    def _beginning_with(self, letters: str) -> set[int]:
        first = bisect.bisect_left(self._words, letters)
        found: set[int] = set()
        for word in self._words[first:]:
            if not word.startswith(letters):
                break
            found |= self._with_word[word]
        return found

    def _with_joined(self, joined: str) -> set[int]:
        """Items with these letters as whole words, wherever the blanks are: "starwars"."""
        if len(joined) <= SHORT_WORD:
            return set()
        return {
            at
            for at, names in enumerate(self._joined)
            if any(joined in name for name in names)
            and any(_place_of_joined(joined, name) is not None for name in self._names[at])
        }

    def _with_similar_words(self, wanted: str) -> list[Found]:
        """Items with a similar word, or one that begins so, for each word of the text."""
        from rapidfuzz import fuzz, process

        words = [word for word in wanted.split() if word not in SMALL_WORDS] or wanted.split()
        candidates: set[int] | None = None
        for word in words:
            with_similar = self._beginning_with(word)
            if len(word) > SHORT_WORD:
                similar = process.extract(
                    word, self._words, scorer=fuzz.ratio, score_cutoff=ALIKE_WORD, limit=None
                )
                with_similar = with_similar.union(*(self._with_word[each] for each, *_ in similar))
            candidates = with_similar if candidates is None else candidates & with_similar
        found = []
        n_words = len(wanted.split())
        for at in candidates or ():
            whole, begun = (
                max(fuzz.ratio(wanted, name) for name in names)
                for names in (
                    self._names[at],
                    [" ".join(name.split()[:n_words]) for name in self._names[at]],
                )
            )
            fit, alike = Fit.LETTERS, max(whole, begun)
            if whole >= CLEARLY_ALIKE:
                fit = Fit.EQUAL
            elif begun >= CLEARLY_ALIKE:
                fit = Fit.BEGINS
            found.append(self._scored(at, fit, min(alike, 99.0)))
        return sorted(found, key=self._order)

    def _similar(self, wanted: str) -> list[Found]:
        """Items with similar titles, the most similar one first."""
        from rapidfuzz import fuzz, process

        choices = [(at, name) for at, names in enumerate(self._names) for name in names]
        names = [name for _, name in choices]
        best: dict[int, float] = {}
        for scorer in (fuzz.ratio, fuzz.token_sort_ratio, fuzz.partial_ratio):
            is_of_parts = scorer is fuzz.partial_ratio
            least = CLEARLY_ALIKE if is_of_parts else NOT_ALIKE
            for name, alike, place in process.extract(
                wanted, names, scorer=scorer, score_cutoff=least, limit=5 * N_SHOWN
            ):
                if is_of_parts and len(name) < len(wanted):
                    continue
                most = CLEARLY_ALIKE - 1 if is_of_parts else 99.0
                at = choices[place][0]
                best[at] = max(min(alike, most), best.get(at, 0.0))
        found = [self._scored(at, Fit.WORDS, alike) for at, alike in best.items()]
        found.sort(key=lambda each: (-each.alike, *self._order(each)))
        return [each._replace(score=each.alike / AHEAD * LEAD) for each in found]

    def _scored(self, at: int, fit: Fit, alike: float) -> Found:
        item = self._items[at]
        score = math.log2(1 + self._count(item)) + HEAD_START[fit]
        return Found(item, fit, score, alike)

    def _count(self, item: str) -> int:
        return 0 if self.n_ratings is None else self.n_ratings.get(item, 0)

    def _order(self, found: Found) -> tuple[float, float, int, str]:
        title = self.titles[found.item]
        return -found.score, -found.alike, len(title), title

    def _by_popularity(self, at: int) -> tuple[int, int]:
        return -self._count(self._items[at]), at

    def _several(self, text: str, found: list[Found]) -> str:
        shown = "\n".join(self._described(each.item) for each in found[:N_SHOWN])
        more = f"\n  and {len(found) - N_SHOWN:,} more" if len(found) > N_SHOWN else ""
        return (
            f"it is not clear which title is meant by {text!r}; the closest are\n{shown}{more}\n"
            "Give the id, or more of the title"
        )

    def _described(self, item: str) -> str:
        line = f"  {item}  {self.titles[item]}"
        return line if self.n_ratings is None else f"{line}, {counted(self._count(item), 'rating')}"


def _names(title: str) -> tuple[str, ...]:
    """Names of an item, simplified, each once.

    They are its title with and without year and brackets, what is in brackets, all of these
    without a leading article, and with digits in the place of other numerals.
    """
    without_year = YEAR.sub("", title)
    inside = BRACKETS.findall(without_year)
    forms = (title, without_year, re.sub(r"\(.*", "", title), *inside)
    names = [re.sub(r"^aka (?=.)", "", simplified(form)) for form in forms]
    names += [ARTICLE_BEFORE.sub("", name) for name in names]
    names += [_with_digits(name) for name in names]
    return tuple(dict.fromkeys(filter(None, names)))


def _with_digits(name: str) -> str:
    """A simplified title with "2" for "two" and "ii"; one that begins with a "v" keeps it."""
    first, *others = name.split(" ")
    first = DIGITS[first] if first in NUMBERS else first
    return " ".join((first, *(DIGITS.get(word, word) for word in others)))


def _year(title: str) -> float:
    found = YEAR.search(title)
    return int(found[1]) if found else -math.inf


def _series(title: str) -> Iterable[str]:
    """Names of the series that a title could be of: what stands before a colon or a number."""
    without_year = YEAR.sub("", title)
    found = [SERIES.match(part) for part in (without_year, *BRACKETS.findall(without_year))]
    names = [simplified(each[1]) for each in found if each]
    return {*names, *(ARTICLE_BEFORE.sub("", name) for name in names)}


def _place_of_joined(joined: str, name: str) -> int | None:
    """Number of the first of several words that together are these letters; None if none are."""
    words = name.split()
    for first in range(len(words)):
        so_far = ""
        for word in words[first:]:
            so_far += word
            if so_far == joined:
                return first
            if not joined.startswith(so_far):
                break
    return None


def simplified(title: str) -> str:
    """Lower case, without accents and punctuation; `Matrix, The` is `the matrix`."""
    plain = unicodedata.normalize("NFKD", title.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    moved = ARTICLE_BEHIND.match(plain)
    if moved:
        plain = f"{moved[2]} {moved[1]}{moved[3]}"
    plain = INITIALS.sub(lambda found: re.sub("[.*]", "", found[0]), plain)
    plain = plain.replace("&", " and ")
    # An apostrophe goes without a trace: `Schindler's` is often written without.
    return " ".join(re.findall(r"\w+", MARKS_INSIDE.sub("", plain)))
