"""What NVIDIA's library tells of its devices. This alone imports pynvml.

For the child program alone (child.py): a call may hang for ever, and can't be ended from within.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

import pynvml

from llmaz.agent.accelerators.device import (
    Answer,
    Device,
    Devices,
    Gauges,
    LookFailed,
    NoDriver,
)
from llmaz.api.node import Accelerator

VENDOR = "nvidia"
RESOURCE = "nvidia.com/gpu"
MIG_RESOURCE = "nvidia.com/mig-"
T = TypeVar("T")


class Library:
    """NVML, opened at the first look that finds a driver, and held open.

    Opening it anew costs up to a second for each device without persistence mode.
    """

    def __init__(self) -> None:
        self._open = False

    def look(self) -> Answer:
        try:
            if not self._open:
                pynvml.nvmlInit()
                self._open = True
            return Devices(devices=tuple(_devices()), driver=pynvml.nvmlSystemGetDriverVersion())
        except (
            pynvml.NVMLError_LibraryNotFound,
            pynvml.NVMLError_DriverNotLoaded,
            pynvml.NVMLError_NoPermission,
        ) as error:
            self._open = False
            return NoDriver(message=f"NVML: {error}")
        except pynvml.NVMLError as error:
            return LookFailed(reason="NVMLError", message=f"NVML: {error}")


def _devices() -> Iterator[Device]:
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            uuid = pynvml.nvmlDeviceGetUUID(handle)
        except pynvml.NVMLError_GpuIsLost:
            continue  # it does not say who it is: the parent misses it
        parts = tuple(_parts(handle, index, uuid)) if _mig_enabled(handle) else ()
        if parts:
            yield from parts
        else:
            yield _device(handle, index, uuid, resource=RESOURCE)


def _parts(parent: object, index: int, parent_uuid: str) -> Iterator[Device]:
    for slot in range(_told(lambda: pynvml.nvmlDeviceGetMaxMigDeviceCount(parent)) or 0):
        try:
            part = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(parent, slot)
        except (pynvml.NVMLError_NotFound, pynvml.NVMLError_InvalidArgument):
            continue  # a slot without a part
        uuid = pynvml.nvmlDeviceGetUUID(part)
        name = _told(lambda part=part: pynvml.nvmlDeviceGetName(part)) or ""  # type: ignore[misc]  # mypy can't infer a default's type
        profile = name.rpartition("MIG ")[2]  # "NVIDIA A100-SXM4-80GB MIG 1g.10gb"
        yield _device(part, index, uuid, resource=MIG_RESOURCE + profile, part_of=parent_uuid)


def _device(handle: object, index: int, uuid: str, *, resource: str, part_of: str = "") -> Device:
    healthy, message = True, ""
    total = used = None
    product = ""
    try:
        product = pynvml.nvmlDeviceGetName(handle)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        total, used = memory.total, memory.used
    except pynvml.NVMLError_GpuIsLost:
        healthy, message = False, "the GPU has fallen off the bus"
    except pynvml.NVMLError as error:
        healthy, message = False, f"NVML: {error}"
    return Device(
        accelerator=Accelerator(
            uuid=uuid,
            index=index,
            vendor=VENDOR,
            product=product,
            resource=resource,
            memory_bytes=total,
            healthy=healthy,
            message=message,
        ),
        gauges=_gauges(handle, used),
        part_of=part_of,
    )


def _gauges(handle: object, used: int | None) -> Gauges:
    rates = _told(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle))
    celsius = _told(lambda: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
    milliwatts = _told(lambda: pynvml.nvmlDeviceGetPowerUsage(handle))
    return Gauges(
        memory_used_bytes=used,
        utilization=None if rates is None else rates.gpu / 100,
        temperature_celsius=None if celsius is None else float(celsius),
        power_watts=None if milliwatts is None else milliwatts / 1000,
    )


def _mig_enabled(handle: object) -> bool:
    mode = _told(lambda: pynvml.nvmlDeviceGetMigMode(handle))
    return mode is not None and mode[0] == pynvml.NVML_DEVICE_MIG_ENABLE


def _told(question: Callable[[], T]) -> T | None:
    """Return NVML's answer, or None where a device or an old driver does not know the question."""
    try:
        return question()
    except pynvml.NVMLError:
        return None
