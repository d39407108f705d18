"""The service over HTTP: routes, limits, metrics."""

from __future__ import annotations

import collections
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import funksvd
from funksvd.errors import FunkSVDError, UnknownIdError
from funksvd.listing import Filters
from funksvd.rankings import RankingName
from funksvd.ratings import as_timestamp
from funksvd.serving.holder import STALE_SECONDS, ModelHolder

PAGE = Path(__file__).with_name("page")
MOST_BYTES = 256 * 1024
"""Largest size of the body of a request."""
MOST_RATINGS = 1000
"""Largest number of ratings of one guest."""
MOST_RESULTS = 100
"""Largest number of results in one answer."""
MOST_FILTERED = 1000
"""Largest number of ids that one request leaves out or chooses from."""
MOST_CONDITIONS = 20
"""Largest number of conditions of one request."""
MOST_USERS = 100
"""Largest number of users of one request."""
LONGEST_ID = 200
"""Largest number of characters of an id, and of a text to search for."""
MOST_PROBLEMS = 20
"""Largest number of problems that one answer names."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _time(text: str) -> int:
    """The timestamp of a time in a query, 0 before 1970; raises `ValueError` if it is none."""
    if not re.fullmatch(r"[0-9]{1,16}(\.0*)?|[0-9]{4}-[0-9]{2}-[0-9]{2}.*", text):
        raise ValueError("a time is in seconds since 1970, or a date such as 2005-09-06")
    return max(as_timestamp(text), 0)


Id = (
    Annotated[int, Field(ge=-(2**63), lt=2**63)]
    | Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
)
QueriedId = Annotated[str, Query(min_length=1, max_length=LONGEST_ID)]
QueriedTime = Annotated[
    int,
    BeforeValidator(_time),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "exclusiveMaximum": 10**16},
                {"type": "string", "format": "date"},
            ]
        }
    ),
    Query(description="Time of the rating: seconds since 1970, or a date such as 2005-09-06"),
]
QueriedIds = Annotated[list[QueriedId] | None, Query(max_length=MOST_FILTERED)]
Condition = Annotated[
    str, Field(min_length=1, max_length=LONGEST_ID, examples=["genre=Comedy", "year>=1990"])
]
CONDITIONS = (
    "Conditions on columns of the file of items that the server was started with: genre=Comedy, "
    "genre!=Horror, year>=1990; of several conditions, items meet all"
)
Count = Annotated[int, Query(ge=1, le=MOST_RESULTS)]
Ids = Annotated[list[Id], Field(max_length=MOST_FILTERED)]
FewestRatings = Annotated[int, Field(ge=0, lt=2**63)]
Diversity = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


class Rating(BaseModel):
    """An item, and the rating that somebody gives it; none where the model knows choices only."""

    model_config = ConfigDict(extra="forbid", strict=True)  # `true` is neither 1 nor an id
    item: Id
    rating: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Guest(BaseModel):
    """Ratings of someone who was not there when the model was trained, and what is asked."""

    model_config = ConfigDict(extra="forbid", strict=True)
    ratings: Annotated[list[Rating], Field(min_length=1, max_length=MOST_RATINGS)]
    n: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 10
    explain: bool = False
    by: RankingName | None = None
    exclude: Ids = []
    among: Ids | None = None
    min_ratings: FewestRatings = 0
    diversify: Diversity = 0.0
    where: Annotated[
        list[Condition], Field(max_length=MOST_CONDITIONS, description=CONDITIONS)
    ] = []


class Problem(BaseModel):
    """What is wrong with a request: in words, or for each part of it."""

    detail: str | list[dict[str, Any]]


class Limits:
    """Refuses large bodies; counts and times each answer, and gives it safe headers.

    HEAD is answered as GET; the server leaves the body out.
    """

    def __init__(self, app: ASGIApp, requests: Counter, seconds: Histogram) -> None:
        self.app, self.requests, self.seconds = app, requests, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        started = time.perf_counter()
        status = 500

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    *((name.lower().encode(), value.encode()) for name, value in HEADERS.items()),
                ]
            await send(message)

        body, more = bytearray(), scope["method"] == "POST"
        while more and len(body) <= MOST_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)

        unread: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def receive_read() -> Message:
            return unread.pop() if unread else await receive()

        try:
            if len(body) > MOST_BYTES:
                text = f"the request has more than {MOST_BYTES:,} bytes"
                await JSONResponse({"detail": text}, 413)(scope, receive, send_counted)
            else:
                reader = receive_read if scope["method"] == "POST" else receive
                await self.app(scope, reader, send_counted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.requests.labels(route, str(status)).inc()
            self.seconds.labels(route).observe(time.perf_counter() - started)


async def refuse_unknown(request: Request) -> None:
    """Refuse parameters that the route does not have, and those that are given twice.

    Lists of ids are given by one parameter for each.
    """
    fields = request.scope["route"].dependant.query_params
    known = {field.alias for field in fields}
    lists = {field.alias for field in fields if _is_list(field.field_info.annotation)}
    given = collections.Counter(name for name, _ in request.query_params.multi_items())
    wrong = [
        {
            "type": "unexpected",
            "loc": ("query", name),
            "msg": "Give it once" if name in known else "There is no such parameter",
        }
        for name, n_times in given.items()
        if (n_times > 1 and name not in lists) or name not in known
    ]
    if wrong:
        raise RequestValidationError(wrong)


def _is_list(annotation: Any) -> bool:
    return any(get_origin(each) is list for each in (annotation, *get_args(annotation)))


def create_app(holder: ModelHolder, hosts: Sequence[str] = ("*",)) -> FastAPI:
    """The application.

    Parameters
    ----------
    holder : ModelHolder
    hosts : sequence of str
        Host names by which it answers, so that a page from elsewhere cannot make a browser ask it
        by a name of its own.

    Returns
    -------
    FastAPI
        With an OpenAPI description at /openapi.json.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        holder.start()
        yield
        holder.stop()

    app = FastAPI(
        title="funksvd",
        version=funksvd.__version__,
        description="Predictions and recommendations of a matrix factorization.",
        lifespan=lifespan,
        dependencies=[Depends(refuse_unknown)],
        responses={"4XX": {"model": Problem, "description": "What is wrong with the request"}},
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
    )
    registry = CollectorRegistry()
    requests = Counter("funksvd_requests", "Requests", ["route", "status"], registry=registry)
    seconds = Histogram(
        "funksvd_request_seconds",
        "Seconds until the answer was sent",
        ["route"],
        registry=registry,
        buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5),
    )
    reloads = Gauge("funksvd_model_reloads", "Times the model was replaced", registry=registry)
    loaded = Gauge(
        "funksvd_model_loaded_timestamp_seconds", "Time the model was loaded", registry=registry
    )
    failures = Gauge(
        "funksvd_model_load_failures", "Times a new model could not be loaded", registry=registry
    )
    reloads.set_function(lambda: holder.n_reloads)
    failures.set_function(lambda: holder.n_failures)
    loaded.set_function(lambda: holder.loaded_at)
    app.add_middleware(Limits, requests=requests, seconds=seconds)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))

    @app.exception_handler(FunkSVDError)
    async def explain_error(request: Request, error: FunkSVDError) -> JSONResponse:
        status = 404 if isinstance(error, UnknownIdError) else 422
        return JSONResponse({"detail": str(error)}, status)

    @app.exception_handler(RequestValidationError)
    async def explain_invalid(request: Request, error: RequestValidationError) -> Response:
        # Without what was sent: it can be NaN or half a character, which no answer can hold.
        told = [
            {
                "type": each["type"],
                "loc": [
                    part if isinstance(part, int) else part[:LONGEST_ID] for part in each["loc"]
                ],
                "msg": each["msg"],
            }
            for each in error.errors()[:MOST_PROBLEMS]
        ]
        return Response(json.dumps({"detail": told}), 422, media_type="application/json")

    @app.get(
        "/healthz",
        tags=["service"],
        responses={503: {"description": "The newest model file cannot be loaded"}},
    )
    async def healthz(response: Response) -> dict[str, Any]:
        """State of the service, and the model that it answers from."""
        if holder.failing_seconds > STALE_SECONDS:
            response.status_code = 503
        return {
            "status": "ok" if holder.problem is None else "stale",
            "problem": holder.problem,
            "failing_seconds": round(holder.failing_seconds, 1),
            "loaded_at": holder.loaded_at,
            **holder.service.describe(),
        }

    @app.get("/metrics", tags=["service"], response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        """Counts and times for Prometheus."""
        return PlainTextResponse(generate_latest(registry), media_type="text/plain; version=0.0.4")

    @app.get("/items", tags=["items"])
    def items(  # in a thread: among very many titles, a search takes a while
        search: Annotated[str, Query(max_length=LONGEST_ID)] = "", n: Count = 20
    ) -> list[dict[str, Any]]:
        """Items by title, the likeliest first; without a search, the most popular ones."""
        return holder.service.find_items(search, n)

    @app.get("/similar", tags=["items", "users"])
    async def similar(
        item: QueriedId | None = None, user: QueriedId | None = None, n: Count = 10
    ) -> list[dict[str, Any]]:
        """Items like another, or users like another, the most similar one first."""
        if item is not None and user is None:
            return holder.service.similar(item, n)
        if user is not None and item is None:
            return holder.service.similar_users(user, n)
        raise FunkSVDError("give either an item or a user")

    @app.get("/predict", tags=["users"])
    async def predict(
        user: QueriedId,
        item: QueriedId,
        time: QueriedTime | None = None,
        at_least: float | None = None,
    ) -> dict[str, Any]:
        """The predicted rating of an item by a user; if one is unknown, from the other alone.

        A time of the rating makes a difference to models that know days of users, if the user has
        rated something on that day (UTC). With `at_least`, a rating, the answer has the
        `probability` that the user's is at least this.
        """
        return holder.service.predict(user, item, time, at_least)

    @app.get("/recommend", tags=["users"])
    async def recommend(
        user: Annotated[
            list[QueriedId],
            Query(
                min_length=1,
                max_length=MOST_USERS,
                description="Id of a user; may be given several times",
            ),
        ],
        n: Count = 10,
        by: RankingName | None = None,
        exclude: QueriedIds = None,
        among: QueriedIds = None,
        min_ratings: FewestRatings = 0,
        diversify: Diversity = 0.0,
        where: Annotated[
            list[Condition] | None, Query(max_length=MOST_CONDITIONS, description=CONDITIONS)
        ] = None,
    ) -> list[dict[str, Any]]:
        """The best items of a user of the model, without those that they have rated.

        Items that the model does not know are passed over in `exclude` and `among`. Of several
        users, the answer has each `user` with its `recommendations`, in the order of the request.
        """
        filters = Filters(
            exclude=exclude, among=among, min_ratings=min_ratings, diversify=diversify
        )
        service = holder.service
        if len(user) == 1 and not where:
            return service.recommend(user[0], n, by, filters)
        found = await run_in_threadpool(service.recommend_all, user, n, by, filters, where or ())
        return found if len(user) > 1 else found[0]["recommendations"]

    @app.post("/fold-in", tags=["users"])
    async def fold_in(guest: Guest) -> dict[str, Any]:
        """The best items of someone new, by their ratings; of two for an item, the last counts.

        Reasons are what a rating adds to the score of an item more than to that of others.
        """
        filters = Filters(
            exclude=guest.exclude,
            among=guest.among,
            min_ratings=guest.min_ratings,
            diversify=guest.diversify,
        )
        ratings = {str(each.item): each.rating for each in guest.ratings}
        given = (ratings, guest.n, guest.by, filters, guest.explain)
        if guest.where:  # in a thread: among very many items, it takes a while
            return await run_in_threadpool(holder.service.fold_in, *given, guest.where)
        return holder.service.fold_in(*given)

    async def page(request: Request) -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.add_route("/", page, include_in_schema=False)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    return app
