"""A proxy in front of an API server that loses, delays and refuses as it is told.

What goes through it is the real server's; what does not is one of the ways in which servers fail:
an answer that never comes back though the write was done, 429 and 5xx, watches that break off or
whose version is too old, and silence.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal

import aiohttp
import yaml
from aiohttp import web

from support.plane import ControlPlane

Fault = Literal["busy", "broken", "lost", "unanswered", "slow", "expired"]
_HOP = frozenset({"connection", "transfer-encoding", "content-length", "host", "content-encoding"})


@dataclass
class FaultProxy:
    """What goes wrong: each fault's share of the requests, and whether anything goes through."""

    plane: ControlPlane
    random: Random
    shares: dict[Fault, float] = field(default_factory=dict)
    is_away: bool = False
    asked: Counter[str] = field(default_factory=Counter)  # by method, or "watch"
    kubeconfig: Path = Path()
    _watches: set[asyncio.Task[None]] = field(default_factory=set)
    _session: aiohttp.ClientSession | None = None

    def drop_watches(self) -> int:
        """Break off every watch that is open; return how many there were."""
        watches = list(self._watches)
        for watch in watches:
            watch.cancel()
        return len(watches)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        is_watch = "watch" in request.query
        self.asked["watch" if is_watch else request.method] += 1
        fault = self._fault()
        if self.is_away or fault == "lost":
            return _cut(request)
        if fault == "slow":
            await asyncio.sleep(self.random.random())
        elif fault == "busy":
            return _said(429, "too many requests", {"Retry-After": "1"})
        elif fault == "broken":
            return _said(self.random.choice((500, 502, 503, 504)), "the server is broken")
        elif fault == "expired" and is_watch:
            return _said(410, "too old resource version")
        return await (self._watch(request) if is_watch else self._pass_on(request, fault))

    def _fault(self) -> Fault | None:
        drawn = self.random.random()
        for fault, share in self.shares.items():
            if drawn < share:
                return fault
            drawn -= share
        return None

    async def _pass_on(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        async with await self._ask(request) as answer:
            body = await answer.read()
            if fault == "unanswered":
                return _cut(request)
            return web.Response(status=answer.status, body=body, headers=_headers(answer.headers))

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        async with await self._ask(request) as answer:
            response.set_status(answer.status)
            response.headers.update(_headers(answer.headers))
            await response.prepare(request)
            copying = asyncio.create_task(_copied(answer, response))
            self._watches.add(copying)
            try:
                await asyncio.wait([copying])
            finally:
                copying.cancel()
                self._watches.discard(copying)
        if request.transport is not None:
            request.transport.abort()
        return response

    async def _ask(self, request: web.Request) -> aiohttp.ClientResponse:
        assert self._session is not None
        return await self._session.request(
            request.method,
            self.plane.url + str(request.rel_url),
            data=await request.read(),
            headers={
                key: value for key, value in request.headers.items() if key.lower() not in _HOP
            },
        )


@asynccontextmanager
async def proxied(plane: ControlPlane, directory: Path, seed: int) -> AsyncIterator[FaultProxy]:
    """Serve a proxy; its kubeconfig leads to it."""
    proxy = FaultProxy(plane, Random(seed))
    context = ssl.create_default_context(cafile=str(plane.authority))
    timeout = aiohttp.ClientTimeout(total=None)
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", proxy.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.kubeconfig = _kubeconfig(directory, runner.addresses[0][1], plane.token)
    try:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0), timeout=timeout
        ) as session:
            proxy._session = session
            yield proxy
            proxy.drop_watches()
    finally:
        await runner.cleanup()


async def _copied(answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
    async for chunk in answer.content.iter_any():
        await response.write(chunk)


def _cut(request: web.Request) -> web.Response:
    """Break the connection off: the client gets no answer at all."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _said(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "code": status, "message": message}
    return web.json_response(body, status=status, headers=headers)


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.lower() not in _HOP}


def _kubeconfig(directory: Path, port: int, token: str) -> Path:
    path = directory / "proxied.kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "me", "user": {"token": token}}],
    }
    path.write_text(yaml.safe_dump(config))
    return path
