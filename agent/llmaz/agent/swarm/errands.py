"""Threads that bring chunks from peers: onto the disk as they come, believed by their digest."""

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from llmaz.agent.cache.download import Download
from llmaz.agent.cache.tally import WRONG, Tallying
from llmaz.agent.swarm.chunks import span_of
from llmaz.agent.swarm.connection import Connection, Identity, PeerError, Sink
from llmaz.agent.swarm.feed import Feed
from llmaz.agent.swarm.values import Brought, Event, Member, Missed

WORKERS = 8
_PIECE = 2**20


class Wanting(Protocol):
    """A file that chunks are brought for."""

    key: str
    download: Download
    left: bool

    def give(self, event: Event) -> None: ...


@dataclass(frozen=True)
class Errand:
    """Bring a chunk from a peer."""

    file: Wanting
    chunk: int
    peer: str


class Errands:
    """The threads of one fetch; what they bring and what fails is counted in `tally`."""

    def __init__(
        self,
        identity: Identity,
        feeds: Mapping[str, Feed],
        *,
        tally: Tallying,
        relation: Callable[[Member], str],
    ) -> None:
        self._identity = identity
        self._feeds = feeds
        self._tally = tally
        self._relation = relation
        self._queue: queue.SimpleQueue[Errand | None] = queue.SimpleQueue()

    def start(self) -> None:
        for _ in range(WORKERS):
            threading.Thread(target=self._work, daemon=True).start()

    def put(self, errand: Errand) -> None:
        self._queue.put(errand)

    def close(self) -> None:
        for _ in range(WORKERS):
            self._queue.put(None)

    def _work(self) -> None:
        buffer = memoryview(bytearray(_PIECE))
        connections: dict[str, Connection] = {}
        while (errand := self._queue.get()) is not None:
            try:
                errand.file.give(self._outcome(errand, buffer, connections))
            except Exception as error:  # a thread's outermost border: the file tells it
                errand.file.download.fail(error)

    def _outcome(
        self, errand: Errand, buffer: memoryview, connections: dict[str, Connection]
    ) -> Event:
        """Bring the chunk, and return how that went."""
        file, chunk, peer = errand.file, errand.chunk, errand.peer
        span, partial = span_of(chunk, file.download.file.size), file.download.partial
        if file.left or not partial.lacks(*span):
            return Brought(chunk, peer)
        feed = self._feeds.get(peer)
        expected = feed.digest(file.key, chunk) if feed is not None else None
        if feed is None or expected is None:
            return Missed(chunk, peer)
        connection = connections.get(feed.url)
        if connection is None:
            connection = connections[feed.url] = Connection(feed.url, self._identity)
        sink = Sink(buffer, partial.lay)
        try:
            connection.bring(file.key, span, sink)
        except PeerError as error:
            self._tally.failed(error.why)
            return Missed(chunk, peer)
        if sink.sha256 != expected:
            self._tally.failed(WRONG)
            with suppress(KeyError):
                del feed.known[file.key].digests[chunk]
            return Missed(chunk, peer, corrupt=True)
        new = partial.believe(chunk, span, expected)
        file.download.moved(file.download.file, new)
        self._tally.received(self._relation(feed.member), new)
        return Brought(chunk, peer)
