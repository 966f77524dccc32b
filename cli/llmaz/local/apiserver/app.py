"""The HTTP face of the server: authentication, the fixed documents, and requests for objects."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

import yaml
from aiohttp import web

from llmaz.local.apiserver import discovery, documents, status
from llmaz.local.apiserver.auth import authenticate, authorize
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.database import StorageError
from llmaz.local.apiserver.handlers import Response, handle
from llmaz.local.apiserver.metrics import Metrics
from llmaz.local.apiserver.negotiation import (
    DISCOVERY,
    JSON,
    YAML,
    discovery_version,
    negotiated,
)
from llmaz.local.apiserver.routes import Request, Route, route
from llmaz.local.apiserver.versions import encoded
from llmaz.local.objects.values import Object

LIMIT = 3 * 1024 * 1024  # bytes of a request's body, as on the real server
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Api:
    """Answers every request; holds what outlives one."""

    context: Context
    token: str
    metrics: Metrics
    openapi: documents.OpenApi
    stopping: asyncio.Event

    async def answer(self, http: web.Request) -> web.StreamResponse:
        """Answer one request; whatever goes wrong becomes a Status."""
        begun = time.monotonic()
        query = {key: http.query[key] for key in http.query}
        wanted = route(http.method, http.path, query)
        verb = wanted.verb if wanted else http.method.lower()
        resource = self._served_plural(wanted)
        response: web.StreamResponse
        try:
            response = await self._answer(http, query, wanted)
        except status.StatusError as error:
            response = _status_response(error, http.headers.get("Accept", ""))
        except StorageError as error:
            logger.error("write refused by the database: %s", error)
            response = _status_response(status.out_of_space(str(error)), "")
        except RecursionError:
            response = _status_response(status.bad_request("the body is nested too deeply"), "")
        except web.RequestPayloadError:
            words = "the body is not encoded as its headers say"
            response = _status_response(status.bad_request(words), "")
        except web.HTTPRequestEntityTooLarge:
            response = _status_response(status.too_large(), "")
        except Exception:
            logger.exception("request failed: %s %s", http.method, http.path)
            response = _status_response(status.internal("see the server's log"), "")
        seconds = time.monotonic() - begun
        self.metrics.answered(verb, resource, response.status, seconds)
        return response

    def _served_plural(self, wanted: Route | None) -> str:
        """Return what figures name: an invented resource must not become a figure of its own."""
        if wanted is None:
            return ""
        found = self.context.registry.find(wanted.group, wanted.version, wanted.plural)
        return found.plural if found else ""

    async def _answer(
        self, http: web.Request, query: dict[str, str], wanted: Route | None
    ) -> web.StreamResponse:
        user = authenticate(http.headers.get("Authorization"), self.token)
        authorize(user, http.method, http.path, wanted)
        if wanted is None:
            return self._document(http)
        request = Request(
            method=http.method,
            path=http.path,
            query=query,
            accept=http.headers.get("Accept", ""),
            content_type=http.headers.get("Content-Type", ""),
            user_agent=http.headers.get("User-Agent", ""),
            body=await http.read(),
        )
        response = await handle(self.context, wanted, request, user)
        if response is None:
            return _page_not_found()
        if response.lines is not None:
            return await self._stream(http, response, response.lines, wanted)
        return _written(response)

    async def _stream(
        self, http: web.Request, response: Response, lines: AsyncIterator[bytes], wanted: Route
    ) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": response.media_type})
        stream.enable_chunked_encoding()
        self.metrics.watch_begun(wanted.plural)
        try:
            await stream.prepare(http)
            async with aclosing(_until(self.stopping, lines)) as wanted_lines:
                async for line in wanted_lines:
                    await stream.write(line)
            await stream.write_eof()
        except ConnectionError:
            pass  # the client went: that is how most watches end
        finally:
            self.metrics.watch_ended(wanted.plural)
        return stream

    def _document(self, http: web.Request) -> web.Response:
        if http.method not in ("GET", "HEAD"):
            raise status.method_not_allowed()
        path, accept = http.path.rstrip("/") or "/", http.headers.get("Accept", "")
        registry = self.context.registry
        if path in ("/api", "/apis"):
            return self._discovery(path, accept)
        match path.strip("/").split("/"):
            case ["healthz" | "livez" | "readyz", *_]:
                return web.Response(text="ok")
            case ["metrics"]:
                return self.metrics.response()
            case ["version"]:
                return _document(documents.version(), accept)
            case ["api", version]:
                return _found(discovery.resource_list(registry, "", version), accept)
            case ["apis", group]:
                return _found(discovery.group(registry, group), accept)
            case ["apis", group, version]:
                return _found(discovery.resource_list(registry, group, version), accept)
            case ["openapi", *rest]:
                return self._openapi(rest, accept)
            case [""]:
                return _document(documents.paths(registry), accept)
        return _page_not_found()

    def _openapi(self, rest: list[str], accept: str) -> web.Response:
        match rest:
            case ["v2"]:
                body, type_ = documents.openapi_v2(accept)
                return web.Response(body=body, headers={"Content-Type": type_})
            case ["v3"]:
                return web.Response(text=self.openapi.index().decode())
            case ["v3", "api" | "apis", *group_version]:
                return _json_text(self.openapi.document("/".join(group_version)))
        return _page_not_found()

    def _discovery(self, path: str, accept: str) -> web.Response:
        registry, version = self.context.registry, discovery_version(accept)
        if version:
            document = discovery.aggregated(registry, version, core=path == "/api")
            type_ = DISCOVERY.format(version=version)
            return web.Response(body=encoded(document), headers={"Content-Type": type_})
        plain = discovery.api_versions() if path == "/api" else discovery.group_list(registry)
        return _document(plain, accept)


async def _until(stop: asyncio.Event, lines: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield lines until they end or the server does."""
    stopped = asyncio.ensure_future(stop.wait())
    following = asyncio.ensure_future(anext(lines, None))
    try:
        while True:
            await asyncio.wait({following, stopped}, return_when=asyncio.FIRST_COMPLETED)
            line = following.result() if following.done() else None
            if line is None:
                return
            yield line
            following = asyncio.ensure_future(anext(lines, None))
    finally:
        stopped.cancel()
        following.cancel()


