"""What NVML tells of a device that hardly ever changes: what it is, and who its neighbours are."""

from collections.abc import Callable, Mapping, Sequence
from ctypes import byref
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import UUID

import pynvml

from llmaz.agent.accelerators.families import cuda_family
from llmaz.agent.accelerators.sysfs import content, numa_node, pci_directory, text
from llmaz.agent.accelerators.vgpu import virtual
from llmaz.api.accelerator import Accelerator, MigShape

VENDOR = "nvidia"
RESOURCE = "nvidia.com/gpu"
MIG_RESOURCE = "nvidia.com/mig-"
_REGISTERED = (pynvml.NVML_GPU_FABRIC_STATE_COMPLETED, pynvml.NVML_SUCCESS)
T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """A device, or a MIG part of one, as NVML gave it out at a look."""

    uuid: str
    index: int
    pointer: object
    whole: "Handle | None" = None

    @property
    def device(self) -> "Handle":
        return self.whole or self


def told(question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Return NVML's answer, or None where a device or an old driver does not know the question."""
    try:
        return question(*args, **kwargs)
    except pynvml.NVMLError:
        return None


def facts(handles: Sequence[Handle], sysfs: Path) -> Mapping[str, Accelerator]:
    """Return what each device is, by its UUID. Health is another question."""
    driver = told(pynvml.nvmlSystemGetDriverVersion) or ""
    links = _links(tuple({handle.device.uuid: handle.device for handle in handles}.values()))
    return {handle.uuid: _accelerator(handle, driver, links, sysfs) for handle in handles}


def _accelerator(
    handle: Handle, driver: str, links: Mapping[str, tuple[str, tuple[str, ...]]], sysfs: Path
) -> Accelerator:
    product = told(pynvml.nvmlDeviceGetName, handle.pointer) or ""
    memory = told(pynvml.nvmlDeviceGetMemoryInfo, handle.pointer)
    capability = told(pynvml.nvmlDeviceGetCudaComputeCapability, handle.device.pointer)
    address = _pci_address(handle.device)
    profile = product.rpartition("MIG ")[2] if handle.whole else ""  # "... MIG 1g.10gb"
    interconnect, peers = links[handle.uuid] if handle.whole is None else ("", ())
    return Accelerator(
        uuid=handle.uuid,
        index=handle.index,
        vendor=VENDOR,
        product=product,
        resource=MIG_RESOURCE + profile if handle.whole else RESOURCE,
        memory_bytes=None if memory is None else memory.total,
        family=cuda_family(*capability) if capability else "",
        compute="{}.{}".format(*capability) if capability else "",
        driver_version=driver,
        runtime_version=_cuda_version(),
        parent=handle.whole.uuid if handle.whole else "",
        profile=profile,
        shape=_shape(handle) if handle.whole else None,
        mig_capable=_mig_capable(handle.device),
        virtual=virtual(content(pci_directory(sysfs, address) / "config")) if address else None,
        clique=_clique(handle.device),
        pci_class=text(pci_directory(sysfs, address) / "class") if address else "",
        pci_address=address,
        numa_node=numa_node(pci_directory(sysfs, address)) if address else None,
        interconnect=interconnect,
        peers=peers,
    )


def _mig_capable(device: Handle) -> bool | None:
    try:
        pynvml.nvmlDeviceGetMigMode(device.pointer)
    except pynvml.NVMLError_NotSupported:
        return False
    except pynvml.NVMLError:  # an old driver does not know the question
        return None
    return True


def _shape(part: Handle) -> MigShape | None:
    found = told(pynvml.nvmlDeviceGetAttributes_v2, part.pointer)
    if found is None:
        return None
    return MigShape(
        gpu_slices=found.gpuInstanceSliceCount,
        compute_slices=found.computeInstanceSliceCount,
        multiprocessors=found.multiprocessorCount,
        copy_engines=found.sharedCopyEngineCount,
        decoders=found.sharedDecoderCount,
        encoders=found.sharedEncoderCount,
        jpeg_engines=found.sharedJpegCount,
        ofa_engines=found.sharedOfaCount,
    )


def _clique(device: Handle) -> str:
    """Return the cluster's UUID and the clique's number, once the fabric has registered it."""
    fabric = pynvml.c_nvmlGpuFabricInfo_v2_t()
    if told(pynvml.nvmlDeviceGetGpuFabricInfoV, device.pointer, byref(fabric)) is None:
        return ""
    cluster = UUID(bytes=bytes(fabric.clusterUuid))
    registered = (fabric.state, fabric.status) == _REGISTERED
    return f"{cluster}.{fabric.cliqueId}" if registered and cluster.int else ""


def _cuda_version() -> str:
    number = told(pynvml.nvmlSystemGetCudaDriverVersion)
    return "" if number is None else f"{number // 1000}.{number % 1000 // 10}"


def _pci_address(device: Handle) -> str:
    """Return the address as sysfs writes it: NVML has eight digits for the domain, sysfs four."""
    info = told(pynvml.nvmlDeviceGetPciInfo, device.pointer)
    if info is None:
        return ""
    return f"{info.domain:04x}:{info.bus:02x}:{info.device:02x}.0"


def _links(devices: Sequence[Handle]) -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """Return for each device how it reaches others, and whom it reaches by NVLink.

    That a device can be reached holds for direct links and for those through a switch.
    """
    peers: dict[str, list[str]] = {device.uuid: [] for device in devices}
    known: set[str] = set()
    for one, other in combinations(devices, 2):
        status = told(
            pynvml.nvmlDeviceGetP2PStatus,
            one.pointer,
            other.pointer,
            pynvml.NVML_P2P_CAPS_INDEX_NVLINK,
        )
        if status is not None:
            known.update((one.uuid, other.uuid))
        if status == pynvml.NVML_P2P_STATUS_OK:
            peers[one.uuid].append(other.uuid)
            peers[other.uuid].append(one.uuid)
    return {
        uuid: ("nvlink" if near else "pcie" if uuid in known else "", tuple(sorted(near)))
        for uuid, near in peers.items()
    }
