"""Watches: the history after a version, then each write as it is committed."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.forms import Render
from llmaz.local.apiserver.options import number_of, revision_of
from llmaz.local.apiserver.resource import Resource
from llmaz.local.apiserver.routes import Request
from llmaz.local.apiserver.selection import Wanted
from llmaz.local.apiserver.status import StatusError, expired, too_new
from llmaz.local.apiserver.versions import Event, Stored, renumbered
from llmaz.local.objects.values import Object

BOOKMARK_SECONDS = 60.0
_CHUNK = 64 * 1024  # bytes that are written at once
_STEP = 100  # events that a watch takes from the history at once
_SHORTEST, _LONGEST = 1800, 3600  # seconds of a watch that names no end
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One watch: of which objects, and in which form its events are written."""

    context: Context
    resource: Resource
    namespace: str
    wanted: Wanted | None
    name: str = ""  # of the only objects that are wanted: writes to others don't wake the watch
    render: Render

    async def lines(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the lines of the watch; it ends with its time, or with an ERROR event."""
        after = revision_of(request.query.get("resourceVersion", ""))
        current = self.context.store.revision
        if after > current:
            yield _error(too_new(after, current))
            return
        streamed = request.flag("sendInitialEvents")
        bookmarks = request.flag("allowWatchBookmarks")
        if streamed or after == 0:
            # Without a version a watch begins with the objects that are there, unless told not to.
            if streamed or "sendInitialEvents" not in request.query:
                present = self.context.store.select(self.resource.storage, self.namespace)
                for chunk in _chunks(self._present(present)):
                    yield chunk
            after = current
            if bookmarks and streamed:
                yield self._bookmark(after, {INITIAL_EVENTS_END: "true"})
        async for line in self._follow(after, _seconds(request), bookmarks=bookmarks):
            yield line

    async def _follow(self, after: int, seconds: float, *, bookmarks: bool) -> AsyncIterator[bytes]:
        store, loop = self.context.store, asyncio.get_running_loop()
        kind, floor = self.resource.storage, store.floor
        end = loop.time() + seconds
        next_bookmark = loop.time() + BOOKMARK_SECONDS
        while True:
            if after < floor:
                yield _error(expired(f"too old resource version: {after} ({floor})"))
                return
            changed, reached = store.changed(kind, self.name), store.revision
            events = store.events(kind, after, name=self.name, limit=_STEP)
            for chunk in _chunks(line for event in events for line in self._lines(event)):
                yield chunk
            more = len(events) == _STEP
            after = events[-1].now.revision if more else reached
            now = loop.time()
            if now >= end:
                return
            if bookmarks and now >= next_bookmark:
                yield self._bookmark(after, {})
                next_bookmark = now + BOOKMARK_SECONDS
            if not more:
                wake = min(end, next_bookmark) if bookmarks else end
                await asyncio.wait({changed}, timeout=wake - now)
            floor = store.floor_of(kind)  # it has seen all until now, however much others wrote

    def _present(self, present: list[Stored]) -> Iterator[bytes]:
        for stored in present:
            if self._matches(stored):
                yield self._line("ADDED", stored)

    def _bookmark(self, revision: int, annotations: dict[str, str]) -> bytes:
        metadata: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        obj = {
            "kind": self.resource.kind,
            "apiVersion": self.resource.api_version,
            "metadata": metadata,
        }
        return _joined("BOOKMARK", self.render.bookmark(obj))

    def _lines(self, event: Event) -> Iterator[bytes]:
        """Yield what the event is to this watch: a change into its selection is an addition."""
        if self.namespace and event.now.key[0] != self.namespace:
            return
        before = event.previous is not None and self._matches(event.previous)
        after = event.type != "DELETED" and self._matches(event.now)
        if after:
            yield self._line("MODIFIED" if before else "ADDED", event.now)
        elif before and event.previous is not None:
            yield self._line("DELETED", self._last(event, event.previous))

    def _last(self, event: Event, previous: Stored) -> Stored:
        if event.type == "DELETED":
            return event.now
        return renumbered(previous, event.now.revision)

    def _matches(self, stored: Stored) -> bool:
        return self.wanted is None or self.wanted(self.resource.rules.from_storage(stored.obj))

    def _line(self, type_: str, stored: Stored) -> bytes:
        return _joined(type_, self.render.one(stored))


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to pieces of a size: a client that does not read holds one, not all of them."""
    piece: list[bytes] = []
    size = 0
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= _CHUNK:
            yield b"".join(piece)
            piece, size = [], 0
    if piece:
        yield b"".join(piece)


def _joined(type_: str, body: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (type_.encode(), body)


def _error(error: StatusError) -> bytes:
    return _joined("ERROR", json.dumps(error.body()).encode())


def _seconds(request: Request) -> float:
    seconds = number_of(request, "timeoutSeconds")
    if seconds > 0:
        return float(seconds)
    return random.uniform(_SHORTEST, _LONGEST)  # noqa: S311  # spreads reconnections, no secret
