"""Write docs/hyperparameters.md from the declarations of the hyperparameters.

    python scripts/write_reference.py

A test compares the file with the declarations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from funksvd.hyperparameters import (
    ALGORITHMS,
    DECLARATIONS,
    OPTIMIZERS,
    SCHEDULES,
    Hyperparameters,
    stated_default,
)
from funksvd.hyperparameters.describing import in_words
from funksvd.hyperparameters.ranges import Flag
from funksvd.objectives.losses import LOSSES

TARGET = Path(__file__).parents[1] / "docs" / "hyperparameters.md"
INTRODUCTION = """\
# Hyperparameters

`scripts/write_reference.py` writes this page from the declarations in `funksvd/hyperparameters/`.

Python takes the names, as in `FunkSVD(n_factors=32)`; `funksvd train`, `tune` and `cross-validate`
take the options. A default is that of algorithm `sgd` with optimizer `sgd`, followed by those of
other algorithms and optimizers where they differ. Learning rates and regularization are stated for
ratings of unit standard deviation and are converted to the ratings at hand.
"""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a table in Markdown."""
    for cells in (header, ["---"] * len(header), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def hyperparameters() -> Iterator[str]:
    """A section for each group."""
    for group in dict.fromkeys(declaration.group for declaration in DECLARATIONS.values()):
        rows = []
        for name, declaration in DECLARATIONS.items():
            if declaration.group != group:
                continue
            option = declaration.option
            if isinstance(declaration.values, Flag) and stated_default(name) == "True":
                option = option.replace("--", "--no-", 1)
            options = [declaration.letter, option] if declaration.letter else [option]
            shown = ", ".join(f"`{each}`" for each in options)
            kind = declaration.values.text
            if kind.startswith("{"):
                kind = ", ".join(
                    f"`{choice}`" for choice in kind.strip("{}").replace('"', "").split(", ")
                )
            rows.append((f"`{name}`", shown, kind, stated_default(name), declaration.help))
        yield from ("", f"## {group}", "")
        yield from table(("name", "option", "values", "default", "meaning"), rows)


def choices() -> Iterator[str]:
    """What there is to choose from."""
    yield from ("", "## Algorithms", "")
    header = ("name", "model", "what is learned", "pairs without a rating", "update", "uncertainty")
    yield from table(
        header,
        (
            (
                f"`{name}`",
                entry.title,
                entry.summary,
                *(
                    "yes" if can else "no"
                    for can in (entry.uses_unrated, entry.is_updatable, entry.knows_uncertainty)
                ),
            )
            for name, entry in ALGORITHMS.items()
        ),
    )
    yield ""
    yield "Hyperparameters that mean nothing to an algorithm must be left out:"
    yield ""
    for name, entry in ALGORITHMS.items():
        unused = [f"`{each}`" for each in DECLARATIONS if each not in entry.hyperparameters]
        yield f"- `{name}`: {', '.join(unused) or 'none'}"
    yield from ("", "## Losses", "")
    yield from table(
        ("name", "cost", "watched error", "equation"),
        (
            (f"`{n}`", each.summary, each.metric_title, f"({each.equation})")
            for n, each in LOSSES.items()
        ),
    )
    yield from ("", "## Schedules", "")
    yield from table(
        ("name", "learning rate"), ((f"`{name}`", each.summary) for name, each in SCHEDULES.items())
    )
    yield from ("", "## Optimizers", "")
    names = ("batch_size", "learning_rate", "learning_rate_decay", "n_epochs", "patience")
    rows = []
    for name, optimizer in OPTIMIZERS.items():
        for batch_size in (None, "full"):
            chosen = Hyperparameters(optimizer=name, batch_size=batch_size).resolved()
            values = (in_words(getattr(chosen, each)) for each in names)
            rows.append((f"`{name}`", "" if batch_size else optimizer.summary, *values))
    yield from table(("name", "a step is", *(f"`{name}`" for name in names)), rows)


def page() -> str:
    """The whole page."""
    return INTRODUCTION + "\n".join([*hyperparameters(), *choices(), ""])


if __name__ == "__main__":
    TARGET.write_text(page())
