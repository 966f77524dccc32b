from hypothesis import given
from hypothesis import strategies as st

from llmaz.daemon.backoff import delay


def test_the_first_try_does_not_wait() -> None:
    assert delay(0, jitter=0.0) == 0.0


def test_the_wait_doubles_up_to_the_longest() -> None:
    waits = [delay(n, jitter=0.0, first_seconds=1.0, longest_seconds=5.0) for n in range(1, 5)]
    assert waits == [1.0, 2.0, 4.0, 5.0]


@given(failures=st.integers(1, 10**6), jitter=st.floats(0, 1))
def test_jitter_takes_away_at_most_half(failures: int, jitter: float) -> None:
    full = delay(failures, jitter=0.0)
    assert full / 2 <= delay(failures, jitter=jitter) <= full <= 30.0
