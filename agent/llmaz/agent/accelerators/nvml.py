"""NVIDIA's devices, as NVIDIA's library (NVML) tells of them.

For the child program alone (child.py): a call may hang for ever, and can't be ended from within.
Old drivers and small devices do not know every question; what they do not answer stays unknown.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import pynvml

from llmaz.agent.accelerators.device import Answer, Device, Devices, LookFailed, NoDriver
from llmaz.agent.accelerators.driverless import driverless
from llmaz.agent.accelerators.nvml_facts import RESOURCE, VENDOR, Handle, facts, told
from llmaz.agent.accelerators.nvml_now import complaint, gauges, processes
from llmaz.agent.accelerators.nvml_xid import XidEvents
from llmaz.agent.accelerators.pci import DISPLAY_3D, VGA, devices_of
from llmaz.agent.accelerators.sysfs import ROOT
from llmaz.api.accelerator import Accelerator

_NUMBER = "0x10de"  # NVIDIA's, on the PCI bus
# What hardly changes is asked for once a minute. The rest is most of what a look costs.
_LOOKS_PER_FACTS = 20
# nvidia-smi speaks of an unknown error too where a device has fallen off the bus.
_DEVICE_GONE = (
    pynvml.NVMLError_GpuIsLost,
    pynvml.NVMLError_Unknown,
    pynvml.NVMLError_NoPermission,  # a container sees the devices that it was given
)
_NO_DRIVER = (
    pynvml.NVMLError_LibraryNotFound,
    pynvml.NVMLError_DriverNotLoaded,
    pynvml.NVMLError_NoPermission,
)


class Nvidia:
    """NVML, opened at the first look that finds a driver, and held open.

    Opening it anew costs up to a second for each device without persistence mode.
    """

    def __init__(self, sysfs: Path = ROOT) -> None:
        self._sysfs = sysfs
        self._xids: XidEvents | None = None  # there while NVML is open
        self._facts: Mapping[str, Accelerator] = {}
        self._looks = 0

    def look(self) -> Answer:
        try:
            if self._xids is None:
                pynvml.nvmlInit()
                self._xids = XidEvents()
            return self._answer(self._xids)
        except _NO_DRIVER as error:
            self._close()
            return NoDriver(message=f"NVML: {error}", unusable=self._on_the_bus(str(error)))
        except pynvml.NVMLError as error:
            self._close()
            return LookFailed(reason="NVMLError", message=f"NVML: {error}")

    def _on_the_bus(self, error: str) -> tuple[Accelerator, ...]:
        computing = (d for d in devices_of(_NUMBER, self._sysfs) if d.kind in (VGA, DISPLAY_3D))
        why = f"NVIDIA's driver or its library is missing (NVML: {error})"
        return driverless(computing, vendor=VENDOR, resource=RESOURCE, why=why)

    def _close(self) -> None:
        """Begin anew at the next look: a driver that was loaded again does not know the old one."""
        if self._xids is not None:
            told(pynvml.nvmlShutdown)
        self._xids = None

    def _answer(self, xids: XidEvents) -> Devices:
        handles = tuple(_handles())
        if self._looks % _LOOKS_PER_FACTS == 0 or any(h.uuid not in self._facts for h in handles):
            self._facts = facts(handles, self._sysfs)
        self._looks += 1
        return Devices(
            devices=tuple(_device(handle, self._facts[handle.uuid]) for handle in handles),
            driver=pynvml.nvmlSystemGetDriverVersion(),
            xids=xids.since_last(handles),
        )


def _handles() -> Iterator[Handle]:
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            pointer = pynvml.nvmlDeviceGetHandleByIndex(index)
            whole = Handle(uuid=pynvml.nvmlDeviceGetUUID(pointer), index=index, pointer=pointer)
        except _DEVICE_GONE:
            continue  # it does not say who it is: the parent misses it
        yield from tuple(_parts(whole)) or (whole,)


def _parts(whole: Handle) -> Iterator[Handle]:
    mode = told(pynvml.nvmlDeviceGetMigMode, whole.pointer)
    if mode is None or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return
    for slot in range(told(pynvml.nvmlDeviceGetMaxMigDeviceCount, whole.pointer) or 0):
        pointer = told(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, whole.pointer, slot)
        uuid = None if pointer is None else told(pynvml.nvmlDeviceGetUUID, pointer)
        if uuid is not None:  # else a slot without a part
            yield Handle(uuid=uuid, index=whole.index, pointer=pointer, whole=whole)


def _device(handle: Handle, known: Accelerator) -> Device:
    message = complaint(handle.device, parts=handle.whole is not None)
    return Device(
        accelerator=dataclasses.replace(known, healthy=not message, message=message),
        gauges=gauges(handle),
        processes=processes(handle),
    )
