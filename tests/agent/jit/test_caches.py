"""A real engine compiles at its first start, and finds it at the next; poison is thrown away."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from llmaz.agent.engines import Engines
from llmaz.agent.engines.record import EngineRecord
from llmaz.agent.engines.state import EngineSeen, Running
from llmaz.api.node import AssignedEngine, EnginePhase
from llmaz.api.pod import EnvVar
from support.compiling import PLACES
from support.engines import Node, assigned
from support.jitengines import JitNode


class Machine(JitNode):
    """A node whose engines compile beside its agent."""

    def engine(self, *env: EnvVar) -> AssignedEngine:
        return dataclasses.replace(self.compiling(assigned()), env=env)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Engines, Node]]:
        async with self.engines() as under:
            node = Node(under)
            try:
                yield under, node
            finally:
                node.assigned = ()
                await node.until_gone()

    def count(self, event: str) -> float | None:
        registry = CollectorRegistry()
        registry.register(self.jit)
        return registry.get_sample_value("llmaz_jit_cache_events_total", {"event": event})


async def test_the_second_start_finds_what_the_first_compiled(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for turn in range(2):
        async with machine.running() as (under, node):
            node.assigned = (machine.engine(),)
            await node.until_phase(EnginePhase.READY)
            await machine.look(under)
            node.assigned = ()
            await node.until_gone()
            await machine.look(under)
        assert not (tmp_path / "jit" / "live").exists() or not any(
            (tmp_path / "jit" / "live").iterdir()
        ), turn
    compiled, found = machine.said()[: len(PLACES)], machine.said()[len(PLACES) :]
    assert compiled == [f"compiled {name}" for name in PLACES]
    assert found == [f"found {name} {name}" for name in PLACES]
    assert (machine.count("started_without"), machine.count("started_with")) == (1, 1)
    assert machine.count("kept") == 1


async def test_programs_that_make_an_engine_fail_are_thrown_away_and_it_starts(
    tmp_path: Path,
) -> None:
    machine = Machine(tmp_path)
    async with machine.running() as (under, node):
        node.assigned = (machine.engine(),)
        await node.until_phase(EnginePhase.READY)
        await machine.look(under)
        node.assigned = ()
        await node.until_gone()
        for program in (tmp_path / "jit" / "live").rglob("kernel.so"):
            program.write_text("poison")
        await machine.look(under)  # packs what was left, as the engine was ready
        node.assigned = (machine.engine(),)

        async def looks() -> None:
            while True:
                await machine.look(under)
                await asyncio.sleep(0.05)

        looking = asyncio.create_task(looks())
        await node.until_phase(EnginePhase.READY)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    assert machine.count("dropped") == 1
    assert machine.said()[-1] == f"compiled {PLACES[-1]}"


async def test_what_a_runtime_sets_itself_stays(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    own = tuple(EnvVar(name=name, value=str(tmp_path / "own" / name)) for name in PLACES)
    async with machine.running() as (_, node):
        node.assigned = (machine.engine(*own),)
        await node.until_phase(EnginePhase.READY)
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == sorted(PLACES)


async def test_without_room_for_programs_an_engine_starts_all_the_same(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "jit").write_text("in the way")
    async with machine.running() as (_, node):
        node.assigned = (assigned(),)
        await node.until_phase(EnginePhase.READY)


async def test_a_hook_of_an_engine_that_runs_is_no_start(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    record = EngineRecord(assignment=machine.engine(), fingerprint="f")
    before = await machine.jit.variables(record)
    running = Running(pid=1, run=1, started_at=datetime.now(UTC))
    machine.seen = (
        EngineSeen(
            id="default/fake-0", assignment=record.assignment, fingerprint="f", process=running
        ),
    )
    assert await machine.jit.variables(record) == before
    assert machine.count("started_without") == 1
