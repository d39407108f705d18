"""Options that several commands share: threads, output, and those of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .console import Output
from .groups import option, packed

if TYPE_CHECKING:
    from funksvd import FunkSVD

FILE = click.Path(readable=False, allow_dash=True)
"""Type of an option that takes a file: the shell completes its name, the command opens it."""
OUTPUT = "Output"
"""Heading of the options for what a command prints or writes."""


def _output(quiet: bool, as_json: bool) -> Output:
    output = Output(quiet, as_json)
    output.tell_of_compilation()
    return output


OUTPUT_OPTIONS = (
    option(
        "--json", "as_json", is_flag=True, group=OUTPUT, help="Print the result as one JSON value."
    ),
    option("--quiet", "-q", is_flag=True, group=OUTPUT, help="Print results and errors only."),
)
output_options = packed("output", _output, *OUTPUT_OPTIONS)
"""`--json` and `--quiet`, as `output: Output` that tells when kernels are being compiled."""
light_output_options = packed("output", Output, *OUTPUT_OPTIONS)
"""`--json` and `--quiet`, as `output: Output`, without loading the compiler."""

threads_option = option(
    "--threads",
    metavar="N",
    type=click.IntRange(min=1),
    help="Number of threads; the result does not depend on it.  [default: all processors]",
)
"""The number of threads, as `threads: int | None`."""


class BatchSize(click.ParamType):
    """A number or "full"."""

    name = "N|full"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Numbers as such."""
        if value == "full":
            return value
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a whole number nor 'full'.", param, ctx)


OPTIMIZERS = ("sgd", "momentum", "adagrad", "adagrad-element", "rmsprop", "adam")
SCHEDULES = ("exponential", "constant", "inverse-time", "plateau", "cyclic", "cyclic-annealed")
TRAINING = (
    click.option(
        "--algorithm",
        type=click.Choice(["sgd", "incremental", "svd++", "bayes", "bayes++"]),
        help="++: rated items speak for one too; bayes: a mean of samples, slower and better; "
        "incremental: Funk's own, a factor at a time.  [default: sgd]",
    ),
    click.option(
        "--optimizer",
        type=click.Choice(OPTIMIZERS),
        help="How to step by gradients.  [default: sgd]",
    ),
    click.option(
        "--batch-size",
        type=BatchSize(),
        metavar="[N|full]",
        help="Ratings of a step, or all.  [default: 1]",
    ),
    click.option(
        "--loss",
        type=click.Choice(["squared", "absolute", "huber", "logistic"]),
        help="What errors cost; logistic is for ratings 0 and 1.  [default: squared]",
    ),
    click.option(
        "--huber-delta",
        type=float,
        help="Errors up to so many standard deviations are squared.  [default: 1.0]",
    ),
    click.option(
        "--nonnegative", is_flag=True, default=False, help="Keep all factors at 0 or above."
    ),
    click.option(
        "--n-factors",
        "-k",
        type=int,
        help="Length of the factor vectors (bayes: 12).  [default: 64]",
    ),
    click.option(
        "--n-epochs",
        type=int,
        help="Passes over the ratings, at most (bayes: 540).  [default: 100]",
    ),
    click.option("--learning-rate", type=float, help="Step size at first.  [default: 0.03]"),
    click.option(
        "--bias-learning-rate",
        type=float,
        help="That of the biases.  [default: that of the factors]",
    ),
    click.option(
        "--learning-rate-decay",
        type=float,
        help="What the step sizes are multiplied by after an epoch.  [default: 0.85]",
    ),
    click.option(
        "--schedule",
        type=click.Choice(SCHEDULES),
        help="How the step sizes change.  [default: exponential]",
    ),
    click.option(
        "--plateau-epochs",
        type=int,
        help="To a tenth after so many without a better error.  [default: 2]",
    ),
    click.option("--cycle-epochs", type=int, help="Length of a cycle.  [default: 4]"),
    click.option(
        "--reg", type=float, help="Regularization of the factors.  [default: by the data]"
    ),
    click.option("--bias-reg", type=float, help="Regularization of the biases.  [default: 0.05]"),
    click.option("--no-biases", is_flag=True, help="Leave out mean and biases: Funk's original."),
    click.option("--init-std", type=float, help="Spread of the initial factors.  [default: 0.02]"),
    click.option(
        "--patience",
        type=int,
        help="Epochs to wait for a better validation error (bayes: 100).  [default: 5]",
    ),
    click.option(
        "--ensemble", type=int, help="Models whose mean is the model; slower, better.  [default: 1]"
    ),
    click.option(
        "--ensemble-snapshots",
        is_flag=True,
        help="Take these models from the ends of one run's cycles: much faster.",
    ),
    click.option("--seed", type=int, help="Same seed, same model, bit for bit.  [default: 0]"),
    click.option(
        "--valid-fraction",
        type=click.FloatRange(0, 1, max_open=True),
        help="Part that decides when to stop, and about --reg; 0: run all epochs (bayes: 0).  "
        "[default: 0.05]",
    ),
    click.option(
        "--refit/--no-refit",
        default=True,
        show_default=True,
        help="Train again with the validation ratings for the best number of epochs.",
    ),
)


def training_options(command: Callable) -> Callable:
    """The hyperparameters."""
    for each in reversed(TRAINING):
        command = each(command)
    return command


def new_model(options: dict[str, Any]) -> FunkSVD:
    """An unfitted model with the hyperparameters that were given."""
    from funksvd import FunkSVD

    model = FunkSVD(
        biases=not options["no_biases"],
        refit=options["refit"],
        n_threads=options["threads"],
        validation_fraction=options["valid_fraction"],
    )
    given = {name: options[name] for name in model.get_params() if options.get(name) is not None}
    model.set_params(**given)
    model.hyperparameters.check()
    return model
