"""Titles as people type them."""

import pytest

from funksvd import RatingsError
from funksvd.ratings import TitleSearch

TITLES = {
    "1": "Toy Story (1995)",
    "2": "Toy Story 2 (1999)",
    "3": "Matrix, The (1999)",
    "4": "Sabrina (1954)",
    "5": "Sabrina (1995)",
    "6": "Léon: The Professional (1994)",
    "7": "Leonard Part 6 (1987)",
    "8": "Star Wars: Episode V - The Empire Strikes Back (1980)",
    "9": "Schindler's List (1993)",
    "10": "Seven (a.k.a. Se7en) (1995)",
    "11": "Silence of the Lambs, The (1991)",
    "12": "2001: A Space Odyssey (1968)",
    "13": "Fast & Furious (2009)",
    "14": "A (1998)",
}


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("Toy Story", "1"),  # equal comes before beginning so
        ("toy story (1995)", "1"),
        ("TOY STORY 2", "2"),
        ("matrix", "3"),
        ("The Matrix", "3"),
        ("matrix, the (1999)", "3"),
        ("sabrina 1995", "5"),
        ("leon", "6"),  # a word of its own comes before the beginning of a word
        ("leona", "7"),
        ("empire strikes back", "8"),
        ("schindlers list", "9"),
        ("seven", "10"),
        ("se7en", "10"),
        ("Silence of Lambs", "11"),
        ("lambs silence of the", "11"),
        ("2001", "12"),
        ("fast and furious", "13"),
        ("a", "14"),
    ],
)
def test_what_is_meant(text, item):
    assert TitleSearch(TITLES).find(text) == item


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("sabrina", ["4  Sabrina (1954)", "5  Sabrina (1995)"]),
        ("toy st", ["1  Toy Story (1995)", "2  Toy Story 2 (1999)"]),
        ("sabrima", ["4  Sabrina (1954)", "5  Sabrina (1995)"]),
        ("shindlr lt", ["9  Schindler's List (1993)"]),  # not alike enough to be taken
    ],
)
def test_what_is_not_clear(text, candidates):
    with pytest.raises(RatingsError, match=f"not clear which title is meant by '{text}'") as error:
        TitleSearch(TITLES).find(text)
    for candidate in candidates:
        assert f"\n  {candidate}\n" in str(error.value)
    assert str(error.value).endswith("Give the id, or more of the title")


def test_no_more_than_a_few_are_listed_the_shortest_first():
    search = TitleSearch({str(n): f"Police Academy {'I' * n}" for n in range(1, 20)})
    with pytest.raises(RatingsError) as error:
        search.find("police")
    lines = str(error.value).splitlines()
    assert lines[1:7] == [f"  {n}  Police Academy {'I' * n}" for n in range(1, 7)]
    assert lines[7] == "  and 13 more"


@pytest.mark.parametrize(
    ("text", "message"),
    [("xqzzy", "no title is like 'xqzzy'"), (" !? ", "' !\\? ' is no title")],
)
def test_what_nothing_is_like(text, message):
    with pytest.raises(RatingsError, match=message):
        TitleSearch(TITLES).find(text)
