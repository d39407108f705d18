"""`funksvd serve`: a model behind HTTP."""

from __future__ import annotations

import socket
from typing import Any

import click

from .console import Output
from .options import DEFAULT_MODEL, FILE
from .tables import items_option

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command(
    epilog="""\b
Examples:
  funksvd serve --items movies.csv
  funksvd serve model.funksvd --port 9000
  curl 'localhost:8000/recommend?user=42'"""
)
@click.argument("model_path", metavar="[MODEL]", type=FILE, default=DEFAULT_MODEL)
@items_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0: any free one.",
)
@click.option(
    "--reload-every",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Seconds between looks at the model file; 0: never load it again.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def serve(model_path: str, **options: Any) -> None:
    """Serve MODEL: a page on which to rate, and a JSON API.

    Only this machine can reach it unless --host says otherwise; there is no password. Where the
    file of the model changes, the new model takes over without a request being lost.
    """
    from funksvd import FunkSVD, FunkSVDError, read_titles
    from funksvd.errors import how_to_install

    try:
        import uvicorn

        from funksvd.serving import ModelHolder, Service, create_app
    except ImportError as error:
        raise click.UsageError(f"serving needs {error.name}: {how_to_install('serve')}") from error

    output = Output(options["quiet"], False)
    items_file, host = options["items_file"], options["host"]

    def load() -> Service:
        titles = read_titles(items_file) if items_file else None
        # Not mapped: whoever copies a new model over the file would end the process.
        model = FunkSVD.load(model_path, in_memory=True)
        if model.seen is None:
            raise FunkSVDError(
                f"{model_path}: the model was saved without the pairs it has seen (--no-seen), so "
                "rated items cannot be left out; train it again without that option"
            )
        if model.hyperparameters.loss == "logistic":
            raise FunkSVDError(
                f"{model_path}: with the logistic loss nobody new can be recommended to, which is "
                "what the page is for"
            )
        service = Service(model, titles)
        service.warm_up()
        return service

    with output.busy("Loading"):
        paths = [path for path in (model_path, items_file) if path]
        holder = ModelHolder(load, paths, options["reload_every"])
    hosts = [*LOOPBACK, "[::1]"] if host in LOOPBACK else ["*"]
    config = uvicorn.Config(
        create_app(holder, hosts),
        log_level="warning",
        access_log=False,
        limit_concurrency=1000,
        timeout_graceful_shutdown=10,
    )
    with _listening(host, options["port"]) as listener:
        address = f"[{host}]" if ":" in host else host
        output.note(f"Serving {model_path} at http://{address}:{listener.getsockname()[1]}")
        output.note("Ctrl-C ends it")
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}, port {port}: {error.strerror}; give another --port, or "
            "--port 0 for any free one"
        ) from error
