"""Items chosen by the columns of a file."""

import pytest

from funksvd import RatingsError
from funksvd.ratings import read_attributes

MOVIES = """movieId,title,genres,Rating Age
1,Toy Story (1995),Adventure|Comedy,6
2,"Matrix, The (1999)",Action|Sci-Fi,16
3,Comedy of Errors (2005),Drama,12.0
4,Untitled,(no genres listed),
"""


@pytest.mark.parametrize(
    ("condition", "items"),
    [
        ("genres=Comedy", [1]),  # an element of the list, not a part of the text
        ("genre=comedy", [1]),
        ("Genre = SCI-FI ", [2]),
        ("genre=(no genres listed)", [4]),
        ("genre!=Comedy", [2, 3, 4]),
        ("genre=Adventure|Comedy", [1]),
        ("title=matrix, the (1999)", [2]),
        ("movieid=3", [3]),
        ("year>=1999", [2, 3]),  # from the titles
        ("year=1995", [1]),
        ("year<1999", [1]),
        ("year>1995", [2, 3]),
        ("year<=1995", [1]),
        ("rating_age=12", [3]),  # numbers are equal however they are written
        ("Rating Age>=6.5", [2, 3]),
    ],
)
def test_conditions(write, condition, items):
    assert read_attributes(write(MOVIES, "movies.csv")).where(condition) == items


def test_items_that_meet_all_conditions(write):
    attributes = read_attributes(write(MOVIES, "movies.csv"))
    assert attributes.where_all(["year>1995", "genre!=Drama"]) == [2]
    assert attributes.where_all(["genre!=Comedy", "genre!=Action"]) == [3, 4]
    assert attributes.where_all(["genre=Comedy", "genre=Drama"]) == []
    assert attributes.where_all(["genre=Drama"]) == [3]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("genre", 'where="genre" is no condition such as genre=Comedy or year>=1990'),
        ("genre=", "is no condition"),
        ("=Comedy", "is no condition"),
        ("colour=red", "there is no column 'colour'; the columns are movieId, title, genres, "
         "Rating Age, year"),
        ("genre=Comdy", "no item has 'Comdy' in the column genres; did you mean Comedy?"),
        ("genre=Love", "no item has 'Love' in the column genres; it has Adventure, Comedy, Action"),
        ("genre>5", "the column genres holds no numbers to compare"),
        ("year>=recent", 'where="year>=recent": \'recent\' is no number'),
        ("year>=2010", "no item has year>=2010; the column goes from 1995 to 2005"),
    ],
)  # fmt: skip
def test_what_is_refused(write, condition, message):
    with pytest.raises(RatingsError) as error:
        read_attributes(write(MOVIES, "movies.csv")).where(condition)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("values", "condition", "items"),
    [
        (["Pop;Rock", "Rock", "Jazz; Pop"], "tag=pop", [1, 3]),
        (["Pop, Rock", "Rock, Jazz", "Jazz, Pop"], "tag=pop", [1, 3]),  # parts recur
        (["Smith, John", "Wu, Ann", "Pop, Iggy"], "tag=pop, iggy", [3]),  # names: they do not
    ],
)
def test_lists_are_told_from_text_with_commas(write, values, condition, items):
    lines = [f'{at},x,"{value}"' for at, value in enumerate(values, 1)]
    attributes = read_attributes(write("\n".join(["item,title,tags", *lines])))
    assert attributes.where(condition) == items


def test_what_is_no_element_is_no_match(write):
    attributes = read_attributes(write("item,title,tags\n1,x,Smith, John\n2,y,z\n"))
    with pytest.raises(RatingsError, match="no item has 'Smi' in the column tags"):
        attributes.where("tags=Smi")


def test_published_files_without_header(write):
    flags = ["0"] * 19
    flags[5] = flags[8] = "1"  # Comedy, Drama
    row = "|".join(["7", "Fargo (1996)", "14-Feb-1997", "", "http://x", *flags])
    other = "|".join(["8", "Heat (1995)", "01-Jan-1995", "", "http://y", *["0"] * 18, "1"])
    attributes = read_attributes(write(f"{row}\n{other}\n", "u.item"))
    for condition in ("Comedy=1", "genre=comedy", "genres=Drama", "release date=14-Feb-1997"):
        assert attributes.where(condition) == [7], condition
    assert attributes.where("year<1996") == attributes.where("genre=western") == [8]
    attributes = read_attributes(write("1::A (1995)::Fun|War\n2::B::Fun\n", "movies.dat"))
    assert attributes.where("genre=war") == [1]
    attributes = read_attributes(write("1,2003,Dinosaur Planet\n2,NULL,Some, Thing\n"))
    assert attributes.where("year=2003") == [1]


def test_columns_without_names_have_numbers(write):
    attributes = read_attributes(write("1,one,red\n2,two,blue\n"))
    assert attributes.names == ("1", "2", "3")
    assert attributes.where("3=blue") == [2]


def test_ids_keep_their_kind(write):
    attributes = read_attributes(write("item,title,x\n007,Bond,a\n8,Eight,b\n,Nobody,a\n9,short\n"))
    assert attributes.where("x=a") == ["007"]
    assert attributes.items == ["007", "8", "9"]


def test_real_files(real_data):
    movies = read_attributes(real_data / "ml-latest-small" / "movies.csv")
    assert len(movies.where("genre=Comedy")) == 3315
    assert 1 in movies.where("genre=children")
    items = read_attributes(real_data / "ml-100k" / "u.item")
    assert items.where("genre=Comedy") == items.where("Comedy=1")
    assert len(items.where("Comedy=1")) == 505
