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
from llmaz.agent.jit.tree import TooMuch
from llmaz.agent.slots.about import SlotAbout, accelerators_of
from llmaz.api.node import Accelerator, AssignedEngine

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
SETTLE = timedelta(minutes=1)
START_SECONDS = 120.0  # an engine does not wait for longer; what is brought comes on top
_IMAGE = "of the image"
_EVENTS = ("started_with", "started_without", "kept", "dropped", "evicted", "from_peer")

Bring = Callable[[AssignedEngine, str, Path], Awaitable[bool]]


class JitCaches(Collector):
    """The compiled programs of one node.

    engines: what is seen of the engines; None before the first look
    bring: brings an archive from another node, and tells whether it did
    original: names a model by its path in the cache where it is given from memory
    slots: where the directories of slots are
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
        slots: Path | None = None,
        settle: timedelta = SETTLE,
    ) -> None:
        self._settle = settle
        self._original = original
        self._shelf = JitShelf(root, slots, most=quota)
        self._quota = quota
        self._accelerators = accelerators
        self._engines = engines
        self._bring = bring
        self._turn = asyncio.Lock()
        self._events: Counter[str] = Counter(dict.fromkeys(_EVENTS, 0))
        self._bytes = 0

    async def variables(
        self, record: EngineRecord, slot: SlotAbout | None = None
    ) -> Mapping[str, str]:
        """Return the variables for an engine's start, with the programs in their place.

        Without room on the disk an engine compiles into its own home, as it would anyway. What an
        engine in a slot is told is where its container sees the place.
        """
        engine = record.assignment
        uid = engine.slot.uid if engine.slot is not None else ""
        if uid and slot is None:  # it has ended
            return {}
        key = self._key(record, slot)
        live = self._shelf.live(key, uid)
        place = live if slot is None else Path(slot.directory) / live.name
        if self._runs(engine.id):  # a hook or a probe of it wants its variables again
            return variables(place)
        try:
            async with self._turn:
                await self._brought(engine, key, uid)
                async with asyncio.timeout(START_SECONDS):
                    had = await asyncio.to_thread(self._open, engine.id, key, uid)
        except (OSError, TooMuch) as error:
            logger.warning("engine %s starts without kept programs: %s", engine.id, error)
            return {}
        self._events["started_with" if had else "started_without"] += 1
        return variables(place)

    def _key(self, record: EngineRecord, slot: SlotAbout | None) -> str:
        """Return the key of an engine; where a slot does not tell its devices, all may be meant."""
        engine, known = record.assignment, self._accelerators()
        uuids = engine.accelerators
        if slot is not None:
            uuids = accelerators_of(slot, known) or tuple(known)
        inputs = Inputs(
            model_path=self._original(record.model_path),
            draft_model_path=self._original(record.draft_model_path),
            programs=record.programs,
        )
        devices = [known[uuid] for uuid in uuids if uuid in known]
        return key_of(engine, inputs, devices, _ground(in_slot=slot is not None))

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
                except TooMuch as error:
                    logger.warning("compiled programs of %s stay its own: %s", action.engine, error)
                    self._pass_over(action, runs[action.engine])
                except OSError as error:
                    logger.warning("compiled programs of %s: %s", action.engine, error)
            with suppress(OSError, TooMuch):
                await asyncio.to_thread(self._tidy)

    async def _brought(self, engine: AssignedEngine, key: str, slot: str) -> None:
        archive = self._shelf.archive(key)
        if self._bring is None or archive.exists() or self._shelf.live(key, slot).exists():
            return
        if await self._bring(engine, key, archive):
            self._events["from_peer"] += 1
            logger.info("engine %s starts with programs that another node compiled", engine.id)

    def _open(self, engine: str, key: str, slot: str) -> bool:
        had = self._shelf.open(key, slot)
        self._shelf.note(engine, Run(key=key, at=datetime.now(UTC), had=had, slot=slot))
        return had

    def _perform(self, action: JitAction, run: Run) -> None:
        match action:
            case Keep(engine=engine, key=key, ready_at=ready_at):
                self._keep(key, run.slot)
                self._shelf.note(engine, dataclasses.replace(run, kept=ready_at))
            case Drop(engine=engine, key=key):
                logger.warning(
                    "engine %s failed twice with kept programs: they are dropped", engine
                )
                self._events["dropped"] += 1
                self._shelf.drop(key, run.slot)
                self._shelf.note(engine, dataclasses.replace(run, had=False))
            case Leave(engine=engine, key=key, last=last, worked=worked):
                if worked:
                    self._keep(key, run.slot)
                if last:
                    self._shelf.close(key, run.slot)
                self._shelf.forget(engine)
            case _:
                assert_never(action)

    def _pass_over(self, action: JitAction, run: Run) -> None:
        """Look at what is too much no more until its engine has started again."""
        if isinstance(action, Keep):
            self._shelf.note(action.engine, dataclasses.replace(run, kept=action.ready_at))
        else:
            self._shelf.close(run.key, run.slot)
            self._shelf.forget(action.engine)

    def _keep(self, key: str, slot: str) -> None:
        if self._shelf.keep(key, slot):
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


def _ground(*, in_slot: bool) -> Ground:
    if in_slot:  # all but the machine's kind is its image's, which the key names
        return Ground(architecture=platform.machine(), python=_IMAGE, libc=_IMAGE, agent=_IMAGE)
    return Ground(
        architecture=platform.machine(),
        python=platform.python_version(),
        libc="-".join(platform.libc_ver()),
        agent=version("llmaz"),
    )
