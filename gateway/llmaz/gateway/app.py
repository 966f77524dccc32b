"""The gateway's HTTP server: OpenAI's paths, each answered by an engine or by an error body."""

import json
import logging
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from llmaz.gateway.answers import UNAVAILABLE, OpenAIError, model_entry, model_list
from llmaz.gateway.balance import Outstanding
from llmaz.gateway.metrics import Metrics
from llmaz.gateway.multipart import is_form, model_field
from llmaz.gateway.proxy import Proxy, model_of, named, route_to
from llmaz.gateway.routes import Route, Table

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Engines close idle connections after 5 s (uvicorn, llama.cpp); one that we give up earlier is
# never written to just as the engine closes it.
_IDLE_SECONDS = 3
_CONNECT_SECONDS = 5


class Gateway:
    """Answers requests by the table that it was last shown."""

    def __init__(self, session: aiohttp.ClientSession, metrics: Metrics) -> None:
        self._table: Table | None = None
        self._outstanding = Outstanding()
        self._proxy = Proxy(session, self._outstanding)
        self._metrics = metrics

    @property
    def why_not_ready(self) -> str | None:
        """What it waits for, if anything."""
        return "the cluster's state has not been read yet" if self._table is None else None

    def show(self, table: Table) -> None:
        """Route by `table` from now on; requests under way are not touched."""
        self._table = table
        known = [endpoint for served in table.served for endpoint in served.endpoints]
        self._outstanding.forget_all_but(known)

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/v1/models", self._guarded(self._models))
        app.router.add_get("/v1/models/{name:.+}", self._guarded(self._model))
        app.router.add_post("/v1/{path:.+}", self._guarded(self._forward))
        app.router.add_route("*", "/v1/{path:.*}", self._guarded(self._unknown_path))

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
        route = named(self._known(), name)
        return web.json_response(model_entry(name, route.served))

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        route, body = _routed(self._known(), body, request.headers.get("Content-Type", ""))
        with self._metrics.request(route.model) as measured:
            try:
                response = await self._proxy.forward(request, body, route)
            except OpenAIError as error:
                measured.status = error.status
                raise
            measured.status = response.status
            return response

    async def _unknown_path(self, request: web.Request) -> web.StreamResponse:
        raise OpenAIError(404, f"there is no {request.method} {request.path}", code="unknown_url")

    def _guarded(self, handler: Handler) -> Handler:
        """Answer every error in OpenAI's format."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
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


def _routed(table: Table, body: bytes, content_type: str) -> tuple[Route, bytes]:
    """Return who may answer a request, and its body with the name that the engine has for it."""
    if is_form(content_type):
        field = model_field(body, content_type)
        route = route_to(table, field.name)
        same = route.engine_name == field.name
        return route, body if same else field.replaced(body, route.engine_name)
    name, content = model_of(body)
    route = route_to(table, name)
    if route.engine_name == name:
        return route, body
    return route, json.dumps(content | {"model": route.engine_name}).encode()


def session() -> aiohttp.ClientSession:
    """Make the client side: no bound on connections or on how long an engine may think."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept-Encoding", "Content-Type"),
        auto_decompress=False,
    )
