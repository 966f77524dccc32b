"""The device child, with the real nvidia-ml-py, on a stand-in for NVIDIA's library."""

import asyncio
import os
import sys
from pathlib import Path

import psutil

from llmaz.agent.accelerators.device import Devices, LookFailed, NoDriver
from llmaz.agent.accelerators.probe import ChildProbe
from support.nvml import StandIn, probe_of

A10 = "gpu GPU-b 23028 0 NVIDIA A10"
PATIENCE_SECONDS = 120.0  # for an answer, on a machine under load


async def _devices(probe: ChildProbe) -> Devices:
    """Look until there is an answer: a deadline may be too short for a machine under load."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not isinstance(answer := await probe.look(), Devices):
            await asyncio.sleep(0.02)
    return answer


class Undying:
    """A child that hangs in a call into its driver: a kill takes effect when that returns."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.stdin, self.stdout = process.stdin, process.stdout
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    def kill(self) -> None:
        """Do nothing yet."""

    async def wait(self) -> int:
        return await self._process.wait()

    async def let_go(self) -> None:
        """Have the call return: now it dies."""
        self._process.kill()
        await self._process.wait()


class Hospital:
    """Has children that do not answer, which run before they are asked for: that takes no time."""

    def __init__(self, children: list[Undying]) -> None:
        self.waiting = children

    @classmethod
    async def of(cls, count: int) -> "Hospital":
        silent = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(100000)")
        pipe = asyncio.subprocess.PIPE
        started = [
            await asyncio.create_subprocess_exec(*silent, stdin=pipe, stdout=pipe)
            for _ in range(count)
        ]
        return cls([Undying(process) for process in started])

    async def start(self, _: tuple[str, ...]) -> Undying:
        return self.waiting.pop(0)


async def test_a_node_without_nvidias_library_has_no_driver_and_keeps_no_child(
    tmp_path: Path,
) -> None:
    probe = probe_of({"LD_LIBRARY_PATH": str(tmp_path)}, deadline_seconds=PATIENCE_SECONDS)
    assert isinstance(await probe.look(), NoDriver)
    assert not _probe_children()


async def test_a_driver_that_hangs_costs_one_deadline_and_its_child(nvml: StandIn) -> None:
    nvml.show(A10)
    probe = probe_of(nvml.environ, deadline_seconds=5.0)
    await _devices(probe)
    nvml.show("hang")
    answer = await probe.look()
    assert answer == LookFailed(reason="NoAnswer", message="the driver did not answer within 5 s")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while _probe_children():
            await asyncio.sleep(0.02)
    nvml.show(A10)
    await _devices(probe)
    await probe.aclose()


async def test_no_second_child_is_started_while_the_killed_one_lives() -> None:
    hospital = await Hospital.of(2)
    first, second = hospital.waiting
    probe = ChildProbe(("none",), deadline_seconds=0.1, spawn=hospital.start)
    no_answer = LookFailed(reason="NoAnswer", message="the driver did not answer within 0.1 s")
    for _ in range(3):
        assert await probe.look() == no_answer
        assert hospital.waiting == [second]
    await first.let_go()
    assert await probe.look() == no_answer  # one that died makes room for the next
    assert hospital.waiting == []
    await second.let_go()


async def test_a_child_that_speaks_nonsense_is_a_failed_look() -> None:
    program = (sys.executable, "-c", "input(); print('nonsense')")
    probe = ChildProbe(program, deadline_seconds=PATIENCE_SECONDS)
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
    async with asyncio.timeout(120):
        while child.is_running():
            await asyncio.sleep(0.02)


async def _only_child(pid: int) -> psutil.Process:
    async with asyncio.timeout(120):
        while True:
            children = psutil.Process(pid).children()
            if children and _is_probe(children[0]):
                return children[0]
            await asyncio.sleep(0.02)


def _probe_children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if _is_probe(child)]


def _is_probe(child: psutil.Process) -> bool:
    try:
        return "llmaz.agent.accelerators.child" in child.cmdline()
    except psutil.NoSuchProcess:  # it ends just now
        return False
