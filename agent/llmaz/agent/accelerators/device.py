"""What a look at the accelerators tells, and how a new look changes what is known. Pure.

`None` is "not known", an empty tuple is "none". A look that fails never empties what an earlier one
saw: the engines on those devices run on, and a report that forgot them would move the engines
elsewhere.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from llmaz.api.node import Accelerator

LOST = "the driver no longer lists the device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Numbers of a device that move all the time: metrics, never status. None: not told."""

    memory_used_bytes: int | None = None
    utilization: float | None = None  # 0 to 1
    temperature_celsius: float | None = None
    power_watts: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One accelerator as a provider sees it."""

    accelerator: Accelerator
    gauges: Gauges = field(default_factory=Gauges)
    part_of: str = ""  # UUID of the device that this one is a MIG part of


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """A provider's answer: what it has found. Empty where its driver runs and has no device."""

    devices: tuple[Device, ...]
    driver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoDriver:
    """A provider's answer: the node has no such driver."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookFailed:
    """A provider's answer: it can't tell."""

    reason: str  # CamelCase
    message: str


Answer: TypeAlias = Devices | NoDriver | LookFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is known of the accelerators: the last good look, and what is wrong with later ones."""

    devices: tuple[Device, ...] | None = None
    driver: str = ""
    seen_at: datetime | None = None
    failure: LookFailed | None = None  # of the looks since `seen_at`

    @property
    def accelerators(self) -> tuple[Accelerator, ...] | None:
        """The devices for the report, with the failure of later looks as their message."""
        if self.devices is None:
            return None
        if self.failure is None:
            return tuple(device.accelerator for device in self.devices)
        stale = f"not seen anew: {self.failure.message}"
        return tuple(
            dataclasses.replace(device.accelerator, message=device.accelerator.message or stale)
            for device in self.devices
        )


def joined(answer: Answer, others: tuple[Device, ...]) -> Answer:
    """Add the devices that need no library of their vendor to the answer of the one that does."""
    match answer:
        case Devices(devices=devices, driver=driver):
            return Devices(devices=(*devices, *others), driver=driver)
        case NoDriver() if others:
            return Devices(devices=others)
        case _:
            return answer


def merged(known: Sighting, answer: Answer, now: datetime) -> Sighting:
    """Add an answer to what is known.

    A device that was there and is not in a good answer is lost: it stays, unhealthy, since an
    engine may hold it. A MIG part may go by reconfiguration, so it goes. A failed look leaves the
    devices and says why it failed.
    """
    match answer:
        case Devices(devices=devices, driver=driver):
            before = {device.accelerator.uuid: device for device in known.devices or ()}
            seen = tuple(_remembered(device, before) for device in devices)
            lost = _lost(before, devices)
            return Sighting(devices=(*seen, *lost), driver=driver, seen_at=now)
        case NoDriver(message=message) if known.devices:
            failure = LookFailed(reason="DriverGone", message=message)
            return dataclasses.replace(known, failure=failure)
        case NoDriver():
            return Sighting(devices=(), seen_at=now)
        case LookFailed():
            return dataclasses.replace(known, failure=answer)


def _remembered(device: Device, before: Mapping[str, Device]) -> Device:
    """Fill in what a device that is lost no longer tells of itself."""
    accelerator = device.accelerator
    known = before.get(accelerator.uuid)
    if accelerator.healthy or known is None:
        return device
    whole = dataclasses.replace(
        known.accelerator, healthy=accelerator.healthy, message=accelerator.message
    )
    return dataclasses.replace(device, accelerator=whole)


def _lost(before: Mapping[str, Device], now: tuple[Device, ...]) -> tuple[Device, ...]:
    # A device that is cut up into parts is listed by these.
    present = {name for device in now for name in (device.accelerator.uuid, device.part_of)}
    return tuple(
        dataclasses.replace(
            device,
            accelerator=dataclasses.replace(device.accelerator, healthy=False, message=LOST),
            gauges=Gauges(),
        )
        for uuid, device in before.items()
        if uuid not in present and not device.part_of
    )
