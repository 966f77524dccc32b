"""Who answers for which stripe: exactly one of any members, and little moves when they change."""

from hypothesis import given
from hypothesis import strategies as st

from llmaz.agent.swarm.owners import owner, ranked, shares

MEMBERS = st.frozensets(st.text("abcdef0123", min_size=1, max_size=6), min_size=1, max_size=12)


@given(MEMBERS, st.integers(1, 64), st.integers(1, 4))
def test_each_chunk_has_exactly_one_owner(
    members: frozenset[str], chunks: int, stripe: int
) -> None:
    found = shares("blob", chunks, stripe, members)
    owned = list(found.of.values())
    assert sum(mask.bit_count() for mask in owned) == chunks
    together = 0
    for mask in owned:
        assert not together & mask
        together |= mask
    assert together == (1 << chunks) - 1


@given(MEMBERS, st.integers(0, 1000))
def test_who_leaves_moves_nothing_but_its_own(members: frozenset[str], stripe: int) -> None:
    order = ranked("blob", stripe, members)
    assert owner("blob", stripe, members) == order[0]
    for gone in order:
        left = members - {gone}
        expected = order[1] if gone == order[0] and len(order) > 1 else order[0]
        assert owner("blob", stripe, left) == (expected if left else None)


def test_without_members_nobody_owns_anything() -> None:
    assert owner("blob", 0, ()) is None
