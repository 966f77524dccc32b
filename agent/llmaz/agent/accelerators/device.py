"""What a look at the accelerators tells, and how a new look changes what is known. Pure.

`None` is "not known", an empty tuple is "none". A look that fails never empties what an earlier one
saw: the engines on those devices run on, and a report that forgot them would move the engines
elsewhere.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from llmaz.agent.accelerators.xid import XidClass, words, xid_class
from llmaz.api.accelerator import Accelerator

LOST = "the driver no longer lists the device"


class Throttle(StrEnum):
    """Why a device is slower than it could be."""

    POWER_CAP = "power_cap"
    POWER_BRAKE = "power_brake"  # the power supply asks for it
    THERMAL = "thermal"
    HARDWARE_THERMAL = "hardware_thermal"
    HARDWARE = "hardware"  # one of the two before, or a reason that is not told


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Numbers of a device that move all the time: metrics, never status. None: not told."""

    memory_used_bytes: int | None = None
    utilization: float | None = None  # 0 to 1
    temperature_celsius: float | None = None
    power_watts: float | None = None
    corrected_errors: int | None = None  # of its memory, since the driver was loaded
    uncorrected_errors: int | None = None
    throttled_by: tuple[Throttle, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process that computes on a device. In a container the pid is still the host's."""

    pid: int
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One accelerator as a provider sees it."""

    accelerator: Accelerator
    gauges: Gauges = field(default_factory=Gauges)
    processes: tuple[Process, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Xid:
    """An error that the driver told of a device, or of a part of one, since the last look."""

    uuid: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """A provider's answer: what it has found. Empty where its driver runs and has no device."""

    devices: tuple[Device, ...]
    driver: str = ""
    xids: tuple[Xid, ...] = ()
    unusable: tuple[Accelerator, ...] = ()  # on the bus, and no driver tells of them


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDriver:
    """A provider's answer: the node has no such driver."""

    message: str
    unusable: tuple[Accelerator, ...] = ()  # on the bus all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class LookFailed:
    """A provider's answer: it can't tell."""

    reason: str  # CamelCase
    message: str


Answer: TypeAlias = Devices | NoDriver | LookFailed


class Provider(Protocol):
    """What knows the devices of one vendor. It may hang: it is asked in a child process."""

    def look(self) -> Answer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is known of the accelerators: the last good look, and what is wrong with later ones."""

    devices: tuple[Device, ...] | None = None
    driver: str = ""
    seen_at: datetime | None = None
    failure: LookFailed | None = None  # of the looks since `seen_at`
    xids: Mapping[Xid, int] = field(default_factory=dict)  # how often, since the agent started
    told_at: Mapping[Xid, datetime] = field(default_factory=dict)  # when last
    unusable: tuple[Accelerator, ...] = ()  # on the bus, and no driver tells of them

    @property
    def accelerators(self) -> tuple[Accelerator, ...] | None:
        """The devices for the report, with the failure of later looks as their message."""
        if self.devices is None:
            return None
        if self.failure is None:
            return (*(device.accelerator for device in self.devices), *self.unusable)
        stale = f"not seen anew: {self.failure.message}"
        return tuple(
            dataclasses.replace(accelerator, message=accelerator.message or stale)
            for accelerator in (*(device.accelerator for device in self.devices), *self.unusable)
        )


def joined(answers: Iterable[Answer]) -> Answer:
    """Return the providers' answers as one. One that can't tell leaves the whole unknown.

    Otherwise the devices that it does not tell of now would pass for lost.
    """
    found: list[Devices] = []
    absent: list[NoDriver] = []
    for answer in answers:
        match answer:
            case Devices():
                found.append(answer)
            case NoDriver():
                absent.append(answer)
            case LookFailed():
                return answer
    told: list[Devices | NoDriver] = [*found, *absent]
    unusable = tuple(device for answer in told for device in answer.unusable)
    if not found:
        words = "; ".join(answer.message for answer in absent)
        return NoDriver(message=words, unusable=unusable)
    return Devices(
        devices=tuple(device for answer in found for device in answer.devices),
        driver=", ".join(answer.driver for answer in found if answer.driver),
        xids=tuple(xid for answer in found for xid in answer.xids),
        unusable=unusable,
    )


def merged(known: Sighting, answer: Answer, now: datetime) -> Sighting:
    """Add an answer to what is known.

    A device that was there and is not in a good answer is lost: it stays, unhealthy, since an
    engine may hold it. A MIG part may go by reconfiguration, so it goes. A failed look leaves the
    devices and says why it failed.
    """
    match answer:
        case Devices(devices=devices, driver=driver, unusable=unusable):
            before = {device.accelerator.uuid: device for device in known.devices or ()}
            xids = Counter(known.xids) + Counter(answer.xids)
            seen = tuple(_judged(_remembered(device, before), xids) for device in devices)
            lost = _lost(before, devices)
            return Sighting(
                devices=(*seen, *lost),
                driver=driver,
                seen_at=now,
                xids=xids,
                told_at={**known.told_at, **dict.fromkeys(answer.xids, now)},
                unusable=unusable,
            )
        case NoDriver(message=message) if known.devices:
            failure = LookFailed(reason="DriverGone", message=message)
            return dataclasses.replace(known, failure=failure)
        case NoDriver(unusable=unusable):
            return dataclasses.replace(
                known, devices=(), driver="", seen_at=now, failure=None, unusable=unusable
            )
        case LookFailed():
            return dataclasses.replace(known, failure=answer)


# What a device told once stays as it is when it does not tell it now. A lost device tells nothing,
# and its Node keeps its labels.
_LASTING = ("product", "memory_bytes", "family", "compute", "pci_address", "numa_node")


def _remembered(device: Device, before: Mapping[str, Device]) -> Device:
    known = before.get(device.accelerator.uuid)
    if known is None:
        return device
    missing = {
        name: getattr(known.accelerator, name)
        for name in _LASTING
        if getattr(device.accelerator, name) in (None, "")
    }
    accelerator = dataclasses.replace(device.accelerator, **missing)
    return dataclasses.replace(device, accelerator=accelerator)


def _judged(device: Device, xids: Mapping[Xid, int]) -> Device:
    """Take a device out of use after a hardware XID.

    It stays so while this agent runs: a device can be reset only when no program holds it open, and
    the agent's probe does.
    """
    whose = (device.accelerator.uuid, device.accelerator.parent)
    faults = sorted(
        xid.number
        for xid in xids
        if xid.uuid in whose and xid_class(xid.number) is XidClass.HARDWARE
    )
    return _unhealthy(device, words(faults[0])) if faults else device


def _lost(before: Mapping[str, Device], now: tuple[Device, ...]) -> tuple[Device, ...]:
    # A device that is cut up into parts is listed by these, and what it was cut into may change.
    listed = [device.accelerator for device in now]
    present = {name for one in listed for name in (one.uuid, one.parent) if name}
    return tuple(
        dataclasses.replace(_unhealthy(device, LOST), gauges=Gauges(), processes=None)
        for uuid, device in before.items()
        if uuid not in present and device.accelerator.parent not in present
    )


def _unhealthy(device: Device, message: str) -> Device:
    accelerator = dataclasses.replace(device.accelerator, healthy=False, message=message)
    return dataclasses.replace(device, accelerator=accelerator)
