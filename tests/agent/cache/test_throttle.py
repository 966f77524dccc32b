"""How fetches share a node's rate."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmaz.agent.cache.throttle import (
    BURST_SECONDS,
    DEMAND_SECONDS,
    Throttle,
    Turn,
    held_back,
    spent,
)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Node:
    """One cache directory's fetches, by one clock."""

    folder: Path
    open: ExitStack
    clock: Clock = field(default_factory=Clock)

    def fetch(self, rates: dict[str, int], *, demanded: bool) -> Throttle:
        clock = self.clock
        throttle = Throttle(self.folder, rates, demanded=demanded, clock=clock, sleep=clock.sleep)
        return self.open.enter_context(closing(throttle))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with ExitStack() as stack:
        yield Node(tmp_path, stack)


def test_a_limit_holds_over_all_fetches_of_a_node(node: Node) -> None:
    fetches = [node.fetch({"all": 1000}, demanded=True) for _ in range(3)]
    for _ in range(100):
        random.choice(fetches).spend(500)
    assert 50 - BURST_SECONDS <= node.clock.now - 1000.0 <= 50


def test_the_narrowest_of_several_limits_holds(node: Node) -> None:
    throttle = node.fetch({"all": 1000, "s3": 100}, demanded=True)
    throttle.spend(1000)
    assert node.clock.now - 1000.0 == 10 - BURST_SECONDS


def test_without_a_limit_nobody_waits(node: Node) -> None:
    node.fetch({"all": 0}, demanded=False).spend(10**9)
    node.fetch({"all": 0}, demanded=True).spend(10**9)
    assert node.clock.now == 1000.0


def test_a_prefetch_leaves_nine_tenths_of_the_bytes_to_what_an_engine_waits_for(
    node: Node,
) -> None:
    wanted = node.fetch({"all": 0}, demanded=True)
    ahead = node.fetch({"all": 0}, demanded=False)
    wanted.spend(1)
    looks = 0

    def alive() -> None:
        nonlocal looks
        looks += 1
        wanted.spend(100)

    ahead.spend(100, alive)
    assert looks == 9
    ahead.spend(200, alive)
    assert looks == 27


def test_a_prefetch_waits_for_what_is_demanded_before_its_first_byte(node: Node) -> None:
    node.fetch({"all": 0}, demanded=True).spend(0)
    begun = node.clock.now
    node.fetch({"all": 0}, demanded=False).spend(1)
    assert node.clock.now > begun


def test_a_prefetch_that_waits_goes_on_when_nothing_is_demanded_any_more(node: Node) -> None:
    node.fetch({"all": 0}, demanded=True).spend(1)
    begun = node.clock.now
    node.fetch({"all": 0}, demanded=False).spend(10**9)
    assert DEMAND_SECONDS <= node.clock.now - begun < DEMAND_SECONDS + 0.2


def test_a_prefetch_goes_on_at_full_speed_soon_after_the_demand(node: Node) -> None:
    node.fetch({"all": 0}, demanded=True).spend(1)
    node.clock.now += DEMAND_SECONDS + 0.01
    begun = node.clock.now
    node.fetch({"all": 0}, demanded=False).spend(1)
    assert node.clock.now == begun


def test_a_record_of_another_run_of_the_machine_holds_nobody_up() -> None:
    ahead = Turn(next_at=10.0**6, demanded_at=10.0**6, owed=1.0)
    assert spent(ahead, count=1, seconds=1, now=5, demanded=False).next_at == 6
    assert not held_back(ahead, now=5)


@given(st.lists(st.floats(0, 2), max_size=50), st.floats(0, 100))
def test_time_is_never_given_back(costs: list[float], now: float) -> None:
    turn = Turn()
    for cost in costs:
        after = spent(turn, count=1, seconds=cost, now=now, demanded=True)
        assert after.next_at >= turn.next_at
        turn = after
