"""The engines of one node: what the agent's look, decide and act work with.

Opening it adopts every engine that a former agent left, without touching one. Only one agent may
have a state directory open at a time; the agent sees to that with its lock.
"""

import asyncio
import dataclasses
import logging
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

import aiohttp

from llmaz.agent.engines import lifecycle, ports, record
from llmaz.agent.engines.blame import DeviceError
from llmaz.agent.engines.ending import Ended, end_all
from llmaz.agent.engines.environments import Environments
from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.incidents import UNRECORDED, Incidents
from llmaz.agent.engines.launch import START_SECONDS, Shims
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.metrics import Numbers
from llmaz.agent.engines.probe import Prober
from llmaz.agent.engines.record import EngineRecord
from llmaz.agent.engines.state import (
    BuildEnvironment,
    EngineAction,
    EngineSeen,
    Environment,
    ForgetEngine,
    SleepEngine,
    StartEngine,
    StopEngine,
    WakeEngine,
)
from llmaz.agent.engines.supervised import Supervised
from llmaz.agent.engines.surroundings import Surroundings
from llmaz.agent.engines.tools import Tools
from llmaz.agent.slots.decide import SlotSeen
from llmaz.agent.slots.given import Given
from llmaz.agent.slots.launch import SlotShims
from llmaz.agent.slots.watch import SlotWatch
from llmaz.api.incident import EngineIncident, Incident
from llmaz.api.names import ENGINE_PORT
from llmaz.api.node import AssignedEngine
from llmaz.api.slot import SLOTS
from llmaz.shim import crash

logger = logging.getLogger(__name__)

ADOPTION_SECONDS = 5.0  # after that the others are reported as they are; a shim may be stopped


