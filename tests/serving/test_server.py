"""Slow and greedy clients: each is answered or cut off in time, and nobody else waits for them."""

import asyncio
import logging
import re
import select
import socket
import struct
import threading
import time

import pytest

from funksvd.serving import make_server

QUICK = {"head_seconds": 0.2, "body_seconds": 0.2, "answer_seconds": 0.2}
HEAD = b"GET / HTTP/1.1\r\nHost: here\r\n"
POST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = 4 * 1024 * 1024


async def echo(scope, receive, send):
    """Read the body of a POST; answer with the path, at length or later."""
    if scope["path"] == "/later":
        await asyncio.sleep(0.1)
    more = scope["method"] == "POST"
    while more:
        message = await receive()
        more = message.get("more_body", False)
    body = b"x" * LONG if scope["path"] == "/long" else scope["path"].encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def app(scope, receive, send):
    if scope["type"] == "http":
        await echo(scope, receive, send)


@pytest.fixture
def connect(served):
    """Start a server with limits; the function that connects to it."""
    opened = []

    def start(**limits):
        port = int(served(app, **limits).rsplit(":", 1)[1])

        def connected(first=b"", receive_buffer=None):
            client = socket.socket()
            if receive_buffer:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            client.settimeout(10)
            client.connect(("127.0.0.1", port))
            opened.append(client)
            client.sendall(first)
            return client

        return connected

    yield start
    for client in opened:
        client.close()


def everything(client):
    """All that is answered until the server closes the connection."""
    received = b""
    try:
        while part := client.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def ask(client, path=b"/"):
    """Ask once, and read the answer."""
    client.sendall(b"GET %b HTTP/1.1\r\nHost: here\r\n\r\n" % path)
    received = b""
    while b"\r\n\r\n" not in received:
        part = client.recv(65536)
        assert part, "closed"
        received += part
    return received


@pytest.mark.parametrize(
    ("first", "drop", "status"),
    [
        (b"", b"", b"408"),
        (b"", b"\r\n", b"408"),
        (HEAD, b"", b"408"),
        (HEAD, b"X: y\r\n", b"408"),
        (POST, b"", b"408"),
        (POST, b"x", b"408"),
        (POST.replace(b"POST", b"GET"), b"x", b"200"),
        (CHUNKED, b"1\r\nx\r\n", b"408"),
        (CHUNKED + b"0\r\n", b"X: y\r\n", b"408"),
        (CHUNKED + b"1;", b"x", b"408"),
        (HEAD + b"\r\n", b"\r\n", b"200"),
    ],
)
def test_a_request_has_to_arrive_in_time(connect, first, drop, status):
    client = connect(**QUICK)(first)
    client.settimeout(0.02)
    received, cut = b"", time.monotonic() + 5
    while time.monotonic() < cut:
        try:
            client.sendall(drop)
            part = client.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            break
        if not part:
            break
        received += part
    else:
        raise AssertionError("still open")
    assert received.split()[1] == status


def test_an_answer_has_to_be_read_in_time(connect):
    slow = connect(**QUICK)(b"GET /long HTTP/1.1\r\nHost: here\r\n\r\n" * 4, receive_buffer=4096)
    time.sleep(0.6)
    assert 0 < len(everything(slow)) < 4 * LONG


