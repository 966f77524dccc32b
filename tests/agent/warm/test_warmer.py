"""Each engine that is started has its weights read ahead, in the background."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from llmaz.agent.engines.state import EngineAction, StartEngine, StopEngine
from llmaz.agent.warm.tier import MemoryTier
from llmaz.agent.warm.warmer import Warmer
from llmaz.api.slot import AssignedSlot
from support.engines import assigned, engines
from support.snapshots import put_snapshot

SIZE = 2**20


class Recorder:
    """Records what it is told."""

    def __init__(self) -> None:
        self.told: list[EngineAction] = []

    async def perform(self, action: EngineAction) -> None:
        self.told.append(action)


def metric(warmer: Warmer, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(warmer)
    return registry.get_sample_value(name, labels)


async def until_counted(warmer: Warmer, end: str = "all") -> None:
    async with asyncio.timeout(120):
        while metric(warmer, "llmaz_cache_read_aheads_total", end=end) == 0:
            if metric(warmer, "llmaz_cache_read_aheads_total", end="memory"):
                pytest.skip("this machine is short of memory")
            await asyncio.sleep(0.01)


async def test_the_shim_of_an_engine_that_is_started_reads_its_weights(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(bytes(SIZE))
    async with engines(tmp_path / "agent") as under:
        warmer = Warmer(under, tmp_path / "agent", 2**30, least_bytes=0)
        start = StartEngine(engine=assigned(), model_path=str(tmp_path / "m.gguf"))
        await warmer.perform(start)
        await until_counted(warmer)
        await warmer.aclose()
        await under.stop_all("the test ends", within=5.0)
    assert metric(warmer, "llmaz_cache_read_ahead_bytes_total") == SIZE


async def test_an_engine_that_ends_meanwhile_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(bytes(64 * SIZE))
    async with engines(tmp_path / "agent") as under:
        warmer = Warmer(under, tmp_path / "agent", 2**20, least_bytes=0)
        start = StartEngine(engine=assigned(), model_path=str(tmp_path / "m.gguf"))
        await warmer.perform(start)
        await under.stop_all("the test ends", within=5.0)
        await until_counted(warmer, "ended")
        await warmer.aclose()


async def test_an_engine_without_a_shim_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(bytes(SIZE))
    warmer = Warmer(Recorder(), tmp_path, 2**30, least_bytes=0)
    start = StartEngine(engine=assigned(), model_path=str(tmp_path / "m.gguf"))
    await warmer.perform(start)
    await until_counted(warmer, "ended")


async def test_nothing_is_read_where_that_is_off_or_there_is_no_path(tmp_path: Path) -> None:
    recorder = Recorder()
    for rate, path in ((None, str(tmp_path)), (2**30, "")):
        warmer = Warmer(recorder, tmp_path, rate, least_bytes=0)
        await warmer.perform(StartEngine(engine=assigned(), model_path=path))
        await warmer.perform(StopEngine(id="default/fake-0", reason="x"))
        await warmer.aclose()
        assert metric(warmer, "llmaz_cache_read_aheads_total", end="ended") == 0
    assert len(recorder.told) == 4


async def test_small_weights_are_left_to_the_engine(tmp_path: Path) -> None:
    warmer = Warmer(Recorder(), tmp_path, 2**30)
    (tmp_path / "m.gguf").write_bytes(bytes(SIZE))
    await warmer.perform(StartEngine(engine=assigned(), model_path=str(tmp_path / "m.gguf")))
    async with asyncio.timeout(120):
        while metric(warmer, "llmaz_cache_read_aheads_total", end="small") == 0:
            await asyncio.sleep(0.01)
    assert metric(warmer, "llmaz_cache_read_ahead_bytes_total") == 0


async def test_the_second_start_is_given_the_copy_in_memory(tmp_path: Path) -> None:
    recorder = Recorder()
    tier = MemoryTier(tmp_path / "warm", 2**30, cache_dir=tmp_path / "cache", in_use=frozenset)
    shown = put_snapshot(tmp_path / "cache", "m", b"a")
    warmer = Warmer(recorder, tmp_path, 2**30, tier)
    start = StartEngine(engine=assigned(), model_path=str(shown))
    await warmer.perform(start)
    async with asyncio.timeout(120):
        while tier.found(str(shown)) == str(shown):
            await asyncio.sleep(0.01)
    await warmer.perform(start)
    await warmer.aclose()
    first, second = recorder.told
    assert isinstance(second, StartEngine)
    assert first == start
    assert second.model_path == tier.found(str(shown))
    assert metric(warmer, "llmaz_cache_memory_starts_total", where="memory") == 1
    assert metric(warmer, "llmaz_cache_memory_bytes") == 2**16


async def test_a_slot_that_sees_the_copies_is_given_one_and_another_is_not(tmp_path: Path) -> None:
    recorder = Recorder()
    tier = MemoryTier(tmp_path / "warm", 2**30, cache_dir=tmp_path / "cache", in_use=frozenset)
    shown = put_snapshot(tmp_path / "cache", "m", b"a")
    assert tier.take(str(shown))
    warmer = Warmer(recorder, tmp_path, None, tier)
    for memory in (True, False):
        slot = AssignedSlot(name="fake-0-a", uid="a", memory=memory)
        await warmer.perform(StartEngine(engine=assigned(slot=slot), model_path=str(shown)))
    await warmer.aclose()
    given = [action.model_path for action in recorder.told if isinstance(action, StartEngine)]
    assert given == [tier.found(str(shown)), str(shown)]
