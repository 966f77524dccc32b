"""Which chunk to ask of which peer, and when to ask a second one. Pure, but for what it notes."""

from llmaz.agent.swarm.choice import mask_of, nearness, rarest
from llmaz.agent.swarm.state import OUTSIDE, Peer, State
from llmaz.agent.swarm.values import AskPeer, Instruction

_OTHER_RACK = 1  # of the same zone: a nearness
_LONGER = 3  # times, for who brings other chunks meanwhile
_MOST_SOURCES = 3  # of one chunk at a time


def ask_peers(state: State, now: float) -> list[Instruction]:
    """Ask for as many chunks as may be under way, each of the best peer that has it."""
    said: list[Instruction] = []
    free = state.limits.from_peers - sum(peer.asked for peer in state.peers.values())
    if free <= 0 or not state.missing:
        return said
    sources = {
        name: peer
        for name, peer in state.peers.items()
        if peer.have & state.missing and state.may_ask(peer, now)
    }
    for chunk in _by_need(state, sources):
        if free <= 0 or not sources:
            break
        name = _source(state, chunk, sources, now)
        if name is None:
            continue
        said.append(_ask(state, chunk, name, now))
        free -= 1
        if not state.may_ask(sources[name], now):
            del sources[name]
    return said


def hedge(state: State, now: float) -> list[Instruction]:
    """Ask a second peer for what a first one takes long to send."""
    said: list[Instruction] = []
    patience = state.peer_patience()
    for chunk, asked in list(state.asked.items()):
        late = all(now - since >= patience for since in asked.values())
        if not late or len(asked) >= _MOST_SOURCES:
            continue
        others = {
            name: peer
            for name, peer in state.peers.items()
            if name not in asked and state.may_ask(peer, now)
        }
        name = _source(state, chunk, others, now)
        if name is not None:
            said.append(_ask(state, chunk, name, now))
    return said


def note_speed(state: State, chunk: int, source: str | None, now: float) -> None:
    """Remember how long a chunk took that is here now, and which of its sources were slower."""
    sources = state.asked.get(chunk, {})
    if source is OUTSIDE:
        if OUTSIDE in sources:
            seconds = (now - sources[OUTSIDE]) * state.from_origin.get(chunk, 1)
            state.origin_seconds = _mean(state.origin_seconds, seconds)
        return
    state.peer_brought_at = now
    if source in sources:
        state.peer_seconds = _mean(state.peer_seconds, now - sources[source])
    if source in state.peers:
        state.peers[source].misses = 0
    for slow in sources.keys() - {source}:
        if slow is not OUTSIDE and slow in state.peers:
            state.peers[slow].slow += 1


def _mean(before: float | None, now: float) -> float:
    return now if before is None else 0.7 * before + 0.3 * now


def _by_need(state: State, sources: dict[str, Peer]) -> list[int]:
    """Return chunks that sources have: what somebody waits for, then what few have."""
    holders = [peer.have for peer in state.peers.values()]
    offered = 0
    for peer in sources.values():
        offered |= peer.have
    chunks = state.open & offered
    first = [chunk for chunk in state.wanted if chunks >> chunk & 1]
    most = 2 * state.limits.from_peers
    return first + rarest(chunks & ~mask_of(first), holders, state.order, most)


def _source(state: State, chunk: int, sources: dict[str, Peer], now: float) -> str | None:
    """Return the nearest and least busy peer; a far one's only for who brings it near.

    A stripe enters a zone once, and a rack that is known once: by its owner among those there.
    """
    near: list[tuple[tuple[int, int, int, int], str]] = []
    for name, peer in sources.items():
        if not peer.have >> chunk & 1:
            continue
        distance = nearness(state.me, peer.member)
        if distance > 0 and not _enters_here(state, chunk, distance, now):
            continue
        turn = (state.order[chunk] + len(name) * 7 + sum(name.encode())) % 97
        near.append(((distance, peer.slow + peer.asked, peer.slow, turn), name))
    return min(near)[1] if near else None


def _enters_here(state: State, chunk: int, distance: int, now: float) -> bool:
    """Tell whether this node brings a chunk over the border of its zone, or else of its rack.

    Whose turn it is brings others before, where links are slow: it is waited for longer while it
    goes on than when nothing is heard of it.
    """
    if distance == _OTHER_RACK and not state.me.rack:
        return True
    inside = [
        name
        for name, peer in state.peers.items()
        if nearness(state.me, peer.member) < distance and peer.wants and peer.banned_until <= now
    ]
    if not inside:
        return True
    me = state.me.name
    order = [name for name in state.ranked(chunk) if name in inside or name == me]
    rank = order.index(me) if me in order else len(order)
    waited = now - state.held.get(chunk, now)
    patience = max(state.limits.patience_seconds, 3 * (state.peer_seconds or 0.0))
    goes_on = any(now - state.peers[name].gained_at < patience for name in order[:rank])
    return waited >= rank * 2 * patience * (_LONGER if goes_on else 1)


def _ask(state: State, chunk: int, name: str, now: float) -> Instruction:
    state.asked.setdefault(chunk, {})[name] = now
    state.peers[name].asked += 1
    return AskPeer(chunk, name)
