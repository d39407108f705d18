"""Groups of options: headings in the help, one object in the command."""

from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner

from funksvd_cli.groups import GroupedCommand, option, packed, parameters_of


class Period(NamedTuple):
    """Two options as one object."""

    first: int
    last: int


period_options = packed(
    "period",
    Period,
    option("--first", type=click.IntRange(min=1), default=1, show_default=True, group="Dates"),
    option("--last", metavar="N", type=int, help="Day.  [default: 9]", group="Dates", default=9),
)


@click.command(cls=GroupedCommand)
@click.argument("name")
@option("--loud", is_flag=True, help="Shout.")
@period_options
@option("--a-name-that-is-longer-than-the-column", is_flag=True, help="Long.", group="Output")
@click.option("--plain", is_flag=True, help="Not of a group.")
def command(name, loud, period, a_name_that_is_longer_than_the_column, plain):
    click.echo(f"{name} {loud} {period.first} {period.last}")


@pytest.fixture
def run():
    return lambda *arguments: CliRunner().invoke(command, arguments, catch_exceptions=False).output


def test_a_group_is_one_object(run):
    assert run("x", "--last", "3") == "x False 1 3\n"
    assert run("--first", "2", "--loud", "x") == "x True 2 9\n"


def test_an_error_of_an_option_is_still_about_the_option(run):
    assert "Invalid value for '--first'" in run("x", "--first", "0")


def test_parameters_are_in_the_order_of_the_help():
    assert [parameter.name for parameter in parameters_of(period_options)] == ["first", "last"]
    ref = ["name", "loud", "first", "last", "a_name_that_is_longer_than_the_column", "plain"]
    assert [parameter.name for parameter in command.params] == ref


def test_the_help_has_a_section_for_each_group(run):
    ref = """\
Options:
  --loud                          Shout.
  --plain                         Not of a group.
  --help                          Show this message and exit.

Dates:
  --first INTEGER RANGE           [default: 1; x>=1]
  --last N                        Day.  [default: 9]

Output:
  --a-name-that-is-longer-than-the-column
                                  Long.
"""
    assert run("--help").endswith(ref)


def test_help_is_the_last_line_of_the_last_group():
    @click.command(cls=GroupedCommand)
    @option("--json", is_flag=True, help="JSON.", group="Output")
    def one_group(json): ...

    out = CliRunner().invoke(one_group, ["--help"]).output
    assert out.splitlines()[-3:] == [
        "Output:",
        "  --json  JSON.",
        "  --help  Show this message and exit.",
    ]
