"""Every effect on the world is a place where agent and shim are killed; what must hold holds after.

No process of an engine outlives it, nobody else is signalled, what serves is not restarted because
the agent died, and everything ends as it is assigned.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmaz.api.node import EnginePhase
from llmaz.shim import crash, journal, proc
from support.engines import TREE, Node, assigned, engines
from support.shims import SLEEPER, is_running, wait_until

AGENT_EFFECTS = 15  # of one life of an engine: more are never reached
SHIM_EFFECTS = 30
SAMPLE = random.Random(7)
SUPPORT = str(Path(__file__).parents[2])


@pytest.fixture
def bystander() -> Iterator[int]:
    """A process that nobody may signal."""
    process = subprocess.Popen(SLEEPER)
    yield process.pid
    assert process.poll() is None
    process.kill()
    process.wait()


def tree(state_dir: Path) -> list[int]:
    """Return the pids of the last engine that got so far as to write them."""
    file = state_dir / "pids"
    return json.loads(file.read_text()) if file.exists() else []


def engine_of(state_dir: Path) -> tuple[int, int] | None:
    """Return the engine that runs, by its shim's journal."""
    record = journal.read(str(state_dir / "engines" / "default_fake-0"))
    if record is None or not isinstance(process := record.get("engine"), list):
        return None
    found = (process[0], process[1])
    return found if proc.alive(found) else None


def is_kept(state_dir: Path) -> bool:
    """Tell whether a record says that the engine shall go on, and is not being stopped."""
    file = state_dir / "engines" / "default_fake-0" / "engine.json"
    return file.exists() and "stopping" not in json.loads(file.read_text())


async def check_agent_killed_at(state_dir: Path, number: int) -> None:
    """Kill an agent at one effect, then let another one take over and finish."""
    environment = {**os.environ, crash.VARIABLE: f"agent:{number}", "PYTHONPATH": SUPPORT}
    command = (sys.executable, "-m", "support.engines", "once", str(state_dir))
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode in (0, -signal.SIGKILL), killed.stderr.decode()
    before = engine_of(state_dir)
    kept = is_kept(state_dir)
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", *TREE, "--pids-file", str(state_dir / "pids")),)
        report = await node.until_phase(EnginePhase.READY)
        if before is not None and kept:
            assert report.pid == before[0]
        pids = tree(state_dir)
        node.assigned = ()
        await node.until_gone()
    assert [pid for pid in pids if is_running(pid)] == []
    assert list((state_dir / "engines").iterdir()) == []


async def check_shim_killed_at(state_dir: Path, number: int) -> None:
    """Kill a shim at one effect of its engine's life, which its agent then brings to its end."""
    environ = {**os.environ, crash.VARIABLE: f"shim:{number}"}
    seen: set[int] = set()
    async with engines(state_dir, environ=environ) as under:
        node = Node(under)
        node.assigned = (assigned("fake-0", *TREE, "--pids-file", str(state_dir / "pids")),)
        first_step = asyncio.create_task(node.step())
        while not list(state_dir.rglob("shim.log")):
            await asyncio.sleep(0.001)
        del environ[crash.VARIABLE]  # only the first shim, which is on its way, is killed
        await first_step
        await node.until_phase(EnginePhase.READY)
        seen |= set(tree(state_dir))
        node.assigned = ()
        await node.until_gone()
        seen |= set(tree(state_dir))
    assert [pid for pid in seen if is_running(pid)] == []
    assert list((state_dir / "engines").iterdir()) == []


async def test_an_engine_survives_a_kill_of_its_agents_process_group(state_dir: Path) -> None:
    command = (sys.executable, "-m", "support.engines", "on", str(state_dir))
    environment = {**os.environ, "PYTHONPATH": SUPPORT}
    agent = subprocess.Popen(command, env=environment, start_new_session=True)
    wait_until((state_dir / "ready").exists, "the engine is ready")
    os.killpg(agent.pid, signal.SIGKILL)
    agent.wait()
    before = engine_of(state_dir)
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (assigned(),)
        report = await node.until_phase(EnginePhase.READY)
        assert before is not None
        assert (report.pid, node.actions) == (before[0], [])


@pytest.mark.parametrize("number", sorted(SAMPLE.sample(range(1, AGENT_EFFECTS), 5)))
async def test_an_agent_may_die_anywhere(state_dir: Path, bystander: int, number: int) -> None:
    await check_agent_killed_at(state_dir, number)


@pytest.mark.parametrize("number", sorted(SAMPLE.sample(range(1, SHIM_EFFECTS), 6)))
async def test_a_shim_may_die_anywhere(state_dir: Path, bystander: int, number: int) -> None:
    await check_shim_killed_at(state_dir, number)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("life", range(60))
@pytest.mark.parametrize("number", range(1, AGENT_EFFECTS))
async def test_an_agent_may_die_at_every_effect(
    state_dir: Path, bystander: int, number: int, life: int
) -> None:
    await check_agent_killed_at(state_dir, number)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("life", range(60))
@pytest.mark.parametrize("number", range(1, SHIM_EFFECTS))
async def test_a_shim_may_die_at_every_effect(
    state_dir: Path, bystander: int, number: int, life: int
) -> None:
    await check_shim_killed_at(state_dir, number)
