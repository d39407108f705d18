"""A small model that is served, and a real server."""

import socket
import threading
import time

import pytest

from funksvd import FunkSVD, Ratings, read_attributes

TITLES = {1: "Alien", 2: "Aliens", 3: "Das Boot", 4: "<b>Bold</b> & 'quoted'", 5: "Amélie"}


@pytest.fixture
def model(planted):
    ratings = planted(60, 40, 2, 1200, 0.3)
    return FunkSVD(n_factors=4, n_epochs=8, validation_fraction=0).fit(
        Ratings.from_arrays(
            ratings.user_ids[ratings.user_index],
            ratings.item_index + 1,
            ratings.values,
        )
    )


@pytest.fixture
def titles():
    return dict(TITLES)


@pytest.fixture
def attributes(tmp_path):
    """Genre and year of the items that have titles."""
    rows = ["item,title,genre,year", "1,Alien,Horror|Space,1979", "2,Aliens,Action|Space,1986"]
    rows += ["3,Das Boot,War,1981", "4,Bold,Comedy,1990", "5,Amélie,Comedy,2001"]
    path = tmp_path / "movies.csv"
    path.write_text("\n".join([*rows, "99,Unknown,Opera,2020"]) + "\n")
    return read_attributes(path)


@pytest.fixture(scope="module")
def served():
    """Run an application on a port of its own, until the module's tests are over; the address."""
    serving = pytest.importorskip("funksvd.serving")
    running = []

    def start(app, **limits):
        listener = socket.create_server(("127.0.0.1", 0))
        server = serving.make_server(app, serving.ClientLimits(**limits))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread, listener))
        while not server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, _, _ in running:
        server.should_exit = True
    for _, thread, listener in running:
        thread.join()
        listener.close()
