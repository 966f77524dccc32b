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
from llmaz.agent.slots.about import SlotAbout, accelerators_of
from llmaz.agent.slots.decide import SlotSeen
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
    _assigned: frozenset[str] = frozenset()
    _waited: frozenset[str] = frozenset()
    _looking: "asyncio.Task[None] | None" = None
    _swept: float | None = None

    def look(
        self, assigned: Collection[AssignedEngine], known: Mapping[str, SlotSeen]
    ) -> dict[str, SlotSeen]:
        """Return the slots whose shims live; `known` are those that an engine is connected to."""
        self._assigned = frozenset(engine.slot.uid for engine in assigned if engine.slot)
        found = dict(known)
        for uid in self._assigned - known.keys():
            if shim_lives(self.directory / uid):
                found[uid] = SlotSeen()
        self._waited = self._assigned - found.keys()
        if self._waited and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._wait())
        self._sweep()
        return found

    async def aclose(self) -> None:
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


def slot_seen(about: SlotAbout, accelerators: Mapping[str, Accelerator]) -> SlotSeen:
    """Return what the decision is told of a slot."""
    return SlotSeen(
        address=about.address,
        accelerators=accelerators_of(about, accelerators),
        draining=about.draining,
    )
