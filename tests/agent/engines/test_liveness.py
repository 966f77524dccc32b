"""Alive means that tokens move."""

import math
from dataclasses import dataclass

import pytest

from llmaz.agent.engines.liveness import (
    Patience,
    Pulse,
    answered,
    felt,
    in_doubt,
    is_dead,
    with_liveness,
    worked,
)
from llmaz.agent.engines.metrics import Activity, activity_of_processes

PATIENCE = Patience()
BORN = Pulse(proven_at=0.0)


def working(tokens: float, in_flight: float = 3) -> Activity:
    return Activity(in_flight=in_flight, tokens=tokens)


@dataclass(frozen=True, kw_only=True)
class Saturated:
    """An engine whose slots are all busy behind a full queue: no token that is asked for comes."""

    seconds_a_token: float = 1.0  # until a counter moves
    processors: float | None = None  # that it works with, where they count
    hangs_at: float = math.inf

    def activity(self, now: float) -> Activity:
        return working(tokens=min(now, self.hangs_at) // self.seconds_a_token, in_flight=64)

    def ticks(self, now: float) -> int | None:
        return None if self.processors is None else int(100 * self.processors * now)

    def ends_at(self, *, unwell: bool = False, until: float = 3600) -> float | None:
        """Watch it as the monitor does; return when it is taken for dead."""
        now, pulse = 0.0, BORN
        while now < until:
            now += PATIENCE.watch_seconds
            pulse = with_liveness(self._feel(pulse, now), failed=unwell)
            if not in_doubt(pulse, PATIENCE, now):
                continue
            now += PATIENCE.token_seconds
            pulse = self._feel(answered(pulse, ok=False, now=now), now)
            if is_dead(pulse, PATIENCE, now):
                return now
        return None

    def _feel(self, pulse: Pulse, now: float) -> Pulse:
        ticks = self.ticks(now)
        pulse = pulse if ticks is None else worked(pulse, ticks, now)
        return felt(pulse, self.activity(now), now)


@pytest.mark.parametrize("unwell", [False, True], ids=["well", "failing its liveness probe"])
@pytest.mark.parametrize(
    "engine",
    [
        Saturated(),
        Saturated(seconds_a_token=80),  # as slow as can be: under `hang_seconds`
        Saturated(seconds_a_token=600, processors=0.05),  # long prompts, a twentieth of a core
        Saturated(seconds_a_token=850, processors=8),
    ],
    ids=["fast", "slow", "starved", "of long prompts"],
)
def test_an_hour_at_saturation_restarts_nothing(engine: Saturated, unwell: bool) -> None:
    assert engine.ends_at(unwell=unwell) is None


@pytest.mark.parametrize("processors", [None, 0.005], ids=["accelerated", "on processors"])
def test_a_saturated_engine_that_hangs_is_found_within_two_minutes(
    processors: float | None,
) -> None:
    ended = Saturated(hangs_at=1000, processors=processors).ends_at()
    assert ended is not None
    assert 1000 < ended <= 1000 + 120


def test_an_engine_on_processors_that_hangs_in_a_loop_is_found_in_the_end() -> None:
    ended = Saturated(hangs_at=1000, processors=1).ends_at()
    assert ended is not None
    assert ended <= 1000 + PATIENCE.toil_seconds + 30


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


def test_the_first_request_after_an_idle_while_gets_the_full_time() -> None:
    idle = felt(BORN, working(5, in_flight=0), 1000)
    busy = felt(idle, working(5, in_flight=1), 1005)
    assert not in_doubt(busy, PATIENCE, 1005 + PATIENCE.hang_seconds - 1)


def test_an_engine_of_which_nothing_is_known_is_not_dead() -> None:
    blind = answered(felt(BORN, None, 60), ok=False, now=80)
    assert not is_dead(answered(blind, ok=False, now=100), PATIENCE, 100)


def test_without_metrics_the_use_of_processors_counts() -> None:
    pulse = BORN
    for second in range(0, 600, 5):
        pulse = felt(pulse, activity_of_processes(ticks=second * 80), second)
        assert not in_doubt(pulse, PATIENCE, second)
    idle_since = 600
    for second in range(600, 690, 5):
        pulse = felt(pulse, activity_of_processes(ticks=48000), second)
    assert in_doubt(pulse, PATIENCE, idle_since + PATIENCE.hang_seconds)
    assert is_dead(answered(pulse, ok=False, now=710), PATIENCE, 710)


def test_an_idle_engine_that_freezes_is_not_proven_alive_by_what_is_guessed_then() -> None:
    pulse = felt(BORN, working(5, in_flight=0), 0)
    for second in range(10, 90, 10):
        pulse = felt(pulse, activity_of_processes(ticks=4200), second)
        assert pulse.proven_at == 0
    assert in_doubt(pulse, PATIENCE, PATIENCE.hang_seconds)
    assert is_dead(answered(pulse, ok=False, now=110), PATIENCE, 110)


def test_tokens_that_move_prove_life_though_some_looks_stay_unanswered() -> None:
    pulse = BORN
    for second in range(0, 600, 10):
        pulse = felt(pulse, working(second), second)
        pulse = felt(pulse, activity_of_processes(ticks=4200), second + 5)
        assert not in_doubt(pulse, PATIENCE, second + 5)


def test_a_failed_liveness_probe_raises_a_doubt_only() -> None:
    unwell = with_liveness(felt(BORN, working(1), 1), failed=True)
    assert in_doubt(unwell, PATIENCE, 2)
    assert not is_dead(unwell, PATIENCE, 2)
    assert not in_doubt(answered(unwell, ok=True, now=3), PATIENCE, 4)
