"""What becomes of compiled programs when something happens to the engine that made them."""

import dataclasses
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from llmaz.agent.engines.state import EngineSeen, Exited, Fault, Health, Running
from llmaz.agent.jit import decide as decisions
from llmaz.agent.jit.decide import Drop, JitAction, Keep, Leave, Run, surplus
from support.engines import assigned

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=1)
KEY = "a" * 64
RUNS = {"default/fake-0": Run(key=KEY, at=LONG_AGO, had=True)}
FAULT = Fault(reason="Crashed", message="x")


def decide(runs: Mapping[str, Run], seen: Collection[EngineSeen]) -> tuple[JitAction, ...]:
    return decisions.decide(runs, seen, NOW, settle=timedelta(minutes=1))


def _ready(name: str = "fake-0", at: datetime = NOW) -> EngineSeen:
    return EngineSeen(
        id=f"default/{name}",
        assignment=assigned(name),
        fingerprint="f",
        process=Running(pid=1, run=1, started_at=NOW),
        health=Health.READY,
        ready_at=at,
    )


def _failed(failures: int) -> EngineSeen:
    dead = Exited(at=NOW, fault=FAULT)
    return dataclasses.replace(_ready(), process=dead, ready_at=None, failures=failures)


def test_what_a_ready_engine_compiled_is_kept_once() -> None:
    keep = Keep(engine="default/fake-0", key=KEY, ready_at=NOW)
    assert decide(RUNS, [_ready()]) == (keep,)
    kept = {"default/fake-0": Run(key=KEY, at=LONG_AGO, had=True, kept=NOW)}
    assert decide(kept, [_ready()]) == ()
    later = NOW + timedelta(hours=1)
    assert decide(kept, [_ready(at=later)]) == (dataclasses.replace(keep, ready_at=later),)


def test_programs_that_an_engine_fails_with_twice_are_dropped() -> None:
    assert decide(RUNS, [_failed(1)]) == ()
    assert decide(RUNS, [_failed(2)]) == (Drop(engine="default/fake-0", key=KEY),)


def test_programs_are_not_to_blame_where_there_were_none_or_the_engine_was_ready() -> None:
    assert decide({"default/fake-0": Run(key=KEY, at=LONG_AGO, had=False)}, [_failed(5)]) == ()
    assert (
        decide({"default/fake-0": Run(key=KEY, at=LONG_AGO, had=True, kept=NOW)}, [_failed(5)])
        == ()
    )


def test_programs_are_not_to_blame_while_another_engine_runs_with_them() -> None:
    runs = RUNS | {"default/fake-1": Run(key=KEY, at=LONG_AGO, had=True, kept=NOW)}
    assert decide(runs, [_failed(3), _ready("fake-1")]) == ()


def test_an_engine_that_is_gone_is_forgotten_and_the_last_one_closes_the_door() -> None:
    runs = {"default/fake-0": Run(key=KEY, at=LONG_AGO, had=True, kept=NOW)}
    leave = Leave(engine="default/fake-0", key=KEY, last=True, worked=True)
    assert decide(runs, []) == (leave,)
    runs |= {"default/fake-1": Run(key=KEY, at=LONG_AGO, had=True, kept=NOW)}
    assert decide(runs, [_ready("fake-1")]) == (dataclasses.replace(leave, last=False),)


def test_an_engine_that_is_only_just_started_is_not_gone() -> None:
    moment = NOW - timedelta(seconds=1)
    assert decide({"default/fake-0": Run(key=KEY, at=moment, had=True)}, []) == ()
    ahead = Run(key=KEY, at=NOW + timedelta(hours=1), had=True)  # the clock was put back
    assert decide({"default/fake-0": ahead}, []) != ()


def test_the_least_recently_used_goes_first_and_never_what_is_used() -> None:
    sizes = {"a": 50, "b": 50, "c": 50}
    used = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert surplus(sizes, used, quota=120, keep={"a"}) == ("b",)
    assert surplus(sizes, used, quota=1000, keep=()) == ()