class Engines:
    """All engines under `state_dir`."""

    def __init__(
        self,
        state_dir: Path,
        surroundings: Surroundings,
        *,
        changed: asyncio.Event,
        patience: Patience | None = None,
        assigned: Callable[[], Collection[AssignedEngine]] = tuple,
        device_errors: Callable[[], Mapping[str, tuple[DeviceError, ...]]] = dict,
        on_freed: Callable[[], None] = lambda: None,
        environments_dir: Path | None = None,
        environments_quota: int | None = None,
        devices_socket: Path | None = None,
    ) -> None:
        environ = surroundings.environ
        self.changed = changed
        self._root = state_dir / "engines"
        self._surroundings = surroundings
        self._patience = patience or Patience()
        self._assigned = assigned
        self._device_errors = device_errors
        self._on_freed = on_freed
        # Two state directories on one machine shall not begin at the same port.
        self._ports = ports.Leases(ports.BAND, start_at=zlib.crc32(str(self._root).encode()))
        self._slots_dir = state_dir.parent / SLOTS
        given = Given(devices_socket, changed) if devices_socket is not None else None
        self._slots = SlotWatch(self._slots_dir, changed=changed, given=given)
        self._engines: dict[str, Supervised] = {}
        self._incidents = Incidents(changed)
        self._unended: list[str] = []  # directories without a record, whose shims do not answer
        self._session: aiohttp.ClientSession | None = None
        self._shims = Shims(environ)
        self._environments = Environments(
            environments_dir or state_dir / "environments",
            environ=environ,
            in_use=self._requirements,
            changed=changed,
            quota=environments_quota,
        )
        self._effects = crash.Effects("agent", environ.get(crash.VARIABLE, ""))

    async def __aenter__(self) -> Self:
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A connection for each question: a kept one would outlive its engine, and seem in use.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0), trust_env=False
        )
        self._tools = Tools(
            prober=Prober(self._session),
            patience=self._patience,
            changed=self.changed,
            incidents=self._incidents,
            effects=self._effects,
            shims=self._shims,
            slots=SlotShims(),
            slots_dir=self._slots_dir,
            environment=self._surroundings.command_line,
        )
        await self._adopt()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(*(engine.aclose() for engine in self._engines.values()))
        await self._slots.aclose()
        await self._shims.aclose()
        await self._environments.aclose()
        self._ports.release_all()
        if self._session is not None:
            await self._session.close()

    async def prepare(self) -> None:
        """Make ready for the next start, ahead of it."""
        await self._shims.prepare()

    async def observe(self) -> tuple[EngineSeen, ...]:
        """Return every engine that has a record, by id."""
        errors = self._device_errors()
        for engine in self._engines.values() if errors else ():
            engine.blame(errors)
        return tuple(engine.seen() for _, engine in sorted(self._engines.items()))

    def environments(self) -> Mapping[tuple[str, ...], Environment]:
        """Return the Python environments that were asked for."""
        return self._environments.seen()

    def slots(self, assigned: Collection[AssignedEngine]) -> Mapping[str, SlotSeen]:
        """Return the slots of assigned engines whose shims live, by the uids of their pods."""
        connected = {
            engine.record.assignment.slot.uid: engine.slot
            for engine in self._engines.values()
            if engine.record.assignment.slot is not None and engine.slot is not None
        }
        return self._slots.look(assigned, connected, self._surroundings.accelerators())

    def incidents(self) -> tuple[EngineIncident, ...]:
        """Return what had to be done to engines that their phases do not tell."""
        return self._incidents.last()

    def numbers(self) -> tuple[tuple[AssignedEngine, Numbers], ...]:
        """Return what engines tell of themselves, as it was read last, by id."""
        engines = (engine for _, engine in sorted(self._engines.items()))
        return tuple((e.record.assignment, e.numbers) for e in engines if e.numbers is not None)

    async def perform(self, action: EngineAction) -> None:
        """Do one action; doing it twice is safe. A stop returns when it has begun."""
        match action:
            case BuildEnvironment(requirements=requirements):
                self._environments.build(requirements)
            case StartEngine():
                await self._start(action)
            case StopEngine(id=id_, reason=reason):
                if id_ in self._engines:
                    await self._engines[id_].stop(reason)
            case SleepEngine(id=id_, calls=calls):
                if id_ in self._engines:
                    self._engines[id_].rest(calls)
            case WakeEngine(id=id_):
                if id_ in self._engines:
                    self._engines[id_].rest(None)
            case ForgetEngine(id=id_):
                if id_ in self._engines and await self._engines[id_].forget():
                    self._ports.release(id_)
                    if self._engines.pop(id_).record.assignment.accelerators:
                        self._on_freed()
                    self.changed.set()
            case _:
                assert_never(action)

    async def stop_all(self, reason: str, *, within: float) -> Ended:
        """Stop every engine, wait until nothing of them is left, and dismiss their shims."""
        own = [e for e in self._engines.values() if e.record.assignment.slot is None]
        ended = await end_all(own, reason, within)  # those in slots outlive the agent, and its pod
        return dataclasses.replace(ended, left=(*ended.left, *self._unended))

    async def _adopt(self) -> None:
        tasks = []
        for directory in sorted(path for path in self._root.iterdir() if path.is_dir()):
            kept = record.read(directory)
            if kept is None:
                await self._end_unrecorded(directory)
                continue
            engine = Supervised(kept.assignment.id, directory, self._tools, kept)
            self._ports.adopt(engine.id, kept.port)
            self._engines[engine.id] = engine
            tasks.append(engine.begin_attach())
        if tasks:
            await asyncio.wait(tasks, timeout=ADOPTION_SECONDS)

    async def _end_unrecorded(self, directory: Path) -> None:
        logger.warning("ending what is left in %s, which has no record", directory)
        try:
            async with asyncio.timeout(START_SECONDS):
                if await self._shims.dismiss(directory):
                    id_ = record.id_of(directory)
                    self._incidents.note(id_, Incident.ORPHAN_REAPED, UNRECORDED)
        except (OSError, TimeoutError, EngineError) as error:
            logger.error("%s: %s", directory, error)  # known, and tried again
            self._unended.append(directory.name)
            return
        record.remove(directory, self._effects)

    async def _start(self, action: StartEngine) -> None:
        engine = action.engine
        known = self._engines.get(engine.id)
        former = known.record if known else None
        wanted = lifecycle.wanted(action, former, self._port(engine, former))
        if known is None:
            directory = record.directory_of(self._root, engine.id)
            self._effects.announce("make the directory")
            directory.mkdir(mode=0o700, exist_ok=True)
            known = Supervised(engine.id, directory, self._tools, wanted)
            self._engines[engine.id] = known
        await known.start(wanted)

    def _requirements(self) -> set[tuple[str, ...]]:
        """Return what engines need: those that are here, and those that wait for their weights."""
        here = (engine.record.assignment for engine in self._engines.values())
        return {engine.requirements for engine in (*here, *self._assigned())}

    def _port(self, engine: AssignedEngine, former: EngineRecord | None) -> int:
        if engine.port is not None or engine.slot is not None:
            self._ports.release(engine.id)
            return engine.port or ENGINE_PORT  # in a slot it is alone at its address
        kept = former.port if former is not None and not _clashed(former) else None
        return self._ports.lease(engine.id, kept)


def _clashed(former: EngineRecord) -> bool:
    return former.fault is not None and former.fault.reason == "PortInUse"
