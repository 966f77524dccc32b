"""Who answers for which stripe: exactly one of any members, and little moves when they change."""

from hypothesis import given
from hypothesis import strategies as st

from llmaz.agent.swarm.owners import portions, ranked, shares

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
def test_a_number_is_portioned_out_whole_and_evenly(members: frozenset[str], total: int) -> None:
    found = portions("blob", total, members)
    assert sum(found.values()) == total
    assert max(found.values()) - min(found.values()) <= 1


@given(MEMBERS, st.integers(0, 1000))
def test_who_leaves_changes_the_order_of_nobody_else(members: frozenset[str], stripe: int) -> None:
    order = ranked("blob", stripe, members)
    for gone in order:
        assert ranked("blob", stripe, members - {gone}) == [m for m in order if m != gone]


@given(MEMBERS, st.integers(1, 64), st.integers(1, 4))
def test_shares_are_even(members: frozenset[str], chunks: int, stripe: int) -> None:
    found = shares("blob", chunks, stripe, members)
    stripes = len(found.order)
    owned = [sum(names[0] == member for names in found.order) for member in sorted(members)]
    assert max(owned) <= -(-stripes // len(members))
