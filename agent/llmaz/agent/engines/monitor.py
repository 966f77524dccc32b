"""Watches one run of one engine: from its start to ready, and then whether it stays so.

Here is only the asking and the waiting. What answers mean is decided in startup.py and liveness.py.
"""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from llmaz.agent.engines import liveness, startup
from llmaz.agent.engines.liveness import Patience, Pulse
from llmaz.agent.engines.metrics import Activity, Numbers, activity_of_processes
from llmaz.agent.engines.probe import Answer, Prober, Target
from llmaz.agent.engines.startup import Progress
from llmaz.agent.engines.state import Fault, Health
from llmaz.api.node import AssignedEngine
from llmaz.api.pod import LifecycleHandler, Probe

_PROGRESS_SECONDS = 2.0  # between two looks at what a starting engine does
_FAILURE_THRESHOLD = 3  # of /health, where the runtime has no probe of its own
_OK = Answer(ok=True)
_SILENT = "the engine does not listen yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The run that is watched."""

    engine: AssignedEngine
    target: Target
    started_ago: float  # seconds
    marks: Callable[[], Awaitable[tuple[int, ...]]]  # bytes of log, processor ticks, bytes read
    tell: Callable[[Health, str], None]
    count: Callable[[Numbers | None], None]  # its metrics, as often as they are read


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gate:
    """A question that a starting engine has to answer well once."""

    ask: Callable[[], Awaitable[Answer]]
    waits: str  # what is said until then
    refused: str = ""  # the reason of the fault when it goes on answering that it won't


