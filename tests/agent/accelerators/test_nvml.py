"""NVIDIA's devices, as the real nvidia-ml-py tells them from a stand-in for NVIDIA's library."""

from pathlib import Path

import pytest

from llmaz.agent.accelerators.device import (
    Answer,
    Device,
    Devices,
    Gauges,
    LookFailed,
    Process,
    Throttle,
    Xid,
)
from llmaz.agent.accelerators.probe import ChildProbe
from llmaz.api.accelerator import Accelerator, MigShape
from support.nvml import StandIn, build, probe_of

A100 = "gpu GPU-a 81920 1024 NVIDIA A100-SXM4-80GB"
A10 = "gpu GPU-b 23028 0 NVIDIA A10"
H100 = tuple(f"gpu GPU-{name} 81559 4 NVIDIA H100 80GB HBM3" for name in "abc")
PARTS = ("mig GPU-a MIG-1 9856 1g.10gb", "mig GPU-a MIG-2 20096 2g.20gb")


async def _answer(probe: ChildProbe) -> Devices:
    answer: Answer = await probe.look()
    assert isinstance(answer, Devices), answer
    return answer


async def _devices(probe: ChildProbe) -> dict[str, Device]:
    return {device.accelerator.uuid: device for device in (await _answer(probe)).devices}


async def test_devices_are_told_as_the_driver_names_them(probe: ChildProbe, nvml: StandIn) -> None:
    nvml.show(A100, A10, "capability GPU-b 8 6", "bus GPU-a 1 23")
    answer = await _answer(probe)
    assert answer.driver == "580.126.20"
    assert answer.devices[0] == Device(
        accelerator=Accelerator(
            uuid="GPU-a",
            index=0,
            vendor="nvidia",
            product="NVIDIA A100-SXM4-80GB",
            resource="nvidia.com/gpu",
            memory_bytes=80 * 2**30,
            family="ampere",
            compute="8.0",
            driver_version="580.126.20",
            runtime_version="13.2",
            pci_address="0001:17:00.0",
            interconnect="pcie",
            mig_capable=True,
        ),
        gauges=Gauges(
            memory_used_bytes=2**30,
            utilization=0.25,
            temperature_celsius=41.0,
            power_watts=70.5,
            throttled_by=(),
        ),
        processes=(),
    )
    assert answer.devices[1].accelerator.compute == "8.6"
    assert answer.devices[1].accelerator.mig_capable is False


async def test_a_device_that_is_cut_up_is_told_by_its_parts(
    probe: ChildProbe, nvml: StandIn
) -> None:
    nvml.show(A100, A10, *PARTS, "process MIG-2 77 512")
    found = await _devices(probe)
    told = [(a.uuid, a.resource, a.parent, a.profile) for a in _accelerators(found)]
    assert told == [
        ("MIG-1", "nvidia.com/mig-1g.10gb", "GPU-a", "1g.10gb"),
        ("MIG-2", "nvidia.com/mig-2g.20gb", "GPU-a", "2g.20gb"),
        ("GPU-b", "nvidia.com/gpu", "", ""),
    ]
    assert found["MIG-1"].accelerator.product == "NVIDIA A100-SXM4-80GB MIG 1g.10gb"
    assert found["MIG-1"].gauges == Gauges(memory_used_bytes=0)
    assert found["MIG-2"].processes == (Process(pid=77, memory_bytes=512 * 2**20),)


async def test_a_part_tells_what_it_has_of_the_device(probe: ChildProbe, nvml: StandIn) -> None:
    nvml.show(A100, *PARTS, "shape MIG-2 2 28")
    found = await _devices(probe)
    assert found["MIG-1"].accelerator.shape is None
    assert found["MIG-2"].accelerator.shape == MigShape(
        gpu_slices=2, compute_slices=2, multiprocessors=28, copy_engines=1
    )


async def test_a_device_that_is_to_be_cut_up_and_is_not_cannot_be_used(
    probe: ChildProbe, nvml: StandIn
) -> None:
    nvml.show(A100, "migmode GPU-a 1")
    device = (await _devices(probe))["GPU-a"].accelerator
    assert not device.healthy
    assert device.message.startswith("it is to be cut up (MIG)")
    nvml.show(A100, "migmode GPU-a 1", *PARTS)
    assert all(device.accelerator.healthy for device in (await _devices(probe)).values())


async def test_devices_of_a_fabric_tell_their_clique(probe: ChildProbe, nvml: StandIn) -> None:
    nvml.show(
        *H100, "fabric GPU-a 3fa85f6457174562b3fc2c963f66afa6 7", f"fabric GPU-b {'0' * 32} 7"
    )
    found = _accelerators(await _devices(probe))
    assert [a.clique for a in found] == ["3fa85f64-5717-4562-b3fc-2c963f66afa6.7", "", ""]


def _accelerators(found: dict[str, Device]) -> list[Accelerator]:
    return [device.accelerator for device in found.values()]


