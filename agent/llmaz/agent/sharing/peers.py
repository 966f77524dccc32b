"""What other nodes may ask for: bytes of blobs, and what is there of those that still come.

    GET  /v1/blobs/<key>             bytes, by Range; 409 while a byte of the range is not there
    GET  /v1/blobs/<key>/chunkmap    size, and the sha256 of each chunk that is there
    POST /v1/follow                  {"keys": [...]}: a line for each change, as it happens

A key is 64 hex digits and leads nowhere but into the store. Everybody shows a capability for it.
"""

import hashlib
import json
import os
import re
import time
from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TypeAlias

from aiohttp import web
from prometheus_client import Counter, Gauge

from llmaz.agent.sharing.capability import Token, node_of, read_tokens, why_refused
from llmaz.agent.sharing.context import Context
from llmaz.agent.sharing.holdings import Holding, Holdings
from llmaz.agent.sharing.openfiles import OpenFiles
from llmaz.agent.sharing.renewed import Renewed
from llmaz.agent.sharing.sending import corked, send_file
from llmaz.agent.sharing.watch import Watch
from llmaz.agent.swarm.chunks import chunk_size

HEARTBEAT_SECONDS = 1.0
MOST_KEYS = 10_000
_KEY = re.compile(r"[0-9a-f]{64}")
_LARGEST_QUESTION = 2**20


def add_routes(app: web.Application, context: Context) -> None:
    """Answer peers; without a token file nobody is a peer."""
    if context.settings.token_file is None:
        return
    file = context.settings.token_file
    peers = _Peers(context, Renewed([file], lambda: read_tokens(file.read_bytes())))
    app.router.add_get("/v1/blobs/{key}", peers.blob, allow_head=False)
    app.router.add_get("/v1/blobs/{key}/chunkmap", peers.chunkmap)
    app.router.add_post("/v1/follow", peers.follow)


_Told: TypeAlias = tuple[int, int, int, bool]  # epoch, chunks, claims, complete


