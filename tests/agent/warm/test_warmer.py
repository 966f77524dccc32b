"""Each engine that is started has its weights read ahead, in the background."""

import asyncio
from pathlib import Path

from prometheus_client import CollectorRegistry

from llmaz.agent.engines.state import EngineAction, StartEngine, StopEngine
from llmaz.agent.warm.tier import MemoryTier
from llmaz.agent.warm.warmer import Warmer
from support.engines import assigned
from support.snapshots import put_snapshot

SIZE = 2**20


class Engines:
    """Records what it is told."""

    def __init__(self) -> None:
        self.told: list[EngineAction] = []

    async def perform(self, action: EngineAction) -> None:
        self.told.append(action)


def metric(warmer: Warmer, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(warmer)
    return registry.get_sample_value(name, labels)


async def until_counted(warmer: Warmer) -> None:
    async with asyncio.timeout(120):
        while metric(warmer, "llmaz_cache_read_aheads_total", end="all") == 0:
            await asyncio.sleep(0.01)


async def test_weights_are_read_for_an_engine_that_is_started(tmp_path: Path) -> None:
    engines = Engines()
    warmer = Warmer(engines, tmp_path, 2**30, least_bytes=0)
    (tmp_path / "m.gguf").write_bytes(bytes(SIZE))
    start = StartEngine(engine=assigned(), model_path=str(tmp_path / "m.gguf"))
    await warmer.perform(start)
    assert engines.told == [start]
    await until_counted(warmer)
    assert metric(warmer, "llmaz_cache_read_ahead_bytes_total") == SIZE


async def test_nothing_is_read_where_that_is_off_or_there_is_no_path(tmp_path: Path) -> None:
    engines = Engines()
    for rate, path in ((None, str(tmp_path)), (2**30, "")):
        warmer = Warmer(engines, tmp_path, rate)
        await warmer.perform(StartEngine(engine=assigned(), model_path=path))
        await warmer.perform(StopEngine(id="default/fake-0", reason="x"))
        await warmer.aclose()
        assert metric(warmer, "llmaz_cache_read_aheads_total", end="ended") == 0
    assert len(engines.told) == 4


async def test_small_weights_are_left_to_the_engine(tmp_path: Path) -> None:
    warmer = Warmer(Engines(), tmp_path, 2**30)
    (tmp_path / "m.gguf").write_bytes(bytes(SIZE))
    await warmer.perform(StartEngine(engine=assigned(), model_path=str(tmp_path / "m.gguf")))
    async with asyncio.timeout(120):
        while metric(warmer, "llmaz_cache_read_aheads_total", end="small") == 0:
            await asyncio.sleep(0.01)
    assert metric(warmer, "llmaz_cache_read_ahead_bytes_total") == 0


async def test_an_agent_that_ends_leaves_no_reader_behind(tmp_path: Path) -> None:
    warmer = Warmer(Engines(), tmp_path, 2**18, least_bytes=0)
    (tmp_path / "m.gguf").write_bytes(bytes(64 * SIZE))
    await warmer.perform(StartEngine(engine=assigned(), model_path=str(tmp_path / "m.gguf")))
    await asyncio.wait_for(warmer.aclose(), 60)
    assert metric(warmer, "llmaz_cache_read_ahead_bytes_total") == 0


async def test_the_second_start_is_given_the_copy_in_memory(tmp_path: Path) -> None:
    engines = Engines()
    tier = MemoryTier(tmp_path / "warm", 2**30, cache_dir=tmp_path / "cache", in_use=frozenset)
    shown = put_snapshot(tmp_path / "cache", "m", b"a")
    warmer = Warmer(engines, tmp_path, 2**30, tier)
    start = StartEngine(engine=assigned(), model_path=str(shown))
    await warmer.perform(start)
    async with asyncio.timeout(120):
        while tier.found(str(shown)) == str(shown):
            await asyncio.sleep(0.01)
    await warmer.perform(start)
    await warmer.aclose()
    first, second = engines.told
    assert isinstance(second, StartEngine)
    assert first == start
    assert second.model_path == tier.found(str(shown))
    assert metric(warmer, "llmaz_cache_memory_starts_total", where="memory") == 1
    assert metric(warmer, "llmaz_cache_memory_bytes") == 2**16
