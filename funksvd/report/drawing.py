"""Pictures as SVG that takes its colours from the page, and as PNG."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

from funksvd.report.map import LABEL
from funksvd.report.palette import ON_PAPER, WIDTH, Colors, Picture

STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.linewidth": 0.7,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.image_inline": True,
}
"""Settings of matplotlib for all pictures."""
DPI = 200
"""Dots for an inch of a PNG file."""
SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
UNNEEDED = (f"{{{SVG}}}metadata", f"{{{SVG}}}style")

# In SVG, each part of the palette gets a colour of its own that stands for a variable of the page.
_STANDING_FOR = {f"#fe00{at:02x}": name for at, name in enumerate(Colors._fields)}
_STAND_INS = Colors(*_STANDING_FOR)


def to_png(picture: Picture) -> bytes:
    """A picture for paper and slides."""
    with _drawn(picture, ON_PAPER) as figure:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def to_svg(picture: Picture, name: str, labels: Sequence[str] = ()) -> str:
    """A picture for an HTML page: an `svg` element.

    Parameters
    ----------
    picture : Picture
    name : str
        Name that no other picture of the page has.
    labels : sequence of str
        Names of the marks with an address: the n-th is that of `#n`.

    Returns
    -------
    str
        Text is text, in the page's font; colours are the page's variables.
    """
    buffer = io.StringIO()
    none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with _drawn(picture, _STAND_INS, {"svg.hashsalt": name}) as figure:
        figure.savefig(buffer, format="svg", transparent=True, metadata=none)
    root = ElementTree.fromstring(buffer.getvalue())
    _name_marks(root, labels)
    _tidy(root, name)
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": picture.alt,
        "id": name,
    }
    text = ElementTree.tostring(root, encoding="unicode")
    for color, part in _STANDING_FOR.items():
        text = text.replace(color, f"var(--{part})")
    return re.sub(r"\s*\n\s*", "\n", text)


@contextmanager
def _drawn(picture: Picture, colors: Colors, style: dict[str, Any] | None = None) -> Iterator[Any]:
    from matplotlib import style as styles
    from matplotlib.figure import Figure

    named = {
        "text.color": colors.ink,
        "axes.labelcolor": colors.muted,
        "axes.edgecolor": colors.muted,
        "axes.facecolor": colors.paper,
        "figure.facecolor": colors.paper,
        "xtick.labelcolor": colors.ink,
        "ytick.labelcolor": colors.ink,
        "grid.color": colors.grid,
    }
    with styles.context(["default", STYLE | named | (style or {})]), warnings.catch_warnings():
        # Titles may be in any script; a browser has the letters that matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(WIDTH, picture.height), layout="constrained")
        picture.draw(figure.subplots(), colors)
        yield figure


def _name_marks(root: ElementTree.Element, labels: Sequence[str]) -> None:
    """Turn links to `#n` into groups that have their label as a title, and their number."""
    for link in list(root.iter(f"{{{SVG}}}a")):
        number = link.attrib.get(f"{{{XLINK}}}href", "")[1:]
        link.tag = f"{{{SVG}}}g"
        link.attrib.clear()
        link.set("class", "mark")
        link.set("data-n", number)
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = labels[int(number)]
        link.insert(0, title)


def _tidy(root: ElementTree.Element, name: str) -> None:
    """Drop unneeded elements; make ids unique on the page; leave the font to the page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in UNNEEDED or (child.tag == f"{{{SVG}}}g" and not len(child)):
                parent.remove(child)
    references = [value for element in root.iter() for value in element.attrib.values()]
    used = {at for value in references for at in re.findall(r"(?:^|\()#([^)]+)", value)}
    for element in root.iter():
        own = element.attrib.pop("id", "")
        if own in used:
            element.set("id", f"{name}-{own}")
        elif own.startswith(LABEL):
            element.set("class", own)
        if "rotate(-0" in element.attrib.get("transform", ""):
            del element.attrib["transform"]
        # In HTML neither elements nor attributes of SVG need a namespace.
        element.tag = element.tag.rpartition("}")[2]
        for key, value in list(element.attrib.items()):
            if key == "style":
                value = re.sub(r"font(-[a-z]+)?: [^;]*(; )?", "", value)
            del element.attrib[key]
            element.set(key.rpartition("}")[2], re.sub(r"(^|\()#", rf"\1#{name}-", value))
