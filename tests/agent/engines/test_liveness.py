"""Alive means that tokens move."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from llmaz.agent.engines.liveness import (
    Patience,
    Pulse,
    answer_seconds,
    answered,
    asked,
    felt,
    in_doubt,
    is_dead,
    unheard,
    with_liveness,
    worked,
)
from llmaz.agent.engines.metrics import Activity, activity_of_connections

PATIENCE = Patience()
BORN = Pulse(proven_at=0.0)
Tells = Callable[[float], Activity | None]


def working(tokens: float, in_flight: float = 3) -> Activity:
    return Activity(in_flight=in_flight, tokens=tokens)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """An engine that gives no token to whom asks for one, watched as the agent watches it."""

    tells: Callable[[float], Activity | None]  # by its metrics; None: it answers nothing any more
    processors: float | None = None  # that it works with, where they count
    unwell: bool = False  # its liveness probe fails

    keeps_questions: bool = False  # that were given up count as in flight for ever

    def ends_at(self, until: float = 3600) -> float | None:
        """Return when it is taken for dead."""
        now, pulse, asked_at = 0.0, BORN, None
        while now < until:
            pulse = self._look(pulse, now, asking=asked_at is not None)
            if asked_at is not None and now - asked_at >= PATIENCE.token_seconds:
                pulse, asked_at = answered(pulse, ok=False, now=now), None
            if is_dead(pulse, PATIENCE, now):
                return now
            if asked_at is None and in_doubt(pulse, PATIENCE, now):
                asked_at = now
            heard = self.tells(now) is not None
            hasty = asked_at is not None or not heard
            now += PATIENCE.doubt_watch_seconds if hasty else PATIENCE.watch_seconds
            now += 0 if heard else PATIENCE.health_seconds
        return None

    def _look(self, pulse: Pulse, now: float, *, asking: bool) -> Pulse:
        told = self.tells(now)
        if told is not None:
            own = asking + (pulse.failed_tries if self.keeps_questions else 0)
            told = dataclasses.replace(told, in_flight=told.in_flight + own)
        if self.processors is not None:
            pulse = worked(pulse, int(100 * self.processors * now), now)
        pulse = unheard(pulse) if told is None else felt(pulse, told, now, asking=asking)
        return with_liveness(pulse, failed=self.unwell)


def saturated(*, seconds_a_token: float = 1.0, hangs_at: float = math.inf) -> Tells:
    """Tell of slots that are all busy behind a full queue."""
    return lambda now: working(tokens=min(now, hangs_at) // seconds_a_token, in_flight=64)


def frozen(at: float, *, in_flight: float) -> Tells:
    """Tell of an engine that answers nothing from some time on."""
    return lambda now: None if now > at else working(tokens=now, in_flight=in_flight)


def idle(*, hangs_at: float) -> Tells:
    """Tell of an engine that nobody uses, and that counts a token a second until it hangs."""
    return lambda now: working(tokens=min(now, hangs_at), in_flight=0)


@pytest.mark.parametrize("unwell", [False, True], ids=["well", "failing its liveness probe"])
@pytest.mark.parametrize(
    ("engine", "processors"),
    [
        (saturated(), None),
        (saturated(seconds_a_token=95), None),  # as slow as can be: under `hang_seconds`
        (saturated(seconds_a_token=600), 0.05),  # long prompts, a twentieth of a core
        (saturated(seconds_a_token=95), 8),
    ],
    ids=["fast", "slow", "starved", "of long prompts"],
)
def test_an_hour_at_saturation_restarts_nothing(
    engine: Tells, processors: float | None, unwell: bool
) -> None:
    assert Watch(tells=engine, processors=processors, unwell=unwell).ends_at() is None


@pytest.mark.parametrize(
    "processors",
    [None, 0.005, 1, 8],
    ids=["accelerated", "on processors", "in a loop", "in eight loops"],
)
@pytest.mark.parametrize(
    "engine",
    [
        saturated(hangs_at=1000),
        frozen(1000, in_flight=3),
        frozen(1000, in_flight=0),
        idle(hangs_at=1000),
    ],
    ids=["saturated", "frozen", "frozen while idle", "idle"],
)
@pytest.mark.parametrize("keeps_questions", [False, True], ids=["", "keeping questions"])
def test_whatever_hangs_is_found_within_two_minutes(
    engine: Tells, processors: float | None, keeps_questions: bool
) -> None:
    ended = Watch(tells=engine, processors=processors, keeps_questions=keeps_questions).ends_at()
    assert ended is not None
    assert 1000 < ended <= 1000 + 120


def test_a_batch_may_take_longer_where_the_agent_is_told_so() -> None:
    patient = Patience.within(100, 600)
    pulse = worked(felt(BORN, working(1), 0), 0, 0)
    for second in range(1, 590):
        pulse = felt(worked(pulse, 100 * second, second), working(1), second)
    tried = answered(pulse, ok=False, now=589)
    assert is_dead(tried, PATIENCE, 589)
    assert not is_dead(tried, patient, 589)
    assert is_dead(tried, patient, 589 + 120)  # its processors stood still since


def test_a_short_patience_is_short_with_everything() -> None:
    short = Patience.within(6, 100)
    assert (short.token_seconds, short.idle_seconds, short.ask_ahead_seconds) == (6, 6, 3)


def test_requests_that_do_not_move_are_found_within_two_minutes() -> None:
    pulse = felt(felt(BORN, working(7), 0), working(8), 5)
    now = 5.0
    while not in_doubt(pulse, PATIENCE, now):
        now += PATIENCE.watch_seconds
        pulse = felt(pulse, working(8), now)
    now += PATIENCE.token_seconds
    assert is_dead(answered(pulse, ok=False, now=now), PATIENCE, now)
    assert now - 5 <= 120


def test_an_answered_token_settles_the_doubt() -> None:
    pulse = answered(felt(BORN, working(1), 100), ok=True, now=101)
    assert not in_doubt(pulse, PATIENCE, 102)
    assert not is_dead(pulse, PATIENCE, 102)


def test_tokens_that_move_during_the_doubt_settle_it() -> None:
    pulse = answered(felt(BORN, working(1), 100), ok=False, now=120)
    pulse = felt(pulse, working(2), 121)
    assert not is_dead(pulse, PATIENCE, 122)
    assert not in_doubt(pulse, PATIENCE, 122)


def test_an_idle_engine_is_asked_for_a_token_each_minute() -> None:
    idle = felt(BORN, working(5, in_flight=0), 30)
    assert not in_doubt(idle, PATIENCE, 59)
    assert in_doubt(idle, PATIENCE, 60)


def test_an_idle_engine_that_hangs_is_found_within_two_minutes() -> None:
    pulse = felt(BORN, working(5, in_flight=0), 0)
    tries, now = 0, PATIENCE.idle_seconds
    while not is_dead(pulse, PATIENCE, now):
        assert in_doubt(pulse, PATIENCE, now)
        now += PATIENCE.token_seconds
        pulse = felt(answered(pulse, ok=False, now=now), working(5, in_flight=0), now)
        tries += 1
    assert (tries, now <= 120) == (2, True)


def test_a_request_that_comes_with_ours_gets_the_full_time() -> None:
    idle = felt(BORN, working(5, in_flight=0), 60)
    asked = felt(idle, working(5, in_flight=2), 61, asking=True)
    failed = answered(asked, ok=False, now=80)
    left = felt(failed, working(5, in_flight=1), 81)
    assert not is_dead(answered(left, ok=False, now=101), PATIENCE, 101)
    assert is_dead(answered(left, ok=False, now=161), PATIENCE, 161)


def test_the_first_request_after_an_idle_while_gets_the_full_time() -> None:
    idle = felt(BORN, working(5, in_flight=0), 1000)
    busy = felt(idle, working(5, in_flight=1), 1005)
    assert not in_doubt(busy, PATIENCE, 1005 + PATIENCE.hang_seconds - PATIENCE.token_seconds - 1)


def test_an_idle_engine_that_falls_silent_gets_the_full_time() -> None:
    idle = felt(BORN, working(5, in_flight=0), 55)
    silent = answered(unheard(idle), ok=False, now=90)
    assert not is_dead(silent, PATIENCE, 55 + PATIENCE.hang_seconds - 1)
    assert is_dead(silent, PATIENCE, 55 + PATIENCE.hang_seconds)


def test_an_idle_engine_that_is_silent_at_times_is_asked_for_a_token_all_the_same() -> None:
    pulse = BORN
    for second in range(0, 60, 10):
        pulse = unheard(felt(pulse, working(5, in_flight=0), second))
    assert in_doubt(felt(pulse, working(5, in_flight=0), 60), PATIENCE, 60)


def test_an_engine_of_which_nothing_is_known_is_not_dead() -> None:
    blind = answered(felt(BORN, None, 60), ok=False, now=80)
    assert not is_dead(answered(blind, ok=False, now=100), PATIENCE, 100)


@dataclass(frozen=True, kw_only=True)
class Mute:
    """An engine without metrics, watched as the agent watches it."""

    connected: int | None  # others that may wait for an answer; None: nobody knows
    processors: float  # that it works with
    queue_seconds: float = math.inf  # until it gives a token that it is asked for

    def ends_at(self, until: float = 2 * 3600) -> float | None:
        """Return when it is taken for dead."""
        now, pulse, gives_up_at = 0.0, BORN, 0.0
        while now < until:
            pulse = worked(pulse, int(100 * self.processors * now), now)
            pulse = felt(pulse, activity_of_connections(self.connected), now)
            since = pulse.asked_at
            if since is not None and now - since >= self.queue_seconds:
                pulse = answered(pulse, ok=True, now=now)
            elif since is not None and now >= gives_up_at:
                pulse = answered(pulse, ok=False, now=now)
            if is_dead(pulse, PATIENCE, now):
                return now
            if pulse.asked_at is None and in_doubt(pulse, PATIENCE, now):
                gives_up_at = now + answer_seconds(pulse, PATIENCE)
                pulse = asked(pulse, now)
            now += PATIENCE.watch_seconds
        return None


@pytest.mark.parametrize("processors", [0.0, 0.005, 1.0, 8.0])
def test_without_metrics_a_hang_that_nobody_waits_behind_is_found_within_two_minutes(
    processors: float,
) -> None:
    ended = Mute(connected=0, processors=processors).ends_at()
    assert ended is not None
    assert PATIENCE.idle_seconds < ended <= 120


@pytest.mark.parametrize("connected", [3, None])
def test_without_metrics_a_hang_that_others_wait_behind_is_found_by_its_idle_processors(
    connected: int | None,
) -> None:
    ended = Mute(connected=connected, processors=0.005).ends_at()
    assert ended is not None
    assert PATIENCE.hang_seconds <= ended <= 120


@pytest.mark.parametrize("connected", [3, None])
def test_without_metrics_one_that_spins_while_others_wait_ends_in_a_quarter_of_an_hour(
    connected: int | None,
) -> None:
    ended = Mute(connected=connected, processors=1.0).ends_at()
    assert ended is not None
    assert PATIENCE.hang_seconds < ended <= PATIENCE.starved_seconds + PATIENCE.watch_seconds


@pytest.mark.parametrize("processors", [0.05, 1.0, 8.0])
@pytest.mark.parametrize("queue_seconds", [0.0, 15.0, 95.0, 600.0])
def test_without_metrics_two_hours_at_saturation_restart_nothing(
    queue_seconds: float, processors: float
) -> None:
    mute = Mute(connected=64, processors=processors, queue_seconds=queue_seconds)
    assert mute.ends_at() is None


def test_without_metrics_work_for_clients_that_left_is_none_of_a_hang_for_a_while() -> None:
    assert Mute(connected=0, processors=0.5, queue_seconds=15.0).ends_at() is None


def test_the_use_of_processors_proves_nothing_without_metrics() -> None:
    pulse = BORN
    for second in range(0, 60, 5):
        pulse = felt(worked(pulse, second * 100, second), activity_of_connections(1), second)
    assert in_doubt(pulse, PATIENCE, 60)
    assert not in_doubt(answered(pulse, ok=True, now=60), PATIENCE, 100)


def test_an_idle_engine_that_freezes_is_not_proven_alive_by_what_is_guessed_then() -> None:
    pulse = felt(BORN, working(5, in_flight=0), 0)
    for second in range(10, 90, 10):
        pulse = felt(pulse, activity_of_connections(1), second)
        assert pulse.proven_at == 0
    assert in_doubt(pulse, PATIENCE, PATIENCE.hang_seconds)
    assert is_dead(answered(pulse, ok=False, now=110), PATIENCE, 110)


def test_an_engine_that_tells_nothing_any_more_is_not_proven_alive_by_its_processors() -> None:
    pulse = felt(BORN, working(5), 0)
    for second in range(0, 105, 5):
        pulse = unheard(worked(pulse, second * 100, second))
        assert pulse.proven_at == 0
    assert is_dead(answered(pulse, ok=False, now=101), PATIENCE, 101)
    assert not is_dead(felt(answered(pulse, ok=False, now=101), working(6), 101), PATIENCE, 101)


def test_tokens_that_move_prove_life_though_some_looks_stay_unanswered() -> None:
    pulse = BORN
    for second in range(0, 600, 10):
        pulse = felt(pulse, working(second), second)
        pulse = felt(pulse, activity_of_connections(1), second + 5)
        assert not in_doubt(pulse, PATIENCE, second + 5)


def test_a_failed_liveness_probe_raises_a_doubt_only() -> None:
    unwell = with_liveness(felt(BORN, working(1), 1), failed=True)
    assert in_doubt(unwell, PATIENCE, 2)
    assert not is_dead(unwell, PATIENCE, 2)
    assert not in_doubt(answered(unwell, ok=True, now=3), PATIENCE, 4)
