"""Devices that are on the bus and of no use: the driver that would tell of them is not there.

Without these a node whose driver is missing would look like one that has no device.
"""

from collections.abc import Iterable

from llmaz.agent.accelerators.pci import PciDevice
from llmaz.agent.accelerators.sysfs import numa_node
from llmaz.api.accelerator import Accelerator

_GIVEN_AWAY = frozenset({"vfio-pci", "pci-stub", "xen-pciback"})  # to a virtual machine: not ours


def driverless(
    devices: Iterable[PciDevice], *, vendor: str, resource: str, why: str
) -> tuple[Accelerator, ...]:
    """Return what is known of them: where they are, and why nothing can run on them."""
    kept = (device for device in devices if device.driver not in _GIVEN_AWAY)
    return tuple(
        Accelerator(
            uuid=f"{vendor}-{device.address}",
            index=index,
            vendor=vendor,
            product="",  # a name that is not the driver's would be a label that selects nodes
            resource=resource,
            pci_address=device.address,
            numa_node=numa_node(device.directory),
            healthy=False,
            message=f"{_held_by(device)}: {why}",
        )
        for index, device in enumerate(kept)
    )


def _held_by(device: PciDevice) -> str:
    return f"driver {device.driver} holds it" if device.driver else "no driver holds it"
