"""Many nodes' swarm machines in one process: discrete events over links of given speeds.

Each node has a link in and a link out, and the origin one out. A chunk travels in pieces, one after
the other, and transfers over one link take turns by piece: all of them are slow together, as with
TCP. That is enough to see who fetches what from where, and how close to the bound the last is done.
"""

import functools
import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from llmaz.agent.swarm.choice import nearness
from llmaz.agent.swarm.chunks import chunk_count, span_of
from llmaz.agent.swarm.machine import Swarm
from llmaz.agent.swarm.values import (
    AskOrigin,
    AskPeer,
    Ban,
    Brought,
    Event,
    Limits,
    Member,
    Missed,
    PeerKnown,
    PeerLost,
    PeerTold,
    Tick,
)

_TELL_SECONDS = 0.1  # until a peer hears of a chunk
_TICK_SECONDS = 0.5


@dataclass
class Link:
    """One way of a wire: what goes over it goes one after the other."""

    speed: float  # bytes a second
    free_at: float = 0.0

    def take(self, size: int, now: float) -> float:
        """Return when so many bytes are through that come at a time."""
        self.free_at = max(now, self.free_at) + size / self.speed
        return self.free_at


@dataclass
class Node:
    """One simulated node."""

    member: Member
    swarm: Swarm
    into: Link
    out: Link
    lies: bool = False
    alive: bool = True
    joined: bool = False
    begins: float = 0.0
    have: int = 0
    from_origin: int = 0  # bytes, those on their way among them
    done_at: float | None = None
    claimed: int = 0
    untold: int = 0
    unclaimed: int = 0
    neighbours: list[str] = field(default_factory=list)
    cut_from: frozenset[str] = frozenset()


