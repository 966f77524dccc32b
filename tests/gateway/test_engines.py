"""Answers as engines write them, byte for byte, through a real gateway; and clients that are slow.

The engines here are sockets that send what a test says: a library would frame it well.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from prometheus_client import CollectorRegistry

from gateway.test_app import BACKLOG
from llmaz.daemon.web import listening
from llmaz.gateway.app import Gateway
from llmaz.gateway.engines import Engines
from llmaz.gateway.metrics import Metrics
from llmaz.gateway.routes import Endpoint, Served, Table

ASKED = b'{"model": "qwen"}'
WITHIN_SECONDS = 120.0
OK = b"HTTP/1.1 200 OK\r\n"
REQUEST = b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
POST = REQUEST % len(ASKED) + ASKED
KERNEL_SOCKETS = Path("/proc/self/net/tcp")
EVENTS = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class World:
    """A gateway at a port; an engine of it does what a test scripted."""

    gateway: Gateway
    port: int
    stack: AsyncExitStack
    connections: int = 0

    async def engine(self, script: Script) -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            try:
                await script(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0, backlog=BACKLOG)
        self.stack.callback(server.close)
        endpoint = Endpoint(*server.sockets[0].getsockname())
        self.gateway.show(Table((Served(name="default/a", model="qwen", endpoints=(endpoint,)),)))

    async def opened(self) -> Streams:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.stack.callback(writer.close)
        return reader, writer

    async def answered(self, said: bytes) -> bytes:
        """Say something; return all that comes until the gateway hangs up."""
        reader, writer = await self.opened()
        writer.write(said)
        return await asyncio.wait_for(reader.read(), WITHIN_SECONDS)

    async def ask(self) -> tuple[int, bytes]:
        url = f"http://127.0.0.1:{self.port}/v1/completions"
        async with aiohttp.ClientSession() as client, client.post(url, data=ASKED) as answer:
            return answer.status, await answer.read()


async def _world(
    stack: AsyncExitStack, upload_seconds: float = 120.0, idle_seconds: float = 120.0
) -> World:
    """Start a gateway whose clients have so long for a body, and for a head."""
    engines = await stack.enter_async_context(Engines(connect_seconds=WITHIN_SECONDS))
    gateway = Gateway(engines, Metrics(CollectorRegistry()), upload_seconds=upload_seconds)
    app = web.Application(client_max_size=1 << 26)
    gateway.add_routes(app)
    listens = listening(app, "127.0.0.1", 0, idle_seconds=idle_seconds)
    return World(gateway, await stack.enter_async_context(listens), stack)


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield await _world(stack)


async def asked(reader: asyncio.StreamReader) -> bytes:
    """Read one request; return its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


