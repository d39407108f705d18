"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from funksvd import FunkSVD, ReadOptions

DEFAULT_MODEL = "model.funksvd"
FILE = click.Path(readable=False, allow_dash=True)
"""The shell completes names of files; what is wrong with one is said by whoever opens it."""

READING = (
    click.option("--sep", help='Column separator, such as ";", "::" or "tab".  [detected]'),
    click.option(
        "--user-col", metavar="NAME", help="User column, by name or by number from 1.  [detected]"
    ),
    click.option("--item-col", metavar="NAME", help="Item column.  [detected]"),
    click.option("--rating-col", metavar="NAME", help="Rating column.  [detected]"),
    click.option(
        "--timestamp-col",
        metavar="NAME",
        help='Timestamp column; "none" to ignore it.  [detected]',
    ),
    click.option(
        "--encoding",
        metavar="NAME",
        default="utf-8",
        show_default=True,
        help="Encoding of text files.",
    ),
    click.option(
        "--duplicates",
        type=click.Choice(["last", "first", "mean", "error"]),
        default="last",
        show_default=True,
        help="What to keep of several ratings of one item by one user.",
    ),
    click.option(
        "--on-bad-rows",
        type=click.Choice(["error", "skip"]),
        default="error",
        show_default=True,
        help="Stop at rows that cannot be read, or drop and count them.",
    ),
)
READING_NAMES = (
    "sep",
    "user_col",
    "item_col",
    "rating_col",
    "timestamp_col",
    "encoding",
    "duplicates",
    "on_bad_rows",
)


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


def reading_options(command: Callable) -> Callable:
    """How ratings files are read."""
    for option in reversed(READING):
        command = option(command)
    return command


def training_options(command: Callable) -> Callable:
    """The hyperparameters."""
    for option in reversed(TRAINING):
        command = option(command)
    return command


def output_options(command: Callable) -> Callable:
    """`--json` and `--quiet`."""
    command = click.option("--quiet", "-q", is_flag=True, help="Print results and errors only.")(
        command
    )
    return click.option("as_json", "--json", is_flag=True, help="Print one JSON value.")(command)


def model_option(command: Callable) -> Callable:
    """`--model`."""
    return click.option(
        "--model",
        "-m",
        "model_path",
        metavar="FILE",
        type=FILE,
        default=DEFAULT_MODEL,
        show_default=True,
        help="Model file.",
    )(command)


def threads_option(command: Callable) -> Callable:
    """`--threads`."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="Threads to use; does not change the result.  [default: all processors]",
    )(command)


def take_read_options(options: dict[str, Any]) -> ReadOptions:
    """Take the reading options out of a command's options."""
    from funksvd import ReadOptions

    return ReadOptions(**{name: options.pop(name) for name in READING_NAMES})


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


def refuse_to_overwrite(path: str | None, inputs: Iterable[str | None], option: str = "-o") -> None:
    """Refuse an output file that is one of the command's inputs."""
    for name in inputs:
        there = path and name and os.path.exists(path) and os.path.exists(name)
        if there and os.path.samefile(path, name):
            raise click.BadParameter(f"{path} is read by this command too", param_hint=option)


def check_writable(
    path: str, inputs: Iterable[str | None], is_ours: Callable[[str], bool], what: str
) -> None:
    """Find out before a long work, not after it, that its result cannot be saved.

    Parameters
    ----------
    path : str
    inputs : iterable of (str or None)
        Files that the command reads, and that must not be overwritten.
    is_ours : callable
        Whether a file that is there already may be overwritten.
    what : str
        What such a file is, for the message: "a model".
    """
    refuse_to_overwrite(path, inputs)
    target = os.path.realpath(path)
    if os.path.isfile(target) and os.path.getsize(target) and not is_ours(target):
        raise click.BadParameter(
            f"{path} is there already and is not {what}; remove it first, or give another name",
            param_hint="-o",
        )
    folder = os.path.dirname(target)
    if os.path.isdir(target):
        raise click.BadParameter(f"{target} is a folder; give a file name", param_hint="-o")
    if os.path.exists(target) and not os.path.isfile(target):
        raise click.BadParameter(f"{target} is not a regular file", param_hint="-o")
    if not os.path.isdir(folder):
        raise click.BadParameter(f"the folder {folder} does not exist", param_hint="-o")
    if not os.access(folder, os.W_OK):
        raise click.BadParameter(f"the folder {folder} cannot be written to", param_hint="-o")
