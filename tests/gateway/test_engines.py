"""Answers as engines write them, byte for byte, through a real gateway; and clients that are slow.

The engines here are sockets that send what a test says: a library would frame it well.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

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
    reader, writer = await world.opened()
    writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n" + ASKED)
    said = await asyncio.wait_for(reader.read(), WITHIN_SECONDS)
    assert b"the engine ended before its answer did" in said
    assert not said.endswith(b"0\r\n\r\n")


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
