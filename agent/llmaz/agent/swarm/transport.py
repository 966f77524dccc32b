"""Carries out what the swarm decides: threads that listen to peers, and threads that bring chunks.

A chunk of a peer goes onto the disk as it comes, and is believed once its sha256 is what the peer
said before. One from outside is told to others once it is whole. The file's own digest, which the
source knows, judges all of them at the end.
"""

import functools
import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmaz.agent.cache.chunkmap import write_chunkmap
from llmaz.agent.cache.download import Download, Segment
from llmaz.agent.cache.partial import Partial
from llmaz.agent.cache.remote import RemoteFile
from llmaz.agent.cache.tally import Counted, Tallying
from llmaz.agent.cache.wanted import read_wanted
from llmaz.agent.swarm.choice import RELATIONS, nearness
from llmaz.agent.swarm.chunks import chunk_count, chunk_size, cut, span_of
from llmaz.agent.swarm.connection import Identity
from llmaz.agent.swarm.errands import WORKERS, Errand, Errands
from llmaz.agent.swarm.feed import Feed
from llmaz.agent.swarm.gathered import Gathered
from llmaz.agent.swarm.machine import Swarm
from llmaz.agent.swarm.neighbours import neighbours
from llmaz.agent.swarm.peering import Peering, read_peers
from llmaz.agent.swarm.values import (
    AskOrigin,
    AskPeer,
    Ban,
    Brought,
    Event,
    Instruction,
    Limits,
    Member,
    Missed,
    PeerKnown,
    PeerLost,
    PeerTold,
    Tick,
    Wanted,
)
from llmaz.api.peer import ModelPeer

TICK_SECONDS = 0.25
READ_AHEAD_BYTES = 16 * 2**20  # beyond where a reader waits
PEERS_SECONDS = 2.0  # between two looks at who the peers are
_PIECE = 2**20
_FILES_AT_ONCE = 8


@dataclass
class _File:
    """One file on its way, and what is done about what happens to it."""

    key: str
    download: Download
    outside: Callable[[Segment], None]
    swarm: Swarm
    errands: Errands
    tally: Tallying
    lock: threading.Lock = field(default_factory=threading.Lock)
    left: bool = False

    def give(self, event: Event) -> None:
        for instruction in self._tell(event):
            self._obey(instruction)

    def _tell(self, event: Event) -> list[Instruction]:
        with self.lock:
            return [] if self.left else self.swarm.handle(event, time.monotonic())

    def _obey(self, instruction: Instruction) -> None:
        match instruction:
            case AskPeer(chunk=chunk, peer=peer):
                self.errands.put(Errand(self, chunk, peer))
            case AskOrigin(chunk=chunk, parts=parts):
                self.download.partial.claim(chunk)
                spans = cut(span_of(chunk, self.download.file.size), parts)
                ended = Gathered(len(spans), functools.partial(self._from_outside, chunk))
                for start, end in spans:
                    self.outside(Segment(self.download, start, end, ended=ended.one))
            case Ban(peer=peer):
                self.tally.banned(peer)

    def _from_outside(self, chunk: int, error: Exception | None) -> None:
        """Note how a chunk came from outside: others get it from here now."""
        partial, span = self.download.partial, span_of(chunk, self.download.file.size)
        if partial.lacks(*span):
            if error is not None and self.swarm.is_alone:
                self.download.fail(error)
            self.give(Missed(chunk, None))
            return
        partial.believe(chunk, span, _digest(partial, span))
        self.give(Brought(chunk, None))


