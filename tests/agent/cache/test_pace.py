"""How fast a fetch goes, and when it will be done."""

from llmaz.agent.cache.pace import WINDOW_SECONDS, Pace


def test_nothing_is_said_before_it_was_looked_at_for_a_while() -> None:
    pace = Pace().after(0.0, 100).after(1.5, 102)
    assert (pace.bytes_per_second(), pace.seconds_left(1000)) == (None, None)


def test_the_rate_and_what_is_left_follow_from_the_looks() -> None:
    pace = Pace().after(0.0, 0).after(1.0, 100).after(2.0, 200)
    assert (pace.bytes_per_second(), pace.seconds_left(800)) == (100, 8)


def test_what_is_done_by_more_than_was_asked_for_takes_no_time() -> None:
    assert Pace().after(0.0, 0).after(2.0, 100).seconds_left(-1) == 0


def test_nobody_is_told_to_wait_for_years() -> None:
    assert Pace().after(0.0, 0).after(2.0, 2).seconds_left(2**30) is None


def test_a_link_that_slowed_down_is_seen_after_the_window() -> None:
    pace = Pace()
    for second in range(100):
        pace = pace.after(float(second), 1000 * min(second, 50) + 10 * max(0, second - 50))
    assert pace.bytes_per_second() == 10


def test_only_the_window_is_kept_however_often_it_is_told() -> None:
    pace = Pace()
    for tick in range(10_000):
        pace = pace.after(tick / 100, tick)
    assert len(pace.seen) < 100
    assert pace.seen[-1][0] - pace.seen[0][0] >= WINDOW_SECONDS * 0.9


def test_nothing_is_said_of_the_end_where_nothing_moves() -> None:
    assert Pace().after(0.0, 5).after(5.0, 5).seconds_left(10) is None
