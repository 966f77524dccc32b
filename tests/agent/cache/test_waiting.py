"""Who takes the work that waits: one thread for each, and no more threads than are allowed."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

from llmaz.agent.cache.waiting import Waiting

T = TypeVar("T")

DEADLINE_SECONDS = 120.0
LATE = 3600.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_what_waits_longest_is_taken_first() -> None:
    waiting = Waiting[str](1)
    waiting.put("first")
    waiting.put("second")

    assert [waiting.take(0), waiting.take(0)] == ["first", "second"]


def test_work_that_has_to_wait_is_taken_after_what_has_not() -> None:
    waiting = Waiting[str](1)
    waiting.put("again", wait=0.05)
    waiting.put("new")

    assert [waiting.take(0), waiting.take(0)] == ["new", "again"]


def test_each_of_several_threads_takes_work_of_its_own(pool: ThreadPoolExecutor) -> None:
    waiting = Waiting[int](8)
    taking = [pool.submit(waiting.take, number) for number in range(8)]
    for number in range(8):
        waiting.put(number)

    assert sorted(_result(one) or 0 for one in taking) == list(range(8))


def test_work_that_becomes_due_is_taken_while_who_waited_for_it_does_other_work(
    pool: ThreadPoolExecutor,
) -> None:
    waiting = Waiting[str](2)
    taking = [pool.submit(waiting.take, number) for number in range(2)]
    waiting.put("soon", wait=0.05)
    waiting.put("a little later", wait=0.1)

    assert sorted(_result(one) or "" for one in taking) == ["a little later", "soon"]


def test_a_thread_beyond_those_allowed_takes_nothing_until_more_are(
    pool: ThreadPoolExecutor,
) -> None:
    waiting = Waiting[str](1)
    beyond = pool.submit(waiting.take, 1)
    waiting.put("work")
    assert waiting.take(0) == "work"
    waiting.put("more")
    assert not beyond.done()

    waiting.allow(2)

    assert _result(beyond) == "more"


def test_work_that_was_meant_for_a_thread_no_longer_allowed_goes_to_another(
    pool: ThreadPoolExecutor,
) -> None:
    waiting = Waiting[str](2)
    second = pool.submit(waiting.take, 1)
    waiting.allow(1)
    first = pool.submit(waiting.take, 0)
    waiting.put("work")

    assert _result(first) == "work"
    waiting.end()
    assert _result(second) is None


def test_the_end_lets_all_threads_go(pool: ThreadPoolExecutor) -> None:
    waiting = Waiting[str](2)
    begun = threading.Barrier(4)

    def take(number: int) -> str | None:
        begun.wait(DEADLINE_SECONDS)
        return waiting.take(number)

    taking = [pool.submit(take, number) for number in range(3)]
    waiting.put("not yet", wait=LATE)
    begun.wait(DEADLINE_SECONDS)

    waiting.end()

    assert [_result(one) for one in taking] == [None] * 3


def _result(future: Future[T]) -> T:
    return future.result(DEADLINE_SECONDS)