class _Peers:
    def __init__(self, context: Context, tokens: Renewed[tuple[Token, ...]]) -> None:
        self._settings = context.settings
        self._tokens = tokens
        self._holdings = Holdings(context.cache_dir)
        self._watch = Watch(lambda key: _state(self._holdings.look(key)))
        self._files = OpenFiles()
        self._uploads: Tally[str] = Tally()
        self._sent = Counter(
            "llmaz_cache_peer_sent_bytes", "Bytes sent to other nodes.", registry=context.registry
        )
        self._refused = Counter(
            "llmaz_cache_peer_refused",
            "Requests of peers that were refused, by why.",
            ["reason"],
            registry=context.registry,
        )
        self._running = Gauge(
            "llmaz_cache_peer_uploads", "Answers to peers under way.", registry=context.registry
        )

    async def blob(self, request: web.Request) -> web.StreamResponse:
        """Send a range of verified bytes, from the page cache into the socket."""
        key = _key(request)
        node = self._permit(request, key)
        holding = self._holdings.look(key)
        if holding is None:
            raise web.HTTPNotFound(text="this node has nothing of it\n")
        start, end = _range(request, holding.size)
        if not holding.has(start, end):
            raise web.HTTPConflict(text="these bytes are not here yet\n")
        with self._upload(node), self._opened(holding) as file:
            return await self._send(request, file, (start, end), holding)

    async def chunkmap(self, request: web.Request) -> web.Response:
        """Tell the digests of the chunks that are here."""
        key = _key(request)
        self._permit(request, key)
        holding = self._holdings.look(key)
        if holding is None:
            raise web.HTTPNotFound(text="this node has nothing of it\n")
        digests = {str(chunk): digest for chunk, digest in holding.chunks}
        return web.json_response(
            {
                "size": holding.size,
                "chunkSize": chunk_size(holding.size),
                "sealed": holding.is_complete,
                "chunks": digests,
            }
        )

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Tell what is here of some keys, then each change, until the other end has enough."""
        body = await request.read()
        if len(body) > _LARGEST_QUESTION:
            raise web.HTTPRequestEntityTooLarge(_LARGEST_QUESTION, len(body))
        self._permit(request, hashlib.sha256(body).hexdigest())
        keys = _keys(body)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        told: dict[str, _Told | None] = {}
        with self._watch.follower(keys) as follower:
            while True:
                lines = [line for key in follower.changed() if (line := self._news(key, told))]
                await response.write("".join([*lines, "\n"]).encode())
                await follower.wait(HEARTBEAT_SECONDS)

    def _news(self, key: str, told: dict[str, _Told | None]) -> str | None:
        holding = self._holdings.look(key)
        now = _state(holding)
        if key in told and told[key] == now:
            return None
        before, told[key] = told.get(key), now
        if holding is None or now is None:
            return json.dumps({"key": key, "gone": True}) + "\n"
        anew = before is None or before[0] != holding.epoch
        chunks, claims = (0, 0) if before is None or anew else before[1:3]
        news: dict[str, object] = {
            "key": key,
            "have": holding.chunks[chunks:],
            "claims": holding.claims[claims:],
            "complete": holding.is_complete,
        }
        return json.dumps({**news, "anew": True} if anew else news) + "\n"

    async def _send(
        self, request: web.Request, file: BinaryIO, span: tuple[int, int], holding: Holding
    ) -> web.StreamResponse:
        start, end = span
        headers = {"ETag": f'"{holding.key}"', "Content-Type": "application/octet-stream"}
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{holding.size}"
        response = web.StreamResponse(status=206, headers=headers)
        response.content_length = end - start
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the peer has gone")
        with corked(transport):
            await response.prepare(request)
            if request.secure:
                await _copy(response, file, start, end)
            else:
                await send_file(transport, file, start, end)
            await response.write_eof()
        self._sent.inc(end - start)
        return response

    def _permit(self, request: web.Request, what: str) -> str:
        """Return the asking node, or refuse it: it has no right to what it asks for."""
        if self._settings.tls is not None and not _has_certificate(request):
            self._refused.labels("certificate").inc()
            raise web.HTTPForbidden(text="a certificate of the nodes' authority is needed\n")
        header = request.headers.get("Authorization")
        why = why_refused(self._tokens.get(), header, what=what, now=time.time())
        if why is not None:
            self._refused.labels("capability").inc()
            raise web.HTTPUnauthorized(text=f"{why}\n")
        return node_of(header or "")

    @contextmanager
    def _opened(self, holding: Holding) -> Iterator[BinaryIO]:
        try:
            file = self._files.take(holding)
        except OSError:
            raise web.HTTPNotFound(text="this node has nothing of it any more\n") from None
        try:
            yield file
        finally:
            self._files.give_back(holding)

    @contextmanager
    def _upload(self, node: str) -> Iterator[None]:
        total = self._uploads.total()
        if total >= self._settings.uploads or self._uploads[node] >= (
            self._settings.uploads_per_peer
        ):
            self._refused.labels("busy").inc()
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "1"}, text="busy\n")
        self._uploads[node] += 1
        self._running.inc()
        try:
            yield
        finally:
            self._uploads[node] -= 1
            self._running.dec()


def _state(holding: Holding | None) -> _Told | None:
    if holding is None:
        return None
    return (holding.epoch, len(holding.chunks), len(holding.claims), holding.is_complete)


def _key(request: web.Request) -> str:
    key = request.match_info["key"]
    if _KEY.fullmatch(key) is None:
        raise web.HTTPNotFound(text="a blob has a name of 64 hex digits\n")
    return key


def _keys(body: bytes) -> list[str]:
    try:
        keys = json.loads(body)["keys"]
    except (ValueError, LookupError, TypeError):
        raise web.HTTPBadRequest(text="keys: is required\n") from None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise web.HTTPBadRequest(text=f"keys: is no list of at most {MOST_KEYS}\n")
    if not all(isinstance(key, str) and _KEY.fullmatch(key) for key in keys):
        raise web.HTTPBadRequest(text="keys: a key has 64 hex digits\n")
    return keys


def _range(request: web.Request, size: int) -> tuple[int, int]:
    try:
        asked = request.http_range
    except ValueError:
        raise web.HTTPRequestRangeNotSatisfiable from None
    start, end = asked.start or 0, size if asked.stop is None else asked.stop
    if not 0 <= start < end <= size:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return start, end


def _has_certificate(request: web.Request) -> bool:
    transport = request.transport
    return transport is not None and bool(transport.get_extra_info("peercert"))


async def _copy(response: web.StreamResponse, file: BinaryIO, start: int, end: int) -> None:
    """Send through user space: TLS encrypts there. Others read the same open file meanwhile."""
    while start < end and (block := os.pread(file.fileno(), min(2**18, end - start), start)):
        await response.write(block)
        start += len(block)
