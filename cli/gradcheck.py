"""`funksvd gradcheck`: proof that the hand-derived gradients are right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .console import Output
from .options import output_options, reading_options, take_read_options

if TYPE_CHECKING:
    from funksvd.gradcheck import Comparison, Objective, Problem, StepError

DISAGREE = 1
INTRODUCTION = """\
The gradients that training uses were derived by hand. Here each is set beside those that other
methods find for the same loss, at the same random point:

  reverse, forward   automatic differentiation of the function that states the loss
  differences        central finite differences of it
  kernel             what the compiled training step moves (float32: about 7 digits)
  sympy              symbolic differentiation{sympy}
"""


@click.command(
    epilog="""\b
Examples:
  funksvd gradcheck
  funksvd gradcheck --ratings ratings.csv -k 5 --seed 3
  funksvd gradcheck --step-study --plot steps.png"""
)
@click.option("--n-users", type=int, default=6, show_default=True, help="Users.")
@click.option("--n-items", type=int, default=5, show_default=True, help="Items.")
@click.option("--n-ratings", type=int, default=16, show_default=True, help="Ratings.")
@click.option("--n-factors", "-k", type=int, default=3, show_default=True, help="Factors.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of data and point."
)
@click.option("--biases/--no-biases", default=None, help="Only with, or without.  [default: both]")
@click.option("--ratings", "ratings_file", help="Use a sample of these ratings.")
@click.option("--step-study", is_flag=True, help="Show the error of finite differences by step.")
@click.option("--plot", help="Picture of the step study (needs matplotlib).")
@reading_options
@output_options
def gradcheck(biases: bool | None, step_study: bool, plot: str | None, **options: Any) -> int:
    """Prove that the hand-derived gradients are right.

    They are compared with automatic, numeric and symbolic differentiation of the loss and with
    what the compiled training step moves. Exit code 1 if any of them disagrees.
    """
    from funksvd.gradcheck import OBJECTIVES, compare, study_steps

    output = Output.of(options)
    read_options = take_read_options(options)
    chosen = [
        checked
        for checked in OBJECTIVES.values()
        if biases is None or biases == ("user_biases" in checked.blocks)
    ]
    ratings = _read(output, options.pop("ratings_file"), read_options)
    problems = [_problem(checked, ratings, options) for checked in chosen]
    if step_study or plot:
        _show_steps(output, study_steps(chosen[0], problems[0], options["seed"]), plot)
        return 0
    results = {
        checked.name: compare(checked, problem)
        for checked, problem in zip(chosen, problems, strict=True)
    }
    agrees = all(comparison.agrees for rows in results.values() for comparison in rows)
    if output.as_json:
        objectives = {name: [row._asdict() for row in rows] for name, rows in results.items()}
        output.json({"agrees": agrees, "objectives": objectives})
    else:
        _show(output, chosen, problems, results)
    return 0 if agrees else DISAGREE


def _read(output: Output, path: str | None, read_options: Any) -> Any:
    if path is None:
        return None
    from funksvd import read_ratings

    from .console import report_reading

    ratings = read_ratings(path, read_options)
    report_reading(output, ratings.report)
    return ratings


def _problem(checked: Objective, ratings: Any, options: dict[str, Any]) -> Problem:
    from funksvd.gradcheck import random_problem, sampled_problem

    if ratings is None:
        return random_problem(checked, **options)
    sizes = {name: options[name] for name in ("n_ratings", "n_factors", "seed")}
    return sampled_problem(checked, ratings, **sizes)


def _show(
    output: Output,
    chosen: list[Objective],
    problems: list[Problem],
    results: dict[str, list[Comparison]],
) -> None:
    from funksvd.gradcheck import available_witnesses

    missing = "" if "sympy" in available_witnesses() else " (SymPy is not installed: left out)"
    output.note(INTRODUCTION.format(sympy=missing))
    for checked, problem in zip(chosen, problems, strict=True):
        n_users, n_factors = problem.parameters.user_factors.shape
        output.note(
            f"{checked.title}: {len(problem.values)} ratings, {n_users} users, "
            f"{len(problem.parameters.item_biases)} items, {n_factors} factors"
        )
        rows = [
            (
                row.block if row.witness == "reverse" else "",
                row.witness,
                f"{row.max_relative_error:.1e}",
                f"[{', '.join(map(str, row.worst))}]",
                f"{row.by_hand:.8f}",
                f"{row.by_witness:.8f}",
                "agrees" if row.agrees else "DISAGREES",
            )
            for row in results[checked.name]
        ]
        header = ("gradient by", "witness", "max rel. error", "at", "by hand", "by witness", "")
        output.table(header, rows, text=("gradient by", "witness", "at", ""))
        output.note()
    wrong = [
        f"{row.block} ({name}, by {row.witness})"
        for name, rows in results.items()
        for row in rows
        if not row.agrees
    ]
    if wrong:
        output.warn(f"gradients disagree: {', '.join(wrong)}")
    else:
        output.note("All agree: the gradients are right.")


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
