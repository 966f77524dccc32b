"""Looks at the accelerators every few seconds, and wakes the loop when there is news."""

import asyncio
import contextlib
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
        self._asked = asyncio.Event()

    def look_soon(self) -> None:
        """Look now: an engine has left a device, and the next one waits for its memory."""
        self._asked.set()

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                asked = self._asked.is_set()
                self._asked.clear()
                answer = await self._probe.look()
                self._take(answer)
                if asked:
                    self._changed.set()
                await self._pause(answer)
        finally:
            await self._probe.aclose()

    async def _pause(self, answer: Answer) -> None:
        gone = isinstance(answer, NoDriver) and not self.sighting.devices
        seconds = PERIOD_WITHOUT_DRIVER_SECONDS if gone else self._period_seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()

    def _take(self, answer: Answer) -> None:
        before, self.sighting = self.sighting, merged(self.sighting, answer, self._now())
        after = self.sighting
        news = (after.accelerators, after.failure, after.xids)
        if (before.accelerators, before.failure, before.xids) != news:
            self._changed.set()
