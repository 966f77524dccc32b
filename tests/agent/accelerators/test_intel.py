"""Intel's devices, read from files as xe and i915 write them."""

from pathlib import Path

from llmaz.agent.accelerators.device import Device, Devices, Gauges, NoDriver
from llmaz.agent.accelerators.intel import Intel
from llmaz.api.accelerator import Accelerator
from support.sysfs import pci_device

B580 = {"vendor": "0x8086", "class": "0x030000", "device": "0xe20b", "numa_node": "-1"}


def _look(root: Path) -> tuple[Device, ...]:
    answer = Intel(root).look()
    assert isinstance(answer, Devices), answer
    return answer.devices


def test_a_device_of_xe_has_the_memory_of_all_its_tiles(tmp_path: Path) -> None:
    tiles = {f"tile{n}/physical_vram_size_bytes": str(12 * 2**30) for n in range(2)}
    sensors = {"hwmon/hwmon2/temp2_input": "47000"}
    pci_device(tmp_path, "0000:03:00.0", "xe", {**B580, **tiles, **sensors})
    assert _look(tmp_path) == (
        Device(
            accelerator=Accelerator(
                uuid="intel-0000:03:00.0",
                index=0,
                vendor="intel",
                product="Intel e20b",
                resource="gpu.intel.com/xe",
                memory_bytes=24 * 2**30,
                pci_address="0000:03:00.0",
            ),
            gauges=Gauges(temperature_celsius=47.0),
        ),
    )


def test_a_device_of_i915_may_tell_its_memory_or_not(tmp_path: Path) -> None:
    told = {**B580, "drm/card0/lmem_total_bytes": str(16 * 2**30)}
    pci_device(tmp_path, "0000:03:00.0", "i915", told)
    pci_device(tmp_path, "0000:04:00.0", "i915", B580)
    found = [device.accelerator for device in _look(tmp_path)]
    assert [(a.resource, a.index, a.memory_bytes) for a in found] == [
        ("gpu.intel.com/i915", 0, 16 * 2**30),
        ("gpu.intel.com/i915", 1, None),
    ]


def test_graphics_inside_a_processor_and_other_devices_are_passed_over(tmp_path: Path) -> None:
    pci_device(tmp_path, "0000:00:02.0", "i915", {**B580, "device": "0x4680"})
    pci_device(tmp_path, "0000:02:00.0", "igb", {**B580, "class": "0x020000"})
    assert isinstance(Intel(tmp_path).look(), NoDriver)
