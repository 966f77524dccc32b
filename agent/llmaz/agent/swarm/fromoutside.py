"""Which chunks this node brings from outside, so that each comes from there once. Pure, as above.

The owner of a stripe brings it; while it makes no progress, the next in the order of its hashes.
"""

from llmaz.agent.swarm.choice import bits
from llmaz.agent.swarm.owners import portions
from llmaz.agent.swarm.state import OUTSIDE, State
from llmaz.agent.swarm.values import AskOrigin, Instruction

_MANY = 4  # members that share a wire
_SLOW_SECONDS = 1.0  # for a chunk; less says nothing
LONG = 1e9  # seconds; longer than anything is remembered


def ask_outside(state: State, now: float) -> list[Instruction]:
    """Ask for chunks that nobody has and that are this node's to bring; some also in despair."""
    said: list[Instruction] = []
    free = _chunks_at_once(state) - len(state.from_origin)
    if free <= 0 or not state.missing or not _is_settled(state, now):
        return said
    offered = state.offered(now)
    for chunk in _in_order(state, state.open & ~offered, now):
        if len(said) >= free:
            return said
        if _falls_to_me(state, chunk, now):
            said.append(_fetch(state, chunk, now))
    for chunk in bits(state.missing & offered) if state.ticked else ():
        if len(said) < free and _despairs(state, chunk, now):
            state.extra += 1
            said.append(_fetch(state, chunk, now))
    return said


def _in_order(state: State, chunks: int, now: float) -> list[int]:
    """Return what somebody waits for, then a node's own from the front, others' from the back.

    A helper and the owner then meet at the end only. Others' are looked at now and then.
    """
    if _others_may_join(state, now):
        chunks &= state.shares_of_all().of.get(state.me.name, 0)
    mine = chunks & state.shares().of.get(state.me.name, 0)
    if mine or state.from_origin:
        state.idle_since = None
    elif state.idle_since is None:
        state.idle_since = now
    order = [chunk for chunk in state.wanted if chunks >> chunk & 1]
    order += [chunk for chunk in bits(mine) if chunk not in order]
    if state.ticked:
        order += reversed([chunk for chunk in bits(chunks & ~mine) if chunk not in order])
    return order


def _is_settled(state: State, now: float) -> bool:
    """Tell whether everybody who can be reached has told what he has: it is not brought twice."""
    told = {name for name, peer in state.peers.items() if peer.told}
    return state.awaited <= told or now - state.began >= state.limits.answer_seconds


def _others_may_join(state: State, now: float) -> bool:
    """Tell whether others may be about to begin, as nodes do that were told of a model together.

    Until then each brings what would be its own if all wanted the file: nothing is brought twice.
    """
    if now - state.began >= state.limits.settle_seconds:
        return False
    return any(not peer.wants for peer in state.peers.values())


def _fetch(state: State, chunk: int, now: float) -> Instruction:
    state.asked.setdefault(chunk, {})[OUTSIDE] = now
    parts = state.from_origin[chunk] = _parts(state)
    return AskOrigin(chunk, parts)


def _parts(state: State) -> int:
    """Return over how many connections each chunk comes: where it is slow, over all of them.

    Many nodes share a slow wire: with many chunks under way each, all would be whole late, at the
    same time, and until then nobody could give anything to anybody.
    """
    most, seconds = state.limits.from_origin, state.origin_seconds
    if seconds is None:
        return most
    return max(1, min(most, int(seconds / state.limits.quick_seconds)))


