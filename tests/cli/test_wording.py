"""The command line speaks of options where Python speaks of arguments."""

import pytest
from commands import COMMANDS

from funksvd_cli.wording import OPTIONS, as_option


def test_as_option():
    assert as_option("item_col") == "--item-col"
    assert as_option("on_bad_rows", "skip") == "--on-bad-rows skip"
    assert as_option("validation_fraction", 0) == "--valid-fraction 0"


def test_options_of_other_names_exist():
    known = {o for c in COMMANDS.values() for p in c.params for o in (*p.opts, *p.secondary_opts)}
    for options in OPTIONS.values():
        assert set(options.split("/")) <= known


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("user,item,rating\n1,2,x\n1,3,2\n", (), "drop such rows with --on-bad-rows skip"),
        ("who,what,much\n1,2,3\n", (), "Say it with --user-col and --item-col and --rating-col"),
        ("1,2,3\n", ("--sep", ";"), "leave --sep out"),
        ("1,2,3,soon\n2,2,3,1\n", (), "leave the timestamps out with --timestamp-col none"),
        ("1,2,3\n1,2,4\n", ("--duplicates", "error"), "say with --duplicates whether the last"),
    ],
)
def test_reading(error_of, here, text, options, says):
    (here / "odd.csv").write_text(text)
    message = error_of("train", "odd.csv", *options)
    assert says in message
    assert "_col" not in message
