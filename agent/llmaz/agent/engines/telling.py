"""What is said of an engine that is there, as its process and its probes are. Pure."""

from datetime import datetime, timedelta
from typing import assert_never

from llmaz.agent.engines import backoff
from llmaz.agent.engines.state import (
    EngineSeen,
    Exited,
    Fault,
    Health,
    Launching,
    Running,
    Unreachable,
)
from llmaz.api.node import EnginePhase, EngineReport

_PHASES = {
    Health.STARTING: EnginePhase.STARTING,
    Health.READY: EnginePhase.READY,
    Health.UNREADY: EnginePhase.UNREADY,
    Health.DROWSY: EnginePhase.UNREADY,
    Health.ASLEEP: EnginePhase.ASLEEP,
    Health.DEAD: EnginePhase.UNREADY,
}


def resting(engine: EngineSeen) -> EngineReport:
    """Report an engine with which nothing is to be done now."""
    if engine.stopping_since is not None and not isinstance(engine.process, Exited):
        return stopping(engine)
    match engine.process:
        case Running():
            phase = _PHASES[engine.health]
            return _report(engine, phase, message=engine.detail)
        case Launching():
            return _report(engine, EnginePhase.STARTING)
        case Unreachable():
            silent = "its shim does not answer; it is left as it is"
            return _report(engine, EnginePhase.UNREADY, "ShimUnreachable", silent)
        case Exited(clear=False):
            leaving = "waits until the last process of its former run is gone"
            return _report(engine, EnginePhase.STOPPING, message=leaving)
        case Exited(at=at, fault=fault):
            return _ended(engine, at, fault)
        case _:
            assert_never(engine.process)


def _ended(engine: EngineSeen, at: datetime, fault: Fault | None) -> EngineReport:
    if fault is None:
        return _report(engine, EnginePhase.STOPPING)
    if fault.permanent:
        return _report(engine, EnginePhase.FAILED, fault.reason, fault.message)
    retry_at = at + timedelta(seconds=backoff.delay(engine.id, engine.failures))
    message = fault.message
    if engine.failures >= backoff.CRASH_LOOP:
        message = f"failed {engine.failures} times in a row: {message}"
    return _report(engine, EnginePhase.BACKOFF, fault.reason, message, retry_at)


def stopping(engine: EngineSeen, message: str = "") -> EngineReport:
    """Report one that is being stopped, and why."""
    reason = engine.dies_of.reason if engine.dies_of else ""
    return _report(engine, EnginePhase.STOPPING, reason, message or engine.detail)


def _report(
    engine: EngineSeen,
    phase: EnginePhase,
    reason: str = "",
    message: str = "",
    retry_at: datetime | None = None,
) -> EngineReport:
    running = engine.process if isinstance(engine.process, Running) else None
    return EngineReport(
        id=engine.id,
        phase=phase,
        fingerprint=engine.fingerprint,
        epoch=engine.assignment.epoch,
        reason=reason,
        message=message,
        port=engine.port,
        pid=running.pid if running else None,
        restarts=engine.restarts,
        started_at=running.started_at if running else None,
        ready_at=engine.ready_at if phase is EnginePhase.READY else None,
        retry_at=retry_at,
        log=engine.log,
    )