def test_long_answers_arrive_whole(connect):
    client = connect(**QUICK)(b"GET /long HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    assert len(everything(client)) > LONG


@pytest.mark.parametrize(
    ("first", "endless", "status"),
    [
        (b"GET /", b"a" * 4096, b"431"),
        (HEAD + b"X: ", b"a" * 4096, b"431"),
        (HEAD, b"X: y\r\n" * 1000, b"431"),
        (CHUNKED + b"0\r\n", b"X: " + b"a" * 4096, None),
        (CHUNKED + b"1;", b"a" * 4096, None),
        (b"", b"\r\n" * 4096, b"431"),
    ],
)
def test_a_request_has_a_largest_size(connect, first, endless, status):
    client = connect(head_bytes=20_000, request_bytes=50_000)(first)
    n_sent = 0
    try:
        while n_sent < 100_000_000:
            n_sent += client.send(endless)
    except OSError:
        pass
    assert n_sent < 20_000_000, "buffers of the two sockets, and the limit"
    answer = everything(client)
    assert answer.split()[1:2] == ([status] if answer else [])


def test_the_largest_head_is_told_of(connect):
    answer = everything(connect(head_bytes=20_000)(HEAD + b"X: " + b"a" * 25_000))
    assert b"431 Request Header Fields Too Large" in answer
    assert answer.endswith(b'{"detail": "the headers have more than 20,000 bytes"}')
    assert b" 200 " in ask(connect(head_bytes=20_000)(HEAD + b"X: " + b"a" * 9_000 + b"\r\n\r\n"))


def test_requests_ahead_of_their_answers_are_answered_in_order(connect):
    connected = connect()
    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: here\r\n\r\n" % n for n in range(50))
    last = b"GET /last HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    bodies = re.findall(rb"\r\n\r\n(/\w+?)(?=HTTP|$)", everything(connected(requests + last)))
    assert bodies == [b"/%d" % n for n in range(50)] + [b"/last"]
    assert everything(connected(requests * 1000)).count(b"HTTP/1.1 200") < 1000


@pytest.mark.parametrize("first", [b"", HEAD, POST, HEAD + b"\r\n"])
def test_clients_that_wait_longest_make_room(connect, first):
    connected = connect(n_connections=10, **dict.fromkeys(QUICK, 60))
    clients = []
    for _ in range(3):
        clients += [connected(first) for _ in range(10)]
        clients += [connected()]
        assert b" 200 " in ask(clients[-1])
    closed = select.poll()
    for client in clients:
        closed.register(client, select.POLLRDHUP)
    assert len(closed.poll(0)) >= len(clients) - 11


def test_a_client_may_take_breaks(connect):
    client = connect(**QUICK)()
    for _ in range(3):
        time.sleep(0.15)
        assert b" 200 " in ask(client)


@pytest.mark.parametrize(
    "requests",
    [
        b"GET /later HTTP/1.1\r\nHost: here\r\n\r\n" * 2,
        b"GET /later HTTP/1.1\r\nHost: here\r\n\r\nno HTTP\r\n\r\n",
        POST,
        POST.replace(b"POST /", b"POST /later") + b"x" * 990,
        b"GET /later HTTP/1.1\r\nHost: here\r\n\r\n" * 1000,
    ],
)
@pytest.mark.parametrize("end", ["reset", "close", "shutdown", "crowd"])
def test_nothing_is_written_to_a_client_that_is_gone(connect, caplog, requests, end):
    connected = connect(n_connections=2)
    logging.getLogger("uvicorn.error").addHandler(caplog.handler)
    try:
        client = connected(requests)
        time.sleep(0.03)
        if end == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end == "crowd":
            connected(), connected()
        elif end == "shutdown":
            client.shutdown(socket.SHUT_WR)
        else:
            client.close()
        time.sleep(0.15)
        assert caplog.messages == []
    finally:
        logging.getLogger("uvicorn.error").removeHandler(caplog.handler)


def test_a_client_that_has_sent_all_is_answered(connect):
    client = connect()(b"GET /later HTTP/1.1\r\nHost: here\r\n\r\n")
    client.shutdown(socket.SHUT_WR)
    assert b" 200 " in everything(client)


@pytest.mark.parametrize(("hard", "n"), [(256, 156), (512, 412), (4096, 1000), (-1, 1000)])
def test_connections_leave_some_files_to_the_rest(monkeypatch, hard, n):
    def limit(kind, pair):
        if 0 <= hard < pair[0]:
            raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr("resource.getrlimit", lambda kind: (256, hard))
    monkeypatch.setattr("resource.setrlimit", limit)
    assert make_server(app).config.http.args[0].n_connections == n


def test_the_end_waits_for_no_client():
    listener = socket.create_server(("127.0.0.1", 0))
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    clients = [socket.create_connection(listener.getsockname()) for _ in range(5)]
    long = b"GET /long HTTP/1.1\r\nHost: here\r\n\r\n" * 4
    for client, first in zip(clients, (b"", HEAD, POST, HEAD + b"\r\n", long), strict=True):
        client.sendall(first)
    time.sleep(0.1)
    server.should_exit = True
    thread.join(5)  # the deadlines are longer
    assert not thread.is_alive()
    for client in clients:
        client.close()
