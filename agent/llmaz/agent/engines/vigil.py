"""Watches one engine that is ready: whether it stays so, and whether it is alive.

Everything is asked at the same time and the deciding token beside it, so that an engine which
answers nothing costs a look no more than one deadline. What answers mean: liveness.py.
"""

import asyncio
import time

from llmaz.agent.engines import liveness
from llmaz.agent.engines.liveness import Patience, Pulse
from llmaz.agent.engines.metrics import Numbers, activity_of_connections
from llmaz.agent.engines.probe import Answer
from llmaz.agent.engines.questions import Questions, Watched
from llmaz.agent.engines.state import Health
from llmaz.api.pod import Probe

_FAILURE_THRESHOLD = 3  # of /health, where the runtime has no probe of its own


class Vigil:
    """Looks at one ready engine again and again."""

    def __init__(self, watched: Watched, questions: Questions, patience: Patience) -> None:
        self._watched = watched
        self._questions = questions
        self._patience = patience
        self._ready = _Streak(watched.engine.readiness_probe)
        self._alive = _Streak(watched.engine.liveness_probe)
        self._accepts = Answer(ok=True)  # its last answer
        self._pulse = Pulse(proven_at=time.monotonic())
        self._token: asyncio.Task[Answer] | None = None  # that decides, while it is waited for

    async def until_dead(self) -> str:
        """Return why only a restart helps."""
        said = ""
        try:
            while True:
                await asyncio.sleep(self._pause())
                await self._look()
                if self._token is not None and self._token.done():
                    said = self._take(self._token.result())
                    self._token = None
                now = time.monotonic()
                if liveness.is_dead(self._pulse, self._patience, now):
                    return f"it hangs: {said or self._waited(now)}"
                if self._token is None and liveness.in_doubt(self._pulse, self._patience, now):
                    seconds = liveness.answer_seconds(self._pulse, self._patience)
                    self._token = asyncio.create_task(self._questions.token(seconds))
                    self._pulse = liveness.asked(self._pulse, now)
        finally:
            if self._token is not None:
                self._token.cancel()

    def _pause(self) -> float:
        asked_at, now = self._pulse.asked_at, time.monotonic()
        asks = asked_at is not None and now - asked_at < self._patience.token_seconds
        amiss = asks or not self._accepts.ok or self._pulse.failed_tries
        usual, hasty = self._patience.watch_seconds, self._patience.doubt_watch_seconds
        return min(usual, hasty) if amiss else usual

    def _waited(self, now: float) -> str:
        asked_at = self._pulse.asked_at
        return "" if asked_at is None else f"no token within {now - asked_at:.0f} s"

    def _take(self, answer: Answer) -> str:
        lives = answer.ok or answer.refused
        self._pulse = liveness.answered(self._pulse, ok=lives, now=time.monotonic())
        return answer.detail

    async def _look(self) -> None:
        """Ask for everything that is due, and take the answers into account."""
        now = time.monotonic()
        (numbers, ticks), accepts, lives = await asyncio.gather(
            self._work(),
            self._questions.accepts() if self._ready.is_due(now) else _nothing(),
            self._lives() if self._alive.is_due(now) else _nothing(),
        )
        if accepts is not None:
            self._accepts = accepts
            self._tell_readiness(accepts)
        self._pulse = self._felt(numbers, ticks, time.monotonic())
        if lives is not None:
            failed = self._alive.count(lives)
            self._pulse = liveness.with_liveness(self._pulse, failed=failed)

    async def _work(self) -> tuple[Numbers | None, int | None]:
        """Read its metrics, and the time of its processors where that may prove something."""
        numbers = await self._questions.numbers(asking=self._token is not None)
        accelerated = bool(self._watched.engine.accelerators)
        if numbers is not None and (accelerated or not numbers.activity.in_flight):
            return numbers, None
        return numbers, await self._questions.ticks()

    async def _lives(self) -> Answer | None:
        probe = self._watched.engine.liveness_probe
        return None if probe is None else await self._questions.probe(probe)

    def _felt(self, numbers: Numbers | None, ticks: int | None, now: float) -> Pulse:
        pulse = self._pulse
        if numbers is None and pulse.told is None and self._accepts.heard:  # it has no metrics
            if ticks is None:
                return liveness.felt(pulse, None, now)
            others = self._questions.others(asking=self._token is not None)
            pulse = liveness.worked(pulse, ticks, now)
            return liveness.felt(pulse, activity_of_connections(others), now)
        if ticks is not None and not self._watched.engine.accelerators:
            pulse = liveness.worked(pulse, ticks, now)
        if numbers is None:
            return liveness.unheard(pulse)
        return liveness.felt(pulse, numbers.activity, now, asking=self._token is not None)

    def _tell_readiness(self, answer: Answer) -> None:
        if self._ready.count(answer):
            self._watched.tell(Health.UNREADY, answer.detail)
        elif answer.ok:
            self._watched.tell(Health.READY, "")


async def _nothing() -> None:
    """Ask nothing."""


class _Streak:
    """Failures in a row of one probe, and when it is asked next."""

    def __init__(self, probe: Probe | None) -> None:
        self._period = probe.period_seconds if probe else 0
        self._threshold = probe.failure_threshold if probe else _FAILURE_THRESHOLD
        self._failures = 0
        self._next = 0.0

    def is_due(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + self._period
        return True

    def count(self, answer: Answer) -> bool:
        """Count an answer; tell whether the probe has failed often enough to be believed."""
        self._failures = 0 if answer.ok else self._failures + 1
        return self._failures >= self._threshold
