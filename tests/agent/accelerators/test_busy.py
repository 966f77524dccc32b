"""Which devices hold the memory of somebody else."""

from datetime import UTC, datetime, timedelta

from llmaz.agent.accelerators.busy import busy, foreign
from llmaz.agent.accelerators.device import Device, Gauges, Sighting
from llmaz.agent.accelerators.device import Process as OnDevice
from llmaz.agent.engines.state import EngineSeen, Exited, Process, Running
from llmaz.api.accelerator import Accelerator
from llmaz.api.node import AssignedEngine

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = "has 20480 MiB in use by a process that is not llmaz's"


def _sighting(used: int | None = 20 * 2**30, *pids: int) -> Sighting:
    accelerator = Accelerator(
        uuid="GPU-1", index=0, vendor="nvidia", product="A10", resource="nvidia.com/gpu"
    )
    device = Device(
        accelerator=accelerator,
        gauges=Gauges(memory_used_bytes=used),
        processes=tuple(OnDevice(pid=pid) for pid in pids),
    )
    return Sighting(devices=(device,), seen_at=NOW)


def _engine(process: Process) -> EngineSeen:
    assignment = AssignedEngine(
        id="default/a-0", service="a", model="m", main_model="m", accelerators=("GPU-1",)
    )
    return EngineSeen(id=assignment.id, assignment=assignment, fingerprint="f", process=process)


def _exited(*, seconds_ago: float, clear: bool = True) -> EngineSeen:
    at = NOW - timedelta(seconds=seconds_ago)
    return _engine(Exited(at=at, fault=None, clear=clear))


def test_memory_that_no_engine_of_ours_holds_is_somebody_elses() -> None:
    assert busy(_sighting(), ()) == {"GPU-1": WORDS}
    assert busy(_sighting(), (_exited(seconds_ago=60),)) == {"GPU-1": WORDS}


def test_a_device_that_our_engine_holds_is_ours() -> None:
    running = _engine(Running(pid=7, run=1, started_at=NOW))
    assert busy(_sighting(), (running,)) == {}
    assert busy(_sighting(), (_exited(seconds_ago=60, clear=False),)) == {}


def test_a_look_from_before_an_engines_end_says_nothing_of_others() -> None:
    assert busy(_sighting(), (_exited(seconds_ago=-1),)) == {}
    assert busy(_sighting(), (_exited(seconds_ago=1),)) == {}


def test_what_a_driver_keeps_for_itself_or_does_not_tell_is_free() -> None:
    assert busy(_sighting(600 * 2**20), ()) == {}
    assert busy(_sighting(None), ()) == {}


def test_somebody_elses_processes_are_named() -> None:
    assert busy(_sighting(20 * 2**30, 41, 42), ()) == {"GPU-1": f"{WORDS}: pid 41, 42"}
    assert busy(_sighting(20 * 2**30, 1, 2, 3, 4, 5), ()) == {
        "GPU-1": f"{WORDS}: pid 1, 2, 3 and 2 more"
    }


def test_processes_of_ours_are_not_foreign() -> None:
    ours, other = OnDevice(pid=7, memory_bytes=2**30), OnDevice(pid=8)
    assert list(foreign((ours, other), {7})) == [other]
