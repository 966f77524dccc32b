"""Pass one request to an engine and its answer back, byte by byte as it comes."""

from collections.abc import Mapping
from http import HTTPStatus

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from llmaz.gateway.answers import BAD_GATEWAY, UNAVAILABLE, OpenAIError
from llmaz.gateway.balance import Outstanding
from llmaz.gateway.routes import AmbiguousName, Endpoint, Route, Table, UnknownName

# Of one connection, not of the message (RFC 9110, 7.6.1); the length and the host are set anew.
_NOT_PASSED_ON = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "host", "content-length", "expect"}
)
_UNPACKED = frozenset({"content-encoding"})  # a body that came compressed is passed on as text
_SHORT_BYTES = 64 * 1024
_RETRY_AFTER_SECONDS = 5
UNREACHABLE = "engine_unreachable"


def named(table: Table, name: str) -> Route:
    """Return a name's route, ready or not; raise OpenAIError where there is none."""
    match table.find(name):
        case UnknownName(known):
            served = f"served are: {', '.join(known)}" if known else "nothing is served yet"
            raise OpenAIError(
                404,
                f"model {name!r} does not exist; {served}",
                code="model_not_found",
                param="model",
            )
        case AmbiguousName(candidates):
            raise OpenAIError(
                400,
                f"{name!r} is ambiguous; write one of: {', '.join(candidates)}",
                code="model_ambiguous",
                param="model",
            )
        case route:
            return route


def not_ready(route: Route) -> OpenAIError:
    """Say that no engine of a route is ready, and why."""
    return OpenAIError(
        503,
        f"no engine of model {route.model!r} is ready: {route.waits_because}",
        kind=UNAVAILABLE,
        code="model_not_ready",
        retry_after=_RETRY_AFTER_SECONDS,
    )


class Proxy:
    """Sends requests to the engines of a route."""

    def __init__(
        self, session: aiohttp.ClientSession, outstanding: Outstanding, *, keep_key: bool = True
    ) -> None:
        self._session = session
        self._outstanding = outstanding
        # A key of the gateway's own is none of an engine's business.
        self._kept_back = _UNPACKED if keep_key else _UNPACKED | {"authorization"}

    async def forward(
        self,
        request: web.Request,
        body: bytes,
        route: Route,
        begun: web.StreamResponse | None = None,
    ) -> web.StreamResponse:
        """Answer `request` from one of the route's engines.

        An engine that can't be connected to is passed over. One that hangs up before it answers
        may have died of the request itself, or had closed an idle connection: the request is
        sent once more, and no further.
        """
        left = list(route.endpoints)
        sent_twice = False
        failure: aiohttp.ClientError
        while True:
            endpoint = self._outstanding.pick(left)
            others = [one for one in left if one != endpoint]
            with self._outstanding.request(endpoint):
                try:
                    answer = await self._ask(endpoint, request, body)
                except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                    failure, left = error, others
                except aiohttp.ClientConnectionError as error:
                    failure, left = error, [] if sent_twice else others or [endpoint]
                    sent_twice = True
                else:
                    async with answer:
                        return await _relay(request, answer, begun)
            if not left:
                raise _unreachable(route, endpoint, failure)

    async def _ask(
        self, endpoint: Endpoint, request: web.Request, body: bytes
    ) -> aiohttp.ClientResponse:
        return await self._session.request(
            request.method,
            endpoint.url + request.path_qs,
            data=body,
            headers=_passed_on(request.headers, self._kept_back),
            allow_redirects=False,
        )


async def _relay(
    request: web.Request, answer: aiohttp.ClientResponse, begun: web.StreamResponse | None
) -> web.StreamResponse:
    """Pass an answer on; into a stream that was begun before there was one, as its events."""
    response = begun
    if response is None and (answer.content_length or _SHORT_BYTES + 1) <= _SHORT_BYTES:
        return await _whole(answer)
    if response is None:
        response = web.StreamResponse(
            status=answer.status, reason=answer.reason, headers=_passed_on(answer.headers)
        )
        response.content_length = answer.content_length
        await response.prepare(request)
    elif answer.status != HTTPStatus.OK:
        error = (await answer.text()).replace("\n", " ")
        await response.write(f"data: {error}\n\n".encode())
        return response
    while True:
        try:
            chunk = await answer.content.readany()
        except aiohttp.ClientError:
            await _break_off(request, response)
            return response
        if not chunk:
            return response
        await response.write(chunk)


async def _whole(answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Return a short answer, which is no stream: its head and its body go out in one write."""
    try:
        body = await answer.read()
    except aiohttp.ClientError:
        raise _cut_short() from None
    return web.Response(
        status=answer.status, reason=answer.reason, headers=_passed_on(answer.headers), body=body
    )


async def _break_off(request: web.Request, response: web.StreamResponse) -> None:
    """Tell the client that the engine died in the middle of its answer."""
    error = _cut_short()
    if response.content_type == "text/event-stream":
        await response.write(error.event())
    if request.transport is not None:
        request.transport.close()  # a body cut short must not look complete


def _passed_on(
    headers: Mapping[str, str], kept_back: frozenset[str] = frozenset()
) -> CIMultiDict[str]:
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    dropped = _NOT_PASSED_ON | kept_back | named
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in dropped
    )


def _cut_short() -> OpenAIError:
    return OpenAIError(502, "the engine ended before its answer did", kind=BAD_GATEWAY)


def _unreachable(route: Route, endpoint: Endpoint, error: Exception) -> OpenAIError:
    return OpenAIError(
        502,
        f"no engine of model {route.model!r} could be reached;"
        f" {endpoint.address}:{endpoint.port}: {error or type(error).__name__}",
        kind=BAD_GATEWAY,
        code=UNREACHABLE,
        retry_after=1,
    )
