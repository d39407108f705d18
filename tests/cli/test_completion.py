"""What the shell offers when Tab is pressed."""

import pytest
from click.shell_completion import ShellComplete

from funksvd_cli.main import cli


def offered(line):
    """What is offered for a word that begins after this line: the type and value of each."""
    program, *words = line.split()
    complete = ShellComplete(cli, {}, program, "_FUNKSVD_COMPLETE")
    return {(offer.type, offer.value) for offer in complete.get_completions(words, "")}


@pytest.mark.parametrize(
    "line",
    [
        "funksvd train",
        "funksvd train -o",
        "funksvd train --test",
        "funksvd train --valid",
        "funksvd train --interactions",
        "funksvd tune",
        "funksvd tune --study",
        "funksvd update",
        "funksvd update model.funksvd",
        "funksvd update -o",
        "funksvd evaluate",
        "funksvd evaluate model.funksvd",
        "funksvd cross-validate",
        "funksvd cross-validate --fold",
        "funksvd predict",
        "funksvd predict -m",
        "funksvd recommend -m",
        "funksvd recommend --users",
        "funksvd recommend --ratings",
        "funksvd recommend --items",
        "funksvd recommend -o",
        "funksvd similar --items",
        "funksvd info",
        "funksvd serve",
        "funksvd report",
        "funksvd report -o",
        "funksvd export",
        "funksvd export -o",
        "funksvd data describe",
        "funksvd data split",
        "funksvd data split -o",
        "funksvd data convert",
        "funksvd data convert -o",
        "funksvd data sample",
        "funksvd data fetch --from",
        "funksvd gradcheck --ratings",
        "funksvd gradcheck --plot",
    ],
)
def test_names_of_files(line):
    assert offered(line) == {("file", "")}


def test_what_is_no_file():
    assert ("plain", "svd++") in offered("funksvd train --algorithm")
    assert offered("funksvd recommend --user") == set()