def _chunks_at_once(state: State) -> int:
    """Return how many chunks may be under way: the next waits behind a slow one, ready to begin.

    Where many bring shares, the others use the wire while one of them begins anew.
    """
    least = 1 if len(state.shares().members) >= _MANY else 2
    return max(least, state.limits.from_origin // _parts(state))


def _patience(state: State, now: float) -> float:
    """Return how long somebody may be silent: longer where a chunk takes long."""
    waiting = [now - since[OUTSIDE] for since in state.asked.values() if OUTSIDE in since]
    known = max([state.origin_seconds or 0.0, *waiting])
    return max(state.limits.patience_seconds, 3 * known)


def _falls_to_me(state: State, chunk: int, now: float) -> bool:
    """Tell whether this node is the one to bring a chunk that nobody has.

    What somebody says that it is bringing is left to it as long as it moves. A node whose readers
    wait brings what they wait for. Who has brought all of its own helps the owners for whom it is
    the next.
    """
    if now < state.retry.get(chunk, 0.0):
        return False
    patience = _patience(state, now)
    for name, peer in state.peers.items():
        since = peer.claims.get(chunk, -LONG)
        moves = now - max(since, state.moved.get(name, since)) < patience
        if moves and now - since < 3 * patience:
            return False
    order = state.ranked(chunk)
    if order[0] == state.me.name or chunk in state.wanted or _helps(state, order, now):
        return True
    begun = state.began + state.limits.settle_seconds
    for name in order:
        if name == state.me.name:
            return True
        if now - max(state.moved.get(name, begun), begun) < _silence(state, name, patience):
            return False
    return True


def _silence(state: State, name: str, patience: float) -> float:
    """Return how long an owner may be silent; who is not asked is heard of by others only."""
    return patience if name in state.peers else 3 * patience


def _helps(state: State, order: list[str], now: float) -> bool:
    """Tell whether an idle node takes a chunk off an owner that has long to go yet.

    One at a time, and each stripe by one helper alone: two would bring the same.
    """
    if state.from_origin or state.idle_since is None or state.me.name not in order[1:2]:
        return False
    left = state.missing & ~state.seen & state.shares().of[order[0]]
    if order[0] not in state.peers:
        return False
    late = now - state.idle_since >= _patience(state, now)
    many = left.bit_count() > 3 * state.limits.from_origin
    return many or late or _is_slow(state, order[0], now)


def _is_slow(state: State, owner: str, now: float) -> bool:
    """Tell whether an owner takes much longer for a chunk than this node did."""
    if state.origin_seconds is None:
        return False
    mine = state.origin_seconds / _parts(state)
    coming = [at for chunk, at in state.peers[owner].claims.items() if not state.seen >> chunk & 1]
    return bool(coming) and now - min(coming) > max(_SLOW_SECONDS, 4 * mine)


def _despairs(state: State, chunk: int, now: float) -> bool:
    """Tell whether peers have a chunk in vain, so that outside is asked although they have it.

    A chunk only waits for its turn while peers bring others.
    """
    asked = state.asked.get(chunk, {})
    if OUTSIDE in asked or now < state.retry.get(chunk, 0.0):
        return False
    spare = state.extra < _allowance(state, state.me.name)
    if spare and _crawls(state, chunk, now):
        return True
    turn = max(state.held.get(chunk, now), state.peer_brought_at)
    since = min([turn, state.vain.get(chunk, now), *(at for at in asked.values())])
    return now - since >= state.limits.despair_seconds * (1 if spare else 4)


def _crawls(state: State, chunk: int, now: float) -> bool:
    """Tell whether all that have a chunk are slower than others, and this node does without them.

    The first in the order of its hashes is; all others will have it from there.
    """
    asked = state.asked.get(chunk, {})
    holders = {name for name, peer in state.peers.items() if peer.have >> chunk & 1}
    if not asked or holders - asked.keys() or state.peer_seconds is None:
        return False
    if any(now - since < state.peer_patience() for since in asked.values()):
        return False
    others = (name for name in state.ranked(chunk) if name not in holders)
    return next((name for name in others if _allowance(state, name)), None) == state.me.name


def _allowance(state: State, name: str) -> int:
    """Return how many chunks that peers hold a node may fetch again from outside."""
    total = max(1, int(state.limits.budget * state.count))
    return portions(state.what, total, state.shares().members).get(name, 0)
