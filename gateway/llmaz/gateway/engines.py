"""Connections to engines: one request at a time on each, kept for a moment for the next.

What comes of an answer is handed on in the callback in which it comes. A task that is woken for
each token costs more than the token: with many streams, that is what the gateway adds.
"""

import asyncio
import socket
import time
from typing import Protocol, Self, cast

from llmaz.gateway.routes import Endpoint
from llmaz.gateway.wire import HEAD_END, MOST_HEAD_BYTES, Body, Head, WireError, body_of, read_head

# Engines close idle connections after 5 s (uvicorn, llama.cpp); one that we give up earlier is
# never written to just as the engine closes it.
_IDLE_SECONDS = 3.0
_CONNECT_SECONDS = 5.0
# An engine may be silent for long, but its node answers: one that is gone is noticed in a minute.
_ASK_AFTER_SILENCE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
_FINAL = 200  # the first status that no other may follow
SHORT_BYTES = 64 * 1024  # an answer of known length up to this is told when it is here whole


class Unreached(Exception):
    """An engine that can't be connected to."""


class HungUp(Exception):
    """An engine that ended the connection before its answer did."""


class Sink(Protocol):
    """Where a body goes."""

    def pass_on(self, payload: bytes) -> bool:
        """Take some of it; return whether there is room for more."""
        ...

    async def drained(self) -> None:
        """Wait until there is room again."""
        ...


