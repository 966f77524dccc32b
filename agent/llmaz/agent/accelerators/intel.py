"""Intel's graphics devices, as the drivers xe and i915 show them in sysfs.

Files: Documentation/ABI/testing/sysfs-driver-intel-xe-hwmon and sysfs-driver-intel-i915-hwmon of
the kernel; the sizes of memory are those that the kernel's graphics tests (igt) read, and not every
kernel has them. Processes are not told there.
"""

from pathlib import Path

from llmaz.agent.accelerators import sysfs
from llmaz.agent.accelerators.device import Answer, Device, Devices, Gauges, NoDriver
from llmaz.agent.accelerators.pci import (
    ACCELERATOR,
    DISPLAY_3D,
    DISPLAY_OTHER,
    VGA,
    PciDevice,
    devices_of,
)
from llmaz.api.accelerator import Accelerator

VENDOR = "0x8086"
_RESOURCES = {"xe": "gpu.intel.com/xe", "i915": "gpu.intel.com/i915"}
_KINDS = (VGA, DISPLAY_3D, DISPLAY_OTHER, ACCELERATOR)
_INSIDE_THE_PROCESSOR = "0000:00:02.0"  # where Intel's processors have their graphics unit


class Intel:
    """The devices of their own that xe or i915 holds."""

    def __init__(self, root: Path = sysfs.ROOT) -> None:
        self._root = root

    def look(self) -> Answer:
        found = [
            device
            for device in devices_of(VENDOR, self._root)
            if device.driver in _RESOURCES
            and device.kind in _KINDS
            and device.address != _INSIDE_THE_PROCESSOR
        ]
        if not found:
            return NoDriver(message="neither xe nor i915 holds a device of its own")
        return Devices(devices=tuple(_device(device, n) for n, device in enumerate(found)))


def _device(device: PciDevice, index: int) -> Device:
    accelerator = Accelerator(
        uuid=f"intel-{device.address}",
        index=index,
        vendor="intel",
        product=f"Intel {device.device[2:]}",
        resource=_RESOURCES[device.driver],
        memory_bytes=_memory(device.directory),
        pci_address=device.address,
        numa_node=sysfs.numa_node(device.directory),
    )
    gauges = Gauges(
        temperature_celsius=sysfs.temperature(device.directory),
        power_watts=sysfs.power(device.directory),
    )
    return Device(accelerator=accelerator, gauges=gauges)


def _memory(directory: Path) -> int | None:
    """Return the sum over the device's tiles (xe), or the one size that i915 tells."""
    tiles = (*directory.glob("tile*/physical_vram_size_bytes"),)
    files = tiles or (*directory.glob("drm/card*/lmem_total_bytes"),)
    sizes = [sysfs.number(file) for file in files]
    return sum(size for size in sizes if size is not None) or None
