"""Messages that name arguments: worded for Python, and for the command line."""

import copy
import pickle

import pytest

from funksvd import FunkSVDError, RatingsError, UnknownIdError
from funksvd.errors import argument


@pytest.mark.parametrize(
    ("value", "in_python"),
    [(None, "item_col="), (3, "item_col=3"), ("none", 'item_col="none"'), ("é;", 'item_col="é;"')],
)
def test_wording(value, in_python):
    error = RatingsError(f"a.csv: name it with {argument('item_col', value)}, or not")
    assert str(error) == f"a.csv: name it with {in_python}, or not"
    assert repr(error) == f"RatingsError({str(error)!r})"
    told = []
    assert error.worded(lambda *asked: told.append(asked) or "X") == "a.csv: name it with X, or not"
    assert told == [("item_col", value)]


def test_several_arguments_and_none():
    error = FunkSVDError(f"{argument('sep')} and {argument('user_col', 1)}")
    assert str(error) == "sep= and user_col=1"
    assert str(FunkSVDError("nothing = 5")) == "nothing = 5"
    assert str(FunkSVDError()) == ""


def test_a_message_made_of_another():
    inner = RatingsError(f"give {argument('sep')}")
    outer = FunkSVDError(f"No ratings: {inner.template}")
    assert outer.worded(lambda name, value: name.upper()) == "No ratings: give SEP"
    assert str(outer) == "No ratings: give sep="


@pytest.mark.parametrize("kind", [RatingsError, UnknownIdError])
def test_errors_survive_copying(kind):
    error = kind(f"give {argument('sep')}")
    for comp in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(comp) is kind
        assert comp.template == error.template
        assert str(comp) == "give sep="