def says(*pieces: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await asked(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()

    return script


async def test_a_connection_serves_one_request_after_another(world: World) -> None:
    await world.engine(says(OK + b"Content-Length: 2\r\n\r\n{}"))
    assert [await world.ask() for _ in range(3)] == [(200, b"{}")] * 3
    assert world.connections == 1


async def test_an_engine_that_closes_behind_each_answer_loses_nothing(world: World) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(OK + b"Content-Length: 2\r\n\r\n{}")

    await world.engine(script)
    assert [await world.ask() for _ in range(5)] == [(200, b"{}")] * 5


async def test_an_answer_that_ends_with_its_connection_arrives_whole(world: World) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100_000)

    await world.engine(script)
    assert await world.ask() == (200, b"x" * 100_000)


async def test_an_interim_answer_is_not_the_answer(world: World) -> None:
    await world.engine(says(b"HTTP/1.1 100 Continue\r\n\r\n", OK + b"Content-Length: 2\r\n\r\n{}"))
    assert await world.ask() == (200, b"{}")


async def test_any_number_of_interim_answers_is_no_answer(world: World) -> None:
    interim = b"HTTP/1.1 102 \r\n\r\n" * 3000
    await world.engine(says(interim + OK + b"Content-Length: 2\r\n\r\n{}"))
    assert await world.ask() == (200, b"{}")


async def test_bytes_that_nobody_asked_for_answer_no_other_request(world: World) -> None:
    await world.engine(
        says(OK + b"Content-Length: 2\r\n\r\n{}" + OK + b"Content-Length: 1\r\n\r\n!")
    )
    assert [await world.ask() for _ in range(3)] == [(200, b"{}")] * 3
    assert world.connections == 3


@pytest.mark.parametrize("said", [b"hello\r\n\r\n", OK + b"A" * 70_000, OK + b"Bad\r\n\r\n"])
async def test_what_is_no_answer_is_a_bad_gateway(said: bytes, world: World) -> None:
    await world.engine(says(said))
    status, body = await world.ask()
    assert (status, json.loads(body)["error"]["code"]) == (502, "engine_unreachable")


async def test_a_stream_whose_framing_breaks_has_no_clean_end(world: World) -> None:
    await world.engine(says(EVENTS + b"9\r\ndata: 1\n\n\r\n", b"no chunk\r\n"))
    said = await world.answered(POST)
    assert b"the engine ended before its answer did" in said
    assert not said.endswith(b"0\r\n\r\n")


async def test_the_reason_of_a_broken_stream_is_no_part_of_the_event_that_broke(
    world: World,
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(EVENTS + b"7\r\ndata: {\r\n")

    await world.engine(script)
    said = await world.answered(POST)
    assert b'\n\ndata: {"error": ' in said
    assert not said.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 200000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n30d40\r\n"]
)
async def test_a_body_of_an_engine_that_dies_does_not_look_whole(
    framing: bytes, world: World
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(OK + framing + b"x" * 100_000)

    await world.engine(script)
    with pytest.raises(aiohttp.ClientPayloadError):
        await world.ask()


async def test_a_stream_under_way_does_not_look_whole_when_the_gateway_stops() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(EVENTS + b"9\r\ndata: 1\n\n\r\n")
        await reader.read()  # until the gateway hangs up

    async with AsyncExitStack() as clients:
        async with AsyncExitStack() as stack:
            world = await _world(stack)
            await world.engine(script)
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            clients.callback(writer.close)
            writer.write(POST)
            said = await asyncio.wait_for(reader.readuntil(b"data: 1\n\n"), WITHIN_SECONDS)
        said += await asyncio.wait_for(reader.read(), WITHIN_SECONDS)
    assert said.endswith(b"data: 1\n\n\r\n")


async def test_requests_that_a_client_sends_at_once_are_answered_in_their_order(
    world: World,
) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            body = await asked(reader)
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    await world.engine(script)
    bodies = [b'{"model": "qwen", "n": %d}' % number for number in range(20)]
    last = REQUEST.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n")
    requests = [(last if body is bodies[-1] else REQUEST) % len(body) + body for body in bodies]
    said = await world.answered(b"".join(requests))
    assert [answer.partition(b"\r\n\r\n")[2] for answer in said.split(OK)[1:]] == bodies


async def test_a_node_that_is_silent_is_asked_whether_it_is_still_there(world: World) -> None:
    if not _tells_of_timers():
        pytest.skip("this kernel does not tell which timers its connections wait for")
    began, ends = asyncio.Event(), asyncio.Event()
    ports = (0, 0)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal ports
        await asked(reader)
        ports = (writer.get_extra_info("peername")[1], writer.get_extra_info("sockname")[1])
        began.set()
        await ends.wait()

    await world.engine(script)
    _, writer = await world.opened()
    writer.write(POST)
    await asyncio.wait_for(began.wait(), WITHIN_SECONDS)
    async with asyncio.timeout(WITHIN_SECONDS):
        while _timer_of(*ports) != "02":  # that of keepalive; 01 while bytes are not confirmed
            await asyncio.sleep(0.05)
    ends.set()


def _tells_of_timers() -> bool:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return _timer_of(idle.getsockname()[1], port) == "02"


def _timer_of(port: int, peer_port: int) -> str:
    """Return which timer of a connection the kernel waits for."""
    if not KERNEL_SOCKETS.exists():
        return ""
    rows = (line.split() for line in KERNEL_SOCKETS.read_text().splitlines()[1:])
    ends = (f":{port:04X}", f":{peer_port:04X}")
    return next((row[5][:2] for row in rows if (row[1][-5:], row[2][-5:]) == ends), "")


async def test_a_client_of_http_1_0_gets_no_chunks(world: World) -> None:
    await world.engine(says(EVENTS + b"9\r\ndata: 1\n\n\r\n0\r\n\r\n"))
    reader, writer = await world.opened()
    writer.write(b"POST /v1/completions HTTP/1.0\r\nContent-Length: 17\r\n\r\n" + ASKED)
    head, _, body = (await asyncio.wait_for(reader.read(), WITHIN_SECONDS)).partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    assert body == b"data: 1\n\n"


async def test_a_client_that_does_not_read_holds_its_engine_back(world: World) -> None:
    blocked, sent = asyncio.Event(), 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await asked(reader)
        writer.write(EVENTS)
        for _ in range(1000):
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            try:
                await asyncio.wait_for(writer.drain(), 1.0)
            except TimeoutError:
                blocked.set()
                await writer.drain()
            sent += 1
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    await world.engine(script)
    reader, writer = await world.opened()
    writer.write(b"POST /v1/completions HTTP/1.0\r\nContent-Length: 17\r\n\r\n" + ASKED)
    await asyncio.wait_for(blocked.wait(), WITHIN_SECONDS)
    assert sent < 1000
    said = await asyncio.wait_for(reader.read(), WITHIN_SECONDS)
    assert len(said.partition(b"\r\n\r\n")[2]) == 1000 * 65536


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async with AsyncExitStack() as stack:
        world = await _world(stack, upload_seconds=0.3)
        reader, writer = await world.opened()
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n{")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WITHIN_SECONDS)
        assert head.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("said", [b"", b"POST /v1/completions HTTP/1.1\r\nX-Slow: "])
async def test_a_connection_without_a_whole_head_ends(said: bytes) -> None:
    async with AsyncExitStack() as stack:
        world = await _world(stack, idle_seconds=0.3)
        reader, writer = await world.opened()
        writer.write(said)
        with suppress(ConnectionResetError):  # what it had not read yet when it closed
            assert await asyncio.wait_for(reader.read(), WITHIN_SECONDS) == b""
