"""A report as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
from pathlib import Path

from funksvd.atomic import naming, replacing
from funksvd.errors import FunkSVDError, how_to_install
from funksvd.evaluation.relevance import Least
from funksvd.rankings import TITLES
from funksvd.report.content import Content
from funksvd.report.drawing import to_png, to_svg
from funksvd.report.figures import pictures_of
from funksvd.report.lists import EXPLANATIONS

MARK = "<!-- Made by funksvd report -->"
"""End of the first line of a report, by which it is known."""
FEW_USERS = 20
"""Number of test users below which intervals are too narrow."""


def write_report(content: Content, path: str | os.PathLike[str]) -> None:
    """Write a report as one self-contained HTML file; the same content gives the same bytes.

    Parameters
    ----------
    content : Content
        As `gather` collects it.
    path : path

    Raises
    ------
    FunkSVDError
        If Jinja2 or matplotlib is not installed.
    WriteError
        If the file cannot be written. One that was there before is then untouched.
    """
    html = render(content)
    with replacing(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def write_pictures(content: Content, folder: str | os.PathLike[str]) -> list[Path]:
    """Write a report's pictures as PNG files into a folder, which is made if it is not there.

    Raises
    ------
    FunkSVDError
        If matplotlib is not installed.
    WriteError
        If one cannot be written.
    """
    check_installed()
    folder = Path(folder)
    with naming(folder, folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in pictures_of(content).items():
        paths.append(folder / f"{name}.png")
        with replacing(paths[-1]) as temporary:
            temporary.write_bytes(to_png(picture))
    return paths


def is_report(path: str | os.PathLike[str]) -> bool:
    """Tell by its first line whether a file is there and looks like a report."""
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return MARK.encode() in file.readline(200)


def render(content: Content) -> str:
    """A report as HTML.

    Raises
    ------
    FunkSVDError
        If Jinja2 or matplotlib is not installed.
    """
    check_installed()
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("funksvd.report", "")
    environment = Environment(
        loader=loader,
        autoescape=True,  # titles and ids come from files
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["compared"] = compared
    environment.filters["as_relevant"] = as_relevant
    source = {name: loader.get_source(environment, name)[0] for name in ("style.css", "script.js")}
    script = source["script.js"]
    tips = _tips(content)
    return environment.get_template("page.html").render(
        content=content,
        explanations=EXPLANATIONS,
        titles=TITLES,
        mark=Markup(MARK),
        pictures={
            name: Markup(to_svg(picture, name, tips))
            for name, picture in pictures_of(content).items()
        },
        style=Markup(source["style.css"]),
        script=Markup(script),
        doubts=_doubts(content),
        script_hash=_integrity(f"\n{script}"),
    )


def compared(rmse: float, other: float) -> str:
    """Difference of one RMSE from another, in words: "3.2% less than"."""
    change = rmse / other - 1 if other else 0.0
    if abs(change) < 0.0005:
        return "the same as"
    return f"{abs(change):.1%} {'less' if change < 0 else 'more'} than"


def as_relevant(least: Least) -> str:
    """Which test items a list should find, in words."""
    if least == "all":
        return "all that users have in the test part"
    if least == "user-mean":
        return "those with a test rating of at least the mean of the user's training ratings"
    return f"those that users have liked, with a test rating of at least {least:g}"


def _doubts(content: Content) -> list[str]:
    """Reasons for which the test's figures are worth little; sentences."""
    evaluation = content.test.evaluation if content.test else None
    lists, found = content.lists, []
    if (
        evaluation is not None
        and evaluation.rmse >= evaluation.baselines["regularized_biases"].rmse
    ):
        found.append("The model is no better than the biases alone.")
    if lists is not None:
        simple = lists.recommenders["most_popular"].means.ndcg
        if lists.model.means.ndcg <= simple:
            found.append("The model's lists are no better than the most popular items.")
    if evaluation is None:
        if lists is not None and lists.n_users < FEW_USERS:
            found.append(f"The test {content.data.noun} are by {lists.n_users} users only.")
        return found
    for what, share in (("user", evaluation.unknown_users), ("item", evaluation.unknown_items)):
        if share >= 0.5:
            found.append(f"The model does not know the {what} of {share:.0%} of the test ratings.")
    if evaluation.n_users < FEW_USERS:
        found.append(f"The test ratings are by {evaluation.n_users} users only.")
    if evaluation.already_learned:
        found.append(f"The model was trained on {evaluation.already_learned:.1%} of them.")
    return found


def _integrity(script: str) -> str:
    """Digest of a script, by which the page lets it run and no other."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _tips(content: Content) -> list[str]:
    """Texts that the map shows of each item: its label, and its number of ratings."""
    points = content.factors.points if content.factors else []
    return [
        point.label if point.n_ratings is None else f"{point.label}\n{point.n_ratings:,} ratings"
        for point in points
    ]


def check_installed() -> None:
    """Raise `FunkSVDError`, with what to do, if Jinja2 or matplotlib is not installed."""
    missing = [name for name in ("jinja2", "matplotlib") if not importlib.util.find_spec(name)]
    if missing:
        raise FunkSVDError(f"a report needs {' and '.join(missing)}: {how_to_install('report')}")
