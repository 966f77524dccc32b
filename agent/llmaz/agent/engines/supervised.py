"""One engine under one shim, as the agent holds it: its record, its connection, its tasks.

Every effect on it goes through here, one at a time. What the shim says happened is written into
the record before anybody hears of it, so that an agent that dies in between counts it once.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from llmaz.agent.engines import lifecycle, orders, stopping, view
from llmaz.agent.engines.blame import DeviceError, blamed
from llmaz.agent.engines.env import InvalidEnvironment
from llmaz.agent.engines.errors import EngineError, ShimLost, ShimRefused
from llmaz.agent.engines.incidents import reaped, unfinished
from llmaz.agent.engines.link import Link
from llmaz.agent.engines.metrics import Numbers
from llmaz.agent.engines.record import Book, EngineRecord, Stopping
from llmaz.agent.engines.sleeping import Sleeping
from llmaz.agent.engines.state import EngineSeen, Exited, Fault, Health, Process, Running
from llmaz.agent.engines.tasks import Tasks
from llmaz.agent.engines.tools import Tools, target_of
from llmaz.agent.engines.watching import Watching
from llmaz.agent.slots.about import SlotAbout
from llmaz.api.incident import Incident
from llmaz.api.sleep import SleepCalls
from llmaz.shim import protocol


class Supervised:
    """One engine. Its methods are safe to repeat."""

    def __init__(self, engine_id: str, directory: Path, tools: Tools, kept: EngineRecord) -> None:
        self.id = engine_id
        self._book = Book(directory, kept, tools.effects)
        self._link = Link(tools, directory, self._on_change)
        self._tools = tools
        self._launching = False
        self._turn = asyncio.Lock()
        self._tasks = Tasks(f"engine {engine_id}")
        self._watching = Watching(tools, self._tasks, self._on_finding)
        rest = (self._keep_asleep, self._on_rest, self._on_no_wake)
        self._sleeping = Sleeping(tools, self._tasks, *rest)
        self._forgotten = False
        self._heard = asyncio.Event()  # replaced each time something happened

    @property
    def record(self) -> EngineRecord:
        """What is kept of it on disk."""
        return self._book.record

    def seen(self) -> EngineSeen:
        """Return what is known of it now."""
        return view.seen(
            view.View(
                id=self.id,
                record=self.record,
                status=self._link.status,
                launching=self._launching,
                health=self._watching.health,
                detail=self._watching.detail,
                verdict=self._watching.verdict,
                log=str(self._link.place(self.record.assignment) / protocol.LOG),
                sleeping=self._sleeping.is_wanted,
                woke_seconds=self._sleeping.woke_seconds,
            )
        )

    @property
    def numbers(self) -> Numbers | None:
        """What the run that is watched tells of itself."""
        return self._watching.numbers

    @property
    def slot(self) -> SlotAbout | None:
        """What is known of the slot that it runs in; None without one, or while it is not there."""
        return self._link.slot

    def blame(self, errors: Mapping[str, tuple[DeviceError, ...]]) -> None:
        """Take what went wrong with its devices into account."""
        if isinstance(self._process(), Exited):
            self._book.keep(blamed(self.record, errors))

    async def attach(self) -> None:
        """Find its shim and go on with what it has; a dead one's successor ends what it left."""
        async with self._turn:
            await self._link.find(self.record.assignment)
            try:
                await self._settle()
            except ShimLost:  # heard of as a change, which attaches to its successor
                return
        if self.record.stopping is not None and isinstance(self._process(), Running):
            self._tasks.begin(self._finish_stop(self.record.stopping))
        if self.record.ready_run == self._run():  # taken for ready until a probe says otherwise
            self._watching.health = Health.READY
            self._sleeping.resume(self.record.asleep)
        self._watch()
        self._show()
        self._changed()

    def begin_attach(self) -> asyncio.Task[None]:
        """Attach in the background: a shim that does not answer holds up nobody."""
        return self._tasks.begin(self.attach())

    async def start(self, wanted: EngineRecord) -> None:
        """Start it as `wanted`, unless it runs."""
        async with self._turn:
            if isinstance(self._process(), Running):
                return
            self._launching = True
            self._watching.health, self._watching.detail = Health.STARTING, ""
            try:
                await self._start(wanted)
            except ShimRefused as refusal:
                await self._refused(refusal)
            except InvalidEnvironment as error:
                self._failed(error.fault)
            except (EngineError, TimeoutError, OSError) as error:
                self._failed(Fault(reason="StartFailed", message=str(error)))
            finally:
                self._launching = False
                self._changed()
        if self._link.client is None:
            self.begin_attach()
        self._watch()

    async def stop(self, reason: str, *, within: float | None = None) -> None:
        """Begin to stop it: unready at once, ended after its drain. Returns before it has ended.

        `within` shortens the engine's own grace, also of a stop that is under way.
        """
        if not isinstance(self._process(), Running):
            return
        found = self._watching
        stop = lifecycle.stop(self.record, found.health, found.verdict, reason, datetime.now(UTC))
        if within is not None:
            stop = lifecycle.shortened(stop, within)
        if stop == self.record.stopping:
            return
        self._sleeping.end()
        self._book.keep(dataclasses.replace(self.record, stopping=stop))
        self._show()
        self._changed()
        self._tasks.begin(self._finish_stop(stop))

    def rest(self, calls: SleepCalls | None) -> None:
        """Begin to have it sleep by these calls, or with None to wake it."""
        if not isinstance(self._process(), Running) or self.record.stopping is not None:
            return
        self._watching.end()
        self._sleeping.want(calls, lambda: target_of(self.record, self._tools, self.slot))

    async def change(self) -> None:
        """Wait until something happens to it."""
        await self._heard.wait()

    async def dismiss(self) -> bool:
        """Have its shim end; False when that died first: its successor is to see what it left.

        Only what has ended is dismissed.
        """
        async with self._turn:
            client = self._link.client
            if client is None:
                return False
            if self.record.assignment.slot is None:  # a slot outlives its engines
                if not await orders.leave(client):
                    return False
                self._forgotten = True
                await client.lost.wait()
            self._forgotten = True
            await self._close()
        return True

    async def forget(self) -> bool:
        """Dismiss its shim and remove its files; False when that has to be tried again."""
        if not await self.dismiss():
            return False
        self._book.remove()
        return True

    async def aclose(self) -> None:
        """Let go of it; it runs on under its shim."""
        self._forgotten = True
        await self._close()

    async def _close(self) -> None:
        await self._tasks.cancel()
        await self._link.aclose()

    async def _start(self, wanted: EngineRecord) -> None:
        tools, engine = self._tools, wanted.assignment
        if engine.slot or self.record.assignment.slot:  # what ran there before is none of its own
            client = await self._link.enter(engine, self.record.assignment)
            wanted = dataclasses.replace(wanted, runs_counted=client.status.run)
        self._book.open(wanted)
        if self._link.client is None:
            tools.effects.announce("launch the shim")
        client = await self._link.launch(engine)
        line = await tools.environment(wanted, self.slot)
        await orders.start(client, wanted, line, self._link.place(engine), tools.effects)

    async def _refused(self, refusal: ShimRefused) -> None:
        if refusal.code == protocol.EXEC_FAILED and self._link.client is not None:
            await self._link.client.request(protocol.STATUS)
            await self._settle()
            return
        stale = refusal.code == protocol.STALE_EPOCH
        reason = "StaleEpoch" if stale else "StartFailed"
        self._failed(Fault(reason=reason, message=str(refusal), permanent=stale))

    def _failed(self, fault: Fault) -> None:
        self._book.keep(lifecycle.not_started(self.record, fault, datetime.now(UTC)))

    async def _finish_stop(self, stop: Stopping) -> None:
        """Drain, then have the shim end it: again from the start when an agent died meanwhile."""
        self._watching.end()
        tools, engine = self._tools, self.record.assignment
        seconds = stopping.seconds_left(stop, engine, datetime.now(UTC))
        target = await target_of(self.record, tools, self.slot)
        if not stop.drained:
            drained = await stopping.drain(tools.prober, target, engine, seconds, tools.patience)
            if drained.unfinished:
                tools.incidents.note(self.id, Incident.DRAIN_TIMED_OUT, unfinished(drained))
            seconds = drained.seconds_left
        tools.effects.announce("ask the shim to stop")
        if self.record.stopping is None:  # it ended by itself, and what runs by now is another
            return
        if self._link.client is not None:
            number = stopping.signal_number(engine)
            await orders.stop(self._link.client, self.id, seconds, number)

    async def _settle(self) -> None:
        """Count an end that was not counted yet."""
        status, kept = self._link.status, self.record
        ended = view.uncounted_exit(kept, status) if status else None
        if status is None or ended is None or self._link.client is None:
            return
        if status.reaped:
            self._tools.incidents.note(self.id, Incident.ORPHAN_REAPED, reaped(status.reaped))
        tail = await self._link.client.tail()
        self._book.keep(lifecycle.ended(kept, status.run, ended, tail))

    def _on_change(self) -> None:
        """Hear of an event of the shim, or of its end."""
        if self._forgotten or self._link.client is None:
            return
        self._changed()
        status = self._link.status
        if status is not None and status.running:
            return
        self._watching.numbers = None
        self._watching.end()
        self._sleeping.end()
        if status is None:
            self._link.drop()
        self._tasks.begin(self.attach() if status is None else self._settle_in_turn())

    async def _settle_in_turn(self) -> None:
        async with self._turn:
            with contextlib.suppress(ShimLost):  # as above
                await self._settle()
        self._changed()

    def _watch(self) -> None:
        process = self._process()
        awake = self.record.stopping is None and self.record.asleep is None
        if isinstance(process, Running) and awake and self._link.client:
            self._watching.begin(self.record, process, self._link.client)

    def _on_rest(self, health: Health, detail: str) -> None:
        self._watching.found(health, detail)
        if health is Health.READY:
            self._watch()

    def _on_no_wake(self, fault: Fault) -> None:
        self._watching.verdict = fault
        self._watching.found(Health.DEAD, fault.message)

    def _keep_asleep(self, calls: SleepCalls | None) -> None:
        self._book.keep(dataclasses.replace(self.record, asleep=calls))

    def _on_finding(self, health: Health, is_news: bool) -> None:
        if health is Health.READY:
            self._book.keep(lifecycle.ready(self.record, self._run(), datetime.now(UTC)))
        if is_news:
            self._show()
            self._changed()

    def _show(self) -> None:
        """Tell the slot, where it runs in one, whether its engine answers requests."""
        if self._link.client is not None and self.slot is not None:
            ready = self._watching.health is Health.READY and self.record.stopping is None
            self._tasks.begin(orders.show(self._link.client, ready=ready))

    def _process(self) -> Process:
        return view.process(self.record, self._link.status, launching=self._launching)

    def _run(self) -> int | None:
        process = self._process()
        return process.run if isinstance(process, Running) else None

    def _changed(self) -> None:
        self._tools.changed.set()
        self._heard.set()
        self._heard = asyncio.Event()
