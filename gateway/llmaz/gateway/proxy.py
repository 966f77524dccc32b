"""Pass one request to an engine and its answer back, byte by byte as it comes."""

from http import HTTPStatus

from aiohttp import web

from llmaz.gateway.answers import BAD_GATEWAY, UNAVAILABLE, OpenAIError
from llmaz.gateway.balance import Outstanding
from llmaz.gateway.engines import SHORT_BYTES, Connection, Engines, HungUp, Unreached
from llmaz.gateway.reply import Reply, passed_on
from llmaz.gateway.routes import AmbiguousName, Endpoint, Route, Table, UnknownName
from llmaz.gateway.wire import Head

_UNPACKED = frozenset({b"content-encoding"})  # a body that came compressed is passed on as text
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
        self, engines: Engines, outstanding: Outstanding, *, keep_key: bool = True
    ) -> None:
        self._engines = engines
        self._outstanding = outstanding
        # A key of the gateway's own is none of an engine's business.
        self._kept_back = _UNPACKED if keep_key else _UNPACKED | {b"authorization"}

    async def forward(
        self, request: web.Request, body: bytes, route: Route, begun: Reply | None = None
    ) -> Reply:
        """Answer `request` from one of the route's engines.

        An engine that can't be connected to is passed over. One that hangs up before it answers
        may have died of the request itself, or had closed an idle connection: the request is
        sent once more, on a new connection, and no further.
        """
        left = list(route.endpoints)
        sent_twice = False
        failure: Exception
        while True:
            endpoint = self._outstanding.pick(left)
            others = [one for one in left if one != endpoint]
            with self._outstanding.request(endpoint):
                try:
                    connection = await self._engines.connection(endpoint, fresh=sent_twice)
                    return await self._exchanged(request, body, connection, begun)
                except Unreached as error:
                    failure, left = error, others
                except HungUp as error:
                    failure, left = error, [] if sent_twice else others or [endpoint]
                    sent_twice = True
            if not left:
                raise _unreachable(route, endpoint, failure)

    async def _exchanged(
        self, request: web.Request, body: bytes, connection: Connection, begun: Reply | None
    ) -> Reply:
        """Ask on a connection and pass the answer on; a client that leaves ends the connection."""
        try:
            head = await connection.ask(self._head(request, connection.endpoint, body), body)
            return await _relay(request, head, connection, begun)
        finally:
            self._engines.give_back(connection)

    def _head(self, request: web.Request, endpoint: Endpoint, body: bytes) -> bytes:
        """Write the head of a request for an engine: the client's, but for what frames it."""
        lines = [f"{request.method} {request.path_qs} HTTP/1.1\r\nHost: {endpoint}\r\n".encode()]
        lines += (b"%b: %b\r\n" % one for one in passed_on(request.raw_headers, self._kept_back))
        lines.append(b"Content-Length: %d\r\n\r\n" % len(body))
        return b"".join(lines)


async def _relay(
    request: web.Request, head: Head, connection: Connection, begun: Reply | None
) -> Reply:
    """Pass an answer on; into a stream that was begun before there was one, as its events."""
    reply = begun or Reply(request, head)
    try:
        if begun is not None and head.status != HTTPStatus.OK:
            error = b" ".join((await connection.read()).splitlines())
            begun.pass_on(b"data: " + error + b"\n\n")
            return begun
        if head.length is None or head.length > SHORT_BYTES:
            reply.begin()
        await connection.pour(reply)
    except HungUp:
        if not reply.has_begun:
            raise _cut_short() from None
        reply.break_off(_cut_short().event())
    return reply


def _cut_short() -> OpenAIError:
    return OpenAIError(502, "the engine ended before its answer did", kind=BAD_GATEWAY)


def _unreachable(route: Route, endpoint: Endpoint, error: Exception) -> OpenAIError:
    return OpenAIError(
        502,
        f"no engine of model {route.model!r} could be reached; {endpoint}: {error}",
        kind=BAD_GATEWAY,
        code=UNREACHABLE,
        retry_after=1,
    )
