"""How long a failed engine waits."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from llmaz.agent.engines.backoff import CRASH_LOOP, delay, failures_after

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@given(st.text(), st.integers(2, CRASH_LOOP - 1))
def test_the_wait_doubles_with_a_fifth_of_jitter(name: str, failures: int) -> None:
    base = 2.0 ** (failures - 1)
    assert 0.8 * base <= delay(name, failures) <= 1.2 * base


@given(st.text())
def test_what_crashes_once_is_back_almost_at_once(name: str) -> None:
    assert 0.2 <= delay(name, 1) <= 0.3


def test_the_same_failure_waits_as_long_after_the_agent_was_restarted() -> None:
    assert delay("default/chat-0", 3) == delay("default/chat-0", 3)
    assert delay("default/chat-0", 3) != delay("default/chat-1", 3)


def test_a_crash_loop_waits_minutes() -> None:
    assert 240 <= delay("x", CRASH_LOOP) <= 360
    assert 240 <= delay("x", 1000) <= 360


def test_failures_are_counted_until_a_healthy_while() -> None:
    def after(ready_for: float | None) -> int:
        ready_at = None if ready_for is None else NOW - timedelta(seconds=ready_for)
        return failures_after(4, failed=True, ready_at=ready_at, ended_at=NOW)

    assert (after(None), after(60), after(600)) == (5, 5, 1)
    assert failures_after(4, failed=False, ready_at=None, ended_at=NOW) == 0
