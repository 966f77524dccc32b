"""One node's decisions: it has the whole file in the end, whatever happens in whatever order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from llmaz.agent.swarm.machine import Swarm
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

MIB = 2**20
CHUNKS = 8
ALL = (1 << CHUNKS) - 1
PEERS = ("a", "b", "c")
LIMITS = Limits()

_HAPPENING = st.one_of(
    st.builds(PeerKnown, st.builds(Member, name=st.sampled_from(PEERS))),
    st.builds(PeerLost, st.sampled_from(PEERS)),
    st.builds(
        PeerTold,
        st.sampled_from(PEERS),
        st.integers(0, ALL),
        claims=st.integers(0, ALL),
        anew=st.booleans(),
        wants=st.booleans(),
    ),
    st.just(Tick()),
    st.sampled_from(("brought", "missed", "corrupt")),
)


class _Node:
    """A node under test, and what it has asked for and not been answered yet."""

    def __init__(self, *, members: tuple[str, ...] = PEERS) -> None:
        self.now = 0.0
        self.swarm = Swarm(
            "blob",
            CHUNKS * MIB,
            Member(name="me"),
            members=members,
            awaited=members,
            limits=LIMITS,
            now=0.0,
        )
        self.asked: list[AskPeer | AskOrigin] = []
        self.banned: list[str] = []

    def give(self, event: Event, *, after: float = 0.0) -> list[Instruction]:
        self.now += after
        said = self.swarm.handle(event, self.now)
        self.asked += [one for one in said if isinstance(one, AskPeer | AskOrigin)]
        self.banned += [one.peer for one in said if isinstance(one, Ban)]
        return said

    def answer(self, how: str) -> None:
        """Answer what was asked first."""
        if not self.asked:
            return
        first = self.asked.pop(0)
        source = first.peer if isinstance(first, AskPeer) else None
        if how == "brought":
            self.give(Brought(first.chunk, source))
        else:
            self.give(Missed(first.chunk, source, corrupt=how == "corrupt" and source is not None))

    def finish(self) -> None:
        """From now on outside answers, and no peer does."""
        for _ in range(3000):
            while self.asked:
                self.answer("brought" if isinstance(self.asked[0], AskOrigin) else "missed")
            if not self.swarm.missing:
                return
            self.give(Tick(), after=0.5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_HAPPENING, st.floats(0, 5)), max_size=40))
def test_whatever_happens_the_file_is_whole_in_the_end(
    happening: list[tuple[Event | str, float]],
) -> None:
    node = _Node()
    for what, after in happening:
        if isinstance(what, str):
            node.answer(what)
        else:
            node.give(what, after=after)
        outside = [one for one in node.asked if isinstance(one, AskOrigin)]
        assert len(outside) <= LIMITS.from_origin
        assert len({one.chunk for one in outside}) == len(outside)
    node.finish()
    assert not node.swarm.missing


def test_what_a_peer_holds_is_not_brought_from_outside_while_peers_bring_anything() -> None:
    node = _Node(members=("a",))
    node.give(PeerKnown(Member(name="a")))
    node.give(PeerTold("a", ALL))
    for _ in range(CHUNKS):
        assert all(isinstance(one, AskPeer) for one in node.asked)
        node.give(Tick(), after=LIMITS.despair_seconds / 4)
        node.answer("brought")
    assert not node.swarm.missing


def test_nothing_is_brought_before_those_that_answer_have_told() -> None:
    node = _Node(members=("a", "b"))
    node.give(PeerKnown(Member(name="a")))
    node.give(PeerKnown(Member(name="b")))
    node.give(PeerTold("a", 0, anew=True))
    node.give(Tick(), after=LIMITS.settle_seconds + 1)
    assert not node.asked
    node.give(PeerTold("b", ALL, anew=True))
    assert node.asked
    assert all(isinstance(one, AskPeer) and one.peer == "b" for one in node.asked)


def test_a_node_begins_with_its_own_share_where_others_may_be_about_to_begin() -> None:
    together = []
    for me, other in (("a", "b"), ("b", "a")):
        swarm = Swarm(
            "blob",
            CHUNKS * MIB,
            Member(name=me),
            members=(other,),
            awaited=(other,),
            limits=LIMITS,
            now=0.0,
        )
        swarm.handle(PeerKnown(Member(name=other)), 0.0)
        said = swarm.handle(PeerTold(other, 0, anew=True, wants=False), 0.1)
        together += _brought_from_outside(swarm, said, 0.1)
        after = LIMITS.settle_seconds + 0.1
        _brought_from_outside(swarm, swarm.handle(Tick(), after), after)
        assert not swarm.missing  # nobody else has come
    assert sorted(together) == list(range(CHUNKS))


def _brought_from_outside(swarm: Swarm, said: list[Instruction], now: float) -> list[int]:
    """Answer all that outside is asked for, and return which chunks these were."""
    chunks = []
    while said:
        first = said.pop(0)
        assert isinstance(first, AskOrigin)
        chunks.append(first.chunk)
        said += swarm.handle(Brought(first.chunk, None), now)
    return chunks


def test_a_chunk_that_takes_long_comes_over_all_connections_and_a_quick_one_over_one() -> None:
    node = _Node(members=())
    node.give(Tick())
    slow = list(node.asked)
    assert [one.parts for one in slow if isinstance(one, AskOrigin)] == [LIMITS.from_origin] * 2
    node.now += LIMITS.quick_seconds / LIMITS.from_origin / 2
    for _ in slow:
        node.answer("brought")
    assert [one.parts for one in node.asked if isinstance(one, AskOrigin)] == [1] * len(node.asked)
    assert len(node.asked) == LIMITS.from_origin


def test_what_readers_wait_for_comes_first_and_from_outside_unless_another_brings_it() -> None:
    node = _Node(members=("a",))
    node.give(PeerKnown(Member(name="a")))
    node.give(Wanted(6))
    node.give(Wanted(7))
    node.give(PeerTold("a", 0b11, claims=1 << 7, anew=True))
    asked_peer = [one.chunk for one in node.asked if isinstance(one, AskPeer)]
    asked_outside = [one.chunk for one in node.asked if isinstance(one, AskOrigin)]
    assert sorted(asked_peer) == [0, 1]
    assert asked_outside[0] == 6
    assert 7 not in asked_outside
    node.give(PeerTold("a", 1 << 7 | 1 << 5))
    asked_peer = [one.chunk for one in node.asked if isinstance(one, AskPeer)]
    assert 7 not in asked_peer  # two are asked of one at a time
    node.give(Brought(0, "a"))
    asked_peer = [one.chunk for one in node.asked if isinstance(one, AskPeer)]
    assert asked_peer[2] == 7


def test_a_peer_whose_bytes_are_wrong_twice_is_banned_and_not_asked_again() -> None:
    node = _Node(members=("a",))
    node.give(PeerKnown(Member(name="a")))
    node.give(PeerTold("a", ALL))
    for _ in range(LIMITS.strikes):
        node.answer("corrupt")
        node.give(Tick(), after=6.0)
    assert node.banned == ["a"]
    node.asked.clear()
    node.give(PeerTold("a", ALL))
    node.give(Tick(), after=60.0)
    assert not any(isinstance(one, AskPeer) for one in node.asked)


def test_a_peer_that_is_busy_is_left_alone_for_a_moment() -> None:
    node = _Node(members=("a",))
    node.give(PeerKnown(Member(name="a")))
    node.give(PeerTold("a", ALL))
    while node.asked:
        node.answer("missed")
    node.give(Tick())
    assert not node.asked
    node.give(Tick(), after=6.0)
    assert node.asked


def test_a_node_that_others_do_not_count_on_brings_nothing_while_they_do() -> None:
    swarm = Swarm(
        "blob",
        CHUNKS * MIB,
        Member(name="me"),
        members=("a",),
        awaited=("a",),
        limits=LIMITS,
        now=0.0,
        brings=False,
    )
    said = swarm.handle(PeerKnown(Member(name="a")), 0.0)
    said += swarm.handle(PeerTold("a", 0, claims=1, anew=True), 0.0)
    for second in range(1, 30):
        said += swarm.handle(PeerTold("a", 0, claims=1), float(second))
        said += swarm.handle(Tick(), float(second))
    assert not said
    said += swarm.handle(PeerLost("a"), 31.0)
    assert any(isinstance(one, AskOrigin) for one in said)
