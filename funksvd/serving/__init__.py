"""A model behind HTTP: a JSON API, and a page to try it on. Needs the extra `serve`."""

from funksvd.serving.app import create_app
from funksvd.serving.holder import ModelHolder
from funksvd.serving.service import Service

__all__ = ["ModelHolder", "Service", "create_app"]
