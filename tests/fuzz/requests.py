"""HTTP requests that nobody should send, made at random."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
PATHS = (
    "/", "/healthz", "/metrics", "/items", "/similar", "/predict", "/recommend", "/fold-in",
    "/openapi.json", "/page/app.js", "/page/../../etc/passwd", "/page/%2e%2e/x", "/nothing", "//",
    "/%", "*", "http://localhost/healthz", "/\xff", "/page", "/%00", "/page/%00", "/fold-in/",
)  # fmt: skip
NAMES = ("user", "item", "n", "search", "N", "", "user[]", "é", "\x00", "x" * 3000)
TEXTS = (
    "", "0", "7", "-1", "+5", "1e9", "NaN", "inf", "9" * 30, "9" * 5000, "\x00", "\ud800", "é",
    "漢字", "😀", "' OR 1=1", "<b>", "%s%n", "../..", " 7 ", "x" * 201, "x" * 20_000, "\uff17",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 14, 2.5, 5, 1e308, 2**63, -(2**63) - 1, 10**400, 10**5000,
    float("nan"), float("inf"), [], {}, *TEXTS,
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get")
VERSIONS = ("1.0", "1.1", "2.0", "9")
HEADERS = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Host: elsewhere\r\n",
    b"Range: bytes=0-0,1-1,2-2\r\n",
    b"Range: bytes=9-1\r\nIf-Range: x\r\n",
    b"If-Modified-Since: never\r\n",
    b"Cookie: " + b"a=b; " * 200 + b"\r\n",
    b"X: \xff\xfe\r\n",
    b" folded\r\n",
    b"no colon\r\n",
    b": no name\r\n",
    b"X: \x00\r\n",
)


def get(target: str, method: str = "GET", headers: bytes = b"", version: str = "1.1") -> bytes:
    """A request without a body."""
    line = f"{method} {target} HTTP/{version}\r\nHost: localhost\r\n"
    return line.encode("utf-8", "replace") + headers + b"\r\n"


def post(body: bytes, length: int | None = None, headers: bytes = b"") -> bytes:
    """A fold-in with any body, and perhaps another length than it has."""
    length = len(body) if length is None else length
    kind = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % length
    return get("/fold-in", "POST", kind + headers) + body


def chunked(body: bytes, r: random.Random) -> bytes:
    """A fold-in in chunks, which may be wrong."""
    step = r.choice((1, 7, 5000))
    parts = (body[start : start + step] for start in range(0, min(len(body), 3000 * step), step))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    kind = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    last = r.choice(
        (b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\nX: " + b"a" * 100_000, b"-1\r\n", b"")
    )
    return get("/fold-in", "POST", kind) + chunks + last


def value(r: random.Random, depth: int = 0) -> Any:
    """Anything that JSON can say, and a little more."""
    if depth < 4 and r.random() < 0.4:
        n = r.choice((0, 1, 2, 5))
        if r.random() < 0.5:
            return [value(r, depth + 1) for _ in range(n)]
        names = ("ratings", "item", "rating", "n", "explain", *TEXTS)
        return {r.choice(names): value(r, depth + 1) for _ in range(n)}
    return r.choice(VALUES)


def guest(r: random.Random) -> dict[str, Any]:
    """Nearly the body of a fold-in."""
    ratings = [
        {"item": r.choice(VALUES) if r.random() < 0.1 else r.randrange(200) * 7,
         "rating": r.choice(VALUES) if r.random() < 0.1 else r.randint(1, 10) / 2}
        for _ in range(r.choice((0, 1, 5, 1000, 1001)))
    ]  # fmt: skip
    body = {
        "ratings": ratings,
        "n": r.choice((1, 100, *VALUES)),
        "explain": r.choice((True, *VALUES)),
    }
    for name in r.sample(sorted(body), r.choice((0, 0, 1))):
        body[name] = value(r)
    return body


def as_json(made: Any, r: random.Random) -> bytes:
    """Text of it, in some encoding."""
    text = json.dumps(made, ensure_ascii=r.random() < 0.7)
    return text.encode(r.choice(("utf-8", "utf-8", "utf-16", "utf-7")), "surrogatepass")


def query(r: random.Random) -> str:
    """Parameters, known and unknown, given once or more."""
    pairs = [(r.choice(NAMES), r.choice(TEXTS)) for _ in range(r.choice((0, 1, 2, 3, 500)))]
    return "&".join(f"{quote(name)}={quote(text, errors='replace')}" for name, text in pairs)


def damaged(whole: bytes, r: random.Random) -> bytes:
    """Some bytes changed, added or left out."""
    made = bytearray(whole)
    for _ in range(r.randint(1, 5)):
        at = r.randrange(len(made) + 1)
        made[at : at + r.choice((0, 1, 3))] = r.randbytes(r.choice((0, 1, 3)))
    return bytes(made)


def ordinary(r: random.Random) -> bytes:
    """A request that could be right."""
    target = f"{r.choice(PATHS)}?{query(r)}"
    return r.choice((get(target), post(as_json(guest(r), r)), get(r.choice(PATHS), "HEAD")))


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    ordinary,
    lambda r: damaged(ordinary(r), r),
    lambda r: damaged(HEAD, r),
    lambda r: r.randbytes(r.choice((1, 100, 100_000))),
    lambda r: post(as_json(value(r), r)),
    lambda r: post(as_json(guest(r), r), length=r.choice((0, 1, 10**6))),
    lambda r: chunked(as_json(guest(r), r), r),
    lambda r: post(r.choice((b"[", b'{"a":', b'"')) * r.choice((1000, 100_000))),
    lambda r: post(b"{" + b'"a":1,' * r.choice((1000, 40_000)) + b'"b":2}'),
    lambda r: post(b" " * r.choice((262_144, 262_145, 3_000_000))),
    lambda r: HEAD + b"X: " + b"a" * r.choice((9_000, 40_000, 500_000)) + b"\r\n\r\n",
    lambda r: HEAD + b"X: y\r\n" * r.choice((100, 5_000, 100_000)) + b"\r\n",
    lambda r: get("/" + "a" * r.choice((5_000, 50_000))),
    lambda r: get(r.choice(PATHS), r.choice(METHODS), r.choice(HEADERS), r.choice(VERSIONS)),
    lambda r: post(as_json(guest(r), r), headers=r.choice(HEADERS)),
    lambda r: b"".join(ordinary(r) for _ in range(r.choice((2, 20)))),
    lambda r: get("/healthz") * r.choice((50, 5_000)),
    lambda r: b"\r\n" * r.choice((1, 10_000)) + get("/healthz"),
)


def bad_request(r: random.Random) -> bytes:
    """One of many kinds, whole or cut off."""
    made = r.choice(KINDS)(r)
    return made[: r.randrange(len(made) + 1)] if r.random() < 0.1 else made
