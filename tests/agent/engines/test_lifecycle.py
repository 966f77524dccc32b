"""How an engine's record changes with what happens to it."""

import dataclasses
from datetime import UTC, datetime, timedelta

from llmaz.agent.engines import lifecycle
from llmaz.agent.engines.client import ShimExit
from llmaz.agent.engines.record import EngineRecord, Stopping
from llmaz.agent.engines.state import Fault, Health, StartEngine
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine
from llmaz.shim.protocol import SHIM_KILLED

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ENGINE = AssignedEngine(id="default/chat-0", service="chat", model="qwen", main_model="qwen")
START = StartEngine(engine=ENGINE, model_path="/models/qwen")
CRASH = ShimExit(at=NOW, code=1)
LONG_HEALTHY = timedelta(minutes=11)


def kept(**fields: object) -> EngineRecord:
    made = EngineRecord(assignment=ENGINE, fingerprint=fingerprint(ENGINE), port=20000)
    return dataclasses.replace(made, **fields)  # type: ignore[arg-type]  # as replace itself


def test_a_first_start_counts_nothing() -> None:
    first = lifecycle.wanted(START, None, 20000)
    assert first == kept(model_path="/models/qwen")


def test_a_start_after_an_end_is_a_restart_and_keeps_its_failures() -> None:
    oom = Fault(reason="OutOfDeviceMemory", message="CUDA out of memory")
    former = kept(runs_counted=3, failures=2, fault=oom, restarted={"Error": 1})
    again = lifecycle.wanted(START, former, 20000)
    assert again.restarted == {"Error": 1, "OutOfDeviceMemory": 1}
    assert (again.failures, again.runs_counted) == (2, 3)


def test_the_next_epoch_of_a_group_goes_on_counting_failures() -> None:
    first = dataclasses.replace(ENGINE, epoch=1)
    former = kept(assignment=first, fingerprint=fingerprint(first), runs_counted=1, failures=1)
    start = StartEngine(engine=dataclasses.replace(ENGINE, epoch=2), model_path="/models/qwen")
    assert lifecycle.wanted(start, former, 20000).failures == 1


def test_a_changed_assignment_starts_counting_anew() -> None:
    former = kept(fingerprint="other", runs_counted=4, failures=4, restarted={"Error": 3})
    fresh = lifecycle.wanted(START, former, 20000)
    assert (fresh.restarted, fresh.failures, fresh.runs_counted) == ({}, 0, 4)


def test_a_crash_is_a_failure_with_a_reason() -> None:
    after = lifecycle.ended(kept(), 1, CRASH, "CUDA out of memory")
    assert after.fault is not None
    assert (after.fault.reason, after.failures, after.runs_counted) == ("OutOfDeviceMemory", 1, 1)
    assert after.ended_at == NOW


def test_a_crash_after_a_healthy_while_is_the_first_again() -> None:
    ready = kept(failures=4, ready_run=7, ready_at=NOW - LONG_HEALTHY)
    assert lifecycle.ended(ready, 7, CRASH, "").failures == 1
    assert lifecycle.ended(ready, 8, CRASH, "").failures == 5


def test_an_end_that_was_asked_for_is_none() -> None:
    stopping = kept(failures=3, stopping=Stopping(since=NOW, reason="no longer assigned"))
    for how in (ShimExit(at=NOW, signal=15, asked=True), CRASH):
        after = lifecycle.ended(stopping, 1, how, "")
        assert (after.fault, after.failures, after.stopping) == (None, 0, None)


def test_an_end_of_what_hung_is_a_failure() -> None:
    hung = Fault(reason="Hung", message="it hangs")
    stop = lifecycle.stop(kept(), Health.DEAD, hung, "it hangs", NOW)
    assert stop.fault == hung
    after = lifecycle.ended(kept(stopping=stop), 1, ShimExit(at=NOW, signal=9, asked=True), "")
    assert (after.fault, after.failures) == (stop.fault, 1)


def test_only_what_may_serve_requests_is_drained() -> None:
    drained = {
        health: lifecycle.stop(kept(), health, None, "no longer assigned", NOW).drained
        for health in Health
    }
    assert drained == {
        Health.STARTING: True,
        Health.READY: False,
        Health.UNREADY: False,
        Health.DROWSY: False,
        Health.ASLEEP: True,
        Health.DEAD: True,
    }


def test_a_groups_worker_has_no_requests_to_wait_for() -> None:
    worker = kept(assignment=dataclasses.replace(ENGINE, rank=1))
    assert lifecycle.stop(worker, Health.READY, None, "no longer assigned", NOW).drained


def test_a_stop_that_is_under_way_is_the_stop_and_may_be_shortened_only() -> None:
    first = Stopping(since=NOW, reason="no longer assigned")
    under_way = kept(stopping=first)
    later = NOW + LONG_HEALTHY
    assert lifecycle.stop(under_way, Health.READY, None, "another reason", later) == first
    short = lifecycle.shortened(first, 5)
    assert (short.within, short.since) == (5, NOW)
    assert lifecycle.shortened(short, 60) == short


def test_a_run_becomes_ready_once() -> None:
    ready = lifecycle.ready(kept(), 3, NOW)
    assert (ready.ready_run, ready.ready_at) == (3, NOW)
    assert lifecycle.ready(ready, 3, NOW + LONG_HEALTHY) == ready
    assert lifecycle.ready(ready, None, NOW + LONG_HEALTHY) == ready


def test_a_start_whose_shim_was_killed_counts_once() -> None:
    lost = Fault(reason="StartFailed", message="the shim is gone")
    counted = lifecycle.not_started(kept(failures=1), lost, NOW)
    told = lifecycle.ended(counted, 1, ShimExit(at=NOW, error=SHIM_KILLED), "")
    assert (told.failures, told.runs_counted) == (2, 1)
    assert told.fault is not None
    assert told.fault.reason == "ShimKilled"


def test_an_engine_that_ran_after_its_start_was_given_up_is_counted_when_it_ends() -> None:
    lost = Fault(reason="StartFailed", message="no answer")
    late = lifecycle.ready(lifecycle.not_started(kept(), lost, NOW), 1, NOW)
    assert lifecycle.ended(late, 1, CRASH, "").failures == 2
