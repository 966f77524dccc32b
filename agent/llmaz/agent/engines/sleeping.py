"""Puts one engine to sleep and wakes it. What was asked last counts, whatever is under way.

An engine falls asleep as one is stopped: its endpoint is withdrawn, what it runs is finished, and
only then is it told. Until that it can be called back at no cost.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.probe import Answer, Prober, Target
from llmaz.agent.engines.state import Fault, Health
from llmaz.agent.engines.tasks import Tasks
from llmaz.agent.engines.tools import Tools
from llmaz.api.sleep import SleepCalls

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_AGAIN_SECONDS = 5.0  # an engine that refuses to sleep is asked again
_CALL_SECONDS = 120.0  # 64 GiB of weights come and go in a few seconds


class Sleeping:
    """Whether one engine sleeps.

    `asleep` are the calls of one that sleeps, or that was told to and has not answered; `keep`
    writes them down first. `tell` hears how the engine is, and `failed` that it did not wake.
    """

    def __init__(
        self,
        tools: Tools,
        tasks: Tasks,
        keep: Callable[[SleepCalls | None], None],
        tell: Callable[[Health, str], None],
        failed: Callable[[Fault], None],
    ) -> None:
        self.asleep: SleepCalls | None = None
        self.woke_seconds: float | None = None  # what its last wake took
        self._prober: Prober = tools.prober
        self._patience: Patience = tools.patience
        self._tasks = tasks
        self._keep = keep
        self._tell = tell
        self._failed = failed
        self._wanted: SleepCalls | None = None
        self._called_back = asyncio.Event()  # it is not to sleep any more
        self._task: asyncio.Task[None] | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether it shall sleep."""
        return self._wanted is not None

    def resume(self, calls: SleepCalls | None) -> None:
        """Go on with an engine that a former agent had told to sleep."""
        self.asleep = self._wanted = calls
        if calls is not None:
            self._tell(Health.ASLEEP, "")

    def want(self, calls: SleepCalls | None, target: Callable[[], Awaitable[Target]]) -> None:
        """Have the engine sleep by these calls, or be awake with None."""
        self._wanted = calls
        if calls is None:
            self._called_back.set()
        else:
            self._called_back.clear()
        if self._task is None or self._task.done():
            self._task = self._tasks.begin(self._settle(target))

    def end(self) -> None:
        """Do nothing more: the engine stops, or has ended."""
        self._wanted = self.asleep = None
        if self._task is not None:
            self._task.cancel()

    async def _settle(self, target: Callable[[], Awaitable[Target]]) -> None:
        whom = await target()
        while (self._wanted is None) != (self.asleep is None):
            if self._wanted is not None:
                await self._fall_asleep(whom)
            elif not await self._wake(whom):
                return
        if self.asleep is None:
            self._tell(Health.READY, "")

    async def _fall_asleep(self, target: Target) -> None:
        self._tell(Health.DROWSY, "falls asleep")
        if not await self._is_drained(target):
            return
        while (calls := self._wanted) is not None:
            self._set(calls)
            answer = await self._call(calls.sleep, calls, target, asleep=True)
            if answer.ok:
                self._tell(Health.ASLEEP, "")
                return
            self._set(None)
            logger.warning("an engine does not sleep: %s", answer.detail)
            self._tell(Health.DROWSY, f"can't fall asleep: {answer.detail}")
            await self._while_wanted(_AGAIN_SECONDS)

    async def _is_drained(self, target: Target) -> bool:
        """Wait until endpoints have forgotten it and nothing runs; False once it is called back."""
        await self._while_wanted(self._patience.drain_seconds)
        while self._wanted is not None:
            numbers = await self._prober.numbers(target, self._patience.health_seconds)
            if numbers is not None and numbers.activity.in_flight <= 0:
                return True
            await self._while_wanted(_POLL_SECONDS)
        return False

    async def _while_wanted(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._called_back.wait()

    async def _wake(self, target: Target) -> bool:
        """Wake it; only a restart helps one that does not wake."""
        calls = self.asleep
        assert calls is not None  # else there is nobody to wake
        self._tell(Health.DROWSY, "wakes up")
        begun = time.monotonic()
        answer = await self._call(calls.wake, calls, target, asleep=False)
        self._set(None)
        if answer.ok:
            self.woke_seconds = time.monotonic() - begun
        else:
            said = f"it did not wake: {answer.detail}"
            self._failed(Fault(reason="WakeFailed", message=said))
        return answer.ok

    def _set(self, calls: SleepCalls | None) -> None:
        self.asleep = calls
        self._keep(calls)

    async def _call(self, path: str, calls: SleepCalls, target: Target, *, asleep: bool) -> Answer:
        """Tell the engine, unless it says that it is so already: some can't be told twice."""
        if calls.is_asleep:
            said = await self._prober.says(target, calls.is_asleep, self._patience.health_seconds)
            if said is asleep:
                return Answer(ok=True)
        return await self._prober.post(target, path, _CALL_SECONDS)
