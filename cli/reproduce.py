"""The commands that give the same model again, from what a model file records."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from funksvd.hyperparameters import Hyperparameters

from .models import DEFAULT_MODEL
from .train import train
from .training_options import option_words

if TYPE_CHECKING:
    from funksvd import FunkSVD, ReadOptions
    from funksvd.splitting import Provenance


def reproducing_command(model: FunkSVD, path: str) -> tuple[str | None, tuple[str, ...]]:
    """`funksvd train`, and updates, that give the same model, and remarks on them.

    Parameters
    ----------
    model : FunkSVD
    path : str
        The model file's.

    Returns
    -------
    command : str or None
        Quoted for a shell, one a line; None if the model does not record where its ratings came
        from.
    remarks : tuple of str
        What they cannot say.
    """
    from funksvd.training import Stopped

    chosen = _chosen(model)
    words = [word for name, value in chosen.items() for word in option_words(name, value)]
    remarks = []
    if model.training.stopped is Stopped.INTERRUPT:
        remarks.append(
            "Training was interrupted (Ctrl-C), and the best epoch until then was kept; the "
            "command would go on."
        )
    if model.provenance is None:
        arguments = ", ".join(f"{name}={value!r}" for name, value in chosen.items())
        return None, (
            "The model does not record which files its ratings came from: it was trained from "
            f"Python, by FunkSVD({arguments}).fit(ratings).",
            *remarks,
        )
    whole, updates = model.provenance.whole_and_later
    origin = model.provenance.ratings if whole is None else whole.ratings
    files = origin.files
    if not files:
        remarks.insert(0, "The ratings did not come from a file: give the same ones to it again.")
    if whole is not None:
        remarks.insert(
            0,
            "The file that the model was trained on has grown since, and the model was updated "
            "with it: the command trains a new model on all of it, with another test part.",
        )
    parts, gone = _parts(model.provenance)
    remarks += [
        f"The {part} part did not come from a file: give it with --{part}." for part in gone
    ]
    reading = _reading((whole or model.provenance).options)
    words = ["funksvd", "train", *(files or ["-"]), *words, *reading, *parts]
    for what, known in model.fitted.features.items():
        if known.encoding.path:
            words += [f"--{what}-features", known.encoding.path]
        else:
            remarks.append(
                f"The features of {what}s did not come from a file: give them with "
                f"--{what}-features."
            )
    if model.seen is None:
        words.append("--no-seen")
    if path != DEFAULT_MODEL:
        words += ["-o", path]
    commands = [words]
    for update in updates:
        added = update.ratings.files or ["-"]
        commands.append(["funksvd", "update", path, *added, *_reading(update.options)])
    if len(commands) > 1:
        remarks.append(
            "Model files do not record how many passes an update made: if they were others than "
            "usual, give them again with --n-epochs."
        )
    return "\n".join(map(shlex.join, commands)), tuple(remarks)


def _chosen(model: FunkSVD) -> dict[str, Any]:
    """The hyperparameters that must be given: a default may depend on those before it."""
    chosen: dict[str, Any] = {}
    for name, value in model.hyperparameters.in_use().items():
        is_default = value == getattr(Hyperparameters(**chosen).resolved(), name)
        if not is_default:
            chosen[name] = value
    return chosen


def _reading(chosen: ReadOptions) -> list[str]:
    """Options for how ratings were read."""
    from funksvd import ReadOptions

    options = {option.name: option for option in train.params}
    words: list[str] = []
    for name in (field.name for field in fields(ReadOptions)):
        value = getattr(chosen, name)
        if value != getattr(ReadOptions(), name):
            words += _given(options[name], value)
    return words


def _parts(origin: Provenance) -> tuple[list[str], list[str]]:
    """Options for how ratings were split; names of parts that were in no file."""
    options = {option.name: option for option in train.params}
    words: list[str] = []
    if origin.test is None and origin.test_fraction != options["test_fraction"].default:
        words += ["--test-fraction", f"{origin.test_fraction:g}"]
    gone = []
    given = {
        "test": origin.test,
        "valid": origin.validation,
        "interactions": origin.interactions,
    }
    for flag, source in given.items():
        if source is not None and len(source.files) == 1:
            words += [f"--{flag}", source.files[0]]
        elif source is not None:
            gone.append(flag)
    return words, gone


def _given(option: click.Parameter, value: Any) -> list[str]:
    """An option with its value; the other of the two for a switch that is off."""
    if isinstance(option, click.Option) and option.is_flag:
        return option.secondary_opts[:1] or option.opts[:1]
    flag = max(option.opts, key=len)
    text = str(value)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]
