"""Model files: the options that name them, loading, saving, and the ratings they came from."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from .console import Output
from .groups import F, option
from .options import FILE, OUTPUT
from .writing import refuse_to_overwrite

if TYPE_CHECKING:
    from funksvd import FunkSVD
    from funksvd.splitting import Holdout, Provenance

DEFAULT_MODEL = "model.funksvd"

model_argument = click.argument("model_path", metavar="[MODEL]", type=FILE, default=DEFAULT_MODEL)
"""The model file that a command is about, as `model_path: str`."""
model_option = option(
    "--model",
    "-m",
    "model_path",
    metavar="FILE",
    type=FILE,
    default=DEFAULT_MODEL,
    show_default=True,
    help="Model file.",
)
"""The model file that a command makes use of, as `model_path: str`."""


def _is_folder(ctx: click.Context, parameter: click.Parameter, value: str | None) -> bool | None:
    return None if value is None else value == "folder"


def saved_as(help_text: str) -> Callable[[F], F]:
    """The option for what a model is saved as, as `as_folder: bool | None`."""
    return option(
        "--as",
        "as_folder",
        type=click.Choice(["file", "folder"]),
        callback=_is_folder,
        group=OUTPUT,
        help=help_text,
    )


saved_as_option = saved_as(
    "Save the model as one file, or as a folder with a file for each array.  [default: a folder "
    "above 20 GB, and where one is replaced]"
)
"""What a model is saved as, as `as_folder: bool | None`."""


def is_model(path: str) -> bool:
    """Whether a file or folder is there and is a model."""
    from funksvd.learned import storage

    return storage.is_model(path)


def load(output: Output, path: str, threads: int | None = None) -> FunkSVD:
    """Load a model, which will work with this number of threads; by default, all processors."""
    from funksvd import FunkSVD

    with output.busy("Loading"):
        model = FunkSVD.load(path)
    model.hyperparameters.n_threads = threads
    return model


def keep_ratings_of(model: FunkSVD, path: str | None, option: str = "-o") -> None:
    """Refuse to write a result over the ratings and features that a model was trained on.

    Parameters
    ----------
    model : FunkSVD
    path : str or None
        File to write; None for standard output.
    option : str
        Option that names it, for the message.

    Raises
    ------
    click.BadParameter
        If the path is that of one of their files.
    """
    if model.provenance is None:
        return
    updates = (update.ratings for update in model.provenance.updates)
    parts = (model.provenance.test, model.provenance.validation, model.provenance.interactions)
    sources = (model.provenance.ratings, *parts, *updates)
    files = [name for source in sources if source for name in source.files]
    refuse_to_overwrite(path, files, option, why="holds ratings that the model was trained on")
    features = [known.encoding.path for known in model.fitted.features.values()]
    refuse_to_overwrite(path, features, option, why="holds features that the model was trained on")


def save(
    output: Output,
    model: FunkSVD,
    path: str,
    holdout: Holdout,
    *,
    with_seen: bool,
    as_folder: bool | None,
) -> bool:
    """Save a model with the record of its ratings; Ctrl-C must wait, or all would be lost.

    Parameters
    ----------
    output : Output
        Told the size of the file.
    model : FunkSVD
    path : str
    holdout : Holdout
        The ratings that it was trained on and those set aside.
    with_seen : bool
        Whether to save which pairs were rated.
    as_folder : bool or None
        Whether to save a folder rather than a file; None to decide by its size.

    Returns
    -------
    bool
        Whether Ctrl-C was pressed meanwhile.
    """
    from funksvd.learned.storage import size_of
    from funksvd.training import Interrupts

    with Interrupts(armed=True) as interrupts:
        model.remember_origin(holdout)
        model.save(path, with_seen=with_seen, as_folder=as_folder)
        interrupted = interrupts.requested
        interrupts.requested = False
    output.note(f"Saved {path} ({size_of(path) / 1e6:,.1f} MB)")
    return interrupted


def ratings_of(
    model: FunkSVD, path: str, remedy: str, *, with_interactions: bool = False
) -> Holdout:
    """Read the ratings that a model was trained on again, and split them as they were then.

    Parameters
    ----------
    model : FunkSVD
    path : str
        The model's file; ratings are looked for near it, too.
    remedy : str
        The way out, for messages: "train a new model".
    with_interactions : bool
        Whether to read its interactions again, too: only training needs them.

    Raises
    ------
    FunkSVDError
        If the model does not record its ratings, or they are gone or have changed.
    """
    from funksvd import rebuild

    return rebuild(
        check_recorded(model, path, remedy),
        os.path.dirname(os.path.realpath(path)),
        remedy=remedy,
        with_interactions=with_interactions,
    )


def check_recorded(model: FunkSVD, path: str, remedy: str) -> Provenance:
    """Refuse a model that does not record its ratings, before anything is read."""
    from funksvd import FunkSVDError

    if model.provenance is None:
        raise FunkSVDError(
            f"{path}: the model does not record which ratings it was trained on; {remedy}"
        )
    return model.provenance
