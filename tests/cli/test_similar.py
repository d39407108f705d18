"""`funksvd similar`."""

import csv
import json

import pytest

from funksvd import FunkSVD, read_titles


def test_a_table(cli, here):
    result = cli("similar", 7, "-n", 3)
    ref = FunkSVD.load("model.funksvd").similar(7, 3)
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0] == ["rank", "item", "similarity", "n_ratings"]
    assert lines[1:] == [
        [str(rank), str(item), f"{similarity:.3f}", str(n_ratings)]
        for rank, (item, similarity, n_ratings) in enumerate(ref, start=1)
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


def test_an_item_by_its_title(cli, here):
    (here / "items.csv").write_text("item,title\n7,Twins (1988)\n8,Others (2015)\n")
    by_id = cli("similar", 7, "--items", "items.csv")
    by_title = cli("similar", "twins", "--items", "items.csv")
    assert by_title.out == f"Similar to: Twins (1988) (7)\n{by_id.out}"
    quiet = cli("similar", "twins", "--items", "items.csv", "-q")
    assert quiet == (0, by_id.out, by_id.err + "Similar to: Twins (1988) (7)\n")
    exact = cli("similar", "twins (1988)", "--items", "items.csv", "-q")
    assert exact == (0, by_id.out, by_id.err)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["99999"], "the model knows no item with the id '99999'; it knows"),
        (["some title"], "to find items by title, give --items FILE"),
        (["", "--items", "items.csv"], "empty"),
        (["no such thing", "--items", "items.csv"], "no title is like 'no such thing'"),
        (["the", "--items", "items.csv"], "not clear which title is meant by 'the'; the closest"),
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
        (["--user", "nobody"], "does not know user 'nobody'"),
    ],
)
def test_what_makes_no_sense(error_of, here, arguments, message):
    assert message in error_of("similar", *arguments)


def test_a_negative_id_needs_dashes_before_it(cli, error_of, here):
    message = error_of("similar", "-1")
    assert "-1 looks like an option; if it is an id, put -- before it: funksvd similar -- -1" in (
        message
    )
    assert "knows no item with the id '-1'" in error_of("similar", "--", "-1")
    assert "No such option" in error_of("similar", "-z", "1")


@pytest.mark.parametrize(
    "arguments",
    [("similar", "model.funksvd", 5), ("recommend", "model.funksvd", "--user", 5)],
    ids=lambda arguments: arguments[0],
)
def test_a_model_in_the_place_of_an_id_is_told_its_option(error_of, here, arguments):
    assert "The model is given with --model model.funksvd" in error_of(*arguments)
    assert "given with --model" not in error_of("similar", "ratings.csv", 5)
