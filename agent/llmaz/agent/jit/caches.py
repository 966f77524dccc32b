"""Gives engines the programs that others of their kind compiled, and keeps what they compile.

Off unless the agent is told a quota: what is kept is code, which later engines run.
"""

import asyncio
import dataclasses
import logging
import platform
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import assert_never

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llmaz.agent.engines.record import EngineRecord
from llmaz.agent.engines.state import EngineSeen, Running
from llmaz.agent.jit.decide import Drop, JitAction, Keep, Leave, Run, decide, surplus
from llmaz.agent.jit.key import Ground, Inputs, key_of, variables
from llmaz.agent.jit.shelf import Changing, JitShelf
from llmaz.api.node import Accelerator, AssignedEngine

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
SETTLE = timedelta(minutes=1)
_EVENTS = ("started_with", "started_without", "kept", "dropped", "evicted", "from_peer")

Bring = Callable[[AssignedEngine, str, Path], Awaitable[bool]]


class JitCaches(Collector):
    """The compiled programs of one node.

    engines: what is seen of the engines; None before the first look
    bring: brings an archive from another node, and tells whether it did
    original: names a model by its path in the cache where it is given from memory
    """

    def __init__(
        self,
        root: Path,
        quota: int,
        *,
        accelerators: Callable[[], Mapping[str, Accelerator]],
        engines: Callable[[], tuple[EngineSeen, ...] | None],
        bring: Bring | None = None,
        original: Callable[[str], str] = str,
        settle: timedelta = SETTLE,
    ) -> None:
        self._settle = settle
        self._original = original
        self._shelf = JitShelf(root)
        self._quota = quota
        self._accelerators = accelerators
        self._engines = engines
        self._bring = bring
        self._turn = asyncio.Lock()
        self._events: Counter[str] = Counter(dict.fromkeys(_EVENTS, 0))
        self._bytes = 0

    async def variables(self, record: EngineRecord) -> Mapping[str, str]:
        """Return the variables for an engine's start, with the programs in their place.

        An engine in a slot has its container's file system, and gets none. Without room on the
        disk an engine compiles into its own home, as it would anyway.
        """
        engine = record.assignment
        if engine.slot is not None:
            return {}
        inputs = Inputs(
            model_path=self._original(record.model_path),
            draft_model_path=self._original(record.draft_model_path),
            programs=record.programs,
        )
        known = self._accelerators()
        devices = [known[uuid] for uuid in engine.accelerators if uuid in known]
        key = key_of(engine, inputs, devices, _ground())
        if self._runs(engine.id):  # a hook or a probe of it wants its variables again
            return variables(self._shelf.live(key))
        async with self._turn:
            try:
                await self._brought(engine, key)
                had = await asyncio.to_thread(self._open, engine.id, key)
            except OSError as error:
                logger.warning("engine %s starts without kept programs: %s", engine.id, error)
                return {}
        self._events["started_with" if had else "started_without"] += 1
        return variables(self._shelf.live(key))

    def _runs(self, engine: str) -> bool:
        seen = self._engines() or ()
        return any(one.id == engine and isinstance(one.process, Running) for one in seen)

    async def run(self) -> None:
        """Look after the programs until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Keep, drop and evict as the engines that are seen ask for it."""
        seen = self._engines()
        if seen is None:
            return
        async with self._turn:
            runs = await asyncio.to_thread(self._shelf.runs)
            for action in decide(runs, seen, datetime.now(UTC), settle=self._settle):
                try:
                    await asyncio.to_thread(self._perform, action, runs[action.engine])
                except Changing:  # it goes on compiling: the next look comes
                    continue
                except OSError as error:
                    logger.warning("compiled programs of %s: %s", action.engine, error)
            with suppress(OSError):
                await asyncio.to_thread(self._tidy)

    async def _brought(self, engine: AssignedEngine, key: str) -> None:
        archive = self._shelf.archive(key)
        if self._bring is None or archive.exists() or self._shelf.live(key).exists():
            return
        if await self._bring(engine, key, archive):
            self._events["from_peer"] += 1
            logger.info("engine %s starts with programs that another node compiled", engine.id)

    def _open(self, engine: str, key: str) -> bool:
        had = self._shelf.open(key)
        self._shelf.note(engine, Run(key=key, at=datetime.now(UTC), had=had))
        return had

    def _perform(self, action: JitAction, run: Run) -> None:
        match action:
            case Keep(engine=engine, key=key, ready_at=ready_at):
                self._keep(key)
                self._shelf.note(engine, dataclasses.replace(run, kept=ready_at))
            case Drop(engine=engine, key=key):
                logger.warning(
                    "engine %s failed twice with kept programs: they are dropped", engine
                )
                self._events["dropped"] += 1
                self._shelf.drop(key)
                self._shelf.note(engine, dataclasses.replace(run, had=False))
            case Leave(engine=engine, key=key, last=last, worked=worked):
                if worked:
                    self._keep(key)
                if last:
                    self._shelf.close(key)
                self._shelf.forget(engine)
            case _:
                assert_never(action)

    def _keep(self, key: str) -> None:
        if self._shelf.keep(key):
            self._events["kept"] += 1

    def _tidy(self) -> None:
        sizes = self._shelf.sizes()
        used = {run.key for run in self._shelf.runs().values()}
        gone = surplus(sizes, self._shelf.last_used(), quota=self._quota, keep=used)
        for key in gone:
            self._shelf.drop(key)
        self._events["evicted"] += len(gone)
        self._bytes = sum(size for key, size in sizes.items() if key not in gone)

    def describe(self) -> list[Metric]:
        """Name nothing ahead: what is collected says it."""
        return []

    def collect(self) -> Iterator[Metric]:
        events = CounterMetricFamily(
            "llmaz_jit_cache_events",
            "What became of compiled programs: engines started with or without, and what was"
            " kept, dropped after failures, evicted for the quota, or brought from another node.",
            labels=["event"],
        )
        for event, count in sorted(self._events.items()):
            events.add_metric([event], count)
        yield events
        yield GaugeMetricFamily(
            "llmaz_jit_cache_bytes", "Bytes of compiled programs.", value=self._bytes
        )


def _ground() -> Ground:
    return Ground(
        architecture=platform.machine(),
        python=platform.python_version(),
        libc="-".join(platform.libc_ver()),
        agent=version("llmaz"),
    )
