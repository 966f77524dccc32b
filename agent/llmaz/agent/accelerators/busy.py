"""Which devices hold the memory of processes that are not ours. Pure."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from llmaz.agent.accelerators.device import Device, Process, Sighting
from llmaz.agent.engines.state import EngineSeen, Exited, Running

# What a driver keeps for itself is less than this; what a foreign process has loaded is more.
FOREIGN_BYTES = 2**30
# A look that is older may still show the memory of an engine that has ended since.
RELEASE_TIME = timedelta(seconds=2)
_NAMED = 3  # processes that the words name


def busy(sighting: Sighting, engines: tuple[EngineSeen, ...]) -> Mapping[str, str]:
    """Return the devices on which no engine should be started, each with words that say why.

    A device that an engine of ours holds, or held until a moment ago, is not judged by its memory.
    """
    ours = {uuid for engine in engines for uuid in _held(engine, sighting.seen_at)}
    pids = {engine.process.pid for engine in engines if isinstance(engine.process, Running)}
    return {
        device.accelerator.uuid: f"has {used // 2**20} MiB in use by {_whom(device, pids)}"
        for device in sighting.devices or ()
        if (used := device.gauges.memory_used_bytes or 0) > FOREIGN_BYTES
        and device.accelerator.uuid not in ours
    }


def foreign(processes: Collection[Process], own_pids: Collection[int]) -> Iterator[Process]:
    """Yield the processes on a device that are not ours, in the driver's order."""
    return (process for process in processes if process.pid not in own_pids)


def _whom(device: Device, own_pids: Collection[int]) -> str:
    found = [str(process.pid) for process in foreign(device.processes or (), own_pids)]
    if not found:
        return "a process that is not llmaz's"
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"a process that is not llmaz's: pid {', '.join(found[:_NAMED])}{more}"


def _held(engine: EngineSeen, seen_at: datetime | None) -> tuple[str, ...]:
    match engine.process:
        case Exited(clear=True, at=at) if seen_at is not None and seen_at >= at + RELEASE_TIME:
            return ()
        case _:
            return engine.assignment.accelerators
