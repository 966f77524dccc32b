"""What a gateway keeps from engines: paths, keys, bodies that nobody can read. Real sockets."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from llmaz.gateway.app import Gateway
from llmaz.gateway.engines import Engines
from llmaz.gateway.keys import Keys
from llmaz.gateway.metrics import Metrics
from llmaz.gateway.routes import Endpoint, Served, Table

LIMIT = 1 << 20
ASKED = b'{"model": "qwen"}'


@dataclass
class Door:
    """A gateway in front of one engine that remembers what it was asked."""

    address: Endpoint
    client: aiohttp.ClientSession
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def post(
        self, path: str, body: bytes, headers: Mapping[str, str] = {}
    ) -> tuple[int, str]:
        """Return an answer's status, and the code of its error."""
        async with self.client.post(path, data=body, headers=headers) as answer:
            content = await answer.json()
            return answer.status, content.get("error", {}).get("code") or ""

    async def post_as_written(self, path: str) -> str:
        """Send a path that no client library would; return the first line of the answer."""
        reader, writer = await asyncio.open_connection(self.address.address, self.address.port)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(ASKED)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + ASKED)
        line = await asyncio.wait_for(reader.readline(), 120)
        writer.close()
        return line.decode().strip()


async def _listen(stack: AsyncExitStack, app: web.Application) -> Endpoint:
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    return Endpoint(host, port)


@asynccontextmanager
async def door(keys: Keys | None = None) -> AsyncIterator[Door]:
    async with AsyncExitStack() as stack:

        async def answer(request: web.Request) -> web.StreamResponse:
            opened.seen.append(request)
            opened.bodies.append(await request.read())
            return web.json_response({})

        engine_app = web.Application()
        engine_app.router.add_route("*", "/{path:.*}", answer)
        engine = await _listen(stack, engine_app)
        calls = await stack.enter_async_context(Engines())
        gateway = Gateway(calls, Metrics(CollectorRegistry()), keys=keys)
        gateway.show(Table((Served(name="default/a", model="qwen", endpoints=(engine,)),)))
        app = web.Application(client_max_size=LIMIT)
        gateway.add_routes(app)
        address = await _listen(stack, app)
        client = await stack.enter_async_context(aiohttp.ClientSession(f"http://{address}"))
        opened = Door(address, client)
        yield opened


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/../sleep", "/v1/%2e%2e/sleep?level=1", "/v1/x/%2E%2e/%2e./collective_rpc"),
        *("/v1/..%2fsleep", "/v1/load_lora_adapter"),
    ],
)
async def test_no_request_leaves_the_paths_of_openai(path: str) -> None:
    async with door() as opened:
        assert await opened.post_as_written(path) == "HTTP/1.1 404 Not Found"
        assert opened.seen == []


async def test_with_keys_nothing_is_answered_without_one(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("sk-one\n")
    async with door(Keys(path)) as opened:
        assert await opened.post("/v1/chat/completions", ASKED) == (401, "invalid_api_key")
        async with opened.client.get("/v1/models") as answer:
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert opened.seen == []


async def test_an_engine_never_sees_a_key_of_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("sk-one\n")
    shown = {"Authorization": "Bearer sk-one"}
    async with door(Keys(path)) as opened:
        assert await opened.post("/v1/chat/completions", ASKED, shown) == (200, "")
    async with door() as unguarded:
        assert await unguarded.post("/v1/chat/completions", ASKED, shown) == (200, "")
    assert "Authorization" not in opened.seen[0].headers
    assert unguarded.seen[0].headers["Authorization"] == "Bearer sk-one"


async def test_a_compressed_body_reaches_the_engine_as_text() -> None:
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    async with door() as opened:
        assert await opened.post("/v1/embeddings", gzip.compress(ASKED), packed) == (200, "")
    assert opened.bodies == [ASKED]
    assert "Content-Encoding" not in opened.seen[0].headers


async def test_a_body_that_grows_over_the_limit_when_unpacked_is_refused() -> None:
    large = json.dumps({"model": "qwen", "prompt": "x" * (LIMIT + 1)}).encode()
    async with door() as opened:
        status, _ = await opened.post(
            "/v1/completions", gzip.compress(large), {"Content-Encoding": "gzip"}
        )
        assert (status, opened.seen) == (413, [])


async def test_thousands_of_brackets_are_a_bad_request_and_no_failure() -> None:
    async with door() as opened:
        status, _ = await opened.post("/v1/completions", b"[" * 100_000)
        assert (status, opened.seen) == (400, [])
