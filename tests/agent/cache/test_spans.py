"""The algebra of ranges that are there."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from llmaz.agent.cache import spans

SIZE = 40
RANGES = st.lists(
    st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(lambda pair: tuple(sorted(pair)))
)


@given(RANGES)
def test_ranges_hold_the_bytes_that_were_added_and_no_others(ranges: list[tuple[int, int]]) -> None:
    found: spans.Spans = ()
    for span in ranges:
        found = spans.joined(found, span)
    bytes_ = {at for start, end in ranges for at in range(start, end)}
    assert {at for start, end in found for at in range(start, end)} == bytes_
    assert spans.total(found) == len(bytes_)
    gaps = spans.missing(found, SIZE)
    assert {at for start, end in gaps for at in range(start, end)} == set(range(SIZE)) - bytes_
    assert spans.front(found) == next((at for at in range(SIZE) if at not in bytes_), SIZE)
    assert all(one[1] < other[0] for one, other in itertools.pairwise(found))


def test_what_a_kill_costs_is_a_small_part_of_a_file_of_any_size() -> None:
    assert spans.piece_of(2**20) == 2**16
    assert spans.piece_of(2**28) == 2**18
    assert spans.piece_of(2**40) == 2**20
