"""The declaration of a hyperparameter, from which checks, options and documentation follow."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from funksvd.errors import UnknownHyperparameterError
from funksvd.hyperparameters.ranges import Range
from funksvd.hyperparameters.searching import Search

_KEY = "declaration"


@dataclass(frozen=True)
class Declaration:
    """A hyperparameter.

    Parameters
    ----------
    name : str
        As a field of `Hyperparameters`.
    values : Range
        The values that it may have, besides None where that is the default.
    default : object
        Value if nothing else is given. None: that of the algorithm or the optimizer, or
        `otherwise`.
    group : str
        Heading under which it is listed.
    help : str
        What it means; in Markdown.
    short : str
        The same, in plain text for the command line.
    option : str
        Long name of its option on the command line.
    letter : str or None
        Short name of the option, such as "-k".
    otherwise : str
        What None means where neither algorithm nor optimizer have a default.
    search : Search or None
        Where `funksvd tune` searches for it; None if it does not.
    """

    name: str
    values: Range
    default: Any
    group: str
    help: str
    short: str
    option: str
    letter: str | None
    otherwise: str
    search: Search | None

    def problem(self, value: object) -> str | None:
        """The end of a sentence about a value out of the range, or None, as `Range.problem`."""
        return None if value is None and self.default is None else self.values.problem(value)


def declared(
    values: Range,
    default: Any,
    *,
    group: str,
    help: str,
    short: str | None = None,
    option: str | None = None,
    letter: str | None = None,
    otherwise: str = "",
    search: Search | None = None,
) -> Any:
    """A dataclass field with what is declared of it; `Declaration` describes the arguments."""
    facts = {
        "values": values,
        "default": default,
        "group": group,
        "help": help,
        "short": short or help.replace("`", ""),
        "option": option,
        "letter": letter,
        "otherwise": otherwise,
        "search": search,
    }
    return field(default=default, metadata={_KEY: facts})


def declarations_of(cls: type) -> dict[str, Declaration]:
    """The declarations of the fields of a dataclass, by their names and in their order."""
    found = {}
    for each in fields(cls):
        facts = dict(each.metadata[_KEY])
        facts["option"] = facts["option"] or "--" + each.name.replace("_", "-")
        found[each.name] = Declaration(name=each.name, **facts)
    return found


def check_names(names: Any, known: Any) -> None:
    """Make sure that names are those of hyperparameters.

    Raises
    ------
    UnknownHyperparameterError
        If one of them is not; the message suggests the name that may have been meant.
    """
    for name in names:
        if name not in known:
            from difflib import get_close_matches

            close = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}"
            raise UnknownHyperparameterError(
                f"FunkSVD has no hyperparameter {name!r}; {hint}", name
            )
