"""One engine under one shim, as the agent holds it: its record, its connection, its tasks.

Every effect on it goes through here, one at a time. What the shim says happened is written into
the record before anybody hears of it, so that an agent that dies in between counts it once.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from llmaz.agent.engines import backoff, record, stopping, view
from llmaz.agent.engines.classify import classify
from llmaz.agent.engines.client import ShimClient, ShimStatus
from llmaz.agent.engines.env import CommandLine, InvalidEnvironment
from llmaz.agent.engines.errors import EngineError, ShimLost, ShimRefused
from llmaz.agent.engines.launch import launch, shim_lives
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.monitor import Monitor, Watched
from llmaz.agent.engines.probe import Prober, Target
from llmaz.agent.engines.record import EngineRecord, Stopping
from llmaz.agent.engines.state import (
    EngineSeen,
    Exited,
    Fault,
    Health,
    Process,
    Running,
    Unreachable,
)
from llmaz.agent.engines.view import View
from llmaz.shim import proc, protocol
from llmaz.shim.crash import Effects

logger = logging.getLogger(__name__)

_RECONNECT_SECONDS = 0.2
_HUNG = "Hung"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What all engines of one agent share."""

    prober: Prober
    patience: Patience
    changed: asyncio.Event
    effects: Effects
    environ: Mapping[str, str]
    environment: Callable[[EngineRecord], Awaitable[CommandLine]]


