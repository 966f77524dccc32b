"""Every effect on the world is a place where agent and shim are killed; what must hold holds after.

No process of an engine outlives it, nobody else is signalled, what serves is not restarted because
the agent died, and everything ends as it is assigned.
"""

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
from llmaz.shim import journal, proc
from support.engines import Deaths, Lives, Node, assigned, engines, hard_to_end
from support.shims import SLEEPER, is_running, wait_until

# Of one life of an engine: more are never reached.
AGENT_EFFECTS = range(1, 15)
SHIM_EFFECTS = range(1, 30)
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


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    held = Lives()
    yield held
    held.end()


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


async def check_agents_killed_at(lives: Lives, state_dir: Path, *lots: tuple[str, ...]) -> None:
    """Kill one agent after the other, or their shims, then let another one take over and finish."""
    for places in lots:
        code = lives.live(state_dir, *places)
        assert code in (0, -signal.SIGKILL)
    before = engine_of(state_dir)
    kept = is_kept(state_dir)
    async with engines(state_dir) as under:
        node = Node(under)
        node.assigned = (hard_to_end(state_dir),)
        report = await node.until_phase(EnginePhase.READY)
        if before is not None and kept:
            assert report.pid == before[0]
        pids = tree(state_dir)
        node.assigned = ()
        await node.until_gone()
    assert [pid for pid in pids if is_running(pid)] == []
    assert list((state_dir / "engines").iterdir()) == []


async def check_shims_killed_at(state_dir: Path, *places: str) -> None:
    """Kill shims, each at one effect of its engine's life, which their agent brings to its end."""
    seen: set[int] = set()
    async with engines(state_dir, environ=Deaths("", *places)) as under:
        node = Node(under)
        node.assigned = (hard_to_end(state_dir),)
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


@pytest.mark.parametrize("number", sorted(SAMPLE.sample(AGENT_EFFECTS, 5)))
async def test_an_agent_may_die_anywhere(
    lives: Lives, state_dir: Path, bystander: int, number: int
) -> None:
    await check_agents_killed_at(lives, state_dir, (f"agent:{number}",))


@pytest.mark.parametrize("number", sorted(SAMPLE.sample(SHIM_EFFECTS, 6)))
async def test_a_shim_may_die_anywhere(state_dir: Path, bystander: int, number: int) -> None:
    await check_shims_killed_at(state_dir, f"shim:{number}")


@pytest.mark.slow
@pytest.mark.parametrize("second", AGENT_EFFECTS)
@pytest.mark.parametrize("first", AGENT_EFFECTS)
async def test_an_agent_may_die_anywhere_and_its_successor_too(
    lives: Lives, state_dir: Path, bystander: int, first: int, second: int
) -> None:
    await check_agents_killed_at(lives, state_dir, (f"agent:{first}",), (f"agent:{second}",))


@pytest.mark.slow
@pytest.mark.parametrize("shim", SHIM_EFFECTS)
@pytest.mark.parametrize("agent", AGENT_EFFECTS)
async def test_an_agent_and_a_shim_may_die_anywhere_in_one_life(
    lives: Lives, state_dir: Path, bystander: int, agent: int, shim: int
) -> None:
    await check_agents_killed_at(lives, state_dir, (f"agent:{agent}", f"shim:{shim}"))


@pytest.mark.slow
@pytest.mark.parametrize("second", SHIM_EFFECTS)
@pytest.mark.parametrize("first", SHIM_EFFECTS)
async def test_a_shim_may_die_anywhere_and_its_successor_too(
    state_dir: Path, bystander: int, first: int, second: int
) -> None:
    await check_shims_killed_at(state_dir, f"shim:{first}", f"shim:{second}")