class Connection(asyncio.Protocol):
    """One connection to an engine, with the answer that is coming on it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._turn: asyncio.Future[None] | None = None  # what a request waits for
        self._sink: Sink | None = None
        self._reset()

    def _reset(self) -> None:
        self._head: Head | None = None
        self._body: Body | None = None
        self._early = b""  # what came of a head, or of a body that nobody takes yet
        self._over = False
        self._failure: Exception | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def reusable(self) -> bool:
        """Whether another request may follow: the answer came whole, and said so."""
        head, body = self._head, self._body
        whole = self._over and body is not None and body.clean
        return whole and head is not None and head.lasting and self.is_open and self._is_sent

    @property
    def _is_sent(self) -> bool:
        """Whether the request went out whole: an engine may refuse one before it has read it."""
        return self._transport is not None and not self._transport.get_write_buffer_size()

    @property
    def _is_short(self) -> bool:
        length = None if self._head is None else self._head.length
        return length is not None and length <= SHORT_BYTES

    async def ask(self, head: bytes, body: bytes) -> Head:
        """Send a request; return the head of its answer, a short one when its body came as well."""
        self._reset()
        if self._transport is None:
            raise HungUp("it closed the connection")
        if len(body) > SHORT_BYTES:
            self._transport.write(head)
            self._transport.write(body)
        else:
            self._transport.write(head + body)
        await self._turned()
        if self._head is None:
            raise self._failure or HungUp("it closed the connection")
        return self._head

    async def pour(self, sink: Sink) -> None:
        """Hand the body to a sink as it comes; raise HungUp where it does not come whole."""
        if self._failure is not None and self._is_short:
            raise self._failure  # what there is of it is nothing to a client
        self._sink = sink
        early, self._early = self._early, b""
        room = sink.pass_on(early) if early else True
        while not self._over:
            if not room:
                self._pause()
                await sink.drained()
                self._resume()
            if not self._over:
                await self._turned()
            room = False
        if self._failure is not None:
            raise self._failure

    async def read(self) -> bytes:
        """Return the whole body."""
        collected = _Collected()
        await self.pour(collected)
        return bytes(collected.body)

    def abort(self) -> None:
        """End the connection: an engine that still computes for it stops."""
        if self._transport is not None:
            self._transport.abort()

    def rest(self) -> None:
        """Forget the request; until the next one nothing may come."""
        self._sink = None
        self._turn = None

    async def _turned(self) -> None:
        self._turn = self._loop.create_future()
        await self._turn

    def _wake(self) -> None:
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    def _pause(self) -> None:
        if self._transport is not None and not self._over:
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and not self._over:
            self._transport.resume_reading()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # what a stream has, in any loop
        for level, option, value in _ASK_AFTER_SILENCE:
            transport.get_extra_info("socket").setsockopt(level, option, value)

    def data_received(self, data: bytes) -> None:
        try:
            self._take(data)
        except WireError as error:
            self._end(HungUp(str(error)))
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._over:
            return
        ended = self._head is not None and self._head.length is None and not self._head.chunked
        self._end(None if ended and exc is None else HungUp(str(exc or "it hung up")))

    def _take(self, data: bytes) -> None:
        if self._over or self._turn is None:
            self.abort()  # nobody asked: the answer's end and what was said to be it differ
        elif self._body is not None:
            self._pass_on(self._body, data)
        else:
            self._read_head(self._early + data)

    def _read_head(self, data: bytes) -> None:
        status = 0
        while status < _FINAL:  # an answer to an Expect that was not passed on comes before it
            text, end, rest = data.partition(HEAD_END)
            if len(text) > MOST_HEAD_BYTES:
                raise WireError("the head of its answer is too long")
            self._early = data
            if not end:
                return
            head = read_head(text)
            status, data = head.status, rest
        self._early = b""
        self._head, self._body = head, body_of(head)
        if not self._is_short:
            self._wake()
        if self._body.over:
            self._end(None)
        elif rest:
            self._pass_on(self._body, rest)

    def _pass_on(self, body: Body, data: bytes) -> None:
        payload = body.take(data)
        if self._sink is None:
            self._early += payload
        elif payload and not self._sink.pass_on(payload):
            self._wake()
        if body.over:
            self._end(None)

    def _end(self, failure: Exception | None) -> None:
        self._over, self._failure = True, failure
        self._wake()


class _Collected:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.body = bytearray()

    def pass_on(self, payload: bytes) -> bool:
        self.body += payload
        return True

    async def drained(self) -> None:
        return


class Engines:
    """The connections that are open, by where engines listen."""

    def __init__(self, connect_seconds: float = _CONNECT_SECONDS) -> None:
        self._connect_seconds = connect_seconds
        self._idle: dict[Endpoint, list[tuple[float, Connection]]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._close_older_than(time.monotonic())

    async def connection(self, endpoint: Endpoint, *, fresh: bool) -> Connection:
        """Return a connection, which is given back when the request on it is over."""
        return (None if fresh else self._kept(endpoint)) or await self._opened(endpoint)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request, or end one whose answer did not come whole."""
        connection.rest()
        if connection.reusable:
            self._keep(connection)
        else:
            connection.abort()

    async def _opened(self, endpoint: Endpoint) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await loop.create_connection(
                    lambda: Connection(endpoint), endpoint.address, endpoint.port
                )
        except TimeoutError:
            raise Unreached(f"no connection within {self._connect_seconds:g} s") from None
        except OSError as error:
            raise Unreached(str(error)) from None
        return connection

    def _kept(self, endpoint: Endpoint) -> Connection | None:
        kept = self._idle.get(endpoint)
        while kept:
            since, connection = kept.pop()
            if connection.is_open and since > time.monotonic() - _IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    def _keep(self, connection: Connection) -> None:
        self._idle.setdefault(connection.endpoint, []).append((time.monotonic(), connection))
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._swept)

    def _swept(self) -> None:
        self._close_older_than(time.monotonic() - _IDLE_SECONDS)
        later = asyncio.get_running_loop().call_later
        self._sweep = later(_IDLE_SECONDS, self._swept) if self._idle else None

    def _close_older_than(self, bound: float) -> None:
        """Close what is idle since `bound` or longer; nobody keeps endpoints that are gone."""
        for endpoint, kept in list(self._idle.items()):
            for _, connection in (one for one in kept if one[0] <= bound):
                connection.abort()
            left = [one for one in kept if one[0] > bound and one[1].is_open]
            if left:
                self._idle[endpoint] = left
            else:
                del self._idle[endpoint]
