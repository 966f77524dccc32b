"""Accelerator: one device of a node, as the node's agent reports it.

It stands apart from node.py so that the agent's device probe, a process of its own, loads little.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One device that an engine may own, or a part of one (MIG). What no driver tells is absent.

    uuid: an identifier that no other device has
    index: the number by which the driver counts it
    vendor: nvidia, amd, intel, huawei, google, ...
    product: what the driver calls it, such as NVIDIA A100-SXM4-80GB
    resource: the extended resource that it counts as, such as nvidia.com/gpu
    memory_bytes: its memory in all
    family: the generation of its architecture, such as hopper or cdna3
    compute: what programs are compiled for, such as 9.0 (CUDA) or gfx942 (ROCm)
    driver_version: the version of its driver
    runtime_version: the newest CUDA that the driver can run
    parent: UUID of the device that it is a part of
    profile: the size of the part, such as 1g.10gb
    pci_address: its place on the bus, such as 0000:17:00.0
    numa_node: the processors and memory that it is nearest to
    interconnect: the best way to another device of the node: nvlink, xgmi or pcie
    peers: UUIDs of the devices that it reaches by nvlink or xgmi
    healthy: whether an engine may be put on it
    message: what is wrong with it
    """

    uuid: str
    index: int
    vendor: str
    product: str
    resource: str
    memory_bytes: int | None = None
    family: str = ""
    compute: str = ""
    driver_version: str = ""
    runtime_version: str = ""
    parent: str = ""
    profile: str = ""
    pci_address: str = ""
    numa_node: int | None = None
    interconnect: str = ""
    peers: tuple[str, ...] = ()
    healthy: bool = field(default=True, metadata={"keep": True})
    message: str = ""