@dataclass
class Simulation:
    """A file of `size` bytes, an origin, and nodes that want it."""

    size: int
    origin_speed: float
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    connection_speed: float = math.inf  # of each to the origin, where that limits them
    neighbours: int = 16
    piece: int = 2**17  # bytes that a transfer sends at a turn
    nodes: dict[str, Node] = field(default_factory=dict)
    now: float = 0.0
    origin_bytes: int = 0
    cross_zone_bytes: int = 0
    cross_rack_bytes: int = 0  # within a zone
    bans: set[str] = field(default_factory=set)
    origin: Link = field(init=False)
    _queue: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _turn: int = 0

    def __post_init__(self) -> None:
        self.origin = Link(self.origin_speed)

    def add(
        self,
        name: str,
        speed: float,
        *,
        zone: str = "",
        rack: str = "",
        begins: float = 0.0,
        lies: bool = False,
    ) -> Node:
        """Let a node join at a time."""
        member = Member(name=name, zone=zone, rack=rack)
        swarm = Swarm(
            "blob", self.size, member, members=(), awaited=(), limits=self.limits, now=begins
        )
        links = Link(speed), Link(speed)
        self.nodes[name] = Node(member, swarm, *links, lies=lies, begins=begins)
        self.at(begins, lambda: self._join(name))
        return self.nodes[name]

    def at(self, when: float, what: Callable[[], None]) -> None:
        self._turn += 1
        heapq.heappush(self._queue, (when, self._turn, what))

    def kill(self, name: str, when: float) -> None:
        """Have a node disappear."""

        def die() -> None:
            self.nodes[name].alive = False
            for other in self._of(name):
                self._give(other, PeerLost(name))

        self.at(when, die)

    def part(self, one: set[str], start: float, end: float) -> None:
        """Cut some nodes from all others for a while; each still reaches the origin."""

        def cut() -> None:
            for name, node in self.nodes.items():
                others = {n for n in self.nodes if (n in one) != (name in one)}
                node.cut_from = frozenset(others)
                for other in sorted(others & set(node.neighbours)):
                    self._give(node, PeerLost(other))

        def heal() -> None:
            for name, node in self.nodes.items():
                lost, node.cut_from = node.cut_from, frozenset()
                for other in sorted(lost & set(node.neighbours)):
                    self._meet(self.nodes[name], self.nodes[other])

        self.at(start, cut)
        self.at(end, heal)

    def run(self, *, until: float = 1e6) -> None:
        """Go on until every living node has the file."""
        while self._queue and self.now < until:
            self.now, _, what = heapq.heappop(self._queue)
            what()
            if all(n.done_at is not None or not n.alive or n.lies for n in self.nodes.values()):
                return

    @property
    def seconds(self) -> float:
        """When the last node was done."""
        done = [n.done_at for n in self.nodes.values() if n.alive and not n.lies]
        return max(float("inf") if at is None else at for at in done)

    def _join(self, name: str) -> None:
        node = self.nodes[name]
        known = {n.member.name for n in self.nodes.values() if n.begins <= self.now and n.alive}
        node.joined = True
        present = [n for n in self.nodes.values() if n.joined and n.alive and n is not node]
        chosen = random.Random(f"{self.seed}/{name}").sample(
            present, min(len(present), self.neighbours)
        )
        awaited = known - {name} if len(known) <= self.neighbours else ()
        node.swarm = Swarm(
            "blob",
            self.size,
            node.member,
            members=known,
            awaited=awaited,
            limits=self.limits,
            now=self.now,
        )
        for other in sorted(chosen, key=lambda n: n.member.name):
            self._meet(node, other)
            self._meet(other, node)
        self._tick(node)

    def _meet(self, node: Node, other: Node) -> None:
        if other.member.name not in node.neighbours:
            node.neighbours.append(other.member.name)
        self._give(node, PeerKnown(other.member))
        self._give(node, PeerTold(other.member.name, other.have, other.claimed, anew=True))

    def _tick(self, node: Node) -> None:
        if node.alive and (node.done_at is None):
            self._give(node, Tick())
            self.at(self.now + _TICK_SECONDS, lambda: self._tick(node))

    def _of(self, name: str) -> list[Node]:
        return [
            other
            for n in self.nodes[name].neighbours
            if (other := self.nodes[n]).alive and name not in other.cut_from
        ]

    def _give(self, node: Node, event: Event) -> None:
        for said in node.swarm.handle(event, self.now):
            match said:
                case AskOrigin(chunk=chunk, parts=parts):
                    self._claim(node, chunk)
                    self._move(node, None, chunk, parts)
                case AskPeer(chunk=chunk, peer=peer):
                    self._move(node, self.nodes[peer], chunk)
                case Ban(peer=peer):
                    self.bans.add(peer)

    def _move(self, node: Node, source: Node | None, chunk: int, parts: int = 1) -> None:
        start, end = span_of(chunk, self.size)
        size = end - start
        if source is None:
            self.origin_bytes += size
            node.from_origin += size
        else:
            relation = nearness(node.member, source.member)
            self.cross_zone_bytes += size * (relation == 2)
            self.cross_rack_bytes += size * (relation == 1)
        name = None if source is None else source.member.name
        coming = set(range(parts))

        def ended(part: int) -> None:
            coming.discard(part)
            if not coming:
                self._arrive(node, source, name, chunk)

        for part in range(parts):
            share = size * (part + 1) // parts - size * part // parts
            self._piece(node, source, share, functools.partial(ended, part))

    def _piece(self, node: Node, source: Node | None, left: int, ended: Callable[[], None]) -> None:
        """Send the next piece, and the one after it once this one is there."""
        if not left:
            ended()
            return
        size = min(left, self.piece)
        out = self.origin if source is None else source.out

        def leaves() -> None:
            there = node.into.take(size, self.now - size / out.speed)
            again = max(self.now, there)
            self.at(again, lambda: self._piece(node, source, left - size, ended))

        least = size / self.connection_speed if source is None else 0.0
        self.at(max(out.take(size, self.now), self.now + least), leaves)

    def _arrive(self, node: Node, source: Node | None, name: str | None, chunk: int) -> None:
        if not node.alive:
            return
        gone = source is not None and (not source.alive or name in node.cut_from)
        if gone or (source is not None and source.lies):
            self._give(node, Missed(chunk, name, corrupt=not gone))
            return
        if not node.have >> chunk & 1:
            node.have |= 1 << chunk
            self._tell_later(node, 1 << chunk, 0)
        self._give(node, Brought(chunk, name))
        if not node.swarm.missing and node.done_at is None:
            node.done_at = self.now

    def _claim(self, node: Node, chunk: int) -> None:
        node.claimed |= 1 << chunk
        self._tell_later(node, 0, 1 << chunk)

    def _tell_later(self, node: Node, have: int, claims: int) -> None:
        waiting = node.untold or node.unclaimed
        node.untold |= have
        node.unclaimed |= claims
        if not waiting:
            self.at(self.now + _TELL_SECONDS, lambda: self._tell(node))

    def _tell(self, node: Node) -> None:
        have, claims, node.untold, node.unclaimed = node.untold, node.unclaimed, 0, 0
        if node.lies:
            have = (1 << chunk_count(self.size)) - 1
        if node.alive:
            for other in self._of(node.member.name):
                self._give(other, PeerTold(node.member.name, have, claims))
