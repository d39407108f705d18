"""Fixtures for all tests."""

import copy
import io
import os
import signal
import threading
import zipfile
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from funksvd import FunkSVD, Ratings, read_ratings
from funksvd.datasets import DATASETS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Ctrl-C as in a person's terminal, for child processes too.

    A shell starts commands in the background with SIGINT ignored, and children inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the published data sets; without it the test is skipped."""
    folder = Path(os.environ.get("FUNKSVD_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "ml-100k" / "u.data").is_file():
        pytest.skip(f"no MovieLens data in {folder}; set FUNKSVD_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def sample() -> Ratings:
    """The sample data that comes with the project."""
    return read_ratings(ROOT / "data" / "ratings.csv")


@pytest.fixture
def planted():
    """Make ratings with planted factors: `planted(n_users, n_items, rank, n_ratings, noise)`."""

    def make(n_users, n_items, rank, n_ratings, noise, seed=0):
        generator = np.random.default_rng(seed)
        pairs = generator.choice(n_users * n_items, n_ratings, replace=False)
        users, items = np.divmod(pairs, n_items)
        p = generator.normal(0, 1, (n_users, rank))
        q = generator.normal(0, 1 / np.sqrt(rank), (n_items, rank))
        biases = generator.normal(0, 0.3, n_users)[users] + generator.normal(0, 0.3, n_items)[items]
        targets = 3.0 + biases + (p[users] * q[items]).sum(axis=1)
        return Ratings.from_arrays(users, items, targets + generator.normal(0, noise, n_ratings))

    return make


@pytest.fixture(scope="session")
def with_learned():
    """Make a copy of a fitted model with other arrays: `with_learned(model, user_biases=...)`.

    Its rating scale can be another one too: `limits=(low, high)`.
    """

    def make(model, *, limits=None, **arrays):
        before = model.fitted.rating
        learned = replace(before.learned, **arrays)
        other = copy.copy(model)
        other._fitted = replace(
            model.fitted, rating=replace(before, learned=learned, limits=limits or before.limits)
        )
        return other

    return make


class Publisher:
    """A web server with a small archive that is published as the data set ml-1m.

    What it sends instead can be set: `status`, `sent` (bytes), `promised` (their number).
    """

    def __init__(self, host):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            lines = (f"{u}::{i}::{1 + (u + i) % 5}::97{u}" for u in range(20) for i in range(20))
            archive.writestr("ml-1m/ratings.dat", "\n".join(lines) + "\n")
            archive.writestr("ml-1m/README", "../../outside")
        self.archive = self.sent = content.getvalue()
        self.promised = None
        self.status = 200
        self.n_asked = 0
        self.url = f"http://{host}/ml-1m.zip"
        self.checksum = f"sha256:{sha256(self.archive).hexdigest()}"

    def answer(self, request):
        self.n_asked += 1
        request.send_response(self.status)
        request.send_header("Content-Length", str(self.promised or len(self.sent)))
        request.end_headers()
        request.wfile.write(self.sent)
        request.close_connection = True


@pytest.fixture
def publisher(monkeypatch, tmp_path):
    """A `Publisher`; data sets are kept in the test's own folder, `downloads`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), None)
    publisher = Publisher(f"127.0.0.1:{server.server_port}")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            publisher.answer(self)

        def log_message(self, *arguments):
            pass

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    published = replace(DATASETS["ml-1m"], urls=(publisher.url,), checksum=publisher.checksum)
    monkeypatch.setitem(DATASETS, "ml-1m", published)
    monkeypatch.setenv("FUNKSVD_DATA", str(tmp_path / "downloads"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield publisher
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def with_days():
    """Turns a model into the same with biases of users on days, which a table has."""
    return _with_days


def _with_days(model, biases):
    rows = {(model.users.row(user), day): bias for (user, day), bias in biases.items()}
    keys = sorted(rows)
    learned = replace(
        model.learned,
        day_users=np.array([row for row, _ in keys], np.int32),
        day_numbers=np.array([day for _, day in keys], np.int32),
        day_biases=np.array([rows[key] for key in keys], np.float32),
    )
    rating = replace(model.fitted.rating_model, learned=learned, limits=(-99.0, 99.0))
    made = FunkSVD.of(model.hyperparameters)
    made._fitted = replace(model.fitted, rating=rating)
    return made
