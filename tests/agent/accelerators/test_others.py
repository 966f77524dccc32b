"""Devices that are known by their numbers on the PCI bus alone."""

from pathlib import Path

import pytest

from llmaz.agent.accelerators.device import Devices, NoDriver
from llmaz.agent.accelerators.others import OnTheBus
from llmaz.api.accelerator import Accelerator
from support.sysfs import pci_device


def _look(root: Path) -> list[Accelerator]:
    answer = OnTheBus(root).look()
    assert isinstance(answer, Devices), answer
    return [device.accelerator for device in answer.devices]


@pytest.mark.parametrize(
    ("vendor", "device", "driver", "product", "resource"),
    [
        ("0x1da3", "0x1020", "habanalabs", "Gaudi2", "habana.ai/gaudi"),
        ("0x19e5", "0xd802", "devdrv_device_driver", "Ascend 910B", "huawei.com/Ascend910"),
        ("0x19e5", "0xd500", "devdrv_device_driver", "Ascend 310P", "huawei.com/Ascend310P"),
        ("0x1ae0", "0x006f", "vfio-pci", "TPU v6e", "google.com/tpu"),
        ("0x1d0f", "0x7364", "neuron", "Trainium2", "aws.amazon.com/neuron"),
    ],
)
def test_a_device_has_its_products_name_and_resource(
    tmp_path: Path, vendor: str, device: str, driver: str, product: str, resource: str
) -> None:
    files = {"vendor": vendor, "device": device, "class": "0x120000", "numa_node": "0"}
    pci_device(tmp_path, "0000:05:00.0", driver, files)
    (found,) = _look(tmp_path)
    assert (found.product, found.resource, found.numa_node) == (product, resource, 0)
    assert (found.memory_bytes, found.uuid) == (None, f"{found.vendor}-0000:05:00.0")


def test_devices_are_counted_by_vendor_in_the_order_of_the_bus(tmp_path: Path) -> None:
    for address, vendor, device, driver in (
        ("0000:b3:00.0", "0x1da3", "0x1020", "habanalabs"),
        ("0000:05:00.0", "0x19e5", "0xd802", "devdrv_device_driver"),
        ("0000:19:00.0", "0x1da3", "0x1020", "habanalabs"),
    ):
        pci_device(tmp_path, address, driver, {"vendor": vendor, "device": device})
    assert [(a.uuid, a.index) for a in _look(tmp_path)] == [
        ("habana-0000:19:00.0", 0),
        ("habana-0000:b3:00.0", 1),
        ("huawei-0000:05:00.0", 0),
    ]


@pytest.mark.parametrize(("state", "healthy"), [("Operational", True), ("Malfunction", False)])
def test_a_gaudi_tells_whether_it_is_well(tmp_path: Path, state: str, healthy: bool) -> None:
    files = {"vendor": "0x1da3", "device": "0x1060", "habanalabs/hl0/status": state}
    pci_device(tmp_path, "0000:19:00.0", "habanalabs", files)
    (found,) = _look(tmp_path)
    assert found.healthy is healthy
    assert found.message == ("" if healthy else "the driver says: Malfunction")


def test_a_device_that_its_driver_does_not_hold_is_passed_over(tmp_path: Path) -> None:
    gaudi = {"vendor": "0x1da3", "device": "0x1020"}
    pci_device(tmp_path, "0000:04:00.0", "vfio-pci", gaudi)
    pci_device(tmp_path, "0000:05:00.0", "", gaudi)
    pci_device(tmp_path, "0000:06:00.0", "ena", {"vendor": "0x1d0f", "device": "0xec20"})
    assert isinstance(OnTheBus(tmp_path).look(), NoDriver)
