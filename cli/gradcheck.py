"""`funksvd gradcheck`: proof that the hand-derived gradients are right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .console import Output, counted
from .groups import GroupedCommand, option, packed
from .options import FILE, output_options
from .reading import read, reading_options

if TYPE_CHECKING:
    from funksvd import Ratings, ReadOptions
    from funksvd.gradcheck import Objective, Problem, StepError, Verdict

PROBLEM = "Problem"
"""Heading of the options for the point at which gradients are compared."""
DISAGREE = 1
"""Exit code if gradients disagree."""
INTRODUCTION = """\
The gradients that training uses were derived by hand. Each is compared with those that other
methods find for the same loss at the same random point:

  reverse, forward   automatic differentiation of the function that states the loss
  differences        central finite differences of that function
  kernel             movement by the compiled training step (float32: about 7 digits)
  sympy              symbolic differentiation{sympy}
"""


class Sizes(NamedTuple):
    """Sizes of the problem that each objective is checked on, and the seed of its random point."""

    n_users: int
    n_items: int
    n_ratings: int
    n_factors: int
    seed: int

    def problem(self, checked: Objective, ratings: Ratings | None) -> Problem:
        """A random point of an objective, with random ratings or with a sample of these."""
        from funksvd.gradcheck import random_problem, sampled_problem

        if ratings is None:
            return random_problem(checked, **self._asdict())
        return sampled_problem(
            checked, ratings, n_ratings=self.n_ratings, n_factors=self.n_factors, seed=self.seed
        )


def _size(*names: str, default: int, help: str) -> Any:
    return option(
        *names, metavar="N", type=int, default=default, show_default=True, group=PROBLEM, help=help
    )


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd gradcheck
  funksvd gradcheck --only svd++ --only huber
  funksvd gradcheck --ratings ratings.csv -k 5 --seed 3
  funksvd gradcheck --step-study --plot steps.png""",
)
@option(
    "--only",
    metavar="NAME",
    multiple=True,
    help="Objective to check, such as biased, svd++ or huber; may be given several times.  "
    "[default: all]",
)
@option(
    "--biases/--no-biases",
    default=None,
    help="Check only objectives with, or only objectives without biases.  [default: both]",
)
@option(
    "--step-study",
    is_flag=True,
    help="Show instead the error of finite differences by step, for the first objective.",
)
@option(
    "--plot",
    metavar="FILE",
    type=FILE,
    help="File for a picture of the step study (needs matplotlib).",
)
@packed(
    "sizes",
    Sizes,
    _size("--n-users", default=6, help="Number of users."),
    _size("--n-items", default=5, help="Number of items."),
    _size("--n-ratings", default=16, help="Number of ratings."),
    _size("--n-factors", "-k", default=3, help="Number of factors."),
    option(
        "--seed",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        group=PROBLEM,
        help="Seed of the random ratings and of the random point.",
    ),
)
@option(
    "--ratings",
    "ratings_file",
    metavar="FILE",
    type=FILE,
    group=PROBLEM,
    help="File of ratings, a sample of which replaces random ones.",
)
@reading_options
@output_options
def gradcheck(
    *,
    only: tuple[str, ...],
    biases: bool | None,
    step_study: bool,
    plot: str | None,
    sizes: Sizes,
    ratings_file: str | None,
    reading: ReadOptions,
    output: Output,
) -> int:
    """Prove that the hand-derived gradients are right.

    They are compared with automatic, numeric and symbolic differentiation of the loss and with
    the movement by the compiled training step. Exit code 1 if any of them disagrees. A method that
    cannot differentiate a loss is named, and the others judge without it.
    """
    from funksvd.gradcheck import judge, study_steps

    chosen = _choose(only, biases)
    ratings = None if ratings_file is None else read(output, [ratings_file], reading)
    problems = [sizes.problem(checked, ratings) for checked in chosen]
    if step_study or plot:
        _show_steps(output, study_steps(chosen[0], problems[0], sizes.seed), plot)
        return 0
    verdicts = {
        checked.name: judge(checked, problem)
        for checked, problem in zip(chosen, problems, strict=True)
    }
    if output.as_json:
        output.json(_as_json(verdicts))
    else:
        _show(output, chosen, problems, verdicts)
    return 0 if all(verdict.agrees for verdict in verdicts.values()) else DISAGREE


