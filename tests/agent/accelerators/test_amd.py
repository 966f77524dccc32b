"""AMD's devices, read from files as the amdgpu driver writes them."""

from collections.abc import Mapping
from pathlib import Path

from llmaz.agent.accelerators.amd import Amd
from llmaz.agent.accelerators.device import Device, Devices, Gauges, NoDriver, Process
from llmaz.api.accelerator import Accelerator
from support.sysfs import kfd_node, pci_device, write

MI300X = {
    "vendor": "0x1002",
    "class": "0x120000",
    "device": "0x74a1",
    "product_name": "AMD Instinct MI300X",
    "unique_id": "5a1f0e6d1c2b3a49",
    "mem_info_vram_total": str(192 * 2**30),
    "mem_info_vram_used": "297627648",
    "gpu_busy_percent": "50",
    "numa_node": "1",
}
XGMI, PCIE = 11, 2


def _put(root: Path, address: str, files: Mapping[str, str] | None = None) -> Path:
    return pci_device(root, address, "amdgpu", {**MI300X, **(files or {})})


def _look(root: Path) -> tuple[Device, ...]:
    answer = Amd(root).look()
    assert isinstance(answer, Devices), answer
    return answer.devices


def test_a_device_is_told_as_rocm_knows_it(tmp_path: Path) -> None:
    _put(tmp_path, "0000:c1:00.0")
    kfd_node(tmp_path, "0", {"cpu_cores_count": 96, "gfx_target_version": 0})
    kfd_node(tmp_path, "1", {"gfx_target_version": 90402, "location_id": 0xC100, "domain": 0})
    (device,) = _look(tmp_path)
    assert device.accelerator == Accelerator(
        uuid="GPU-5a1f0e6d1c2b3a49",
        index=0,
        vendor="amd",
        product="AMD Instinct MI300X",
        resource="amd.com/gpu",
        memory_bytes=192 * 2**30,
        family="cdna3",
        compute="gfx942",
        pci_address="0000:c1:00.0",
        numa_node=1,
    )
    assert device.gauges == Gauges(memory_used_bytes=297627648, utilization=0.5)


def test_sensors_and_counters_are_told_in_base_units(tmp_path: Path) -> None:
    _put(
        tmp_path,
        "0000:c1:00.0",
        {
            "hwmon/hwmon3/temp3_input": "51000",
            "hwmon/hwmon3/temp2_input": "43000",
            "hwmon/hwmon3/power1_average": "139000000",
            "ras/umc_err_count": "ue: 1\nce: 12",
        },
    )
    (device,) = _look(tmp_path)
    gauges = device.gauges
    assert (gauges.temperature_celsius, gauges.power_watts) == (43.0, 139.0)
    assert (gauges.corrected_errors, gauges.uncorrected_errors) == (12, 1)


def test_devices_that_xgmi_joins_are_peers(tmp_path: Path) -> None:
    for bus in ("03", "c1", "c9"):
        _put(tmp_path, f"0000:{bus}:00.0", {"unique_id": bus})
    ends = {"1": 0x0300, "2": 0xC100, "3": 0xC900}
    links = {"1": [(2, XGMI), (0, PCIE)], "2": [(1, XGMI), (0, PCIE)], "3": [(0, PCIE)]}
    kfd_node(tmp_path, "0", {"gfx_target_version": 0})
    for name, place in ends.items():
        to = ({"type": kind, "node_to": end} for end, kind in links[name])
        kfd_node(tmp_path, name, {"gfx_target_version": 90402, "location_id": place}, *to)
    found = [device.accelerator for device in _look(tmp_path)]
    assert [(a.uuid, a.index, a.interconnect, a.peers) for a in found] == [
        ("GPU-03", 0, "xgmi", ("GPU-c1",)),
        ("GPU-c1", 1, "xgmi", ("GPU-03",)),
        ("GPU-c9", 2, "pcie", ()),
    ]


def test_processes_with_memory_on_the_device_are_told(tmp_path: Path) -> None:
    _put(tmp_path, "0000:c1:00.0")
    node = {"gpu_id": 4711, "gfx_target_version": 90402, "location_id": 0xC100}
    kfd_node(tmp_path, "1", node)
    assert _look(tmp_path)[0].processes is None
    everyone = tmp_path / "class" / "kfd" / "kfd" / "proc"
    write(everyone / "900" / "vram_4711", "1048576")
    write(everyone / "901" / "vram_4711", "0")
    write(everyone / "902" / "vram_4712", "1048576")
    assert _look(tmp_path)[0].processes == (Process(pid=900, memory_bytes=1048576),)


def test_what_a_device_does_not_tell_is_unknown(tmp_path: Path) -> None:
    pci_device(tmp_path, "0000:03:00.0", "amdgpu", {"vendor": "0x1002", "device": "0x744c"})
    (device,) = _look(tmp_path)
    assert device == Device(
        accelerator=Accelerator(
            uuid="amd-0000:03:00.0",
            index=0,
            vendor="amd",
            product="AMD 744c",
            resource="amd.com/gpu",
            pci_address="0000:03:00.0",
        )
    )


def test_graphics_inside_a_processor_and_devices_of_other_drivers_are_passed_over(
    tmp_path: Path,
) -> None:
    _put(tmp_path, "0000:0c:00.0", {"mem_info_vram_total": str(512 * 2**20)})
    pci_device(tmp_path, "0000:0d:00.0", "vfio-pci", MI300X)
    pci_device(tmp_path, "0000:0e:00.0", "", MI300X)
    assert isinstance(Amd(tmp_path).look(), NoDriver)


def test_a_machine_without_a_bus_has_none(tmp_path: Path) -> None:
    assert isinstance(Amd(tmp_path).look(), NoDriver)
