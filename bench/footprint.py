"""What the agent and the shims cost while eight engines are idle: memory, and shares of a core.

A process' resident memory counts what it shares with others in full, so that the sum over the agent
and its children is told twice: of resident memory, and with shared pages once. Where a compiler is,
the node has two devices of the tests' stand-in for NVML, so that the agent's probe runs.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import psutil
from harness.fakes import apply_fakes, ready_engines
from harness.figures import cpu_seconds, options, report, resident_mib, together_mib
from harness.machine import machine

from llmaz.kube import Kube

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.nvml import build  # of the tests, which are no package

ENGINES = 8
SETTLE_SECONDS = 8.0  # until the last start's own work is over


def show_devices(directory: Path) -> None:
    """Have all that is started from here find two devices, where their driver can be compiled."""
    if shutil.which("gcc") is None:
        return
    driver = build(directory)
    driver.show(*(f"gpu GPU-{n} 81920 0 NVIDIA A100-SXM4-80GB" for n in ("a", "b")))
    os.environ.update(driver.environ)


def agent_and_children(up: int) -> tuple[int, list[int]]:
    """Return the agent under `llmaz up`, and what it runs beside itself."""
    for process in psutil.Process(up).children():
        if "llmaz.agent" in process.cmdline():
            return process.pid, [child.pid for child in process.children(recursive=True)]
    raise SystemExit("no agent runs under llmaz up")


def shims(engines: list[int]) -> list[int]:
    """Return the shims: the parents of the engines."""
    return [psutil.Process(pid).ppid() for pid in engines]


def used(pids: list[int]) -> float:
    return sum(cpu_seconds(pid) for pid in pids)


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as directory:
        show_devices(Path(directory))
        await measure()


async def measure() -> None:
    seconds = 20.0 if options(__doc__ or "").quick else 180.0
    with machine() as where:
        async with await Kube.connect(where.kubeconfig) as kube:
            await apply_fakes(kube, ENGINES)
            reports = await ready_engines(kube, ENGINES)
        await asyncio.sleep(SETTLE_SECONDS)
        agent, children = agent_and_children(where.pid)
        parents = shims([engine.pid for engine in reports.values() if engine.pid is not None])
        groups = {"agent": [agent], "children": children, "shims": parents}
        before = {name: used(pids) for name, pids in groups.items()}
        started = time.monotonic()
        await asyncio.sleep(seconds)
        elapsed = time.monotonic() - started
        share = {name: (used(pids) - before[name]) / elapsed for name, pids in groups.items()}
        report(
            engines=ENGINES,
            seconds=elapsed,
            agent_resident_mib=resident_mib(agent),
            agent_core_percent=100 * share["agent"],
            agent_children=len(children),
            agent_children_resident_mib=sum(map(resident_mib, children)),
            agent_children_core_percent=100 * share["children"],
            agent_and_children_resident_mib=sum(map(resident_mib, [agent, *children])),
            agent_and_children_mib=together_mib([agent, *children]),
            shim_resident_mib=max(map(resident_mib, parents)),
            shim_core_percent=100 * share["shims"] / ENGINES,
        )


if __name__ == "__main__":
    asyncio.run(main())