async def test_devices_that_nvlink_joins_are_peers(probe: ChildProbe, nvml: StandIn) -> None:
    nvml.show(*H100, "nvlink GPU-a GPU-b")
    found = _accelerators(await _devices(probe))
    assert [(a.interconnect, a.peers) for a in found] == [
        ("nvlink", ("GPU-b",)),
        ("nvlink", ("GPU-a",)),
        ("pcie", ()),
    ]


async def test_a_device_alone_has_no_way_to_others(probe: ChildProbe, nvml: StandIn) -> None:
    nvml.show(A10)
    assert (await _devices(probe))["GPU-b"].accelerator.interconnect == ""


async def test_processes_on_a_device_are_told(probe: ChildProbe, nvml: StandIn) -> None:
    nvml.show(A10, "process GPU-b 41 2048", "process GPU-b 42 -1")
    assert (await _devices(probe))["GPU-b"].processes == (
        Process(pid=41, memory_bytes=2 * 2**30),
        Process(pid=42, memory_bytes=None),
    )


async def test_errors_of_memory_and_throttling_are_gauges(probe: ChildProbe, nvml: StandIn) -> None:
    nvml.show(A10, "ecc GPU-b 12 3", "throttled GPU-b 97")
    gauges = (await _devices(probe))["GPU-b"].gauges
    assert (gauges.corrected_errors, gauges.uncorrected_errors) == (12, 3)
    assert gauges.throttled_by == (Throttle.THERMAL, Throttle.HARDWARE_THERMAL)


async def test_an_error_that_happens_is_told_once(probe: ChildProbe, nvml: StandIn) -> None:
    before = "xid GPU-a 13 -1"
    nvml.show(A100, A10, before)
    assert (await _answer(probe)).xids == ()
    nvml.show(A100, A10, before, "xid GPU-b 79 -1", "xid GPU-b 31 -1")
    told = (await _answer(probe)).xids
    assert told == (Xid(uuid="GPU-b", number=79), Xid(uuid="GPU-b", number=31))
    assert (await _answer(probe)).xids == ()


async def test_an_error_of_a_part_is_told_of_that_part(probe: ChildProbe, nvml: StandIn) -> None:
    nvml.show(A100, *PARTS)
    await _answer(probe)
    nvml.show(A100, *PARTS, "xid GPU-a 94 1", "xid GPU-a 79 -1", "xid GPU-a 45 9")
    assert [xid.uuid for xid in (await _answer(probe)).xids] == ["MIG-2", "GPU-a", "GPU-a"]


async def test_a_device_that_falls_off_the_bus_is_unhealthy_and_keeps_its_name(
    probe: ChildProbe, nvml: StandIn
) -> None:
    nvml.show(A100, A10)
    await _devices(probe)
    nvml.show(A100, A10.replace("gpu", "lost", 1))
    lost = (await _devices(probe))["GPU-b"].accelerator
    assert (lost.healthy, lost.message) == (False, "the GPU has fallen off the bus")
    assert (lost.product, lost.memory_bytes) == ("NVIDIA A10", 23028 * 2**20)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("remapped GPU-b 1 0", "a row of its memory waits to be remapped, which takes a reset"),
        ("remapped GPU-b 0 1", "a row of its memory could not be remapped"),
        ("recovery GPU-b 1", "the driver asks for a reset of the device"),
        ("recovery GPU-b 2", "the driver asks for a reboot of the node"),
        ("recovery GPU-b 4", "the driver asks for a reset of the device"),
        ("recovery GPU-b 7", "the driver asks for a reboot of the node"),
    ],
)
async def test_a_device_that_needs_a_reset_is_unhealthy(
    probe: ChildProbe, nvml: StandIn, line: str, words: str
) -> None:
    nvml.show(A100, A10, line)
    found = await _devices(probe)
    assert found["GPU-a"].accelerator.healthy
    assert not found["GPU-b"].accelerator.healthy
    assert found["GPU-b"].accelerator.message.startswith(words)


async def test_a_device_that_shall_leave_its_peers_alone_can_be_used(
    probe: ChildProbe, nvml: StandIn
) -> None:
    nvml.show(A10, "recovery GPU-b 3")
    assert (await _devices(probe))["GPU-b"].accelerator.healthy


async def test_a_driver_that_is_old_tells_what_it_can(tmp_path: Path) -> None:
    old = build(tmp_path, "-DOLD_DRIVER")
    old.show(A10)
    probe = probe_of(old.environ)
    device = (await _devices(probe))["GPU-b"]
    assert device.accelerator.healthy
    assert device.accelerator.memory_bytes == 23028 * 2**20
    await probe.aclose()


async def test_a_driver_that_was_loaded_again_is_opened_again(
    probe: ChildProbe, nvml: StandIn
) -> None:
    nvml.show(A10)
    before = await _devices(probe)
    nvml.show(A10, "broken")
    failed = await probe.look()
    assert isinstance(failed, LookFailed)
    assert failed.reason == "NVMLError"
    nvml.show(A10)
    assert await _devices(probe) == before
