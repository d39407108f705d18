"""`Vocabulary`: ids and rows, and what is said when they do not fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funksvd import RatingsError, UnknownIdError
from funksvd.ratings import Vocabulary, as_labels, first_few
from funksvd.ratings.vocabulary import IDS_PER_LOOKUP, _is_integer


def vocabulary(*ids, what="user") -> Vocabulary:
    return Vocabulary.encode(list(ids), what)[0]


def test_encode():
    users, index = Vocabulary.encode(["b", "a", "b"], "user")
    assert (users.ids.tolist(), index.tolist(), len(users)) == (["a", "b"], [1, 0, 1], 2)
    assert (users.ids.dtype, index.dtype) == (object, np.int32)
    assert not users.holds_integers
    items, index = Vocabulary.encode(np.array([20, -3, 20], np.int16), "item")
    assert (items.ids.tolist(), index.tolist()) == ([-3, 20], [1, 0, 1])
    assert (items.ids.dtype, items.holds_integers) == (np.int64, True)
    assert repr(items) == "<Vocabulary: 2 items>"
    with pytest.raises(RatingsError, match="item ids"):
        Vocabulary.encode([1, "a"], "item")


def test_rows_take_an_integer_and_its_text_for_the_same():
    assert vocabulary("a", "b").rows(["b", "c"]).tolist() == [1, -1]
    assert vocabulary(3, 7).rows([7, 8, 2, 3]).tolist() == [1, -1, -1, 0]
    assert vocabulary(3, 7).rows(["7", "007"]).tolist() == [1, -1]
    assert vocabulary("007", "7").rows([7, 8]).tolist() == [1, -1]
    nobody = Vocabulary(np.empty(0, np.int64), "user")
    assert nobody.rows([1]).tolist() == [-1]
    assert vocabulary(3).rows([]).tolist() == []
    assert vocabulary(3).rows([3]).dtype == np.int32


@given(
    st.lists(st.text(st.sampled_from("ab0"), min_size=1, max_size=3), min_size=1, unique=True),
    st.lists(st.text(st.sampled_from("ab0"), min_size=1, max_size=3)),
)
def test_rows_of_few_and_of_many_texts(ids, asked):
    users = vocabulary(*ids)
    ref = [sorted(ids).index(text) if text in ids else -1 for text in asked]
    assert users.rows(asked).tolist() == ref
    long = vocabulary(*ids, *(f"z{n}" for n in range(IDS_PER_LOOKUP * (len(asked) + 2))))
    assert long.rows(asked).tolist() == ref


def test_what_is_unknown_is_named_with_examples():
    users = vocabulary(5, 6, 7, 8)
    assert users.row(6) == users.row("6") == 1
    assert type(users.row(6)) is int
    assert users.known_rows([8, 5]).tolist() == [3, 0]
    expected = "the model does not know user 9; it knows 4 users, for instance 5, 6, 7, …"
    for ask in (lambda: users.row(9), lambda: users.known_rows([5, 9, 11])):
        with pytest.raises(UnknownIdError) as caught:
            ask()
        assert str(caught.value) == expected
    with pytest.raises(UnknownIdError, match=r"not know item 'x'; it knows 1 items.* 'a'$"):
        vocabulary("a", what="item").row("x")


def test_require_some():
    items = vocabulary("a", "b", what="item")
    items.require_some(np.array([-1, 0, -1]), ["x", "a", "y"])
    message = (
        "the model knows none of these 4 items ('x', 'y', 'z', …); the ids it knows look like "
        "'a', 'b'"
    )
    for source, start in (("", ""), ("mine.csv", "mine.csv: ")):
        with pytest.raises(UnknownIdError) as caught:
            items.require_some(np.array([-1, -1]), ["x", "y", "z", "w"], source)
        assert str(caught.value) == start + message
    with pytest.raises(UnknownIdError):
        items.require_some(np.empty(0, np.int32), [])


def test_labels_and_select():
    users = vocabulary("a", "b", "c")
    assert users.labels(np.array([2, 0])).tolist() == ["c", "a"]
    assert users.labels(slice(1, 3)).tolist() == ["b", "c"]
    assert (users.label(1), vocabulary(4, 5).label(1)) == ("b", 5)
    assert type(vocabulary(4, 5).label(1)) is int
    few = users.select(np.array([0, 2]))
    assert (few.ids.tolist(), few.what) == (["a", "c"], "user")


def test_equality_is_by_content():
    assert vocabulary(1, 2) == vocabulary(2, 1, 2)
    assert hash(vocabulary(1, 2)) == hash(vocabulary(2, 1, 2))
    assert vocabulary("1", "2") == vocabulary("2", "1")
    for other in (vocabulary(1), vocabulary(1, 3), vocabulary("1", "2"), [1, 2]):
        assert vocabulary(1, 2) != other


def test_joined():
    users = vocabulary(3, 1)
    assert users.joined(vocabulary(2, 3)).ids.tolist() == [1, 2, 3]
    assert users.joined(vocabulary(1, 3)) is users
    assert vocabulary("a").joined(vocabulary("b")).ids.tolist() == ["a", "b"]
    for one, other in ((users, vocabulary("x")), (vocabulary("x"), users)):
        with pytest.raises(RatingsError) as caught:
            one.joined(other, "a.csv and b.csv")
        assert str(caught.value) == (
            "a.csv and b.csv do not go together: the user ids of one are integers (like 1) and "
            "those of the other are text (like 'x')"
        )


def test_rows_in_another_vocabulary():
    few, many = vocabulary(2, 9), vocabulary(1, 2, 3)
    index = np.array([1, 0, 0, 1], np.int32)
    assert few.positions_in(many).tolist() == [1, -1]
    assert few.translate(index, many).tolist() == [-1, 1, 1, -1]
    assert few.translate(index, vocabulary("2", "5")).tolist() == [-1, 0, 0, -1]
    assert many.positions_in(vocabulary(1, 2, 3)).tolist() == [0, 1, 2]
    assert few.translate(index, vocabulary(2, 9)) is index


def test_as_labels():
    assert as_labels([1, 2]).dtype == np.int64
    assert as_labels(np.array(["a", "b"])).tolist() == ["a", "b"]
    assert as_labels(np.array([3], np.uint8)).dtype == np.int64
    for wrong in ([1, "a"], [1.5], [True], [None], ["a", ""], [[1]], np.array([2**64 - 1])):
        with pytest.raises(RatingsError, match="ids"):
            as_labels(wrong)


def test_first_few():
    assert first_few([1, 2, 3]) == "1, 2, 3"
    assert first_few(["a", "b", "c", "d"]) == "'a', 'b', 'c', …"
    assert first_few(["7", "007", " "]) == "7, '007', ' '"


def test_is_integer():
    assert all(map(_is_integer, ["0", "7", "-7", str(2**63 - 1), str(-(2**63))]))
    assert not any(map(_is_integer, ["", "007", "+7", "7.0", "7\n", "-0", str(2**63), "x"]))


def test_blanks_around_ids_do_not_count():
    assert as_labels([" a", "a\u00a0\n", "b c"]).tolist() == ["a", "a", "b c"]
    assert vocabulary("a", "b").rows([" b ", "\tc"]).tolist() == [1, -1]
    assert vocabulary(3, 7).rows([" 7 "]).tolist() == [1]
    with pytest.raises(RatingsError, match="ids hold an empty text at position 1"):
        as_labels(["a", " \t"])
    with pytest.raises(UnknownIdError, match="does not know user 'a b'; it knows 1 users"):
        vocabulary("ab").row(" a b")
