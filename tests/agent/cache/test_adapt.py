"""How many connections are used, and how long a failed one waits."""

import pytest

from llmaz.agent.cache.adapt import FIRST_CONNECTIONS, MOST_CONNECTIONS, Pace, paced, wait_after


def _paced(*rates: float) -> Pace:
    pace = Pace()
    for rate in rates:
        pace = paced(pace, rate=rate, refusals=0)
    return pace


def test_connections_are_added_while_that_brings_more() -> None:
    assert _paced(100).connections == FIRST_CONNECTIONS * 2
    assert _paced(*(100 * 2**step for step in range(20))).connections == MOST_CONNECTIONS


def test_connections_that_bring_no_more_are_taken_back() -> None:
    pace = _paced(100, 101)
    assert (pace.connections, pace.settled) == (FIRST_CONNECTIONS, True)
    assert paced(pace, rate=500, refusals=0) == pace


def test_a_server_that_refuses_gets_half_as_many() -> None:
    assert paced(Pace(connections=8), rate=1, refusals=3).connections == 4
    assert paced(Pace(connections=1), rate=1, refusals=3).connections == 1


def test_a_server_says_itself_how_long_to_wait() -> None:
    assert wait_after(1, 7.0, 0.0) == 7.0
    assert wait_after(5, 0.0, 1.0) == 0.0


@pytest.mark.parametrize(("failures", "longest"), [(1, 0.5), (2, 1.0), (4, 4.0), (30, 30.0)])
def test_waits_grow_and_end_somewhere(failures: int, longest: float) -> None:
    assert wait_after(failures, None, 1.0) == longest
    assert wait_after(failures, None, 0.0) == longest / 2


def test_nodes_that_share_keep_as_many_as_a_chunk_is_cut_for_unless_they_are_refused() -> None:
    pace = Pace(connections=4, least=4)
    for rate in (100.0, 101.0):
        pace = paced(pace, rate=rate, refusals=0)
    assert (pace.connections, pace.settled) == (4, True)
    assert paced(pace, rate=1, refusals=3).connections == 2