class Monitor:
    """Asks one engine until it is dead or the task is cancelled."""

    def __init__(self, watched: Watched, prober: Prober, patience: Patience) -> None:
        self._watched = watched
        self._target = watched.target
        self._prober = prober
        self._patience = patience
        self._name = ""  # by which requests mean the model, once it is known

    async def run(self, *, was_ready: bool) -> Fault:
        """Watch until only a restart helps, and say why.

        What was ready under a former agent is taken for ready until it fails. A group's worker
        listens to nobody but its leader: it is ready while it runs.
        """
        if self._watched.engine.rank:
            self._watched.tell(Health.READY, "")
            await asyncio.get_running_loop().create_future()
        if not was_ready:
            fault = await self._await_start()
            if fault is not None:
                return fault
        self._watched.tell(Health.READY, "")
        return Fault(reason="Hung", message=await self._keep_watch())

    async def _await_start(self) -> Fault | None:
        """Wait until every gate has opened once, in order; say why the start is given up."""
        engine = self._watched.engine
        hook = engine.lifecycle.post_start if engine.lifecycle else None
        if hook is not None:
            answer = await run_hook(self._prober, hook, self._target, None)
            if not answer.ok:
                said = f"its postStart hook failed: {answer.detail}"
                return Fault(reason="PostStartFailed", message=said)
        now = time.monotonic()
        progress = Progress(since=now - self._watched.started_ago, moved_at=now)
        gates = (
            _Gate(ask=self._started, waits="the engine is loading"),
            _Gate(ask=self._accepts, waits="the engine is loading"),
            _Gate(
                ask=self._lists_model,
                waits="the engine does not list the model yet",
                refused="WrongModel",
            ),
            _Gate(
                ask=self._gives_token,
                waits="the engine gives no token yet",
                refused="RefusesRequests",
            ),
        )
        for gate in gates:
            progress, fault = await self._await_gate(gate, progress)
            if fault is not None:
                return fault
        return None

    async def _await_gate(self, gate: "_Gate", progress: Progress) -> tuple[Progress, Fault | None]:
        """Wait until one gate opens; return how far the start is, and why it is given up if so."""
        looked_at = -_PROGRESS_SECONDS
        begun = time.monotonic()
        while not (answer := await gate.ask()).ok:
            now = time.monotonic()
            if now - looked_at >= _PROGRESS_SECONDS:
                looked_at = now
                progress = startup.moved(progress, await self._watched.marks(), now)
            if answer.refused and now - begun > self._patience.refusal_seconds:
                refusal = Fault(reason=gate.refused, message=answer.detail, permanent=True)
                return progress, refusal
            probe = self._watched.engine.startup_probe
            verdict = startup.given_up(progress, probe, self._start_patience(), now)
            if verdict is not None:
                said = f"{verdict}: {answer.detail}"
                return progress, Fault(reason="StartTimedOut", message=said)
            shown = f"{gate.waits} ({answer.detail})" if answer.listens else _SILENT
            self._watched.tell(Health.STARTING, shown)
            await asyncio.sleep(startup.poll_seconds(now - progress.since))
        return progress, None

    def _start_patience(self) -> Patience:
        """A group's leader may stand still until all of it are there: one may fetch weights yet."""
        if not self._watched.engine.epoch:
            return self._patience
        total = self._patience.startup_total_seconds
        return dataclasses.replace(self._patience, startup_stall_seconds=total)

    async def _started(self) -> Answer:
        probe = self._watched.engine.startup_probe
        return _OK if probe is None else await self._ask(probe)

    async def _accepts(self) -> Answer:
        probe = self._watched.engine.readiness_probe
        if probe is not None:
            return await self._ask(probe)
        return await self._prober.health(self._target, self._patience.health_seconds)

    async def _lists_model(self) -> Answer:
        seconds = self._patience.health_seconds
        answer, self._name = await self._prober.listed(self._target, seconds)
        return answer

    async def _gives_token(self) -> Answer:
        # The first token may compile kernels: it gets the time that a start without progress gets.
        seconds = self._patience.startup_stall_seconds
        return await self._prober.token(self._target, self._name, seconds)

    async def _keep_watch(self) -> str:
        """Look again and again; return why the engine is dead."""
        engine = self._watched.engine
        readiness = _Streak(engine.readiness_probe)
        alive = _Streak(engine.liveness_probe)
        pulse = Pulse(proven_at=time.monotonic())
        while True:
            await asyncio.sleep(self._patience.watch_seconds)
            pulse = await self._feel(pulse, alive)
            if liveness.in_doubt(pulse, self._patience, time.monotonic()):
                answer = await self._token_again()
                lives = answer.ok or answer.refused
                pulse = liveness.answered(pulse, ok=lives, now=time.monotonic())
                pulse = await self._feel(pulse, None)
                if liveness.is_dead(pulse, self._patience, time.monotonic()):
                    return f"it hangs: {answer.detail}"
            if readiness.is_due(time.monotonic()):
                self._tell_readiness(readiness, await self._accepts())

    async def _token_again(self) -> Answer:
        if not self._name:  # it was found ready, and may list its model by its path
            await self._lists_model()
        name = self._name or self._target.model
        return await self._prober.token(self._target, name, self._patience.token_seconds)

    async def _feel(self, pulse: Pulse, alive: "_Streak | None") -> Pulse:
        numbers = await self._prober.numbers(self._target, self._patience.health_seconds)
        self._watched.count(numbers)
        activity = numbers.activity if numbers is not None else None
        ticks = await self._ticks(activity)
        now = time.monotonic()
        if activity is None and ticks is not None:
            activity = activity_of_processes(ticks)
        elif ticks is not None:
            pulse = liveness.worked(pulse, ticks, now)
        pulse = liveness.felt(pulse, activity, now)
        if alive is None or alive.probe is None or not alive.is_due(now):
            return pulse
        return liveness.with_liveness(pulse, failed=alive.count(await self._ask(alive.probe)))

    async def _ticks(self, activity: Activity | None) -> int | None:
        """Return the processor time that the engine has used, where it may prove something."""
        idle = activity is not None and activity.in_flight == 0
        if idle or (activity is not None and self._watched.engine.accelerators):
            return None
        marks = await self._watched.marks()
        return marks[1] if len(marks) > 1 else None

    def _tell_readiness(self, streak: "_Streak", answer: Answer) -> None:
        if streak.count(answer):
            self._watched.tell(Health.UNREADY, answer.detail)
        elif answer.ok:
            self._watched.tell(Health.READY, "")

    async def _ask(self, probe: Probe) -> Answer:
        """Ask a probe; a kubelet's default of 1 s would fail healthy engines under load."""
        seconds = max(float(probe.timeout_seconds), self._patience.health_seconds)
        return await self._prober.probe(probe, self._target, seconds)


class _Streak:
    """Failures in a row of one probe, and when it is asked next."""

    def __init__(self, probe: Probe | None) -> None:
        self.probe = probe
        self._failures = 0
        self._next = 0.0

    def is_due(self, now: float) -> bool:
        if now < self._next:
            return False
        self._next = now + (self.probe.period_seconds if self.probe else 0)
        return True

    def count(self, answer: Answer) -> bool:
        """Count an answer; tell whether the probe has failed often enough to be believed."""
        self._failures = 0 if answer.ok else self._failures + 1
        threshold = self.probe.failure_threshold if self.probe else _FAILURE_THRESHOLD
        return self._failures >= threshold


async def run_hook(
    prober: Prober, hook: LifecycleHandler, target: Target, seconds: float | None
) -> Answer:
    """Run a lifecycle hook once; with `seconds`, for no longer than that."""
    if hook.sleep is not None:
        await asyncio.sleep(min(hook.sleep.seconds, seconds or hook.sleep.seconds))
        return _OK
    probe = Probe(exec=hook.exec, http_get=hook.http_get, tcp_socket=hook.tcp_socket)
    return await prober.probe(probe, target, seconds if seconds is not None else 3600.0)
