"""What one run of an engine is asked, and for how long an answer is waited for."""

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from llmaz.agent.engines.connections import connections_to
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.metrics import Numbers
from llmaz.agent.engines.probe import Answer, Prober, Target
from llmaz.agent.engines.state import Health
from llmaz.api.node import AssignedEngine
from llmaz.api.pod import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The run that is watched."""

    engine: AssignedEngine
    target: Target
    started_ago: float  # seconds
    marks: Callable[[], Awaitable[tuple[int, ...]]]  # bytes of log, processor ticks, bytes read
    tell: Callable[[Health, str], None]
    count: Callable[[Numbers | None], None]  # its metrics, as often as they are read


class Questions:
    """Asks one engine. The name by which requests mean its model is kept once it is known."""

    def __init__(self, watched: Watched, prober: Prober, patience: Patience) -> None:
        self._watched = watched
        self._prober = prober
        self._patience = patience
        self._name = ""
        self._proofs = 0
        self._asked = False  # for a token, when its metrics were read last

    async def probe(self, probe: Probe) -> Answer:
        """Ask a probe; a kubelet's default of 1 s would fail healthy engines under load."""
        seconds = max(float(probe.timeout_seconds), self._patience.health_seconds)
        return await self._prober.probe(probe, self._watched.target, seconds)

    async def accepts(self) -> Answer:
        """Ask whether it takes requests."""
        probe = self._watched.engine.readiness_probe
        if probe is not None:
            return await self.probe(probe)
        return await self._prober.health(self._watched.target, self._patience.health_seconds)

    async def lists_model(self) -> Answer:
        """Ask whether it serves the model that it was started for."""
        seconds = self._patience.health_seconds
        answer, self._name = await self._prober.listed(self._watched.target, seconds)
        return answer

    async def token(self, seconds: float) -> Answer:
        """Have it generate one token."""
        if not self._name:  # it was found ready, and may list its model by its path
            await self.lists_model()
        name = self._name or self._watched.target.model
        return await self._prober.token(self._watched.target, name, seconds)

    async def numbers(self, *, asking: bool) -> Numbers | None:
        """Read its metrics, and tell them to whom they concern.

        While a token is asked for they tell of that as well, though nobody uses the engine; and so
        does the reading after, as its answer may come beside one.
        """
        seconds = self._patience.health_seconds
        numbers = await self._prober.numbers(self._watched.target, seconds)
        self._proofs += asking or self._asked
        self._asked = asking
        if numbers is not None:
            numbers = dataclasses.replace(numbers, proofs=self._proofs)
        self._watched.count(numbers)
        return numbers

    def others(self, *, asking: bool) -> int | None:
        """Return how many others are connected to it; None where that can't be told.

        A slot has a network of its own. The agent's one connection that stays is the token's.
        """
        if self._watched.engine.slot is not None:
            return None
        count = connections_to(self._watched.target.port)
        return None if count is None else max(0, count - asking)

    async def ticks(self) -> int | None:
        """Return the processor time that it has used, where that can be told."""
        marks = await self._watched.marks()
        return marks[1] if len(marks) > 1 else None
