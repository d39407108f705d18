"""Titles of items."""

from __future__ import annotations

import gzip

import pytest

from funksvd import RatingsError
from funksvd.ratings import read_titles


@pytest.mark.parametrize(
    ("content", "titles"),
    [
        (
            'movieId,title,genres\n1,Toy Story (1995),Fun\n2,"Man, A ""B""",x\n',
            {1: "Toy Story (1995)", 2: 'Man, A "B"'},
        ),
        ('1|"Foo" Bar (1995)|01-Jan-1995|\n2|Vie en rose, La|x|\n',
         {1: '"Foo" Bar (1995)', 2: "Vie en rose, La"}),
        ("1::Léon: The (1994)::Drama\n2::B::C\n", {1: "Léon: The (1994)", 2: "B"}),
        ("1,2003,Dinosaur Planet\n2,NULL,Some, Thing\n", {1: "Dinosaur Planet", 2: "Some, Thing"}),
        ("isbn;author;name\n007;Fleming;Bond\n8;x;y\n", {"007": "Bond", "8": "y"}),
        ("number\tcalled\n1\tone\n2\ttwo\n", {1: "one", 2: "two"}),
        ("1,one\n2,two\n", {1: "one", 2: "two"}),
        ("title,movieId\none,1\n", {1: "one"}),
        ("1,one\n1,uno\n2,\n,three\n3\n4,four\n", {1: "one", 4: "four"}),
        ("\ufeffmovieId,title\r\n1,one\r\n", {1: "one"}),
        # a quote that is stray, and one that is not
        ('item,title\n1,"Alien\n2,Heat\n3,Psy"\n4,x\n', {1: "Alien", 2: "Heat", 3: 'Psy"', 4: "x"}),
        ('item,title\n1,"Alien\n2,Heat\n3,"Psycho"\n', {1: "Alien", 2: "Heat", 3: "Psycho"}),
        ('item,title,x\n1,"A\nB, C",7\n2,Heat,8\n3,"Foo\n', {1: "A B, C", 2: "Heat", 3: "Foo"}),
        # what stands above the table
        ("# made by me\nitem,title\n1,one\n", {1: "one"}),
        ("sep=;\nitem;title\n1;one, two\n", {1: "one, two"}),
        ("Export\n\nitem,title\n1,one\n", {1: "one"}),
        ("item_id:token\tmovie_title:token_seq\n1\tone\n", {1: "one"}),
        ("item,title\n1,one\u2028two\x85\n", {1: "one\u2028two"}),
    ],
)  # fmt: skip
def test_titles(write, content, titles):
    assert read_titles(write(content, "titles.txt")) == titles
    assert read_titles(write(gzip.compress(content.encode()), "titles.gz")) == titles


def test_latin1_without_being_told(write):
    path = write("1|Misérables, Les (1995)|x\n2|Été|y\n".encode("latin-1"), "u.item")
    assert read_titles(path) == {1: "Misérables, Les (1995)", 2: "Été"}
    assert read_titles(path, encoding="cp1252")[2] == "Été"
    with pytest.raises(RatingsError, match="is not utf-8 text"):
        read_titles(path, encoding="utf-8")


def test_separator_is_given(write):
    assert read_titles(write("1^a b\n2^c,d\n"), sep="^") == {1: "a b", 2: "c,d"}


@pytest.mark.parametrize("sep", ["", '"', "\n", "7"])
def test_separators_that_are_refused(write, sep):
    with pytest.raises(RatingsError, match="a separator of columns"):
        read_titles(write("1,a\n2,b\n"), sep=sep)


def test_folder(write, tmp_path):
    write("1|One|x\n", "ml/u.item")
    assert read_titles(tmp_path) == {1: "One"}


def test_goodbooks(write, tmp_path):
    header = "book_id,goodreads_book_id,best_book_id,isbn,authors,original_title,title,image_url"
    write(
        f'{header}\n18,5,6,043965548X,"Rowling, J.K.",Prisoner,"Harry Potter, #3",x\n', "books.csv"
    )
    assert read_titles(tmp_path) == {18: "Harry Potter, #3"}


@pytest.mark.parametrize("content", ["", "\n", "movieId,title\n", "x\ny\n", "+--+--+\n| 1 | a |"])
def test_nothing_usable(write, content):
    path = write(content)
    with pytest.raises(RatingsError, match=path):
        read_titles(path)


def test_real_files(movielens):
    for folder, known in (("ml-100k", "GoldenEye (1995)"), ("ml-latest-small", "Jumanji (1995)")):
        if not (movielens / folder).is_dir():
            pytest.skip(f"no {folder} in {movielens}")
        titles = read_titles(movielens / folder)
        assert titles[2] == known
        assert len(titles) > 1600
