"""What one node knows of a file on its way: who has what, what is asked of whom, since when."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from llmaz.agent.swarm.choice import mask_of, shuffled
from llmaz.agent.swarm.chunks import chunk_count, chunks_of_stripe
from llmaz.agent.swarm.owners import Shares, shares
from llmaz.agent.swarm.values import Limits, Member

OUTSIDE = None
_LONGEST_REST = 5.0
_SHORTEST_REST = 0.25


@dataclass(slots=True)
class Peer:
    """What is known of one peer."""

    member: Member
    told: bool = False
    wants: bool = False
    have: int = 0
    gained_at: float = -math.inf  # when it was last heard to have one more chunk
    claims: dict[int, float] = field(default_factory=dict)  # when each was heard of
    asked: int = 0
    strikes: int = 0
    slow: int = 0
    misses: int = 0  # in a row
    rests_until: float = 0.0
    banned_until: float = 0.0

    def rest(self, now: float) -> None:
        """Leave a peer alone that was busy or away: longer each time."""
        self.rests_until = now + min(_LONGEST_REST, _SHORTEST_REST * 2**self.misses)
        self.misses += 1


class State:
    """One file on one node. What is remembered of time is in the seconds of the events."""

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
        have: int,
        brings: bool,
    ) -> None:
        self.what = what
        self.me = me
        self.limits = limits
        self.count = chunk_count(size)
        self.stripe = chunks_of_stripe(size)
        self.missing = (1 << self.count) - 1 & ~have
        self.began = self.now = now
        self.ticked = False
        self.members = (
            {me.name, *members} if brings else set(members)
        )  # who brings a share, also those that are not asked
        self.awaited = set(awaited)  # who will soon tell what he has
        self.peers: dict[str, Peer] = {}
        self.moved: dict[str, float] = {}  # when a chunk of each owner was last seen to come
        self.seen = have  # chunks that somebody has had
        self.asked: dict[int, dict[str | None, float]] = {}  # chunk -> source -> since when
        self.from_origin: dict[int, int] = {}  # chunks under way from there, in so many parts
        self.origin_seconds: float | None = None  # that one connection takes for a chunk
        self.peer_seconds: float | None = None  # that a chunk took from a peer
        self.peer_brought_at = now  # when a peer brought the last chunk
        self.wanted: list[int] = []
        self.held: dict[int, float] = {}  # since when a peer has a chunk that is missing here
        self.vain: dict[int, float] = {}  # since when peers were asked for a chunk in vain
        self.retry: dict[int, float] = {}  # when outside may be asked for a chunk again
        self.extra = 0  # chunks that came from outside though a peer had them
        self.order = shuffled(self.count, f"{what}/{me.name}")
        self.idle_since: float | None = None  # since nothing is left of its own share
        self.members_moved = True
        self.gone: set[str] = set()  # members that were lost: others may not know it yet
        self._shared: Shares | None = None
        self._out: frozenset[str] = frozenset()
        self._of_all: Shares | None = None

    @property
    def open(self) -> int:
        """The chunks that are missing and that nobody is asked for."""
        return self.missing & ~mask_of(self.asked)

    def offered(self, now: float) -> int:
        """Return what peers have that may be believed."""
        offered = 0
        for peer in self.peers.values():
            if peer.banned_until <= now:
                offered |= peer.have
        return offered

    def release(self, chunk: int, source: str | None) -> None:
        """A source is no longer asked for a chunk."""
        if source is OUTSIDE:
            self.from_origin.pop(chunk, None)
        elif source in self.peers:
            self.peers[source].asked -= 1

    def may_ask(self, peer: Peer, now: float) -> bool:
        most = 1 if peer.slow > 2 else self.from_each()
        return peer.asked < most and max(peer.banned_until, peer.rests_until) <= now

    def peer_patience(self) -> float:
        """Return how long a peer may take for a chunk before another one is asked as well."""
        return max(self.limits.hedge_seconds, 3 * (self.peer_seconds or 0.0))

    def from_each(self) -> int:
        """Return how many chunks one peer is asked for at a time.

        All nodes hear of a chunk at about the same time: were it asked for by all of them at once,
        it would reach all of them late, and the wires of others would be idle meanwhile.
        """
        giving = sum(1 for peer in self.peers.values() if peer.have & self.missing)
        return max(1, min(self.limits.from_one_peer, self.limits.from_peers // max(1, giving)))

    def ranked(self, chunk: int) -> list[str]:
        """Return the members in the order in which they answer for a chunk."""
        return self.shares().order[chunk // self.stripe]

    def shares(self) -> Shares:
        """Return who answers for what, among those that may want the file."""
        known = self._shared
        if known is not None and not self.members_moved:
            return known
        members = frozenset(self.members | self.gone) or frozenset((self.me.name,))
        out = frozenset(
            self.gone
            | {
                name
                for name, peer in self.peers.items()
                if (peer.told and not peer.wants) or peer.banned_until > self.now
            }
        )
        if not members - out:
            members, out = frozenset((self.me.name,)), frozenset()
        if known is None or (known.members, self._out) != (members - out, out):
            known = shares(self.what, self.count, self.stripe, members, out)
            self._out = out
        self._shared, self.members_moved = known, False
        return known

    def shares_of_all(self) -> Shares:
        """Return who would answer for what if all that are listed wanted the file."""
        members = frozenset(self.members)
        if self._of_all is None or self._of_all.members != members:
            self._of_all = shares(self.what, self.count, self.stripe, members)
        return self._of_all
