"""AMD's devices, as the amdgpu driver shows them in sysfs.

Files of a device: Documentation/gpu/amdgpu/driver-misc.rst, thermal.rst and ras.rst of the kernel.
What ROCm needs (target, links, processes) is in the topology of the compute driver:
drivers/gpu/drm/amd/amdkfd/kfd_topology.c and kfd_process.c.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.accelerators import sysfs
from llmaz.agent.accelerators.device import Answer, Device, Devices, Gauges, NoDriver, Process
from llmaz.agent.accelerators.driverless import driverless
from llmaz.agent.accelerators.families import rocm_family
from llmaz.agent.accelerators.pci import ACCELERATOR, DISPLAY_OTHER, PciDevice, devices_of
from llmaz.agent.accelerators.sysfs import number, text
from llmaz.api.accelerator import Accelerator

VENDOR = "0x1002"
_DRIVER = "amdgpu"
_RESOURCE = "amd.com/gpu"
_ACCELERATORS = (DISPLAY_OTHER, ACCELERATOR)  # Instinct; a screen's device may be left alone
# A graphics unit inside a processor has some hundred MiB set aside, and serves no model.
LEAST_MEMORY_BYTES = 2 * 2**30
_XGMI = "11"  # CRAT_IOLINK_TYPE_XGMI


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A device in the topology of the compute driver."""

    gpu_id: str
    target: str
    neighbours: tuple[str, ...]  # names of nodes that XGMI leads to


class Amd:
    """The devices that amdgpu holds."""

    def __init__(self, root: Path = sysfs.ROOT) -> None:
        self._root = root

    def look(self) -> Answer:
        present = list(devices_of(VENDOR, self._root))
        found = [device for device in present if _computes(device)]
        idle = (d for d in present if d.driver != _DRIVER and d.kind in _ACCELERATORS)
        unusable = driverless(
            idle, vendor="amd", resource=_RESOURCE, why=f"the driver {_DRIVER} is missing"
        )
        if not found:
            return NoDriver(message=f"{_DRIVER} holds no device", unusable=unusable)
        nodes = dict(_nodes(self._root))
        uuids = {device.address: _uuid(device) for device in found}
        return Devices(
            devices=tuple(
                Device(
                    accelerator=_accelerator(device, index, uuids, nodes),
                    gauges=_gauges(device),
                    processes=_processes(self._root, nodes.get(device.address)),
                )
                for index, device in enumerate(found)
            ),
            unusable=unusable,
        )


def _computes(device: PciDevice) -> bool:
    memory = number(device.directory / "mem_info_vram_total")
    return device.driver == _DRIVER and (memory is None or memory >= LEAST_MEMORY_BYTES)


def _accelerator(
    device: PciDevice, index: int, uuids: Mapping[str, str], nodes: Mapping[str, "_Node"]
) -> Accelerator:
    node = nodes.get(device.address)
    target = node.target if node else ""
    near = [uuids[address] for address in (node.neighbours if node else ()) if address in uuids]
    interconnect = "xgmi" if near else "pcie" if node and len(uuids) > 1 else ""
    return Accelerator(
        uuid=uuids[device.address],
        index=index,
        vendor="amd",
        product=text(device.directory / "product_name") or f"AMD {device.device[2:]}",
        resource=_RESOURCE,
        memory_bytes=number(device.directory / "mem_info_vram_total"),
        family=rocm_family(target),
        compute=target,
        driver_version=text(device.directory / "driver" / "module" / "version"),
        pci_address=device.address,
        numa_node=sysfs.numa_node(device.directory),
        interconnect=interconnect,
        peers=tuple(sorted(near)),
    )


def _uuid(device: PciDevice) -> str:
    """Return the name that ROCm knows it by, else its place on the bus."""
    unique = text(device.directory / "unique_id")
    return f"GPU-{unique}" if unique.strip("0") else f"amd-{device.address}"


def _gauges(device: PciDevice) -> Gauges:
    busy = number(device.directory / "gpu_busy_percent")
    errors = dict(re.findall(r"(ue|ce): (\d+)", text(device.directory / "ras" / "umc_err_count")))
    return Gauges(
        memory_used_bytes=number(device.directory / "mem_info_vram_used"),
        utilization=None if busy is None else busy / 100,
        temperature_celsius=sysfs.temperature(device.directory),
        power_watts=sysfs.power(device.directory),
        corrected_errors=int(errors["ce"]) if "ce" in errors else None,
        uncorrected_errors=int(errors["ue"]) if "ue" in errors else None,
    )


def _processes(root: Path, node: "_Node | None") -> tuple[Process, ...] | None:
    everyone = root / "class" / "kfd" / "kfd" / "proc"
    if node is None or not everyone.is_dir():
        return None
    held = (
        (directory.name, number(directory / f"vram_{node.gpu_id}"))
        for directory in sorted(everyone.iterdir())
    )
    return tuple(
        Process(pid=int(pid), memory_bytes=memory)
        for pid, memory in held
        if pid.isdecimal() and memory
    )


def _nodes(root: Path) -> Iterator[tuple[str, "_Node"]]:
    """Yield the devices of the topology by their place on the bus."""
    directories = sorted((root / "class" / "kfd" / "kfd" / "topology" / "nodes").glob("*"))
    properties = {directory.name: _properties(directory) for directory in directories}
    addresses = {
        name: _address(of)
        for name, of in properties.items()
        if of.get("gfx_target_version", "0") != "0"  # the processors are nodes too
    }
    for directory in directories:
        if directory.name in addresses:
            links = (_properties(link) for link in sorted((directory / "io_links").glob("*")))
            ends = (link.get("node_to", "") for link in links if link.get("type") == _XGMI)
            yield (
                addresses[directory.name],
                _Node(
                    gpu_id=text(directory / "gpu_id"),
                    target=_target(properties[directory.name]["gfx_target_version"]),
                    neighbours=tuple(addresses[end] for end in ends if end in addresses),
                ),
            )


def _properties(directory: Path) -> dict[str, str]:
    pairs = (line.partition(" ") for line in text(directory / "properties").splitlines())
    return {name: value for name, _, value in pairs}


def _address(properties: Mapping[str, str]) -> str:
    domain, place = int(properties.get("domain", "0")), int(properties.get("location_id", "0"))
    return f"{domain:04x}:{place >> 8 & 0xFF:02x}:{place >> 3 & 0x1F:02x}.{place & 7}"


def _target(version: str) -> str:
    """Return the LLVM target of a version: 90402 is gfx942, 90010 is gfx90a."""
    number_ = int(version)
    return f"gfx{number_ // 10000}{number_ // 100 % 100:x}{number_ % 100:x}"
