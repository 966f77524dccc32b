"""Which devices of the PCI bus are accelerators."""

from pathlib import Path

from llmaz.agent.accelerators.device import Devices, Gauges, LookFailed, NoDriver, joined
from llmaz.agent.accelerators.pci import scan
from llmaz.api.node import Accelerator


def _device(root: Path, address: str, *, driver: str, **files: str) -> None:
    directory = root / "devices" / address
    directory.mkdir(parents=True)
    (root / "drivers" / driver).mkdir(parents=True, exist_ok=True)
    (directory / "driver").symlink_to(root / "drivers" / driver)
    names = {"class_": "class"}
    for name, text in files.items():
        (directory / names.get(name, name)).write_text(f"{text}\n")


def _amd(root: Path, address: str, *, unique_id: str = "5a1f", memory: int = 64 * 2**30) -> None:
    _device(
        root,
        address,
        driver="amdgpu",
        vendor="0x1002",
        class_="0x038000",
        device="0x74a1",
        product_name="AMD Instinct MI300X",
        unique_id=unique_id,
        mem_info_vram_total=str(memory),
        mem_info_vram_used="1024",
        gpu_busy_percent="50",
    )


def test_a_device_of_amd_is_told_as_rocm_knows_it(tmp_path: Path) -> None:
    _amd(tmp_path, "0000:c1:00.0")
    (device,) = scan(tmp_path / "devices")
    assert device.accelerator == Accelerator(
        uuid="GPU-5a1f",
        index=0,
        vendor="amd",
        product="AMD Instinct MI300X",
        resource="amd.com/gpu",
        memory_bytes=64 * 2**30,
    )
    assert device.gauges == Gauges(memory_used_bytes=1024, utilization=0.5)


def test_devices_are_counted_by_vendor_in_the_order_of_the_bus(tmp_path: Path) -> None:
    _amd(tmp_path, "0000:c1:00.0", unique_id="b")
    _amd(tmp_path, "0000:03:00.0", unique_id="a")
    _device(
        tmp_path,
        "0000:05:00.0",
        driver="devdrv_device_driver",
        vendor="0x19e5",
        class_="0x120000",
        device="0xd802",
    )
    found = [device.accelerator for device in scan(tmp_path / "devices")]
    assert [(a.uuid, a.index, a.memory_bytes is None) for a in found] == [
        ("GPU-a", 0, False),
        ("huawei-0000:05:00.0", 0, True),
        ("GPU-b", 1, False),
    ]


def test_what_computes_nothing_is_passed_over(tmp_path: Path) -> None:
    _amd(tmp_path, "0000:01:00.0", memory=512 * 2**20)
    display = {"vendor": "0x8086", "class_": "0x030000", "device": "0x4680"}
    _device(tmp_path, "0000:00:02.0", driver="i915", **display)
    network = {"vendor": "0x8086", "class_": "0x020000", "device": "0x1533"}
    _device(tmp_path, "0000:02:00.0", driver="igb", **network)
    nobodys = {"vendor": "0x1da3", "class_": "0x120000", "device": "0x1020"}
    _device(tmp_path, "0000:04:00.0", driver="vfio-pci", **nobodys)
    assert scan(tmp_path / "devices") == ()


def test_a_machine_without_a_bus_has_none(tmp_path: Path) -> None:
    assert scan(tmp_path / "devices") == ()


def test_devices_of_the_bus_stand_beside_those_of_nvidia(tmp_path: Path) -> None:
    _amd(tmp_path, "0000:c1:00.0")
    others = scan(tmp_path / "devices")
    assert joined(NoDriver(message="none"), others) == Devices(devices=others)
    assert joined(NoDriver(message="none"), ()) == NoDriver(message="none")
    assert joined(Devices(devices=others, driver="580"), others) == Devices(
        devices=(*others, *others), driver="580"
    )
    failed = LookFailed(reason="NVMLError", message="unknown")
    assert joined(failed, others) == failed