def _choose(only: tuple[str, ...], biases: bool | None) -> list[Objective]:
    """The objectives that the options name, in the order of their registration."""
    from funksvd.gradcheck import OBJECTIVES, find

    named = {find(name).name for name in only} or set(OBJECTIVES)
    chosen = [
        checked
        for name, checked in OBJECTIVES.items()
        if name in named and biases in (None, "user_biases" in checked.blocks)
    ]
    if not chosen:
        which = "with" if biases else "without"
        raise click.UsageError(
            f"nothing is left to check: --only names no objective {which} biases"
        )
    return chosen


def _as_json(verdicts: dict[str, Verdict]) -> dict[str, object]:
    """All verdicts as one JSON value."""
    return {
        "agrees": all(verdict.agrees for verdict in verdicts.values()),
        "objectives": {
            name: [row._asdict() for row in verdict.comparisons]
            for name, verdict in verdicts.items()
        },
        "problems": {
            name: {witness: given.sizes for witness, given in verdict.problems.items()}
            for name, verdict in verdicts.items()
        },
        "cannot": {name: verdict.cannot for name, verdict in verdicts.items() if verdict.cannot},
    }


def _show(
    output: Output,
    chosen: list[Objective],
    problems: list[Problem],
    verdicts: dict[str, Verdict],
) -> None:
    from funksvd.gradcheck import available_witnesses

    missing = "" if "sympy" in available_witnesses() else " (SymPy is not installed: left out)"
    output.note(INTRODUCTION.format(sympy=missing))
    for checked, problem in zip(chosen, problems, strict=True):
        verdict = verdicts[checked.name]
        output.note(f"{checked.title}: {_sizes(problem)}")
        for witness, given in verdict.problems.items():
            if given.sizes != problem.sizes:
                output.note(f"({witness}: an excerpt with positions of its own, {_sizes(given)})")
        rows = [
            (
                row.block if row.witness == verdict.comparisons[0].witness else "",
                row.witness,
                f"{row.max_relative_error:.1e}",
                f"[{', '.join(map(str, row.worst))}]",
                f"{row.by_hand:.8f}",
                f"{row.by_witness:.8f}",
                "agrees" if row.agrees else "DISAGREES",
            )
            for row in verdict.comparisons
        ]
        header = ("gradient by", "witness", "max rel. error", "at", "by hand", "by witness", "")
        output.table(header, rows, text=("gradient by", "witness", "at", ""))
        for witness, reason in verdict.cannot.items():
            output.note(f"{witness} cannot differentiate this loss: {reason}")
        output.note()
    wrong = [
        f"{row.block} ({name}, by {row.witness})"
        for name, verdict in verdicts.items()
        for row in verdict.comparisons
        if not row.agrees
    ]
    unproved = [name for name, verdict in verdicts.items() if not verdict.comparisons]
    if wrong:
        output.warn(f"gradients disagree: {', '.join(wrong)}")
    if unproved:
        output.warn(f"no witness can differentiate: {', '.join(unproved)}")
    if not wrong and not unproved:
        output.note("All agree: the gradients are right.")


def _sizes(problem: Problem) -> str:
    """Sizes of a problem in words."""
    return ", ".join(counted(n, name[2:-1]) for name, n in problem.sizes.items())


def _show_steps(output: Output, errors: list[StepError], plot: str | None) -> None:
    if output.as_json:
        output.json([error._asdict() for error in errors])
    else:
        output.note(
            "Relative error of the derivative of the loss in a random direction, by step h.\n"
            "Large steps suffer from truncation (forward ~ h, central ~ h²), small ones from "
            "round-off (~ 1/h).\n"
        )
        best = {n: min(getattr(e, n) for e in errors) for n in ("forward", "central")}
        rows = [
            (
                f"{error.step:.1e}",
                *(
                    f"{getattr(error, name):.1e}{' *' if getattr(error, name) == low else '  '}"
                    for name, low in best.items()
                ),
            )
            for error in errors
        ]
        output.table(("step", "forward", "central"), rows)
        output.note("\n* the smallest error")
    if plot:
        _plot_steps(errors, plot)
        output.note(f"Wrote {plot}")


def _plot_steps(errors: list[StepError], path: str) -> None:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise click.UsageError(
            "--plot needs matplotlib: pip install matplotlib, or leave the option out"
        ) from error
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    steps = [error.step for error in errors]
    figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    axes.loglog(steps, [error.forward for error in errors], "o-", label="forward")
    axes.loglog(steps, [error.central for error in errors], "s-", label="central")
    axes.set_xlabel("step h")
    axes.set_ylabel("relative error of the derivative")
    axes.set_title("Finite differences: truncation meets round-off")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    plt.close(figure)
