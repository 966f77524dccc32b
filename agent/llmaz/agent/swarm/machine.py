"""What one node does to have a file, together with others: events in, instructions out. Pure.

Every node decides for itself, from what it sees. A chunk comes from outside by its stripe's owner;
all others wait until somebody near has it. When nodes see different members, a chunk may come twice
but never not at all: who waits in vain takes over.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import assert_never

from llmaz.agent.swarm.choice import bits, mask_of, nearness, rarest, shuffled
from llmaz.agent.swarm.chunks import chunk_count, chunks_of_stripe
from llmaz.agent.swarm.owners import Shares, shares
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

OUTSIDE = None
LONG = 1e9  # seconds; longer than anything is remembered


@dataclass(slots=True)
class _Peer:
    """What is known of one peer."""

    member: Member
    told: bool = False
    wants: bool = False
    have: int = 0
    claims: dict[int, float] = field(default_factory=dict)  # when each was heard of
    asked: int = 0
    strikes: int = 0
    slow: int = 0
    banned_until: float = 0.0


class Swarm:
    """One file on one node. Not safe for threads; time comes in with each event."""

    def __init__(
        self,
        what: str,
        size: int,
        me: Member,
        *,
        members: Collection[str],
        awaited: Collection[str],
        limits: Limits,
        now: float,
        have: int = 0,
    ) -> None:
        self.what = what
        self.me = me
        self.missing = (1 << chunk_count(size)) - 1 & ~have
        self._count = chunk_count(size)
        self._stripe = chunks_of_stripe(size)
        self._limits = limits
        self._began = self._now = now
        self._ticked = False
        self._members = {me.name, *members}  # who brings a share, also those that are not asked
        self._awaited = set(awaited)  # who will soon tell what he has
        self._moved: dict[str, float] = {}  # when a chunk of each owner was last seen to come
        self._seen = have  # chunks that somebody has had
        self._origin_seconds: float | None = None  # that a chunk took from outside
        self._peers: dict[str, _Peer] = {}
        self._asked: dict[int, dict[str | None, float]] = {}  # chunk -> source -> since when
        self._from_origin = 0
        self._wanted: list[int] = []
        self._held: dict[int, float] = {}  # since when a peer has a chunk that is missing here
        self._retry: dict[int, float] = {}  # when outside may be asked for a chunk again
        self._extra = 0  # chunks that came from outside though a peer had them
        self._order = shuffled(self._count, f"{what}/{me.name}")
        self._shared: Shares | None = None
        self._members_moved = True
        self._idle_since: float | None = None  # since nothing is left of its own share

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take note of what happened, and return what is to be done now."""
        said: list[Instruction] = []
        self._now, self._ticked = now, isinstance(event, Tick)
        self._members_moved |= not isinstance(event, Brought | PeerTold)
        match event:
            case PeerKnown(member=member):
                known = self._peers.setdefault(member.name, _Peer(member))
                self._members.add(member.name)
                known.member = member
            case PeerLost(peer=peer):
                self._lost(peer)
            case PeerTold():
                self._told(event, now)
            case Brought(chunk=chunk, source=source):
                self._brought(chunk, source, now)
            case Missed():
                said = self._missed(event, now)
            case Wanted(chunk=chunk):
                if self.missing >> chunk & 1 and chunk not in self._wanted:
                    self._wanted.append(chunk)
            case Tick():
                pass
            case _:
                assert_never(event)
        return said + self._next(now)

    @property
    def is_alone(self) -> bool:
        """Whether nobody else can bring anything."""
        return not any(peer.wants or peer.have for peer in self._peers.values())

    def _lost(self, name: str) -> None:
        self._peers.pop(name, None)
        self._members.discard(name)
        self._awaited.discard(name)
        for sources in self._asked.values():
            sources.pop(name, None)

    def _told(self, event: PeerTold, now: float) -> None:
        peer = self._peers.get(event.peer)
        if peer is None:
            return
        if event.anew:
            peer.have = 0
            peer.claims.clear()
        self._members_moved |= not peer.told or peer.wants != event.wants
        peer.told, peer.wants = True, event.wants
        if peer.banned_until > now:
            return
        fresh = event.have & ~peer.have
        peer.have |= event.have
        for chunk in bits(event.claims & ~peer.have):
            peer.claims[chunk] = now
        for chunk in bits(fresh):
            peer.claims.pop(chunk, None)
            if self.missing >> chunk & 1:
                self._held.setdefault(chunk, now)
        self._see(event.have, now)
        if event.claims:
            self._moved[event.peer] = now

    def _see(self, chunks: int, now: float) -> None:
        """Note who must have brought chunks that nobody was known to have."""
        fresh, self._seen = chunks & ~self._seen, self._seen | chunks
        for stripe in {chunk // self._stripe for chunk in bits(fresh)}:
            self._moved[self._ranked(stripe * self._stripe)[0]] = now

    def _brought(self, chunk: int, source: str | None, now: float) -> None:
        sources = self._asked.pop(chunk, {})
        if source is OUTSIDE and OUTSIDE in sources:
            took = now - sources[OUTSIDE]
            before = took if self._origin_seconds is None else self._origin_seconds
            self._origin_seconds = 0.7 * before + 0.3 * took
        self._seen |= 1 << chunk
        for each in sources:
            self._release(each)
        if source is not OUTSIDE and len(sources) > 1:
            for slow in sources.keys() - {source}:
                if slow is not OUTSIDE and slow in self._peers:
                    self._peers[slow].slow += 1
        self.missing &= ~(1 << chunk)
        self._held.pop(chunk, None)
        self._retry.pop(chunk, None)
        if chunk in self._wanted:
            self._wanted.remove(chunk)

    def _missed(self, event: Missed, now: float) -> list[Instruction]:
        sources = self._asked.get(event.chunk, {})
        if event.source in sources:
            del sources[event.source]
            self._release(event.source)
        if not sources:
            self._asked.pop(event.chunk, None)
        if event.source is OUTSIDE:
            self._retry[event.chunk] = now + self._limits.patience_seconds
            return []
        peer = self._peers.get(event.source)
        if peer is None:
            return []
        peer.have &= ~(1 << event.chunk)
        peer.strikes += event.corrupt
        if event.corrupt and peer.strikes == self._limits.strikes:
            peer.have, peer.banned_until = 0, now + self._limits.ban_seconds
            return [Ban(event.source)]
        return []

    def _release(self, source: str | None) -> None:
        if source is OUTSIDE:
            self._from_origin -= 1
        elif source in self._peers:
            self._peers[source].asked -= 1

    def _next(self, now: float) -> list[Instruction]:
        said: list[Instruction] = []
        said += self._from_peers(now)
        said += self._hedges(now)
        said += self._from_outside(now)
        return said

    # -- from peers ---------------------------------------------------------------------------

    def _from_peers(self, now: float) -> list[Instruction]:
        said: list[Instruction] = []
        free = self._limits.from_peers - sum(peer.asked for peer in self._peers.values())
        if free <= 0 or not self.missing:
            return said
        sources = {
            name: peer
            for name, peer in self._peers.items()
            if peer.have & self.missing and self._may_ask(peer, now)
        }
        open_chunks = self.missing & ~mask_of(self._asked)
        for chunk in self._by_need(open_chunks, sources):
            if free <= 0:
                break
            name = self._source(chunk, sources, now)
            if name is None:
                continue
            said.append(self._ask(chunk, name, now))
            free -= 1
            if not self._may_ask(sources[name], now):
                del sources[name]
                if not sources:
                    break
        return said

    def _by_need(self, chunks: int, sources: dict[str, _Peer]) -> list[int]:
        """Return chunks that sources have: what somebody waits for, then what few have."""
        holders = [peer.have for peer in self._peers.values()]
        offered = 0
        for peer in sources.values():
            offered |= peer.have
        chunks &= offered
        first = [chunk for chunk in self._wanted if chunks >> chunk & 1]
        most = 2 * self._limits.from_peers
        return first + rarest(chunks & ~mask_of(first), holders, self._order, most)

    def _source(self, chunk: int, sources: dict[str, _Peer], now: float) -> str | None:
        """Return the nearest and least busy peer; another zone's only for who brings it into ours.

        A stripe enters a zone once: by its owner among the zone's members.
        """
        near: list[tuple[tuple[int, int, int, int], str]] = []
        for name, peer in sources.items():
            if not peer.have >> chunk & 1:
                continue
            distance = nearness(self.me, peer.member)
            if distance == 2 and not self._enters_here(chunk, now):
                continue
            turn = (self._order[chunk] + len(name) * 7 + sum(name.encode())) % 97
            near.append(((distance, peer.slow + peer.asked, peer.slow, turn), name))
        return min(near)[1] if near else None

    def _enters_here(self, chunk: int, now: float) -> bool:
        zone = [
            name
            for name, peer in self._peers.items()
            if peer.member.zone == self.me.zone and peer.wants and peer.banned_until <= now
        ]
        if not zone:
            return True
        order = [name for name in self._ranked(chunk) if name in zone or name == self.me.name]
        rank = order.index(self.me.name) if self.me.name in order else len(order)
        waited = now - self._held.get(chunk, now)
        return waited >= rank * self._limits.patience_seconds * 2

    def _may_ask(self, peer: _Peer, now: float) -> bool:
        most = 1 if peer.slow > 2 else self._limits.from_one_peer
        return peer.asked < most and peer.banned_until <= now

    def _ask(self, chunk: int, name: str, now: float) -> Instruction:
        self._asked.setdefault(chunk, {})[name] = now
        self._peers[name].asked += 1
        return AskPeer(chunk, name)

    def _hedges(self, now: float) -> list[Instruction]:
        """Ask a second peer for what a first one takes long to send."""
        said: list[Instruction] = []
        for chunk, asked in list(self._asked.items()):
            late = all(now - since >= self._limits.hedge_seconds for since in asked.values())
            if not late or len(asked) > 2:
                continue
            others = {
                name: peer
                for name, peer in self._peers.items()
                if name not in asked and self._may_ask(peer, now)
            }
            name = self._source(chunk, others, now)
            if name is not None:
                said.append(self._ask(chunk, name, now))
        return said

    # -- from outside -------------------------------------------------------------------------

    def _from_outside(self, now: float) -> list[Instruction]:
        said: list[Instruction] = []
        free = self._limits.from_origin - self._from_origin
        if free <= 0 or not self.missing or not self._is_settled(now):
            return said
        offered = 0
        for peer in self._peers.values():
            if peer.banned_until <= now:
                offered |= peer.have
        nowhere = self.missing & ~offered & ~mask_of(self._asked)
        for chunk in [*self._wanted, *bits(nowhere)]:
            if len(said) >= free:
                return said
            if (
                nowhere >> chunk & 1
                and AskOrigin(chunk) not in said
                and self._falls_to_me(chunk, now)
            ):
                said.append(self._fetch(chunk, now))
        for chunk in bits(self.missing & offered):
            if len(said) < free and self._despairs(chunk, now):
                self._extra += 1
                said.append(self._fetch(chunk, now))
        return said

    def _outside_order(self, chunks: int, now: float) -> list[int]:
        """Return what somebody waits for, then a node's own from the front, others' from the back.

        A helper and the owner then meet at the end only. Others' are looked at now and then.
        """
        mine = chunks & self._shares().of.get(self.me.name, 0)
        if mine or self._from_origin:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        order = [chunk for chunk in self._wanted if chunks >> chunk & 1]
        order += [chunk for chunk in bits(mine) if chunk not in order]
        if self._ticked:
            order += reversed(list(bits(chunks & ~mine)))
        return order

    def _fetch(self, chunk: int, now: float) -> Instruction:
        self._asked.setdefault(chunk, {})[OUTSIDE] = now
        self._from_origin += 1
        return AskOrigin(chunk)

    def _is_settled(self, now: float) -> bool:
        """Tell whether everybody has told what he wants, or had the time to."""
        told = {name for name, peer in self._peers.items() if peer.told and peer.wants}
        return self._awaited <= told or (now - self._began >= self._limits.settle_seconds)

    def _patience(self, now: float) -> float:
        """Return how long somebody may be silent: longer where a chunk takes long."""
        waiting = [now - since[OUTSIDE] for since in self._asked.values() if OUTSIDE in since]
        known = max([self._origin_seconds or 0.0, *waiting])
        return max(self._limits.patience_seconds, 3 * known)

    def _falls_to_me(self, chunk: int, now: float) -> bool:
        """Tell whether this node is the one to bring a chunk that nobody has.

        The owner of the stripe; while it makes no progress, the next in the order of its hashes.
        What somebody says that it is bringing is left to it as long as it moves. Who has brought
        all of its own helps the owners for whom it is the next.
        """
        if now < self._retry.get(chunk, 0.0):
            return False
        patience = self._patience(now)
        for name, peer in self._peers.items():
            since = peer.claims.get(chunk, -LONG)
            moves = now - max(since, self._moved.get(name, since)) < patience
            if moves and now - since < 3 * patience:
                return False
        order = self._ranked(chunk)
        if order[0] == self.me.name or self._helps(order, now):
            return True
        begun = self._began + self._limits.settle_seconds
        for name in order:
            if name == self.me.name:
                return True
            if now - max(self._moved.get(name, begun), begun) < self._silence(name, patience):
                return False
        return True

    def _silence(self, name: str, patience: float) -> float:
        """Return how long an owner may be silent; who is not asked is heard of by others only."""
        return patience if name in self._peers else 3 * patience

    def _helps(self, order: list[str], now: float) -> bool:
        """Tell whether an idle node takes a chunk off an owner: one who has many left, or is slow.

        One at a time, and each owner's share by one helper alone: two would bring the same.
        """
        if self._from_origin or self._idle_since is None or self.me.name not in order[1:2]:
            return False
        left = self.missing & ~self._seen & self._shares().of[order[0]]
        many = left.bit_count() > 3 * self._limits.from_origin
        late = now - self._idle_since >= self._patience(now)
        return order[0] in self._peers and (many or late)

    def _despairs(self, chunk: int, now: float) -> bool:
        """Tell whether peers have had a chunk for so long in vain that outside is asked again."""
        if OUTSIDE in self._asked.get(chunk, {}) or now < self._retry.get(chunk, 0.0):
            return False
        waited = now - self._held.get(chunk, now)
        spare = self._extra < max(1, int(self._limits.budget * self._count))
        return waited >= self._limits.despair_seconds * (1 if spare else 4)

    def _ranked(self, chunk: int) -> list[str]:
        return self._shares().order[chunk // self._stripe]

    def _shares(self) -> Shares:
        known = self._shared
        if known is not None and not self._members_moved:
            return known
        out = {
            name
            for name, peer in self._peers.items()
            if (peer.told and not peer.wants) or peer.banned_until > self._now
        }
        members = frozenset(self._members - out)
        if known is None or known.members != members:
            known = shares(self.what, self._count, self._stripe, members)
        self._shared, self._members_moved = known, False
        return known