def _written(response: Response) -> web.Response:
    made = web.Response(
        status=response.code,
        body=_in(response.media_type, response.body),
        headers={"Content-Type": response.media_type},
    )
    for warning in response.warnings:
        escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
        made.headers.add("Warning", f'299 - "{escaped}"')
    return made


def _in(media_type: str, body: bytes) -> bytes:
    return yaml.safe_dump(json.loads(body)).encode() if media_type == YAML else body


def _document(document: Object, accept: str) -> web.Response:
    answer = negotiated(accept, forms=False)
    body = _in(answer.media_type, encoded(document))
    return web.Response(body=body, headers={"Content-Type": answer.media_type})


def _found(document: Object | None, accept: str) -> web.Response:
    return _page_not_found() if document is None else _document(document, accept)


def _json_text(body: bytes | None) -> web.Response:
    if body is None:
        return _page_not_found()
    return web.Response(body=body, headers={"Content-Type": JSON})


def _page_not_found() -> web.Response:
    return web.Response(status=404, text="404 page not found\n")


def _status_response(error: status.StatusError, accept: str) -> web.Response:
    media_type = JSON
    if error.code != 406 and YAML in accept and JSON not in accept:
        media_type = YAML
    body = _in(media_type, encoded(error.body()))
    headers = {"Content-Type": media_type}
    retry = (error.details or {}).get("retryAfterSeconds")
    if retry:
        headers["Retry-After"] = str(retry)
    return web.Response(status=error.code, body=body, headers=headers)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(handler: Handler) -> web.Application:
    """Return the application that gives every path and method to one handler."""
    app = web.Application(client_max_size=LIMIT)
    app.router.add_route("*", "/{path:.*}", handler)
    return app
