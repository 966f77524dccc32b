"""Accelerators that the kernel shows on the PCI bus, but for NVIDIA's, whose driver tells more.

What sysfs does not tell stays unknown: the memory of most, the product's name of many.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.accelerators.device import Device, Gauges
from llmaz.api.node import Accelerator

DEVICES = Path("/sys/bus/pci/devices")
# A graphics unit inside a processor has some hundred MiB set aside, and serves no model.
LEAST_MEMORY_BYTES = 2 * 2**30
_DISPLAY_3D, _DISPLAY_OTHER, _ACCELERATOR, _VGA = "0x0302", "0x0380", "0x1200", "0x0300"


@dataclass(frozen=True, slots=True)
class _Vendor:
    """A vendor's devices: the classes they have, and the resource that each driver's count as."""

    name: str
    classes: tuple[str, ...]
    resources: Mapping[str, str]  # driver -> extended resource


_VENDORS = {
    "0x1002": _Vendor(
        "amd", (_VGA, _DISPLAY_3D, _DISPLAY_OTHER, _ACCELERATOR), {"amdgpu": "amd.com/gpu"}
    ),
    "0x8086": _Vendor(
        "intel",
        (_DISPLAY_3D, _DISPLAY_OTHER, _ACCELERATOR),
        {"xe": "gpu.intel.com/xe", "i915": "gpu.intel.com/i915"},
    ),
    "0x1da3": _Vendor("habana", (_ACCELERATOR,), {"habanalabs": "habana.ai/gaudi"}),
    "0x19e5": _Vendor("huawei", (_ACCELERATOR,), {"devdrv_device_driver": "huawei.com/Ascend910"}),
}


def scan(root: Path = DEVICES) -> tuple[Device, ...]:
    """Return the devices that a driver for computing holds, by vendor in the order of the bus."""
    counts: dict[str, int] = {}
    found = []
    for directory in sorted(root.iterdir()) if root.is_dir() else ():
        for device in _device(directory, counts):
            counts[device.accelerator.vendor] = device.accelerator.index + 1
            found.append(device)
    return tuple(found)


def _device(directory: Path, counts: Mapping[str, int]) -> Iterator[Device]:
    vendor = _VENDORS.get(_text(directory / "vendor"))
    if vendor is None or _text(directory / "class")[:6] not in vendor.classes:
        return
    resource = vendor.resources.get((directory / "driver").resolve().name)
    memory = _number(directory / "mem_info_vram_total")
    if resource is None or (memory is not None and memory < LEAST_MEMORY_BYTES):
        return
    accelerator = Accelerator(
        uuid=_identity(directory, vendor.name),
        index=counts.get(vendor.name, 0),
        vendor=vendor.name,
        product=_text(directory / "product_name")
        or f"{vendor.name} {_text(directory / 'device').removeprefix('0x')}",
        resource=resource,
        memory_bytes=memory,
    )
    busy = _number(directory / "gpu_busy_percent")
    gauges = Gauges(
        memory_used_bytes=_number(directory / "mem_info_vram_used"),
        utilization=None if busy is None else busy / 100,
    )
    yield Device(accelerator=accelerator, gauges=gauges)


def _identity(directory: Path, vendor: str) -> str:
    """Return a name that stays: the one that ROCm knows it by, else its place on the bus."""
    unique = _text(directory / "unique_id")
    return f"GPU-{unique}" if vendor == "amd" and unique else f"{vendor}-{directory.name}"


def _number(file: Path) -> int | None:
    text = _text(file)
    return int(text) if text.isdecimal() else None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
