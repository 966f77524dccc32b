"""Whether a device is to blame for an engine's end, by what its driver told. Pure.

An engine whose device fails dies of whatever it does next: of an assertion, a signal, a hang. What
the driver says of the device is nearer to the cause than the engine's last words.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from llmaz.agent.accelerators.xid import XidClass
from llmaz.agent.engines.record import EngineRecord

# A hang is found within two minutes of the error that it comes from.
BEFORE = timedelta(seconds=150)
# The driver is asked every few seconds, and may be slow to answer then.
AFTER = timedelta(seconds=30)
REASONS = {
    XidClass.APPLICATION: "DeviceFaultApplication",
    XidClass.HARDWARE: "DeviceFaultHardware",
    XidClass.OTHER: "DeviceFault",
}
_GRAVITY = (XidClass.OTHER, XidClass.APPLICATION, XidClass.HARDWARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceError:
    """An error of a device that its driver told of."""

    kind: XidClass
    words: str
    at: datetime


def blamed(kept: EngineRecord, errors: Mapping[str, tuple[DeviceError, ...]]) -> EngineRecord:
    """Name the gravest error of its devices around an engine's end as the reason of that end.

    An end that was asked for has no reason, and bad arguments end an engine on any device. One that
    was blamed on a device already is not blamed on another.
    """
    fault, ended = kept.fault, kept.ended_at
    if fault is None or ended is None or fault.permanent or fault.reason in REASONS.values():
        return kept
    near = [
        error
        for uuid in kept.assignment.accelerators
        for error in errors.get(uuid, ())
        if ended - BEFORE <= error.at <= ended + AFTER
    ]
    if not near:
        return kept
    gravest = max(near, key=lambda error: (_GRAVITY.index(error.kind), error.at))
    message = f"{gravest.words}; the engine {fault.message}"
    blame = dataclasses.replace(fault, reason=REASONS[gravest.kind], message=message)
    return dataclasses.replace(kept, fault=blame)
