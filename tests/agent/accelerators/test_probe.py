"""The device child, with the real nvidia-ml-py, on a stand-in for NVIDIA's library."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import psutil
import pytest

from llmaz.agent.accelerators.device import Answer, Devices, Gauges, LookFailed, NoDriver
from llmaz.agent.accelerators.probe import PROGRAM, ChildProbe
from llmaz.api.node import Accelerator
from support.nvml import StandIn, build

A100 = "gpu GPU-a 81920 1024 NVIDIA A100-SXM4-80GB"
A10 = "gpu GPU-b 23028 0 NVIDIA A10"


@pytest.fixture(scope="module")
def nvml(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
async def probe(nvml: StandIn) -> AsyncIterator[ChildProbe]:
    nvml.inventory.unlink(missing_ok=True)
    probe = _probe(nvml.environ)
    yield probe
    await probe.aclose()


def _probe(environ: Mapping[str, str], *, deadline_seconds: float = 20.0) -> ChildProbe:
    assignments = (f"{name}={value}" for name, value in environ.items())
    return ChildProbe(("env", *assignments, *PROGRAM), deadline_seconds=deadline_seconds)


async def _devices(probe: ChildProbe) -> Devices:
    answer: Answer = await probe.look()
    assert isinstance(answer, Devices), answer
    return answer


async def test_devices_are_told_as_the_driver_names_them(probe: ChildProbe, nvml: StandIn) -> None:
    nvml.show(A100, A10)
    answer = await _devices(probe)
    assert answer.driver == "580.126.20"
    assert answer.devices[0].accelerator == Accelerator(
        uuid="GPU-a",
        index=0,
        vendor="nvidia",
        product="NVIDIA A100-SXM4-80GB",
        resource="nvidia.com/gpu",
        memory_bytes=80 * 2**30,
    )
    assert answer.devices[0].gauges == Gauges(
        memory_used_bytes=2**30, utilization=0.25, temperature_celsius=41.0, power_watts=70.5
    )


async def test_a_device_that_is_cut_up_is_told_by_its_parts(
    probe: ChildProbe, nvml: StandIn
) -> None:
    nvml.show(A100, A10, "mig GPU-a MIG-1 9856 1g.10gb", "mig GPU-a MIG-2 20096 2g.20gb")
    answer = await _devices(probe)
    found = [(device.accelerator, device.part_of) for device in answer.devices]
    assert [(a.uuid, a.resource, a.product, part_of) for a, part_of in found] == [
        ("MIG-1", "nvidia.com/mig-1g.10gb", "NVIDIA A100-SXM4-80GB MIG 1g.10gb", "GPU-a"),
        ("MIG-2", "nvidia.com/mig-2g.20gb", "NVIDIA A100-SXM4-80GB MIG 2g.20gb", "GPU-a"),
        ("GPU-b", "nvidia.com/gpu", "NVIDIA A10", ""),
    ]


async def test_a_device_that_falls_off_the_bus_is_unhealthy(
    probe: ChildProbe, nvml: StandIn
) -> None:
    nvml.show(A100, A10)
    await _devices(probe)
    nvml.show(A100, A10.replace("gpu", "lost", 1))
    lost = (await _devices(probe)).devices[1].accelerator
    assert (lost.uuid, lost.healthy, lost.message) == (
        "GPU-b",
        False,
        "the GPU has fallen off the bus",
    )


async def test_a_node_without_nvidias_library_has_no_driver_and_keeps_no_child(
    tmp_path: Path,
) -> None:
    probe = _probe({"LD_LIBRARY_PATH": str(tmp_path)})
    assert isinstance(await probe.look(), NoDriver)
    assert not _probe_children()


async def test_a_driver_that_hangs_costs_one_deadline_and_its_child(nvml: StandIn) -> None:
    nvml.show(A10)
    probe = _probe(nvml.environ, deadline_seconds=5.0)
    await _devices(probe)
    nvml.show("hang")
    answer = await probe.look()
    assert answer == LookFailed(reason="NoAnswer", message="the driver did not answer within 5 s")
    assert not _probe_children()
    nvml.show(A10)
    await _devices(probe)
    await probe.aclose()


async def test_a_child_that_speaks_nonsense_is_a_failed_look() -> None:
    probe = ChildProbe((sys.executable, "-c", "input(); print('nonsense')"))
    answer = await probe.look()
    assert isinstance(answer, LookFailed)
    assert answer.reason == "ProbeFailed"


async def test_the_child_ends_with_its_parent_even_when_it_hangs(nvml: StandIn) -> None:
    nvml.show("hang")
    script = (
        "import asyncio\n"
        "from llmaz.agent.accelerators.probe import ChildProbe\n"
        "async def main():\n"
        "    look = asyncio.create_task(ChildProbe(deadline_seconds=60).look())\n"
        "    await asyncio.sleep(0)\n"
        "    input()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script),
        env={**os.environ, **nvml.environ},
        stdin=asyncio.subprocess.PIPE,
    )
    child = await _only_child(parent.pid)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(30):
        while child.is_running():
            await asyncio.sleep(0.02)


async def _only_child(pid: int) -> psutil.Process:
    async with asyncio.timeout(30):
        while True:
            children = psutil.Process(pid).children()
            if children and "llmaz.agent.accelerators.child" in children[0].cmdline():
                return children[0]
            await asyncio.sleep(0.02)


def _probe_children() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "llmaz.agent.accelerators.child" in child.cmdline()
    ]
