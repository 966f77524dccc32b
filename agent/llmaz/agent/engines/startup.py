"""Whether an engine that starts may go on: judged by progress, under a generous total. Pure.

A large model may take minutes and its probe fails all the while. A start is given up when nothing
moves for long (no line of log, no byte read, no tick of a processor), when it takes longer than
the total, or when its startup probe has used up what it allows and nothing moves either.
"""

import dataclasses
from dataclasses import dataclass

from llmaz.agent.engines.liveness import Patience
from llmaz.api.pod import Probe

# Between two polls: a share of the time that the start has taken, so that hardly any is lost and an
# engine that takes minutes is not asked a thousand times.
FIRST_POLL_SECONDS = 0.02
LAST_POLL_SECONDS = 0.5
POLL_SHARE = 0.03
# After its startup probe has run out, an engine must have moved within this time to go on.
RECENT_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """When a start last moved, in the same clock as `now`."""

    since: float
    moved_at: float
    marks: tuple[int, ...] = ()


def moved(progress: Progress, marks: tuple[int, ...], now: float) -> Progress:
    """Take a new reading of what grows while an engine starts."""
    if marks == progress.marks:
        return progress
    return dataclasses.replace(progress, marks=marks, moved_at=now)


def given_up(progress: Progress, probe: Probe | None, patience: Patience, now: float) -> str | None:
    """Say why a start is given up; None while it may go on."""
    if now - progress.since > patience.startup_total_seconds:
        return f"has not started within {patience.startup_total_seconds:.0f} s"
    still = now - progress.moved_at
    if still > patience.startup_stall_seconds:
        return f"its start made no progress for {still:.0f} s"
    allowed = probe_seconds(probe)
    if allowed is not None and now - progress.since > allowed and still > RECENT_SECONDS:
        return f"its startup probe failed for {allowed:.0f} s and its start made no progress"
    return None


def probe_seconds(probe: Probe | None) -> float | None:
    """Return how long a startup probe may fail."""
    if probe is None:
        return None
    return float(probe.initial_delay_seconds + probe.failure_threshold * probe.period_seconds)


def poll_seconds(elapsed: float) -> float:
    """Return how long to wait for the next poll of a start that has taken `elapsed` seconds."""
    return min(LAST_POLL_SECONDS, max(FIRST_POLL_SECONDS, POLL_SHARE * elapsed))
