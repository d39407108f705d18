"""A model behind HTTP: a JSON API, and a page to try it on. Needs the extra `serve`."""

from funksvd.serving.app import create_app
from funksvd.serving.holder import ModelHolder
from funksvd.serving.server import ClientLimits, make_server
from funksvd.serving.service import NO_FILTERS, Service

__all__ = [
    "NO_FILTERS",
    "ClientLimits",
    "ModelHolder",
    "Service",
    "create_app",
    "make_server",
]
