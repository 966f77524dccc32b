"""Watches one run of one engine: from its start to ready, and then whether it stays so.

Here is only the waiting for its start: what a ready one is asked is in vigil.py, what answers mean
is decided in startup.py and liveness.py.
"""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from llmaz.agent.engines import startup
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.probe import Answer, Prober, Target
from llmaz.agent.engines.questions import Questions, Watched
from llmaz.agent.engines.startup import Progress
from llmaz.agent.engines.state import Fault, Health
from llmaz.agent.engines.vigil import Vigil
from llmaz.api.pod import LifecycleHandler, Probe

_PROGRESS_SECONDS = 2.0  # between two looks at what a starting engine does
_OK = Answer(ok=True)
_SILENT = "the engine does not listen yet"


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
        self._questions = Questions(watched, prober, patience)

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
        vigil = Vigil(self._watched, self._questions, self._patience)
        return Fault(reason="Hung", message=await vigil.until_dead())

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
            _Gate(ask=self._questions.accepts, waits="the engine is loading"),
            _Gate(
                ask=self._questions.lists_model,
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
        return _OK if probe is None else await self._questions.probe(probe)

    async def _gives_token(self) -> Answer:
        # The first token may compile kernels: it gets the time that a start without progress gets.
        return await self._questions.token(self._patience.startup_stall_seconds)


async def run_hook(
    prober: Prober, hook: LifecycleHandler, target: Target, seconds: float | None
) -> Answer:
    """Run a lifecycle hook once; with `seconds`, for no longer than that."""
    if hook.sleep is not None:
        await asyncio.sleep(min(hook.sleep.seconds, seconds or hook.sleep.seconds))
        return _OK
    probe = Probe(exec=hook.exec, http_get=hook.http_get, tcp_socket=hook.tcp_socket)
    return await prober.probe(probe, target, seconds if seconds is not None else 3600.0)
