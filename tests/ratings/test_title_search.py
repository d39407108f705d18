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


POPULAR = {
    "1": ("Star Wars: Episode IV - A New Hope (1977)", 292),
    "2": ("Star Wars: Episode V - The Empire Strikes Back (1980)", 234),
    "3": ("Lord of the Rings, The (1978)", 19),
    "4": ("Lord of the Rings: The Fellowship of the Ring, The (2001)", 200),
    "5": ("Lord of the Rings: The Two Towers, The (2002)", 188),
    "6": ("King Kong (1933)", 23),
    "7": ("King Kong (2005)", 23),
    "8": ("Terminator, The (1984)", 158),
    "9": ("Terminator 2: Judgment Day (1991)", 237),
    "10": ("American Beauty (1999)", 220),
    "11": ("American Pie (1999)", 111),
    "12": ("Amelie (Fabuleux destin d'Amélie Poulain, Le) (2001)", 125),
    "13": ("Seven (a.k.a. Se7en) (1995)", 201),
    "14": ("E.T. the Extra-Terrestrial (1982)", 160),
    "15": ("Eternal Sunshine of the Spotless Mind (2004)", 166),
    "16": ("WALL·E (2008)", 76),
    "17": ("Psycho (1960)", 77),
    "18": ("Psycho (1998)", 13),
    "19": ("Ocean's Eleven (2001)", 130),
    "20": ("Godfather: Part II, The (1974)", 135),
    "21": ("Matrix, The (1999)", 259),
    "22": ("Star Trek (2009)", 51),
    "23": ("Star Trek: Generations (1994)", 114),
    "24": ("Tenant, The (Locataire, Le) (1976)", 5),
}


@pytest.fixture
def popular():
    titles = {item: title for item, (title, _) in POPULAR.items()}
    return TitleSearch(titles, {item: n for item, (_, n) in POPULAR.items()})


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("star wars", "1"),  # the first of the series, and the most popular one
        ("starwars", "1"),
        ("star wrs", "1"),
        ("lord of the rings", "4"),  # not the film that has this title and few ratings
        ("lord of rings", "4"),
        ("the lord of the rings the two towers", "5"),
        ("terminator", "8"),
        ("terminator 2", "9"),
        ("amelie", "12"),
        ("le fabuleux destin d'amelie poulain", "12"),
        ("se7en", "13"),
        ("e.t.", "14"),
        ("et", "14"),
        ("walle", "16"),
        ("psycho", "17"),  # six times as many ratings
        ("oceans 11", "19"),
        ("godfather 2", "20"),
        ("matrx", "21"),
    ],
)
def test_what_is_meant_by_how_popular_titles_are(popular, text, item):
    assert popular.find(text) == item
    assert popular.search(text, 5)[0] == item


@pytest.mark.parametrize("text", ["king kong", "american", "star trek", "star w", "tenet"])
def test_popular_titles_that_are_not_clearly_meant(popular, text):
    with pytest.raises(RatingsError, match="not clear which title is meant"):
        popular.find(text)


def test_candidates_are_listed_with_their_number_of_ratings(popular):
    with pytest.raises(RatingsError, match="not clear") as error:
        popular.find("star trek")
    assert "\n  22  Star Trek (2009), 51 ratings\n" in str(error.value)


def test_nothing_searched_for_finds_the_most_popular(popular):
    assert popular.search(" ", 3) == ["1", "21", "9"]


def test_searches_are_words_as_far_as_they_are_typed(popular):
    assert popular.search("sta", 3) == ["1", "2", "23"]
    assert popular.search("psy", 9) == ["17", "18"]
    assert popular.search("xqzzy", 9) == []


def test_published_titles_are_found_as_people_type_them(real_data):
    import csv
    from collections import Counter

    folder = real_data / "ml-latest-small"
    with (folder / "movies.csv").open(encoding="utf-8") as file:
        titles = {row["movieId"]: row["title"] for row in csv.DictReader(file)}
    with (folder / "ratings.csv").open(encoding="utf-8") as file:
        search = TitleSearch(titles, Counter(row["movieId"] for row in csv.DictReader(file)))
    for text, title in {
        "star wars": "Star Wars: Episode IV",
        "lord of rings": "Lord of the Rings: The Fellowship",
        "matrx": "Matrix, The (1999)",
        "toy story": "Toy Story (1995)",
        "shawshank": "Shawshank Redemption",
        "indiana jones": "Raiders of the Lost Ark",
        "harry potter": "Harry Potter and the Sorcerer",
        "pirates of the caribean": "Pirates of the Caribbean: The Curse",
        "mash": "M*A*S*H",
        "la confidential": "L.A. Confidential",
        "ten things i hate about you": "10 Things I Hate",
    }.items():
        assert titles[search.find(text)].startswith(title), text
