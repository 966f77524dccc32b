"""Peers as nobody wants them: one that sends wrong bytes, and a slow way to one that is right."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from aiohttp import web

from llmaz.agent.swarm.chunks import chunk_count, span_of

_BLOCK = 2**14


@asynccontextmanager
async def liar(data: bytes) -> AsyncIterator[str]:
    """Run a peer that says it has all of a file, with the right digests, and sends other bytes."""

    async def blob(request: web.Request) -> web.StreamResponse:
        start, end = request.http_range.start or 0, request.http_range.stop or len(data)
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        return web.Response(status=206, headers=headers, body=bytes(end - start))

    async with _boasting(data, blob) as url:
        yield url


@asynccontextmanager
async def mute(data: bytes) -> AsyncIterator[str]:
    """Run a peer that says it has all of a file, and answers nobody who asks for bytes of it."""

    async def blob(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async with _boasting(data, blob) as url:
        yield url


@asynccontextmanager
async def empty_handed(data: bytes) -> AsyncIterator[str]:
    """Run a peer that says it has all of a file, and has nothing of it."""

    async def blob(_: web.Request) -> web.StreamResponse:
        raise web.HTTPNotFound

    async with _boasting(data, blob) as url:
        yield url


@asynccontextmanager
async def _boasting(
    data: bytes, blob: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> AsyncIterator[str]:
    key, size = hashlib.sha256(data).hexdigest(), len(data)
    spans = [span_of(chunk, size) for chunk in range(chunk_count(size))]
    have = [[n, hashlib.sha256(data[a:b]).hexdigest()] for n, (a, b) in enumerate(spans)]

    async def follow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        news = {"key": key, "anew": True, "have": have, "claims": [], "complete": True}
        await response.write(json.dumps(news).encode() + b"\n")
        while True:
            await asyncio.sleep(1.0)
            await response.write(b"\n")

    app = web.Application()
    app.add_routes([web.post("/v1/follow", follow), web.get("/v1/blobs/{key}", blob)])
    runner = web.AppRunner(app, shutdown_timeout=0.5, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def slow_way_to(url: str, *, bytes_a_second: int) -> AsyncIterator[str]:
    """Run a way to a peer over which each connection brings so much."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    tasks: set[asyncio.Task[None]] = set()

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, wait: float) -> None:
        with suppress(OSError):
            while block := await source.read(_BLOCK):
                target.write(block)
                await target.drain()
                await asyncio.sleep(wait)
        target.close()

    async def carry(here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        there, out = await asyncio.open_connection(host, port)
        ways = (pump(here, out, 0.0), pump(there, back, _BLOCK / bytes_a_second))
        await asyncio.gather(*ways)

    def met(here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(carry(here, back))
        tasks.add(task)

    server = await asyncio.start_server(met, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
