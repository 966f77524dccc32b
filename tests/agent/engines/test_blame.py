"""An engine whose device fails dies of whatever it does next; the device is to blame."""

import dataclasses
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llmaz.agent.accelerators.xid import XidClass
from llmaz.agent.engines.blame import DeviceError, blamed
from llmaz.agent.engines.record import EngineRecord
from llmaz.agent.engines.state import Fault
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine, EnginePhase
from support.engines import Node, assigned, engines

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ENGINE = AssignedEngine(
    id="default/chat-0",
    service="chat",
    model="qwen",
    main_model="qwen",
    accelerators=("GPU-a", "GPU-b"),
)
CRASHED = Fault(reason="Error", message="exited with code 1: an assertion failed")
ENDED = EngineRecord(
    assignment=ENGINE, fingerprint=fingerprint(ENGINE), fault=CRASHED, ended_at=NOW
)


def error(number: int, kind: XidClass, seconds: float = 0) -> DeviceError:
    return DeviceError(kind=kind, words=f"XID {number}", at=NOW + timedelta(seconds=seconds))


MISUSED = error(31, XidClass.APPLICATION, seconds=2)
FALLEN = error(79, XidClass.HARDWARE, seconds=-1)


@pytest.mark.parametrize(
    ("told", "reason"), [(MISUSED, "DeviceFaultApplication"), (FALLEN, "DeviceFaultHardware")]
)
def test_an_error_of_its_device_around_its_end_is_named_with_its_class(
    told: DeviceError, reason: str
) -> None:
    fault = blamed(ENDED, {"GPU-b": (told,)}).fault
    assert fault == Fault(reason=reason, message=f"{told.words}; the engine {CRASHED.message}")


def test_the_gravest_error_is_named() -> None:
    fault = blamed(ENDED, {"GPU-a": (FALLEN, MISUSED)}).fault
    assert fault is not None
    assert fault.reason == "DeviceFaultHardware"


@pytest.mark.parametrize("seconds", [-600, 60])
def test_an_error_long_before_or_after_is_not_to_blame(seconds: float) -> None:
    told = error(31, XidClass.APPLICATION, seconds=seconds)
    assert blamed(ENDED, {"GPU-a": (told,)}) == ENDED


def test_an_error_of_another_engines_device_is_not_to_blame() -> None:
    assert blamed(ENDED, {"GPU-c": (FALLEN,)}) == ENDED


def test_blame_is_given_once() -> None:
    once = blamed(ENDED, {"GPU-a": (MISUSED,)})
    assert blamed(once, {"GPU-a": (MISUSED, FALLEN)}) == once


@pytest.mark.parametrize(
    "fault", [None, Fault(reason="BadArguments", message="unknown", permanent=True)]
)
def test_an_end_with_a_certain_reason_or_none_is_left_as_it_is(fault: Fault | None) -> None:
    kept = dataclasses.replace(ENDED, fault=fault)
    assert blamed(kept, {"GPU-a": (FALLEN,)}) == kept


async def test_a_restart_counts_as_one_for_the_error_of_the_device(state_dir: Path) -> None:
    fallen = DeviceError(kind=XidClass.HARDWARE, words="XID 79", at=datetime.now(UTC))
    async with engines(state_dir, device_errors={"GPU-a": (fallen,)}) as under:
        node = Node(under)
        node.assigned = (assigned(accelerators=("GPU-a",)),)
        report = await node.until_phase(EnginePhase.READY)
        assert report.pid is not None
        os.kill(report.pid, signal.SIGKILL)
        await node.until(
            lambda: (
                node.reports[report.id].restarts == 1
                and node.reports[report.id].phase is EnginePhase.READY
            ),
            "it runs again",
        )
        (seen,) = await under.observe()
        assert seen.restarted == {"DeviceFaultHardware": 1}
