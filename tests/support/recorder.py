"""A proxy before an API server that remembers what was asked, in the words of RBAC."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from llmaz.daemon.web import listening
from support.plane import ControlPlane

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """One request, as an authorizer sees it."""

    verb: str
    group: str
    resource: str  # with the subresource, as rules name it
    namespace: str
    name: str


def call_of(method: str, path: str, *, watch: bool) -> Call:
    """Read a request's line."""
    parts = path.strip("/").split("/")
    group = parts[1] if parts[0] == "apis" else ""
    rest = parts[3:] if parts[0] == "apis" else parts[2:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    name = rest[1] if len(rest) > 1 else ""
    resource = "/".join((rest[0], *rest[2:]))
    verb = VERBS.get(method) or ("watch" if watch else "get" if name else "list")
    return Call(verb, group, resource, namespace, name)


def finalizing(namespace: str, body: bytes) -> set[Call]:
    """Return what an object's references to its owners are also asked as, where that is enforced.

    One that blocks the deletion of an owner takes the right to finalize that owner.
    """
    if b"blockOwnerDeletion" not in body:
        return set()
    references = yaml.safe_load(body).get("metadata", {}).get("ownerReferences") or []
    return {
        Call("update", group, f"{one['kind'].lower()}s/finalizers", namespace, one["name"])
        for one in references
        if one.get("blockOwnerDeletion")
        for group, _, _ in [one["apiVersion"].rpartition("/")]
    }


@dataclass
class Recorder:
    """Passes requests on and keeps the calls."""

    plane: ControlPlane
    client: aiohttp.ClientSession
    calls: set[Call] = field(default_factory=set)
    refused: set[Call] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        call = call_of(request.method, request.path, watch="watch" in request.query)
        body = await request.read()
        self.calls |= {call, *finalizing(call.namespace, body)}
        async with self.client.request(
            request.method,
            self.plane.url + request.raw_path,
            data=body,
            headers={key: request.headers[key] for key in ("Content-Type", "Accept")}
            | {"Authorization": f"Bearer {self.plane.token}"},
        ) as upstream:
            if upstream.status == HTTPStatus.FORBIDDEN:
                self.refused.add(call)
            if call.verb == "patch" and upstream.status == HTTPStatus.CREATED:
                self.calls.add(Call("create", call.group, call.resource, call.namespace, ""))
            answer = web.StreamResponse(status=upstream.status)
            answer.content_type = upstream.content_type
            await answer.prepare(request)
            async for chunk in upstream.content.iter_any():
                await answer.write(chunk)
            await answer.write_eof()
            return answer


@asynccontextmanager
async def recording(plane: ControlPlane, kubeconfig: Path) -> AsyncIterator[set[Call]]:
    """Write a kubeconfig that leads through a recorder, and yield the calls that it records."""
    async with recorded(plane, kubeconfig) as recorder:
        yield recorder.calls


@asynccontextmanager
async def recorded(plane: ControlPlane, kubeconfig: Path) -> AsyncIterator[Recorder]:
    """Write a kubeconfig that leads through a recorder, and yield that."""
    trusted = ssl.create_default_context(cafile=str(plane.authority))
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(ssl=trusted, limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
        recorder = Recorder(plane, client)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", recorder.answer)
        async with listening(app, "127.0.0.1", 0) as port:
            kubeconfig.write_text(_kubeconfig(f"http://127.0.0.1:{port}"))
            yield recorder


def _kubeconfig(url: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "r", "cluster": {"server": url}}],
            "users": [{"name": "r", "user": {}}],
            "contexts": [{"name": "r", "context": {"cluster": "r", "user": "r"}}],
            "current-context": "r",
        }
    )
