"""Devices that are on the bus while the driver that would tell of them is missing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmaz.agent.accelerators.amd import Amd
from llmaz.agent.accelerators.device import (
    Device,
    Devices,
    LookFailed,
    NoDriver,
    Sighting,
    joined,
    merged,
)
from llmaz.agent.accelerators.nvml import Nvidia
from llmaz.agent.accelerators.others import OnTheBus
from llmaz.api.accelerator import Accelerator
from support.sysfs import pci_device

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NVIDIA = {"vendor": "0x10de", "device": "0x2236", "class": "0x030200", "numa_node": "1"}


def _unusable(answer: object) -> tuple[Accelerator, ...]:
    assert isinstance(answer, NoDriver), answer
    return answer.unusable


@pytest.mark.parametrize(
    ("driver", "words"), [("", "no driver holds it"), ("nouveau", "driver nouveau holds it")]
)
def test_nvidias_device_without_nvml_is_there_and_cannot_be_used(
    tmp_path: Path, driver: str, words: str
) -> None:
    pci_device(tmp_path, "0000:17:00.0", driver, NVIDIA)
    (found,) = _unusable(Nvidia(tmp_path).look())
    assert (found.uuid, found.resource, found.healthy) == (
        "nvidia-0000:17:00.0",
        "nvidia.com/gpu",
        False,
    )
    assert (found.product, found.numa_node) == ("", 1)  # no name, hence no label
    assert found.message.startswith(f"{words}: NVIDIA's driver or its library is missing (NVML: ")


def test_a_device_that_a_virtual_machine_has_is_not_ours(tmp_path: Path) -> None:
    pci_device(tmp_path, "0000:17:00.0", "vfio-pci", NVIDIA)
    assert _unusable(Nvidia(tmp_path).look()) == ()


def test_the_sound_device_of_a_graphics_card_is_none(tmp_path: Path) -> None:
    pci_device(tmp_path, "0000:17:00.1", "", {**NVIDIA, "class": "0x040300"})
    assert _unusable(Nvidia(tmp_path).look()) == ()


def test_an_instinct_without_amdgpu_is_told(tmp_path: Path) -> None:
    files = {"vendor": "0x1002", "device": "0x74a1", "class": "0x120000"}
    pci_device(tmp_path, "0000:05:00.0", "", files)
    (found,) = _unusable(Amd(tmp_path).look())
    assert found.message == "no driver holds it: the driver amdgpu is missing"


@pytest.mark.parametrize(
    ("vendor", "device", "resource", "driver"),
    [
        ("0x1da3", "0x1020", "habana.ai/gaudi", "the driver habanalabs"),
        ("0x1ae0", "0x006f", "google.com/tpu", "its driver"),
    ],
)
def test_devices_of_other_vendors_without_a_driver_are_told(
    tmp_path: Path, vendor: str, device: str, resource: str, driver: str
) -> None:
    pci_device(tmp_path, "0000:05:00.0", "", {"vendor": vendor, "device": device})
    (found,) = _unusable(OnTheBus(tmp_path).look())
    assert (found.resource, found.healthy) == (resource, False)
    assert found.message == f"no driver holds it: {driver} is missing"


def _accelerator(uuid: str, *, healthy: bool = True) -> Accelerator:
    return Accelerator(
        uuid=uuid, index=0, vendor="nvidia", product="", resource="x", healthy=healthy
    )


def test_they_stand_beside_those_that_can_be_used() -> None:
    undriven = _accelerator("nvidia-0000:17:00.0", healthy=False)
    one = Devices(devices=(Device(accelerator=_accelerator("a")),))
    both = joined((one, NoDriver(message="NVML", unusable=(undriven,))))
    assert merged(Sighting(), both, NOW).accelerators == (_accelerator("a"), undriven)


def test_a_driver_that_comes_replaces_them_and_none_is_lost() -> None:
    undriven = _accelerator("nvidia-0000:17:00.0", healthy=False)
    known = merged(Sighting(), NoDriver(message="NVML", unusable=(undriven,)), NOW)
    assert known.accelerators == (undriven,)
    later = merged(known, Devices(devices=(Device(accelerator=_accelerator("GPU-a")),)), NOW)
    assert later.accelerators == (_accelerator("GPU-a"),)


def test_a_driver_that_goes_leaves_what_it_told() -> None:
    known = merged(Sighting(), Devices(devices=(Device(accelerator=_accelerator("GPU-a")),)), NOW)
    undriven = _accelerator("nvidia-0000:17:00.0", healthy=False)
    gone = merged(known, NoDriver(message="gone", unusable=(undriven,)), NOW)
    assert gone.failure == LookFailed(reason="DriverGone", message="gone")
    assert [device.uuid for device in gone.accelerators or ()] == ["GPU-a"]
