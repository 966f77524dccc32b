"""How an engine is stopped: no new requests, the running ones finished, then signals."""

import asyncio
import signal
import time
from dataclasses import dataclass
from datetime import datetime

from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.monitor import run_hook
from llmaz.agent.engines.probe import Prober, Target
from llmaz.agent.engines.record import Stopping
from llmaz.api.node import AssignedEngine

_POLL_SECONDS = 0.5
_HUNG_GRACE_SECONDS = 10.0  # what hangs won't finish a request any more
# Hooks mostly wait for running requests, and some poll a wrong port until the grace is over: an
# engine that is proven idle does not hold its accelerators for that long.
_IDLE_HOOK_SECONDS = 30.0
_LEAST_SECONDS = 1.0  # between the first signal and the kill, however late it is
_SHARE_FOR_SIGNAL = 0.25  # of the grace, kept for the engine's own way to end


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What came of a drain."""

    seconds_left: float  # of the grace, for the engine's own way to end
    unfinished: int = 0  # requests that it was still answering when the time for them was over


def seconds_left(stop: Stopping, engine: AssignedEngine, now: datetime) -> float:
    """Return what is left of the engine's grace; a hung or stillborn one gets little."""
    grace = float(engine.termination_grace_period_seconds)
    if stop.within is not None:
        grace = min(grace, stop.within)
    if stop.drained:
        grace = min(grace, _HUNG_GRACE_SECONDS)
    return max(_LEAST_SECONDS, grace - (now - stop.since).total_seconds())


async def drain(
    prober: Prober, target: Target, engine: AssignedEngine, seconds: float, patience: Patience
) -> Drained:
    """Wait until endpoints have forgotten the engine and no request runs.

    The preStop hook runs after that, as nothing it does may cut a request off.
    """
    deadline = time.monotonic() + seconds
    signal_by = deadline - seconds * _SHARE_FOR_SIGNAL
    await asyncio.sleep(min(patience.drain_seconds, seconds * _SHARE_FOR_SIGNAL))
    numbers = await prober.numbers(target, patience.health_seconds)
    while numbers is not None and numbers.activity.in_flight > 0 and time.monotonic() < signal_by:
        await asyncio.sleep(_POLL_SECONDS)
        numbers = await prober.numbers(target, patience.health_seconds)
    hook = engine.lifecycle.pre_stop if engine.lifecycle else None
    if hook is not None:
        allowed = max(_LEAST_SECONDS, signal_by - time.monotonic())
        idle = numbers is not None and numbers.activity.in_flight <= 0
        await run_hook(prober, hook, target, min(allowed, _IDLE_HOOK_SECONDS) if idle else allowed)
    return Drained(
        seconds_left=max(_LEAST_SECONDS, deadline - time.monotonic()),
        unfinished=0 if numbers is None else int(numbers.activity.in_flight),
    )


def signal_number(engine: AssignedEngine) -> int:
    """Return the signal that asks the engine to end: SIGTERM, or what its runtime names."""
    named = engine.lifecycle.stop_signal if engine.lifecycle else None
    return int(signal.Signals.__members__.get(named or "", signal.SIGTERM))


def executes(engine: AssignedEngine) -> bool:
    """Tell whether a probe or a hook is a command, which needs the engine's environment."""
    lifecycle = engine.lifecycle
    asked = (
        engine.startup_probe,
        engine.readiness_probe,
        engine.liveness_probe,
        lifecycle.post_start if lifecycle else None,
        lifecycle.pre_stop if lifecycle else None,
    )
    return any(question is not None and question.exec is not None for question in asked)
