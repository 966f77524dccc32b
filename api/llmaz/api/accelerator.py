"""Accelerator: one device of a node, as the node's agent reports it.

It stands apart from node.py so that the agent's device probe, a process of its own, loads little.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class MigShape:
    """What a part of a device (MIG) has of it.

    gpu_slices: slices of its GPU instance
    compute_slices: slices of its compute instance
    multiprocessors: streaming multiprocessors
    copy_engines: copy engines, shared with parts of the same GPU instance as all that follow
    decoders: video decoders
    encoders: video encoders
    jpeg_engines: JPEG decoders
    ofa_engines: optical flow accelerators
    """

    gpu_slices: int = field(default=0, metadata={"keep": True})
    compute_slices: int = field(default=0, metadata={"keep": True})
    multiprocessors: int = field(default=0, metadata={"keep": True})
    copy_engines: int = field(default=0, metadata={"keep": True})
    decoders: int = field(default=0, metadata={"keep": True})
    encoders: int = field(default=0, metadata={"keep": True})
    jpeg_engines: int = field(default=0, metadata={"keep": True})
    ofa_engines: int = field(default=0, metadata={"keep": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualGpu:
    """What a virtual device (vGPU) tells of the machine below.

    host_driver_version: the version of that machine's driver
    host_driver_branch: the branch that the driver is of
    """

    host_driver_version: str = ""
    host_driver_branch: str = ""


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
    shape: what the part has of the device
    mig_capable: whether it can be cut up into parts
    virtual: of a virtual device (vGPU), what it tells of the machine below
    clique: the NVLink domain that it shares with other nodes, and its part of it
    pci_class: what kind of device the bus says it is, such as 0x030200
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
    shape: MigShape | None = None
    mig_capable: bool | None = None
    virtual: VirtualGpu | None = None
    clique: str = ""
    pci_class: str = ""
    pci_address: str = ""
    numa_node: int | None = None
    interconnect: str = ""
    peers: tuple[str, ...] = ()
    healthy: bool = field(default=True, metadata={"keep": True})
    message: str = ""
