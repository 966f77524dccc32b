"""Looks at the accelerators every few seconds, and wakes the loop when there is news."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from llmaz.agent.accelerators.device import Answer, NoDriver, Sighting, merged

PERIOD_SECONDS = 3.0  # a GPU that fell off the bus is reported within 5 s
PERIOD_WITHOUT_DRIVER_SECONDS = 60.0  # a driver that is installed later is found without a restart


class Probe(Protocol):
    """What tells of accelerators."""

    async def look(self) -> Answer: ...

    async def aclose(self) -> None: ...


class AcceleratorWatch:
    """The last sighting, kept fresh by `run`."""

    def __init__(
        self,
        probe: Probe,
        *,
        now: Callable[[], datetime],
        changed: asyncio.Event,
        period_seconds: float = PERIOD_SECONDS,
    ) -> None:
        self.sighting = Sighting()
        self._probe = probe
        self._now = now
        self._changed = changed
        self._period_seconds = period_seconds

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                answer = await self._probe.look()
                self._take(answer)
                gone = isinstance(answer, NoDriver) and not self.sighting.devices
                await asyncio.sleep(PERIOD_WITHOUT_DRIVER_SECONDS if gone else self._period_seconds)
        finally:
            await self._probe.aclose()

    def _take(self, answer: Answer) -> None:
        before, self.sighting = self.sighting, merged(self.sighting, answer, self._now())
        if (before.accelerators, before.failure) != (
            self.sighting.accelerators,
            self.sighting.failure,
        ):
            self._changed.set()