class SwarmTransfer:
    """The part of one fetch that other nodes take in it, and that it takes in theirs."""

    blamed: Counted = "wrong_from_peers"

    def __init__(
        self,
        cache_dir: Path,
        peering: Peering,
        keys: Sequence[str],
        *,
        tally: Tallying,
    ) -> None:
        self._cache_dir = cache_dir
        self._peering = peering
        self._keys = frozenset(keys)
        identity = Identity(peering.node, Path(peering.token_file), peering.tls)
        self._identity = identity
        self._files: dict[str, _File] = {}
        self._feeds: dict[str, Feed] = {}
        self._lock = threading.Lock()
        self._tally = tally
        self._errands = Errands(identity, self._feeds, tally=tally, relation=self._relation)
        self._ended = threading.Event()
        self._peers: dict[str, ModelPeer] = {}
        self._me = Member(name=peering.node)
        self._listed = False  # whether others know of this node, and count on it
        self._meet()
        self._errands.start()
        threading.Thread(target=self._tick, daemon=True).start()

    def takes(self, key: str, file: RemoteFile) -> bool:
        """Tell whether a file is shared: what has no digest of its source could not be judged."""
        known = file.sha256 or file.git_sha1 or file.md5
        return key in self._keys and known is not None and file.size > 0

    def join(self, key: str, download: Download, outside: Callable[[Segment], None]) -> None:
        """Begin to bring a file; `outside` puts what is to come from there into a queue."""
        size, now, have = download.file.size, time.monotonic(), self._resume(download.partial)
        with self._lock:
            limits = Limits(from_peers=max(2, WORKERS // min(_FILES_AT_ONCE, len(self._keys))))
            swarm = Swarm(
                key,
                size,
                self._me,
                members=self._peers,
                awaited=[feed.member.name for feed in self._feeds.values()],
                limits=limits,
                now=now,
                have=have,
                brings=self._listed or not self._peers,
            )
            file = self._files[key] = _File(
                key, download, outside, swarm, self._errands, self._tally
            )
            feeds = [feed for feed in self._feeds.values() if feed.is_up]
        for chunk in self._wanted(file):
            file.give(Wanted(chunk))
        for feed in feeds:
            file.give(PeerKnown(feed.member))
            if feed.known[key].told:
                file.give(feed.told(key))
        file.give(Tick())

    def leave(self, key: str) -> None:
        """A file is whole, or is given up."""
        with self._lock:
            file = self._files.pop(key, None)
        if file is not None:
            file.left = True

    def seal(self, key: str, file: RemoteFile, partial: Partial, sha256: str) -> None:
        """Keep the digests of a whole file's chunks, for others that will ask for it."""
        digests = [
            partial.chunks.get(chunk) or _digest(partial, span_of(chunk, file.size))
            for chunk in range(chunk_count(file.size))
        ]
        write_chunkmap(self._cache_dir, key, file.size, sha256, digests)

    def close(self) -> None:
        self._ended.set()
        for feed in list(self._feeds.values()):
            feed.stop()
        self._errands.close()

    # -- who there is --------------------------------------------------------------------------

    def _meet(self) -> None:
        """Read who the peers are, and listen to the neighbours among them."""
        listed = {peer.name: peer for peer in read_peers(Path(self._peering.peers_file))}
        mine = listed.pop(self._peering.node, None)
        self._listed = mine is not None
        if mine is not None:
            self._me = Member(name=mine.name, zone=mine.zone, rack=mine.rack)
        with self._lock:
            self._peers = listed
            chosen = neighbours(self._me, list(listed.values()))
            gone = [feed for n, feed in self._feeds.items() if chosen.get(n) != feed.url]
            for feed in gone:
                del self._feeds[feed.member.name]
            new = [self._feed(listed[name]) for name in chosen if name not in self._feeds]
        for feed in gone:
            feed.stop()
            self._lost(feed)
        for feed in new:
            feed.start()

    def _feed(self, peer: ModelPeer) -> Feed:
        member = Member(name=peer.name, zone=peer.zone, rack=peer.rack)
        feed = Feed(
            member,
            peer.url,
            sorted(self._keys),
            self._identity,
            heard=self._heard,
            met=self._met,
            lost=self._lost,
        )
        self._feeds[peer.name] = feed
        return feed

    def _relation(self, other: Member) -> str:
        """Return what a node shares with this one: its rack, its zone, or neither."""
        return RELATIONS[nearness(self._me, other)]

    def _met(self, feed: Feed) -> None:
        for file in self._now():
            file.give(PeerKnown(feed.member))

    def _lost(self, feed: Feed) -> None:
        for file in self._now():
            file.give(PeerLost(feed.member.name))

    def _heard(self, key: str, told: PeerTold) -> None:
        with self._lock:
            file = self._files.get(key)
        if file is not None:
            file.give(told)

    def _now(self) -> list[_File]:
        with self._lock:
            return list(self._files.values())

    def _tick(self) -> None:
        looked = time.monotonic()
        while not self._ended.wait(TICK_SECONDS):
            if time.monotonic() - looked > PEERS_SECONDS:
                looked = time.monotonic()
                self._meet()
            for file in self._now():
                for feed in list(self._feeds.values()):
                    if feed.is_up and feed.known[file.key].have:
                        known = feed.known[file.key]
                        file.give(PeerTold(feed.member.name, known.have))
                for chunk in self._wanted(file):
                    file.give(Wanted(chunk))
                file.give(Tick())

    def _wanted(self, file: _File) -> list[int]:
        """Return what readers on this node wait for, and what they will want next."""
        size, chunks = file.download.file.size, list[int]()
        ahead = max(1, READ_AHEAD_BYTES // chunk_size(size))
        for offset in read_wanted(self._cache_dir, file.key):
            first = offset // chunk_size(size)
            chunks += range(first, min(first + ahead, chunk_count(size)))
        return chunks

    @staticmethod
    def _resume(partial: Partial) -> int:
        """Return the chunks that are here already, a bit each; others are told of them as well."""
        have = 0
        for chunk in range(chunk_count(partial.size)):
            span = span_of(chunk, partial.size)
            if not partial.lacks(*span):
                if chunk not in partial.chunks:
                    partial.believe(chunk, span, _digest(partial, span))
                have |= 1 << chunk
        return have


def _digest(partial: Partial, span: tuple[int, int]) -> str:
    """Digest what was just written, out of the page cache."""
    start, end = span
    found, view = hashlib.sha256(), memoryview(bytearray(_PIECE))
    while start < end:
        size = partial.read_into(start, view[: min(_PIECE, end - start)])
        found.update(view[:size])
        start += size
    return found.hexdigest()
