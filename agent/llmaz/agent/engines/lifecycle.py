"""How an engine's record changes with what happens to it. Pure."""

import dataclasses
from datetime import datetime

from llmaz.agent.engines import backoff
from llmaz.agent.engines.classify import End, classify
from llmaz.agent.engines.client import ShimExit
from llmaz.agent.engines.record import EngineRecord, Stopping
from llmaz.agent.engines.state import Fault, Health, StartEngine
from llmaz.api.fingerprint import fingerprint, is_next_epoch

STOPPED = "Stopped"  # the reason of a restart after a stop that somebody asked for


def wanted(action: StartEngine, former: EngineRecord | None, port: int) -> EngineRecord:
    """Return the record of the next run: an assignment that changed starts counting anew."""
    engine = action.engine
    fresh = EngineRecord(
        assignment=engine,
        fingerprint=fingerprint(engine),
        model_path=action.model_path,
        draft_model_path=action.draft_model_path,
        programs=action.programs,
        port=port,
        runs_counted=former.runs_counted if former else 0,
    )
    if former is None:
        return fresh
    if former.fingerprint != fresh.fingerprint and not is_next_epoch(engine, former.assignment):
        return fresh
    restarted = dict(former.restarted)
    if former.runs_counted > 0:
        reason = former.fault.reason if former.fault is not None else STOPPED
        restarted[reason] = restarted.get(reason, 0) + 1
    return dataclasses.replace(fresh, failures=former.failures, restarted=restarted)


def stop(
    kept: EngineRecord, health: Health, verdict: Fault | None, reason: str, now: datetime
) -> Stopping:
    """Return the stop to record: the one that is under way, if any.

    The verdict on one that is not alive counts as its failure.
    """
    if kept.stopping is not None:
        return kept.stopping
    fault = verdict if health is Health.DEAD else None
    is_worker = kept.assignment.rank > 0  # of a group: it has no requests of its own
    drained = is_worker or health in (Health.DEAD, Health.STARTING, Health.ASLEEP)
    return Stopping(since=now, reason=reason, fault=fault, drained=drained)


def shortened(stop: Stopping, within: float) -> Stopping:
    """Return a stop that takes no longer than `within` seconds."""
    least = within if stop.within is None else min(within, stop.within)
    return dataclasses.replace(stop, within=least)


def ended(kept: EngineRecord, run: int, how: ShimExit, tail: str) -> EngineRecord:
    """Count the end of a run, unless its start was counted already as one that came to nothing.

    That happens when the shim is killed while it starts an engine: its successor tells of a run.
    """
    fault = kept.stopping.fault if kept.stopping else None
    if kept.stopping is None and not how.asked:
        end = End(code=how.code, signal=how.signal, oom=how.oom, error=how.error)
        fault = classify(end, tail)
    is_counted = kept.fault is not None and kept.ready_run != run
    failures = backoff.failures_after(
        kept.failures - is_counted,
        failed=fault is not None,
        ready_at=kept.ready_at if kept.ready_run == run else None,
        ended_at=how.at,
    )
    return dataclasses.replace(
        kept, runs_counted=run, fault=fault, ended_at=how.at, stopping=None, failures=failures
    )


def not_started(kept: EngineRecord, fault: Fault, now: datetime) -> EngineRecord:
    """Count a start that came to nothing before there was a process."""
    return dataclasses.replace(kept, fault=fault, ended_at=now, failures=kept.failures + 1)


def ready(kept: EngineRecord, run: int | None, now: datetime) -> EngineRecord:
    """Note the first time that a run became ready."""
    if run is None or run == kept.ready_run:
        return kept
    return dataclasses.replace(kept, ready_run=run, ready_at=now)
