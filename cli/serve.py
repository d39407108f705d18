"""`funksvd serve`: a model behind HTTP."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from .console import Output
from .features import NO_FILES, FeatureFiles, later_features
from .groups import GroupedCommand, option
from .models import model_argument
from .options import FILE

if TYPE_CHECKING:
    import socket

    from funksvd.serving import Service

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that only this machine can reach."""


@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  funksvd serve --items movies.csv
  funksvd serve model.funksvd --port 9000
  curl 'localhost:8000/recommend?user=42'""",
)
@model_argument
@option(
    "--items",
    "items_file",
    metavar="FILE",
    type=FILE,
    help="File of items with the titles that the page shows and searches; requests may ask for "
    "values of its columns.",
)
@later_features
@option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0: any free one.",
)
@option(
    "--reload-every",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between looks at the model file; 0: never load it again.",
)
@option("--quiet", "-q", is_flag=True, help="Print errors only.")
def serve(
    model_path: str,
    *,
    items_file: str | None,
    features: FeatureFiles,
    host: str,
    port: int,
    reload_every: float,
    quiet: bool,
) -> None:
    """Serve MODEL: a page on which to rate, and a JSON API.

    Only this machine can reach it unless --host says otherwise; there is no password. Requests that
    are too slow or too large are cut off. When the file of the model changes, the new model takes
    over without a request being lost; if it cannot be loaded, the old one stays, and /healthz says
    why.
    """
    from funksvd.errors import how_to_install

    try:
        from funksvd.serving import ModelHolder, create_app, make_server
    except ImportError as error:
        raise click.UsageError(f"serving needs {error.name}: {how_to_install('serve')}") from error

    output = Output(quiet)
    with output.busy("Loading"):
        paths = [path for path in (model_path, items_file, *features) if path]
        load = partial(_service, model_path, items_file, features)
        holder = ModelHolder(load, paths, reload_every)
    hosts = [*LOOPBACK, "[::1]"] if host in LOOPBACK else ["*"]
    server = make_server(create_app(holder, hosts))
    with _listening(host, port) as listener:
        address = f"[{host}]" if ":" in host else host
        output.note(f"Serving {model_path} at http://{address}:{listener.getsockname()[1]}")
        output.note("Ctrl-C ends it")
        server.run(sockets=[listener])


def _service(model_path: str, items_file: str | None, features: FeatureFiles = NO_FILES) -> Service:
    """Load the model, the titles and the features, as they are now."""
    from funksvd import FunkSVD, FunkSVDError, read_attributes, read_titles
    from funksvd.atomic import present
    from funksvd.hyperparameters import LOSSES
    from funksvd.serving import Service

    titles = read_titles(items_file) if items_file else None
    attributes = read_attributes(items_file) if items_file else None
    # A file is read as a whole: copying a new one over a file that is mapped would end the process.
    # A folder is mapped, since it may be larger than the memory.
    model = FunkSVD.load(model_path, in_memory=not present(model_path).is_dir())
    if model.seen is None:
        raise FunkSVDError(
            f"{model_path}: the model was saved without the pairs it has seen (--no-seen), so "
            "rated items cannot be left out; train it again without that option"
        )
    if not (loss := LOSSES[model.hyperparameters.loss]).has_closed_form:
        raise FunkSVDError(
            f"{model_path}: with the {loss.title} loss nobody new can be recommended to, which is "
            "what the page is for"
        )
    model = features.add_to(Output(quiet=True), model)
    service = Service(model, titles, attributes)
    service.warm_up()
    return service


def _listening(host: str, port: int) -> socket.socket:
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}, port {port}: {error.strerror}; give another --port, or "
            "--port 0 for any free one"
        ) from error
