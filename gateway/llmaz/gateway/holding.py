"""Requests that wait for the first engine of a model: few enough, not for ever, in no queue twice.

A request waits inside its own handler, so that a client that leaves takes its place with it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llmaz.gateway.answers import UNAVAILABLE, OpenAIError
from llmaz.gateway.metrics import Metrics

_RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLimits:
    """How much may wait at one gateway.

    requests: of one model
    total_bytes: of all models, the bodies alone
    seconds: for how long one request
    """

    requests: int = 1000
    total_bytes: int = 256 * 2**20
    seconds: float = 900.0


class Holding:
    """Counts what waits, and tells it of every change of the table."""

    def __init__(self, limits: HoldLimits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._held: Counter[str] = Counter()
        self._bytes = 0
        self._turn = asyncio.Event()

    def turn(self) -> None:
        """Have everything that waits look at the table again."""
        self._turn.set()
        self._turn = asyncio.Event()

    def deadline(self) -> float:
        """Return until when a request that comes now may wait."""
        return time.monotonic() + self._limits.seconds

    @contextmanager
    def place(self, model: str, size: int) -> Iterator[None]:
        """Take a place for as long as the block lasts; raise OpenAIError where there is none."""
        if self._held[model] >= self._limits.requests:
            raise _full(model, f"{self._limits.requests} requests wait for it already")
        if self._bytes + size > self._limits.total_bytes:
            raise _full(model, "the requests that wait have no more room in memory")
        self._held[model] += 1
        self._bytes += size
        self._metrics.holds(model, self._held[model])
        try:
            yield
        finally:
            self._held[model] -= 1
            self._bytes -= size
            self._metrics.holds(model, self._held[model])

    async def changed(self, seconds: float) -> None:
        """Wait for the next change of the table, or for so long."""
        turn = self._turn
        try:
            async with asyncio.timeout(seconds):
                await turn.wait()
        except TimeoutError:
            return


def _full(model: str, why: str) -> OpenAIError:
    return OpenAIError(
        429,
        f"model {model!r} is being started, and {why}",
        kind=UNAVAILABLE,
        code="too_many_requests_held",
        retry_after=_RETRY_AFTER_SECONDS,
    )
