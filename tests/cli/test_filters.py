"""The options of filters, and the items that they stand for."""

import json

import click
import pytest

from funksvd import FunkSVD, RatingsError, UnknownIdError
from funksvd_cli.console import Output
from funksvd_cli.filters import Filters, filter_options

NONE = {"by": None, "where": (), "exclude": (), "among": (), "min_ratings": 0, "diversify": 0.0}


@pytest.fixture
def chosen(here):
    """Arguments for `recommend` that these filters stand for."""
    (here / "movies.csv").write_text(
        "item,title,genres\n1,A (1990),Comedy\n2,B (1999),Comedy|War\n3,C (2000),War\n99999,D,War\n"
    )
    model = FunkSVD.load("model.funksvd")

    def choose(items_file="movies.csv", **given):
        return Filters(**{**NONE, **given}).for_model(Output(), model, items_file)

    return choose


def test_without_filters_all_items_are_left(chosen):
    assert chosen(items_file=None) == {
        "by": None, "exclude": None, "among": None, "min_ratings": 0, "diversify": 0.0
    }  # fmt: skip


def test_numbers_are_passed_on(chosen):
    assert chosen(min_ratings=7, diversify=0.25) | {"among": 0} == {
        "by": None, "exclude": None, "among": 0, "min_ratings": 7, "diversify": 0.25
    }  # fmt: skip


def test_ids_are_given_in_three_ways(chosen, here):
    (here / "ids.txt").write_text("item\n5\n3\n")
    assert chosen(exclude=("7",))["exclude"] == [7]
    assert chosen(exclude=("7, 3,5", "9"))["exclude"] == [3, 5, 7, 9]
    assert chosen(among=("ids.txt", "4"))["among"] == [3, 4, 5]
    (here / "3").write_text("8\n")
    assert chosen(among=("3",))["among"] == [3]  # an id before a file of this name


def test_unknown_ids_are_warned_of(chosen, capfd):
    assert chosen(exclude=("3,77777",))["exclude"] == [3]
    assert "--exclude: the model does not know 1 of 2 items (77777)" in capfd.readouterr().err
    with pytest.raises(UnknownIdError, match="--among: the model knows no item 'nothing'"):
        chosen(among=("nothing",))


def test_conditions(chosen):
    assert chosen(where=("genre=war",))["among"] == [2, 3]  # the model does not know 99999
    assert chosen(where=("genre=war", "genre=comedy"))["among"] == [2]
    assert chosen(where=("year<2000",), among=("2,3,4",))["among"] == [2]


def test_conditions_that_leave_nothing(chosen):
    with pytest.raises(click.UsageError, match="none is left by --where"):
        chosen(where=("genre=war", "year<1999"))
    with pytest.raises(click.UsageError, match="none is left by --among and --where"):
        chosen(where=("genre=war",), among=("4",))
    with pytest.raises(click.UsageError, match="give --items FILE"):
        chosen(items_file=None, where=("genre=war",))
    with pytest.raises(RatingsError, match=r"did you mean War\?"):
        chosen(where=("genre=wars",))


def test_options_are_declared():
    @click.command()
    @filter_options
    def command(filters):
        click.echo(repr(tuple(filters)))

    from click.testing import CliRunner

    arguments = ["--where", "a=1", "--where", "b=2", "--among", "7", "--diversify", "0.5"]
    result = CliRunner().invoke(command, arguments)
    assert result.output == "(None, ('a=1', 'b=2'), (), ('7',), 0, 0.5)\n"
    for wrong in (["--min-ratings", "-1"], ["--diversify", "1"], ["--diversify", "-0.1"]):
        assert CliRunner().invoke(command, wrong).exit_code == 2


def test_recommend_lists_what_the_filters_leave(cli, here):
    (here / "movies.csv").write_text(
        "item,title,genres\n"
        + "".join(f"{at},T {at},{'War' if at % 2 else 'Fun'}\n" for at in range(300))
    )

    def listed(*options):
        result = cli("recommend", "--user", 1, "-n", 5, "--format", "json", *options)
        return [row["item"] for row in json.loads(result.out)]

    model = FunkSVD.load("model.funksvd")
    best = listed()
    assert listed("--exclude", f"{best[0]},{best[2]}")[:3] == [best[1], best[3], best[4]]
    assert listed("--among", ",".join(map(str, best[3:]))) == best[3:]
    assert all(item % 2 for item in listed("--items", "movies.csv", "--where", "genre=war"))
    popular = listed("--min-ratings", 70)
    assert all(each.n_ratings >= 70 for each in model.recommend(1, 5, min_ratings=70))
    assert popular == [each.item for each in model.recommend(1, 5, min_ratings=70)]
    assert listed("--diversify", 0.9) == [
        each.item for each in model.recommend(1, 5, diversify=0.9)
    ]
    new = ("recommend", "--rate", f"{best[0]}=5", "--among", ",".join(map(str, best[:2])), "--json")
    assert [row["item"] for row in json.loads(cli(*new).out)] == [best[1]]
