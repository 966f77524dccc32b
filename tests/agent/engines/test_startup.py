"""A start is judged by its progress, under a generous total."""

from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.startup import Progress, given_up, moved, poll_seconds, probe_seconds
from llmaz.api.pod import Probe

PATIENCE = Patience()
PROBE = Probe(period_seconds=10, failure_threshold=30)
BEGUN = Progress(since=0, moved_at=0)


def test_a_start_that_moves_outlasts_its_startup_probe() -> None:
    progress = moved(BEGUN, (1,), 310)
    assert given_up(progress, PROBE, PATIENCE, 315) is None


def test_a_start_that_stands_still_after_its_startup_probe_is_given_up() -> None:
    progress = moved(BEGUN, (1,), 280)
    verdict = "its startup probe failed for 300 s and its start made no progress"
    assert given_up(progress, PROBE, PATIENCE, 301) == verdict


def test_a_start_without_progress_is_given_up() -> None:
    assert given_up(BEGUN, None, PATIENCE, 119) is None
    assert given_up(BEGUN, None, PATIENCE, 121) == "its start made no progress for 121 s"


def test_a_start_that_never_ends_is_given_up() -> None:
    progress = moved(BEGUN, (1,), 1800)
    assert given_up(progress, None, PATIENCE, 1801) == "has not started within 1800 s"


def test_the_same_marks_are_no_progress() -> None:
    assert moved(Progress(since=0, moved_at=3, marks=(1, 2)), (1, 2), 9).moved_at == 3


def test_the_startup_probe_allows_its_delay_and_all_its_failures() -> None:
    assert (
        probe_seconds(Probe(initial_delay_seconds=5, period_seconds=2, failure_threshold=4)) == 13
    )


def test_polls_take_little_of_the_time_that_a_start_takes() -> None:
    assert [poll_seconds(elapsed) for elapsed in (0, 1, 10, 300)] == [0.02, 0.03, 0.3, 0.5]
