"""Sees the slots of assigned engines come and go.

A slot whose engine runs tells of its end over its connection. One that has not begun makes no
noise, so that its lock is looked at until somebody holds it.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.engines.launch import shim_lives
from llmaz.agent.slots.about import SlotAbout
from llmaz.agent.slots.decide import SlotSeen, slot_seen
from llmaz.agent.slots.given import Given
from llmaz.agent.slots.gone import LOOK_SECONDS
from llmaz.agent.slots.launch import sweep
from llmaz.api.accelerator import Accelerator
from llmaz.api.node import AssignedEngine

_SWEEP_SECONDS = 600.0


@dataclass(slots=True)
class SlotWatch:
    """Looks for the slots that engines wait for, below one directory."""

    directory: Path
    changed: asyncio.Event
    given: Given | None = None  # the kubelet's ledger, where it may be asked
    _assigned: frozenset[str] = frozenset()
    _waited: frozenset[str] = frozenset()
    _looking: "asyncio.Task[None] | None" = None
    _swept: float | None = None

    def look(
        self,
        assigned: Collection[AssignedEngine],
        connected: Mapping[str, SlotAbout],
        accelerators: Mapping[str, Accelerator],
    ) -> dict[str, SlotSeen]:
        """Return the slots whose shims live; an engine is connected to those that tell of them."""
        self._assigned = frozenset(engine.slot.uid for engine in assigned if engine.slot)
        given = self.given.look(assigned) if self.given is not None else {}
        found = {
            uid: slot_seen(about, accelerators, given.get(uid)) for uid, about in connected.items()
        }
        for uid in self._assigned - connected.keys():
            if shim_lives(self.directory / uid):
                found[uid] = SlotSeen()
        self._waited = self._assigned - found.keys()
        if self._waited and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._wait())
        self._sweep()
        return found

    async def aclose(self) -> None:
        if self.given is not None:
            await self.given.aclose()
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking

    async def _wait(self) -> None:
        while not self._has_come():  # noqa: ASYNC110  # a lock wakes nobody
            await asyncio.sleep(LOOK_SECONDS)
        self.changed.set()

    def _has_come(self) -> bool:
        return any(shim_lives(self.directory / uid) for uid in self._waited)

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._swept is None or now - self._swept > _SWEEP_SECONDS:
            self._swept = now
            sweep(self.directory, self._assigned)
