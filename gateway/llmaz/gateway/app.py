"""The gateway's HTTP server: OpenAI's paths, each answered by an engine or by an error body."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from llmaz.gateway.answers import UNAVAILABLE, OpenAIError, model_entry, model_list
from llmaz.gateway.asked import AskedFor, asked_for
from llmaz.gateway.balance import Outstanding
from llmaz.gateway.engines import Engines
from llmaz.gateway.holding import Holding, HoldLimits
from llmaz.gateway.keepalive import KeepAlive, asks_for_a_stream
from llmaz.gateway.keys import Keys
from llmaz.gateway.metrics import Metrics
from llmaz.gateway.paths import is_open
from llmaz.gateway.proxy import UNREACHABLE, Proxy, named, not_ready
from llmaz.gateway.routes import Route, Table
from llmaz.gateway.wake import Waker

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOOK_AGAIN_SECONDS = 2.0  # a wake that failed is tried again


class Gateway:
    """Answers requests by the table that it was last shown."""

    def __init__(
        self,
        engines: Engines,
        metrics: Metrics,
        waker: Waker | None = None,
        limits: HoldLimits | None = None,
        keepalive_seconds: float = 15.0,
        keys: Keys | None = None,
        upload_seconds: float = 300.0,
    ) -> None:
        self._table: Table | None = None
        self._waker = waker
        self._holding = Holding(limits or HoldLimits(), metrics)
        self._keepalive_seconds = keepalive_seconds
        self._outstanding = Outstanding()
        self._keys = keys or Keys(None)
        self._proxy = Proxy(engines, self._outstanding, keep_key=not self._keys.are_asked_for)
        self._metrics = metrics
        self._upload_seconds = upload_seconds

    @property
    def why_not_ready(self) -> str | None:
        """What it waits for, if anything."""
        return "the cluster's state has not been read yet" if self._table is None else None

    def show(self, table: Table) -> None:
        """Route by `table` from now on; requests under way are not touched."""
        self._table = table
        known = [endpoint for served in table.served for endpoint in served.endpoints]
        self._outstanding.forget_all_but(known)
        self._holding.turn()

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/models", self._guarded(self._models))
        app.router.add_get("/v1/models/{name:.+}", self._guarded(self._model))
        app.router.add_post("/v1/{path:.+}", self._guarded(self._forward))
        app.router.add_route("*", "/{path:.*}", self._guarded(self._unknown_path))

    def _known(self) -> Table:
        if self._table is None:
            raise OpenAIError(
                503,
                "the gateway has not read the cluster's state yet",
                kind=UNAVAILABLE,
                retry_after=1,
            )
        return self._table

    async def _models(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(model_list(self._known()))

    async def _model(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        known = self._known()
        route = named(known, name)
        return web.json_response(model_entry(name, route.served, known.origin(route.model)))

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        if not is_open(request.path):
            return await self._unknown_path(request)
        body = await self._body(request)
        name = asked_for(body, request.headers.get("Content-Type", ""))
        route = named(self._known(), name.name)
        if not route.endpoints and not self._may_wait(route):
            raise not_ready(route)
        with self._metrics.request(route.model) as measured:
            try:
                response = await self._answered(request, name, route)
            except OpenAIError as error:
                measured.status = error.status
                raise
            measured.status = response.status
            return response

    async def _body(self, request: web.Request) -> bytes:
        """Read a request's body; a client that sends it too slowly holds no connection for ever."""
        try:
            if request.content.is_eof():  # most came whole, and need no timer
                return await request.read()
            async with asyncio.timeout(self._upload_seconds):
                return await request.read()
        except TimeoutError:
            took = f"{self._upload_seconds:g} s"
            raise OpenAIError(408, f"the request's body did not come within {took}") from None
        except web.RequestPayloadError:
            raise OpenAIError(400, "the request's body is not encoded as its headers say") from None

    async def _answered(
        self, request: web.Request, asked: AskedFor, route: Route
    ) -> web.StreamResponse:
        """Send a request to an engine, which may have to be started first."""
        if route.endpoints:
            try:
                return await self._proxy.forward(request, asked.body_for(route), route)
            except OpenAIError as error:
                # The last engine may just have been stopped: the request is held for the next.
                if error.error["code"] != UNREACHABLE or not self._may_wait(route):
                    raise
        alive = KeepAlive()
        try:
            return await self._answered_later(request, asked, alive)
        except OpenAIError as error:
            if alive.begun is None:
                raise
            alive.begun.pass_on(error.event())
            return alive.begun

    async def _answered_later(
        self, request: web.Request, asked: AskedFor, alive: KeepAlive
    ) -> web.StreamResponse:
        """Hold a request until an engine takes it; one that is gone again is not the end of it."""
        deadline = self._holding.deadline()
        while True:
            route = await self._held(request, asked, alive, deadline)
            body = asked.body_for(route)
            try:
                return await self._proxy.forward(request, body, route, alive.begun)
            except OpenAIError as error:
                if error.error["code"] != UNREACHABLE:
                    raise

    def _may_wait(self, route: Route) -> bool:
        return self._waker is not None and route.wakes

    async def _held(
        self, request: web.Request, asked: AskedFor, alive: KeepAlive, deadline: float
    ) -> Route:
        """Wait until a model has an engine, and see to it that it gets one."""
        streams = self._keepalive_seconds > 0 and asks_for_a_stream(asked.body)
        route = named(self._known(), asked.name)
        with self._holding.place(route.model, len(asked.body)):
            seconds = self._keepalive_seconds if streams else None
            with alive.during(request, seconds):
                while time.monotonic() < deadline:
                    await self._wake(route)
                    await self._holding.changed(_LOOK_AGAIN_SECONDS)
                    route = named(self._known(), asked.name)
                    if route.endpoints:
                        return route
        raise not_ready(route)

    async def _wake(self, route: Route) -> None:
        asleep = route.asleep
        if asleep is not None and self._waker is not None:
            await self._waker.wake(asleep)

    async def _unknown_path(self, request: web.Request) -> web.StreamResponse:
        raise OpenAIError(404, f"there is no {request.method} {request.path}", code="unknown_url")

    def _guarded(self, handler: Handler) -> Handler:
        """Answer every error in OpenAI's format."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                self._keys.check(request.headers.get("Authorization", ""))
                return await handler(request)
            except OpenAIError as error:
                return self._refused(error)
            except web.HTTPRequestEntityTooLarge:
                limit = f"{request.client_max_size} bytes"
                return self._refused(OpenAIError(413, f"the request is larger than {limit}"))
            except ConnectionError:
                raise  # the client is gone: aiohttp ends the connection, nobody reads an answer
            except Exception:
                logger.exception("failed to answer %s %s", request.method, request.path)
                return self._refused(OpenAIError(500, "the gateway failed", kind="server_error"))

        return guarded

    def _refused(self, error: OpenAIError) -> web.Response:
        self._metrics.refused(error.status)
        return error.response()
