"""Ratings in shards on disk, and workers of a cluster: the options, and what is told meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .console import Output, counted, is_terminal
from .groups import option, packed
from .options import FILE
from .reading import report_reading
from .wording import message_of

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from funksvd import FunkSVD, Holdout, ReadOptions
    from funksvd.errors import FunkSVDError
    from funksvd.hyperparameters import Hyperparameters

    from .features import FeatureFiles
    from .parts import Parts

SHARDS = "Beyond memory and one machine"
"""Heading of these options."""
STEPS = {
    "scan": "reading",
    "spread": "sorting by user",
    "settle": "setting parts aside",
    "pack": "dealing to groups",
    "sort": "sorting into blocks",
}
"""Texts before the bar, by the steps of `funksvd.cluster.preparing`."""


class Sharding(NamedTuple):
    """Where ratings are, if not in memory, and who learns from them.

    Parameters
    ----------
    folder : str or None
    cluster : str or None
    overwrite : bool
        Whether shards of other files or settings may be removed.
    """

    folder: str | None
    cluster: str | None
    overwrite: bool

    @property
    def is_asked(self) -> bool:
        """Whether ratings are to be in shards."""
        return self.folder is not None or self.cluster is not None

    def check(self, parts: Parts, features: FeatureFiles, paths: Sequence[str]) -> None:
        """Refuse options that do not go with shards yet."""
        given = {
            "--test": parts.test_file,
            "--valid": parts.valid_file,
            "--interactions": parts.interactions_file,
            "--positive-from": parts.positive_from,
            "--user-features and --item-features": features.files or None,
            "standard input": "-" if "-" in paths else None,
        }
        for name, place in (("--shards", self.folder), ("--cluster", self.cluster)):
            if place == "":
                raise click.UsageError(f"{name} is given an empty text; is a variable not set?")
        asked = "--shards" if self.folder is not None else "--cluster"
        for name, value in given.items():
            if value is not None:
                raise click.UsageError(f"{name} cannot go with {asked} yet; leave one of them out")

    def open(
        self,
        output: Output,
        paths: Sequence[str],
        reading: ReadOptions,
        hyperparameters: Hyperparameters,
        test_fraction: float,
    ) -> Holdout[Any]:
        """Have ratings cut up, and say what was read; closed when the command ends.

        Returns
        -------
        Holdout
            Its training part is a `Shards`.
        """
        from funksvd import Holdout
        from funksvd.cluster.fitting import Shards

        bar = PreparingBar(output)
        with bar:
            shards = Shards(
                paths,
                hyperparameters,
                self.folder,
                options=reading,
                test_fraction=test_fraction,
                cluster=self.cluster,
                overwrite=self.overwrite,
                progress=bar.progress,
                lost=partial(_tell_of_loss, output),
            )
        click.get_current_context().with_resource(shards)
        ratings = shards.ratings
        if bar.is_again and self.folder is not None:
            output.note(f"Using the shards in {self.folder}, of the same files and settings")
        report_reading(output, ratings.report)
        low, high = ratings.limits["all"]
        n_users, n_items = counted(ratings.n_users, "user"), counted(ratings.n_items, "item")
        output.note(
            f"{counted(len(ratings), 'rating')} from {low:g} to {high:g} to learn from; {n_users}, "
            f"{n_items}"
        )
        if ratings.test is not None:
            output.note(f"Set aside {counted(len(ratings.test), 'rating')} for the test")
        n_workers = shards.gang.n_workers
        if self.cluster is not None:
            output.note(f"{counted(n_workers, 'worker')}, {counted(ratings.n_groups, 'group')}")
        return Holdout(shards, None, ratings.test, ratings.provenance)


def _tell_of_loss(output: Output, error: FunkSVDError) -> None:
    """Say that workers were lost, and what comes next."""
    message = message_of(error)
    output.warn(f"{message}; calling workers together again, to go on from what is kept")


class PreparingBar:
    """A bar, on a terminal, for each step of cutting ratings up.

    Parameters
    ----------
    output : Output

    Attributes
    ----------
    is_again : bool
        Whether shards were used that were there.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self.is_again = False

    def __enter__(self) -> PreparingBar:
        self._stack = contextlib.ExitStack()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if self._output.notes and is_terminal():
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = self._stack.enter_context(
                Progress(TextColumn("{task.description}"), BarColumn(bar_width=20), transient=True)
            )
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def progress(self, step: str, n_done: int, n: int) -> None:
        """Show how much of a step is done."""
        self.is_again = step == "again"
        if self._bar is None or self.is_again:
            return
        if self._task is None:
            self._task = self._bar.add_task("", total=n)
        self._bar.update(self._task, description=STEPS[step], completed=n_done, total=n)


def _sharding(folder: str | None, cluster: str | None, overwrite: bool) -> Sharding:
    if overwrite and folder is None:
        raise click.UsageError("--overwrite needs --shards, the folder of the shards")
    return Sharding(folder, cluster, overwrite)


sharding_options = packed(
    "sharding",
    _sharding,
    option(
        "--shards",
        "folder",
        metavar="DIR",
        type=FILE,
        group=SHARDS,
        help="Keep ratings on disk in DIR rather than in memory; with the same files and settings, "
        "they are used again.",
    ),
    option(
        "--cluster",
        metavar="WHERE",
        group=SHARDS,
        help="Have workers of a Ray cluster learn: auto, its address, or local:2 for two on this "
        "machine.",
    ),
    option(
        "--overwrite",
        is_flag=True,
        group=SHARDS,
        help="Prepare shards anew where DIR holds those of other files or settings.",
    ),
)
"""`--shards`, `--cluster` and `--overwrite`, as `sharding: Sharding`."""

cluster_option = option(
    "--cluster",
    metavar="WHERE",
    group=SHARDS,
    help="Have workers of a Ray cluster do the work: auto, its address, or local:2 for two on this "
    "machine.",
)
"""The cluster that answers for a model, as `cluster: str | None`."""


def on_cluster(model: FunkSVD, cluster: str | None) -> FunkSVD:
    """A model that workers answer for, until the command ends; the model itself without any."""
    if cluster is None:
        return model
    from funksvd.cluster.answering import Answering, GangModel
    from funksvd.cluster.ray import RayGang

    gang = click.get_current_context().with_resource(RayGang(cluster, Answering))
    return GangModel.of_model(model, gang, model.hyperparameters.n_threads or gang.n_threads)
