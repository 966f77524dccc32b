"""An API server that misbehaves to order: each watch follows a script of events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

PATH = "/apis/llmaz.io/v1alpha1/openmodels"


def thing(name: str, version: int, **more: object) -> dict[str, Any]:
    metadata = {"name": name, "resourceVersion": str(version), "managedFields": [{}]}
    return {"metadata": metadata, **more}


@dataclass(frozen=True)
class Event:
    """One line of a watch, or what is written in its place."""

    type: str
    object: dict[str, Any]

    @property
    def line(self) -> bytes:
        return json.dumps({"type": self.type, "object": self.object}).encode() + b"\n"


@dataclass
class Script:
    """What the server answers: lists in turn (the last for ever), and watches in turn.

    A watch is its events, then the connection breaks; after the last watch, watches stay open.
    """

    lists: list[Any]
    watches: list[list[Event]] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)  # the queries, in order

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        if "watch" in request.query:
            return await self._watch(request)
        body = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(body, int):
            return web.json_response({"message": "scripted"}, status=body)
        return web.json_response(body)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        if self.watches and self.watches[0] and self.watches[0][0].type == "HTTP 410":
            del self.watches[0]
            return web.json_response({"message": "too old", "code": 410}, status=410)
        response = web.StreamResponse()
        await response.prepare(request)
        if not self.watches:
            await asyncio.Event().wait()
        for event in self.watches.pop(0):
            await response.write(event.line)
        assert request.transport is not None
        request.transport.abort()
        return response


def listing(version: int, *items: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version)}, "items": list(items)}


@asynccontextmanager
async def serving(script: Script, directory: Path) -> AsyncIterator[Path]:
    """Serve a script; yields a kubeconfig for it."""
    app = web.Application()
    app.router.add_get(PATH, script.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield write_kubeconfig(directory, runner.addresses[0][1])
    finally:
        await runner.cleanup()


def write_kubeconfig(directory: Path, port: int) -> Path:
    path = directory / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "me", "user": {"token": "letmein"}}],
    }
    path.write_text(json.dumps(config))
    return path
