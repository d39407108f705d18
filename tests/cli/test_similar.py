"""`funksvd similar`."""

import csv
import json

import pytest

from funksvd import FunkSVD, read_titles


def test_a_table(cli, here):
    result = cli("similar", 7, "-n", 3)
    ref = FunkSVD.load("model.funksvd").similar(7, 3)
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0] == ["rank", "item", "similarity"]
    assert lines[1:] == [
        [str(rank), str(item), f"{similarity:.3f}"]
        for rank, (item, similarity) in enumerate(ref, start=1)
    ]


def test_ten_others_best_first(cli, here):
    plain = json.loads(cli("similar", 7, "--json").out)
    assert len(plain) == 10
    assert 7 not in [row["item"] for row in plain]
    similarities = [row["similarity"] for row in plain]
    assert similarities == sorted(similarities, reverse=True)
    assert all(-1 <= similarity <= 1 for similarity in similarities)


def test_titles_and_a_file(cli, here):
    result = cli("similar", 7, "--items", "items.csv", "-o", "out.csv")
    assert result == (0, "Wrote out.csv (10 rows)\n", "")
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    titles = read_titles("items.csv")
    assert [row["title"] for row in rows] == [titles[int(row["item"])] for row in rows]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["99999"], "does not know item 99999; it knows"),
        (["some title"], "does not know item some title"),
        ([""], "empty"),
        (["7", "-n", "0"], "-n"),
    ],
    ids=" ".join,
)
def test_errors(error_of, here, arguments, expected):
    assert expected in error_of("similar", *arguments)


def test_users(cli, here):
    result = cli("similar", "--user", 3, "-n", 2, "--json")
    ref = FunkSVD.load("model.funksvd").similar_users(3, 2)
    rows = json.loads(result.out)
    assert [row["user"] for row in rows] == [user for user, _ in ref]
    assert [row["similarity"] for row in rows] == pytest.approx([s for _, s in ref])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give either ITEM or --user"),
        (["7", "--user", "3"], "give either ITEM or --user"),
        (["--user", "3", "--items", "items.csv"], "--items has titles of items"),
        (["--user", "nobody"], "does not know user nobody"),
    ],
)
def test_what_makes_no_sense(error_of, here, arguments, message):
    assert message in error_of("similar", *arguments)
