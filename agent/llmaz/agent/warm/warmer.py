"""Has weights read ahead for each engine that is started, and counts what was read."""

import asyncio
import dataclasses
import json
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llmaz.agent.engines import record
from llmaz.agent.engines.client import ShimClient
from llmaz.agent.engines.errors import EngineError, ShimLost, ShimRefused
from llmaz.agent.engines.state import EngineAction, StartEngine
from llmaz.agent.engines.tasks import Tasks
from llmaz.agent.warm.tier import MemoryTier
from llmaz.api.node import AssignedEngine
from llmaz.api.slot import SLOTS
from llmaz.shim import protocol, readahead

logger = logging.getLogger(__name__)

LEAST_BYTES = 512 * 2**20  # less is read by the engine itself before this has begun
_ENDS = ("all", "memory", "ended", "refused", "small")
_LOOK_SECONDS = 1.0
_LONGEST_REPORT = 4096


class EnginesPort(Protocol):
    """What acts on engines."""

    async def perform(self, action: EngineAction) -> None: ...


class Warmer(Collector):
    """Performs actions on engines as `engines` does, and reads ahead for those that were started.

    rate: bytes a second; None: nothing is read ahead
    tier: copies in memory, from which engines are started where there is one
    """

    def __init__(
        self,
        engines: EnginesPort,
        state_dir: Path,
        rate: int | None,
        tier: MemoryTier | None = None,
        least_bytes: int = LEAST_BYTES,
    ) -> None:
        self._engines = engines
        self._least_bytes = least_bytes
        self._tier = tier
        self._root = state_dir / "engines"
        self._slots = state_dir.parent / SLOTS
        self._rate = rate
        self._tasks = Tasks("reading ahead")
        self._bytes = 0
        self._copying = asyncio.Lock()
        self._starts: Counter[str] = Counter(memory=0, disk=0)
        self._ends: Counter[str] = Counter(dict.fromkeys(_ENDS, 0))

    async def perform(self, action: EngineAction) -> None:
        """Do one action; reading goes on in the background."""
        if isinstance(action, StartEngine):
            await self._start(action)
        else:
            await self._engines.perform(action)

    async def aclose(self) -> None:
        """Wait for nothing more; a reading under way goes on beside its engine."""
        await self._tasks.cancel()

    async def _start(self, action: StartEngine) -> None:
        paths = [path for path in (action.model_path, action.draft_model_path) if path]
        await self._engines.perform(await self._from_memory(action))
        if paths:
            self._tasks.begin(self._warm(action.engine, paths))

    async def _from_memory(self, action: StartEngine) -> StartEngine:
        """Name the copies in memory."""
        tier = self._tier_of(action.engine)
        if tier is None:
            return action
        models = (action.model_path, action.draft_model_path)
        main, draft = [await asyncio.to_thread(tier.found, model) for model in models]
        self._starts["memory" if main != action.model_path else "disk"] += 1
        return dataclasses.replace(action, model_path=main, draft_model_path=draft)

    async def _warm(self, engine: AssignedEngine, paths: list[str]) -> None:
        """Read ahead, then copy what was read: the engine is first."""
        missing = paths
        tier = self._tier_of(engine)
        if tier is not None:
            missing = [path for path in paths if tier.found(path) == path]
        if self._rate is not None and missing:
            if await asyncio.to_thread(_size, missing) < self._least_bytes:
                self._ends["small"] += 1
            else:
                await self._read(engine, missing, self._rate)
        if tier is not None:
            async with self._copying:
                for path in missing:
                    await asyncio.to_thread(self._take, tier, path)

    def _tier_of(self, engine: AssignedEngine) -> MemoryTier | None:
        """Return the copies that an engine sees: not every slot was made to see them."""
        return self._tier if engine.slot is None or engine.slot.memory else None

    def _take(self, tier: MemoryTier, path: str) -> None:
        try:
            tier.take(path)
        except OSError as error:
            logger.warning("%s can't be copied into memory: %s", path, error)

    async def _read(self, engine: AssignedEngine, paths: list[str], rate: int) -> None:
        """Have the engine's shim read ahead, and wait for what came of it."""
        directory = self._directory(engine)
        try:
            shim = await ShimClient.connect(directory, lambda: None)
        except (OSError, TimeoutError, EngineError):
            self._ends["ended"] += 1
            return
        try:
            await shim.request(protocol.WARM, paths=paths, rate=rate)
            await self._wait(shim, directory / readahead.REPORT)
        except ShimRefused as refusal:  # one of a former version knows no such operation
            gone = refusal.code == protocol.NOT_RUNNING
            self._ends["ended" if gone else "refused"] += 1
        except (ShimLost, TimeoutError):
            self._ends["ended"] += 1
        finally:
            await shim.close()

    async def _wait(self, shim: ShimClient, report: Path) -> None:
        while not (said := await asyncio.to_thread(_said, report)):
            if shim.lost.is_set() or not shim.status.running:
                self._ends["ended"] += 1
                return
            await asyncio.sleep(_LOOK_SECONDS)
        count, stopped = said
        self._bytes += count
        self._ends["memory" if stopped else "all"] += 1

    def _directory(self, engine: AssignedEngine) -> Path:
        if engine.slot is not None:
            return self._slots / engine.slot.uid
        return record.directory_of(self._root, engine.id)

    def describe(self) -> list[Metric]:
        """Name nothing ahead: what is collected says it."""
        return []

    def collect(self) -> Iterator[Metric]:
        read = CounterMetricFamily(
            "llmaz_cache_read_ahead_bytes", "Bytes of weights read while their engines started."
        )
        read.add_metric([], self._bytes)
        ends = CounterMetricFamily(
            "llmaz_cache_read_aheads",
            "Readings ahead, by why they ended: all was read, memory was short, the engine ended,"
            " its shim refused, or the weights were too small to begin.",
            labels=["end"],
        )
        for end, count in sorted(self._ends.items()):
            ends.add_metric([end], count)
        yield from (read, ends)
        if self._tier is not None:
            yield from self._of_tier(self._tier)

    def _of_tier(self, tier: MemoryTier) -> Iterator[Metric]:
        starts = CounterMetricFamily(
            "llmaz_cache_memory_starts",
            "Starts of engines by where their weights were.",
            labels=["where"],
        )
        for where, count in sorted(self._starts.items()):
            starts.add_metric([where], count)
        with suppress(OSError):  # a copy may go while they are counted
            yield GaugeMetricFamily(
                "llmaz_cache_memory_bytes", "Bytes of copies in memory.", value=tier.used_bytes()
            )
        yield starts


def paths_in_use(state_dir: Path) -> frozenset[str]:
    """Return where the models of all engines lie, those of a former agent among them."""
    kept = [record.read(directory) for directory in (state_dir / "engines").glob("*")]
    return frozenset(
        path for one in kept if one is not None for path in (one.model_path, one.draft_model_path)
    )


def _size(paths: list[str]) -> int:
    files = (file for path in paths for file in readahead.files_of(path))
    try:
        return sum(Path(file).stat().st_size for file in files)
    except OSError:  # they are just being evicted
        return 0


def _said(report: Path) -> tuple[int, str] | None:
    """Read what a reader said at its end; of a slot, it is a file that an engine could write."""
    try:
        with report.open() as file:
            said = json.loads(file.read(_LONGEST_REPORT))
        return max(0, int(said["bytes"])), str(said["stopped"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
