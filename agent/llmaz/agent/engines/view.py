"""What a record and a shim's word together say of an engine. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime

from llmaz.agent.engines.client import ShimExit, ShimStatus
from llmaz.agent.engines.record import EngineRecord
from llmaz.agent.engines.state import (
    EngineSeen,
    Exited,
    Fault,
    Health,
    Launching,
    Process,
    Running,
    Unreachable,
)

_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that is known of one engine."""

    id: str
    record: EngineRecord
    status: ShimStatus | None  # None: its shim does not answer
    launching: bool
    health: Health
    detail: str
    verdict: Fault | None  # of whom watched it, when it is dead
    log: str
    sleeping: bool = False
    woke_seconds: float | None = None


def process(record: EngineRecord, status: ShimStatus | None, *, launching: bool) -> Process:
    """Say what the engine's process does. An end that is not in the record yet is not clear."""
    if launching:
        return Launching()
    if status is None:
        return Unreachable()
    if status.running and status.pid is not None and status.started_at is not None:
        return Running(pid=status.pid, run=status.run, started_at=status.started_at)
    if uncounted_exit(record, status) is not None:
        return Exited(at=_LONG_AGO, fault=None, clear=False)
    return Exited(at=record.ended_at or _LONG_AGO, fault=record.fault, clear=status.clear)


def uncounted_exit(record: EngineRecord, status: ShimStatus) -> ShimExit | None:
    """Return the end of the shim's last run when the record does not have it yet."""
    return None if status.running or status.run <= record.runs_counted else status.exit


def seen(view: View) -> EngineSeen:
    """Put it together for the decision."""
    kept = view.record
    now = process(kept, view.status, launching=view.launching)
    ready = isinstance(now, Running) and kept.ready_run == now.run
    verdict = view.verdict if view.health is Health.DEAD else None
    return EngineSeen(
        id=view.id,
        assignment=kept.assignment,
        fingerprint=kept.fingerprint,
        process=now,
        port=kept.port,
        health=view.health,
        detail=kept.stopping.reason if kept.stopping else view.detail,
        dies_of=kept.stopping.fault if kept.stopping else verdict,
        stopping_since=kept.stopping.since if kept.stopping else None,
        failures=kept.failures,
        restarted=kept.restarted,
        ready_at=kept.ready_at if ready else None,
        sleeping=view.sleeping,
        woke_seconds=view.woke_seconds,
        log=view.log,
    )
