"""Devices of vendors that are known by their numbers on the PCI bus alone.

How much memory they have and what they do is told by the vendors' own libraries only, so it stays
unknown here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.accelerators import sysfs
from llmaz.agent.accelerators.device import Answer, Device, Devices, NoDriver
from llmaz.agent.accelerators.driverless import driverless
from llmaz.agent.accelerators.pci import PciDevice, devices_of
from llmaz.api.accelerator import Accelerator


@dataclass(frozen=True, slots=True)
class _Model:
    product: str
    family: str
    resource: str


@dataclass(frozen=True, slots=True)
class _Vendor:
    name: str
    driver: str  # that must hold the device; empty where several may
    models: Mapping[str, _Model]


def _tpu(generation: str) -> _Model:
    return _Model(f"TPU {generation}", f"tpu-{generation}", "google.com/tpu")


def _neuron(product: str) -> _Model:
    return _Model(product, product.lower(), "aws.amazon.com/neuron")


def _gaudi(product: str) -> _Model:
    return _Model(product, product.lower(), "habana.ai/gaudi")


def _ascend(product: str, resource: str) -> _Model:
    return _Model(f"Ascend {product}", f"ascend-{product.lower()}", f"huawei.com/{resource}")


_VENDORS = {
    # drivers/accel/habanalabs/common/habanalabs_drv.c of the kernel
    "0x1da3": _Vendor(
        "habana",
        "habanalabs",
        {
            "0x1000": _gaudi("Gaudi"),
            "0x1010": _gaudi("Gaudi"),
            "0x1020": _gaudi("Gaudi2"),
            "0x1060": _gaudi("Gaudi3"),
        },
    ),
    # the device plugin of Ascend's MindCluster
    "0x19e5": _Vendor(
        "huawei",
        "devdrv_device_driver",
        {
            "0xd100": _ascend("310", "Ascend310"),
            "0xd500": _ascend("310P", "Ascend310P"),
            "0xd801": _ascend("910", "Ascend910"),
            "0xd802": _ascend("910B", "Ascend910"),
        },
    ),
    # jax/_src/hardware_utils.py of JAX; newer machines hand their TPUs to vfio-pci
    "0x1ae0": _Vendor(
        "google",
        "",
        {
            "0x0027": _tpu("v3"),
            "0x005e": _tpu("v4"),
            "0x0062": _tpu("v5p"),
            "0x0063": _tpu("v5e"),
            "0x006f": _tpu("v6e"),
            "0x0076": _tpu("7x"),
        },
    ),
    # neuron_pci.c of the Neuron driver
    "0x1d0f": _Vendor(
        "amazon",
        "neuron",
        {
            "0x7064": _neuron("Inferentia"),
            "0x7164": _neuron("Trainium"),
            "0x7264": _neuron("Inferentia2"),
            "0x7364": _neuron("Trainium2"),
        },
    ),
}


class OnTheBus:
    """The devices of all these vendors."""

    def __init__(self, root: Path = sysfs.ROOT) -> None:
        self._root = root

    def look(self) -> Answer:
        present = [
            (vendor, [d for d in devices_of(number, self._root) if d.device in vendor.models])
            for number, vendor in _VENDORS.items()
        ]
        found = tuple(device for vendor, of in present for device in _devices(vendor, of))
        unusable = tuple(device for vendor, of in present for device in _driverless(vendor, of))
        if not found:
            return NoDriver(message="no other device is known", unusable=unusable)
        return Devices(devices=found, unusable=unusable)


def _driverless(vendor: _Vendor, present: Sequence[PciDevice]) -> Iterator[Accelerator]:
    why = f"the driver {vendor.driver} is missing" if vendor.driver else "its driver is missing"
    for device in present:
        if not _is_held(vendor, device):
            resource = vendor.models[device.device].resource
            yield from driverless([device], vendor=vendor.name, resource=resource, why=why)


def _is_held(vendor: _Vendor, device: PciDevice) -> bool:
    return device.driver != "" and vendor.driver in ("", device.driver)


def _devices(vendor: _Vendor, present: Sequence[PciDevice]) -> Iterator[Device]:
    for index, device in enumerate(d for d in present if _is_held(vendor, d)):
        model = vendor.models[device.device]
        message = _complaint(device)
        accelerator = Accelerator(
            uuid=f"{vendor.name}-{device.address}",
            index=_number(device, index),
            vendor=vendor.name,
            product=model.product,
            resource=model.resource,
            family=model.family,
            pci_address=device.address,
            numa_node=sysfs.numa_node(device.directory),
            healthy=not message,
            message=message,
        )
        yield Device(accelerator=accelerator)


def _number(device: PciDevice, place: int) -> int:
    """Return the number by which its library selects it: habanalabs tells a module's own."""
    module = sysfs.number(device.directory / "module_id")
    return place if module is None else module


def _complaint(device: PciDevice) -> str:
    """Return what habanalabs says of a device that is not well.

    Documentation/ABI/testing/sysfs-driver-habanalabs: Operational, Malfunction or In reset.
    """
    places = (*device.directory.glob("habanalabs/hl*/status"), device.directory / "status")
    states = [state for place in places if (state := sysfs.text(place))]
    if device.driver != "habanalabs" or not states or states[0].lower() == "operational":
        return ""
    return f"the driver says: {states[0]}"