class Supervised:
    """One engine. Its methods are safe to repeat."""

    def __init__(self, engine_id: str, directory: Path, tools: Tools, kept: EngineRecord) -> None:
        self.id = engine_id
        self.record = kept
        self._directory = directory
        self._tools = tools
        self._client: ShimClient | None = None
        self._launching = False
        self._health = Health.STARTING
        self._detail = ""
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._monitor: asyncio.Task[None] | None = None
        self._forgotten = False
        self._heard = asyncio.Event()  # replaced each time something happened

    def seen(self) -> EngineSeen:
        """Return what is known of it now."""
        return view.seen(
            View(
                id=self.id,
                record=self.record,
                status=self._status(),
                launching=self._launching,
                health=self._health,
                detail=self._detail,
                log=str(self._directory / protocol.LOG),
            )
        )

    async def attach(self) -> None:
        """Find its shim and go on with what it has; a dead one's successor ends what it left."""
        async with self._turn:
            while self._client is None and not self._forgotten:
                self._client = await self._found() or await self._replaced()
            await self._settle()
        if self.record.stopping is not None and isinstance(self._process(), Running):
            self._begin(self._finish_stop(self.record.stopping))
        self._watch()
        self._changed()

    def begin_attach(self) -> asyncio.Task[None]:
        """Attach in the background: a shim that does not answer holds up nobody."""
        return self._begin(self.attach())

    async def start(self, wanted: EngineRecord) -> None:
        """Start it as `wanted`, unless it runs."""
        async with self._turn:
            if isinstance(self._process(), Running):
                return
            self._launching = True
            self._health, self._detail = Health.STARTING, ""
            try:
                await self._start(wanted)
            except ShimRefused as refusal:
                await self._refused(refusal)
            except InvalidEnvironment as error:
                self._failed(error.fault)
            except (EngineError, TimeoutError) as error:
                self._failed(Fault(reason="StartFailed", message=str(error)))
            finally:
                self._launching = False
                self._changed()
        if self._client is None:
            self.begin_attach()
        self._watch()

    async def stop(self, reason: str, *, within: float | None = None) -> None:
        """Begin to stop it: unready at once, ended after its drain. Returns before it has ended.

        `within` shortens the engine's own grace.
        """
        if self.record.stopping is not None or not isinstance(self._process(), Running):
            return
        dead = self._health is Health.DEAD
        fault = Fault(reason=_HUNG, message=reason) if dead else None
        stop = Stopping(
            since=datetime.now(UTC),
            reason=reason,
            fault=fault,
            drained=self._health in (Health.DEAD, Health.STARTING),
            within=within,
        )
        self._keep(stopping=stop)
        self._changed()
        self._begin(self._finish_stop(stop))

    async def gone(self) -> None:
        """Wait until no process of it is left; not at all for one whose shim does not answer."""
        while True:
            heard = self._heard
            match self._process():
                case Unreachable() | Exited(clear=True):
                    return
            await heard.wait()

    async def dismiss(self) -> None:
        """Have its shim end. Only what has ended is dismissed."""
        async with self._turn:
            if self._client is not None and not self._client.lost.is_set():
                await self._client.request(protocol.SHUTDOWN)
                self._forgotten = True
                await self._client.lost.wait()
            self._forgotten = True
            await self._close()

    async def forget(self) -> None:
        """Dismiss its shim and remove its files."""
        await self.dismiss()
        record.remove(self._directory, self._tools.effects)

    async def aclose(self) -> None:
        """Let go of it; it runs on under its shim."""
        self._forgotten = True
        await self._close()

    async def _close(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    async def _found(self) -> ShimClient | None:
        """Connect to the shim that is there; None when it does not answer or there is none."""
        try:
            return await ShimClient.connect(self._directory, self._on_change)
        except (OSError, TimeoutError, EngineError):
            return None

    async def _replaced(self) -> ShimClient | None:
        """Start a new shim where none lives; None, after a while, when one lives or none starts."""
        if not shim_lives(self._directory):
            try:
                return await self._launch()
            except (OSError, TimeoutError, EngineError) as error:
                logger.warning("engine %s: %s", self.id, error)
        await asyncio.sleep(_RECONNECT_SECONDS)
        return None

    async def _launch(self) -> ShimClient:
        self._tools.effects.announce("launch the shim")
        return await launch(self._directory, self._tools.environ, self._on_change)

    async def _start(self, wanted: EngineRecord) -> None:
        self.record = wanted
        record.write(self._directory, wanted, self._tools.effects)
        if self._client is None:
            self._client = await self._launch()
        line = await self._tools.environment(wanted)
        self._tools.effects.announce("ask the shim to start")
        await self._client.request(
            protocol.START,
            epoch=wanted.assignment.epoch,
            fingerprint=wanted.fingerprint,
            argv=line.argv,
            env=dict(line.env),
            cwd=str(self._directory),
            limits=line.limits,
            rlimits=line.rlimits,
        )

    async def _refused(self, refusal: ShimRefused) -> None:
        if refusal.code == protocol.EXEC_FAILED and self._client is not None:
            await self._client.request(protocol.STATUS)
            await self._settle()
            return
        stale = refusal.code == protocol.STALE_EPOCH
        reason = "StaleEpoch" if stale else "StartFailed"
        self._failed(Fault(reason=reason, message=str(refusal), permanent=stale))

    def _failed(self, fault: Fault) -> None:
        now = datetime.now(UTC)
        self._keep(fault=fault, ended_at=now, failures=self.record.failures + 1)

    async def _finish_stop(self, stop: Stopping) -> None:
        """Drain, then have the shim end it: again from the start when an agent died meanwhile."""
        if self._monitor is not None:
            self._monitor.cancel()
        engine = self.record.assignment
        seconds = stopping.seconds_left(stop, engine, datetime.now(UTC))
        target = await self._target()
        if not stop.drained:
            tools = self._tools
            seconds = await stopping.drain(tools.prober, target, engine, seconds, tools.patience)
        if self._client is None:
            return
        self._tools.effects.announce("ask the shim to stop")
        with contextlib.suppress(ShimLost):  # it died: its successor ends the engine
            number = stopping.signal_number(engine)
            await self._client.request(protocol.STOP, grace=seconds, signal=number)

    async def _settle(self) -> None:
        """Count an end that was not counted yet."""
        status, kept = self._status(), self.record
        ended = view.uncounted_exit(kept, status) if status else None
        if status is None or ended is None or self._client is None:
            return
        fault = kept.stopping.fault if kept.stopping else None
        if kept.stopping is None and not ended.asked:
            fault = classify(view.end_of(ended), await self._client.tail())
        self._keep(
            runs_counted=status.run,
            fault=fault,
            ended_at=ended.at,
            stopping=None,
            failures=backoff.failures_after(
                kept.failures,
                failed=fault is not None,
                ready_at=kept.ready_at if kept.ready_run == status.run else None,
                ended_at=ended.at,
            ),
        )

    def _on_change(self) -> None:
        """Hear of an event of the shim, or of its end."""
        if self._forgotten or self._client is None:
            return
        self._changed()
        if self._client.lost.is_set():
            self._client = None
            self._begin(self.attach())
        elif not self._client.status.running:
            if self._monitor is not None:
                self._monitor.cancel()
            self._begin(self._settle_in_turn())

    async def _settle_in_turn(self) -> None:
        async with self._turn:
            await self._settle()
        self._changed()

    def _watch(self) -> None:
        process = self._process()
        if not isinstance(process, Running) or self.record.stopping is not None:
            return
        if self._monitor is None or self._monitor.done():
            self._monitor = self._begin(self._monitored(process))

    async def _monitored(self, process: Running) -> None:
        was_ready = self.record.ready_run == process.run
        watched = Watched(
            engine=self.record.assignment,
            target=await self._target(),
            started_ago=(datetime.now(UTC) - process.started_at).total_seconds(),
            marks=self._marks,
            tell=self._tell,
        )
        monitor = Monitor(watched, self._tools.prober, self._tools.patience)
        await monitor.run(was_ready=was_ready)

    def _tell(self, health: Health, detail: str) -> None:
        process = self._process()
        run = process.run if isinstance(process, Running) else self.record.ready_run
        if health is Health.READY and run != self.record.ready_run:
            self._keep(ready_run=run, ready_at=datetime.now(UTC))
        if (health, detail) != (self._health, self._detail):
            self._health, self._detail = health, detail
            self._changed()

    async def _target(self) -> Target:
        kept = self.record
        env: Mapping[str, str] = {}
        if stopping.executes(kept.assignment):
            with contextlib.suppress(EngineError):
                env = (await self._tools.environment(kept)).env
        return Target(
            port=kept.port or 0, model=kept.assignment.model, model_path=kept.model_path, env=env
        )

    async def _marks(self) -> tuple[int, ...]:
        if self._client is None:
            return ()
        await self._client.request(protocol.STATUS)
        status = self._client.status
        return (status.log_bytes, *proc.work(status.shim_pid))

    def _process(self) -> Process:
        return view.process(self.record, self._status(), launching=self._launching)

    def _status(self) -> ShimStatus | None:
        if self._client is None or self._client.lost.is_set():
            return None
        return self._client.status

    def _changed(self) -> None:
        self._tools.changed.set()
        self._heard.set()
        self._heard = asyncio.Event()

    def _keep(self, **changes: object) -> None:
        self.record = record.changed(self.record, **changes)
        record.write(self._directory, self.record, self._tools.effects)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"engine {self.id}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("engine %s: %s", self.id, error, exc_info=error)
