"""Has weights read ahead for each engine that is started, and counts what was read."""

import asyncio
import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from llmaz.agent.engines.record import directory_of
from llmaz.agent.engines.state import EngineAction, StartEngine
from llmaz.agent.engines.tasks import Tasks
from llmaz.shim import journal

logger = logging.getLogger(__name__)

PROGRAM = (sys.executable, "-m", "llmaz.agent.warm.readahead")
_ENDS = ("all", "memory", "cgroup", "ended")


class EnginesPort(Protocol):
    """What acts on engines."""

    async def perform(self, action: EngineAction) -> None: ...


class Warmer(Collector):
    """Performs actions on engines as `engines` does, and reads ahead for those that were started.

    rate: bytes a second; None: nothing is read ahead
    """

    def __init__(self, engines: EnginesPort, state_dir: Path, rate: int | None) -> None:
        self._engines = engines
        self._root = state_dir / "engines"
        self._rate = rate
        self._tasks = Tasks("reading ahead")
        self._bytes = 0
        self._ends: Counter[str] = Counter(dict.fromkeys(_ENDS, 0))

    async def perform(self, action: EngineAction) -> None:
        """Do one action; reading goes on in the background."""
        await self._engines.perform(action)
        if isinstance(action, StartEngine) and self._rate is not None:
            paths = [path for path in (action.model_path, action.draft_model_path) if path]
            if paths:
                self._tasks.begin(self._read(action.engine.id, paths, self._rate))

    async def aclose(self) -> None:
        """Stop reading: the engines read for themselves."""
        await self._tasks.cancel()

    async def _read(self, engine_id: str, paths: list[str], rate: int) -> None:
        own = await asyncio.to_thread(_cgroup_of, directory_of(self._root, engine_id))
        child = await asyncio.create_subprocess_exec(
            *PROGRAM,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            said, _ = await child.communicate(
                json.dumps({"paths": paths, "cgroup": own, "rate": rate}).encode() + b"\n"
            )
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        self._count(engine_id, said)

    def _count(self, engine_id: str, said: bytes) -> None:
        if not said:  # the engine ended, and its cgroup with it
            self._ends["ended"] += 1
            return
        done = json.loads(said)
        self._bytes += done["bytes"]
        self._ends[done["stopped"] or "all"] += 1
        if done["stopped"]:
            logger.info(
                "read %s bytes ahead for engine %s, and no more: %s",
                done["bytes"],
                engine_id,
                done["stopped"],
            )

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
            "Readings ahead, by why they ended: all was read, memory was short, the engine's cgroup"
            " could not be entered, or the engine ended.",
            labels=["end"],
        )
        for end, count in sorted(self._ends.items()):
            ends.add_metric([end], count)
        yield from (read, ends)


def _cgroup_of(directory: Path) -> str | None:
    """Return the engine's own cgroup; None where it has none, and is in the agent's."""
    kept = journal.read(os.fspath(directory)) or {}
    path = kept.get("cgroup")
    return path if isinstance(path, str) and Path(path).is_dir() else None
