"""Looks after what the cache holds: whether it is still there, and whether it is still right."""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llmaz.agent.cache.limits import Limits, write_limits
from llmaz.agent.cache.scrub import DEFAULT_RATE
from llmaz.agent.cache.usage import measure
from llmaz.api.cache import CacheReport, RotReport

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 1.0  # several files come or go together
RECHECK_SECONDS = 60.0  # somebody may have removed a file by hand
SCRUB_SECONDS = 7 * 24 * 3600.0  # from the end of one reading of the whole store to the next
SCRUB_PROGRAM = (sys.executable, "-m", "llmaz.agent.cache.scrub")
_LAST = "scrubbed"  # a file whose time is when the store was last read to its end


class Upkeep(Collector):
    """Runs beside the agent's loop; `recheck` makes what is gone be fetched again.

    scrub_rate: bytes a second at which the store is read again; None: it is not, by itself
    usage: how full the cache was when that was last looked at; `changed` is called when it differs
    """

    def __init__(
        self,
        cache_dir: Path,
        *,
        recheck: Callable[[], Awaitable[None]],
        evictions: Callable[[], Mapping[str, int]],
        limits: Limits = Limits(),  # noqa: B008  # a frozen value
        scrub_rate: int | None = DEFAULT_RATE,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._scrub_rate = scrub_rate
        self.usage: CacheReport | None = None
        self._limits = limits
        self._changed = changed
        self._moved = asyncio.Event()
        self._cache_dir = cache_dir
        self._recheck = recheck
        self._evictions = evictions
        self._checked_bytes = 0
        self._rot: RotReport | None = None

    async def run(self) -> None:
        """Recheck and scrub until cancelled."""
        with suppress(OSError):  # a cache that can't be written is not fetched into either
            await asyncio.to_thread(write_limits, self._cache_dir, self._limits)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._measures())
            group.create_task(self._rechecks())
            if self._scrub_rate is not None:
                group.create_task(self._scrubs())

    def measure_soon(self) -> None:
        """Look how full the cache is: something came or went."""
        self._moved.set()

    async def measure(self) -> None:
        """Look how full the cache is now."""
        before = self.usage
        evicted = any(self._evictions().values()) or (before is not None and before.pending_bytes)
        found = await asyncio.to_thread(
            measure, self._cache_dir, self._limits.quota, may_be_pending=bool(evicted)
        )
        if found is not None:
            found = replace(found, rot=self._rot, evicted=sum(self._evictions().values()))
        if found is not None and found != self.usage:
            self.usage = found
            self._changed()

    async def _measures(self) -> None:
        while True:
            self._moved.clear()
            await self.measure()
            with suppress(TimeoutError):
                async with asyncio.timeout(RECHECK_SECONDS):
                    await self._moved.wait()
                    await asyncio.sleep(SETTLE_SECONDS)

    async def scrub(self) -> int:
        """Read the whole store once, in a child; return how many files were wrong."""
        child = await asyncio.create_subprocess_exec(
            *SCRUB_PROGRAM,
            f"--rate={self._scrub_rate or DEFAULT_RATE}",
            str(self._cache_dir),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        wrong = 0
        try:
            assert child.stdout is not None  # it was asked for above
            while line := await child.stdout.readline():
                wrong += await self._take(line)
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        return wrong

    async def _take(self, line: bytes) -> int:
        told = json.loads(line)
        self._checked_bytes += told["size"]
        if told["problem"] is None:
            return 0
        self._rot = RotReport(
            sha256=told["sha256"],
            problem=told["problem"],
            found_at=datetime.now(UTC).replace(microsecond=0),
            files=self._wrong + 1,
        )
        self.measure_soon()
        logger.warning(
            "stored file %s is wrong: %s; fetching it anew", told["sha256"], told["problem"]
        )
        await self._recheck()
        return 1

    @property
    def _wrong(self) -> int:
        return self._rot.files if self._rot is not None else 0

    async def _rechecks(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            await self._recheck()

    async def _scrubs(self) -> None:
        while True:
            await asyncio.sleep(self.until_next_scrub())
            await self.scrub()
            with suppress(OSError):  # a cache that can't be written is read again in an hour
                (self._cache_dir / _LAST).touch()

    def until_next_scrub(self) -> float:
        """Wait an hour at least: a node that just came up has better things to do.

        No longer than the usual time either: a clock that was ahead has left a time to come.
        """
        last = 0.0
        with suppress(OSError):
            last = (self._cache_dir / _LAST).stat().st_mtime
        return min(max(3600.0, last + SCRUB_SECONDS - time.time()), SCRUB_SECONDS)

    def describe(self) -> list[Metric]:
        """Name nothing ahead: a registry would otherwise read the disk to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        checked = CounterMetricFamily(
            "llmaz_cache_scrubbed_bytes", "Bytes of the store that were read again and compared."
        )
        checked.add_metric([], self._checked_bytes)
        wrong = CounterMetricFamily(
            "llmaz_cache_corrupt_files", "Stored files that were no longer what they had been."
        )
        wrong.add_metric([], self._wrong)
        evictions = CounterMetricFamily(
            "llmaz_cache_evictions", "Snapshots that made room for others.", labels=["reason"]
        )
        for reason, count in sorted(self._evictions().items()):
            evictions.add_metric([reason], count)
        yield from (checked, wrong, evictions, self._sizes())

    def _sizes(self) -> Metric:
        sizes = GaugeMetricFamily(
            "llmaz_cache_bytes", "Bytes in the cache, shared files once.", labels=["state"]
        )
        if self.usage is not None:
            sizes.add_metric(["ready"], self.usage.used_bytes)
            sizes.add_metric(["evicted_in_use"], self.usage.pending_bytes)
        with suppress(OSError):  # a file may go while they are counted
            partial = (
                data.stat().st_blocks * 512 for data in self._cache_dir.glob("partial/*.data")
            )
            sizes.add_metric(["partial"], sum(partial))
        return sizes
