"""What one node does to have a file, together with others: events in, instructions out. Pure.

Every node decides for itself, from what it sees. A chunk comes from outside by its stripe's owner;
all others wait until somebody near has it. When nodes see different members, a chunk may come twice
but never not at all: who waits in vain takes over.
"""

from collections.abc import Collection
from typing import assert_never

from llmaz.agent.swarm.choice import bits
from llmaz.agent.swarm.fromoutside import ask_outside
from llmaz.agent.swarm.frompeers import ask_peers, hedge, note_speed
from llmaz.agent.swarm.state import OUTSIDE, Peer, State
from llmaz.agent.swarm.values import (
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

_MOST_MISSES = 4  # in a row, after which a peer is taken not to have what it was asked for


class Swarm:
    """One file on one node. Not safe for threads; time comes in with each event.

    `brings`: whether other nodes count on this one to bring a share from outside.
    """

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
        brings: bool = True,
    ) -> None:
        self._state = State(
            what,
            size,
            me,
            members=members,
            awaited=awaited,
            limits=limits,
            now=now,
            have=have,
            brings=brings,
        )

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take note of what happened, and return what is to be done now."""
        state, said = self._state, list[Instruction]()
        state.now, state.ticked = now, isinstance(event, Tick)
        state.members_moved |= not isinstance(event, Brought | PeerTold)
        match event:
            case PeerKnown(member=member):
                state.members.add(member.name)
                state.gone.discard(member.name)
                state.peers.setdefault(member.name, Peer(member)).member = member
            case PeerLost(peer=peer):
                _lost(state, peer)
            case PeerTold():
                _told(state, event, now)
            case Brought(chunk=chunk, source=source):
                _brought(state, chunk, source, now)
            case Missed():
                said = _missed(state, event, now)
            case Wanted(chunk=chunk):
                if state.missing >> chunk & 1 and chunk not in state.wanted:
                    state.wanted.append(chunk)
            case Tick():
                pass
            case _:
                assert_never(event)
        said += ask_peers(state, now)
        if state.ticked:
            said += hedge(state, now)
        return said + ask_outside(state, now)

    @property
    def missing(self) -> int:
        """The chunks that are not here, a bit each."""
        return self._state.missing

    @property
    def is_alone(self) -> bool:
        """Whether nobody else can bring anything."""
        return not any(peer.wants or peer.have for peer in self._state.peers.values())


def _lost(state: State, name: str) -> None:
    state.peers.pop(name, None)
    if name in state.members:
        state.members.discard(name)
        state.gone.add(name)
    state.awaited.discard(name)
    for sources in state.asked.values():
        sources.pop(name, None)
    state.asked = {chunk: sources for chunk, sources in state.asked.items() if sources}


def _told(state: State, event: PeerTold, now: float) -> None:
    peer = state.peers.get(event.peer)
    if peer is None:
        return
    if event.anew:
        peer.have = 0
        peer.claims.clear()
    state.members_moved |= not peer.told or peer.wants != event.wants
    peer.told, peer.wants = True, event.wants
    if peer.banned_until > now:
        return
    fresh = event.have & ~peer.have
    peer.have |= event.have
    if fresh:
        peer.gained_at = now
    for chunk in bits(event.claims & ~peer.have):
        peer.claims[chunk] = now
    for chunk in bits(fresh):
        peer.claims.pop(chunk, None)
        if state.missing >> chunk & 1:
            state.held.setdefault(chunk, now)
    _see(state, event.have, now)
    if event.claims:
        state.moved[event.peer] = now


def _see(state: State, chunks: int, now: float) -> None:
    """Note who must have brought chunks that nobody was known to have."""
    fresh, state.seen = chunks & ~state.seen, state.seen | chunks
    for stripe in {chunk // state.stripe for chunk in bits(fresh)}:
        if stripe * state.stripe < state.count:
            state.moved[state.ranked(stripe * state.stripe)[0]] = now


def _brought(state: State, chunk: int, source: str | None, now: float) -> None:
    note_speed(state, chunk, source, now)
    for each in state.asked.pop(chunk, {}):
        state.release(chunk, each)
    state.seen |= 1 << chunk
    state.missing &= ~(1 << chunk)
    for remembered in (state.held, state.vain, state.retry):
        remembered.pop(chunk, None)
    if chunk in state.wanted:
        state.wanted.remove(chunk)


def _missed(state: State, event: Missed, now: float) -> list[Instruction]:
    chunk, source = event.chunk, event.source
    sources = state.asked.get(chunk, {})
    if source in sources:
        del sources[source]
        state.release(chunk, source)
    if not sources:
        state.asked.pop(chunk, None)
    if source is OUTSIDE:
        state.retry[chunk] = now + state.limits.patience_seconds
        return []
    peer = state.peers.get(source)
    if peer is None:
        return []
    state.vain.setdefault(chunk, now)
    peer.rest(now)
    if event.corrupt or peer.misses >= _MOST_MISSES:
        peer.have &= ~(1 << chunk)
    peer.strikes += event.corrupt
    if event.corrupt and peer.strikes == state.limits.strikes:
        peer.have, peer.banned_until = 0, now + state.limits.ban_seconds
        return [Ban(source)]
    return []
