"""Whether an engine still works: alive means that tokens move, not that `/health` says 200. Pure.

An engine is proven alive when its counters move or a request for one token is answered. When
neither happened for long enough, one token is asked for; only when that fails too is the engine
dead. So a saturated engine, whose answer to a probe may come late, is never restarted as long as
its tokens move.
"""

import dataclasses
from dataclasses import dataclass

from llmaz.agent.engines.metrics import Activity


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an engine may be silent. Detection takes at most about two minutes with these."""

    startup_total_seconds: float = 1800.0  # a large model with compilation takes 6 minutes
    startup_stall_seconds: float = 120.0  # no log, no read, no tick
    refusal_seconds: float = 60.0  # it is healthy but lists other models: some load one by one
    hang_seconds: float = 90.0  # requests run and no counter moves
    idle_seconds: float = 60.0  # nothing runs and nothing proved it alive
    token_seconds: float = 20.0  # for the answer to a request for one token
    busy_tries: int = 1  # failed requests for a token until it is dead: with requests in flight
    idle_tries: int = 2  # with none in flight
    watch_seconds: float = 5.0  # between two looks
    health_seconds: float = 5.0  # for the answer of /health: shorter ones fail under load
    drain_seconds: float = 2.0  # from unready to the first signal: endpoints have to learn of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What is known of an engine's life."""

    proven_at: float
    activity: Activity | None = None
    failed_tries: int = 0
    unwell: bool = False  # its liveness probe has failed often enough


def felt(pulse: Pulse, activity: Activity | None, now: float) -> Pulse:
    """Take a new reading of the metrics into account: counters that move prove life."""
    before = pulse.activity
    moved = (
        activity is not None
        and before is not None
        and activity.tokens is not None
        and before.tokens is not None
        and activity.tokens != before.tokens
    )
    idle_again = activity is not None and before is not None and _became_busy(before, activity)
    proven = now if moved or idle_again else pulse.proven_at
    tries = 0 if moved else pulse.failed_tries
    return dataclasses.replace(pulse, proven_at=proven, activity=activity, failed_tries=tries)


def in_doubt(pulse: Pulse, patience: Patience, now: float) -> bool:
    """Tell whether one token should be asked for now."""
    silent = now - pulse.proven_at
    if pulse.unwell or pulse.failed_tries:
        return True
    if pulse.activity is not None and pulse.activity.in_flight > 0:
        return silent >= patience.hang_seconds
    return silent >= patience.idle_seconds


def with_liveness(pulse: Pulse, *, failed: bool) -> Pulse:
    """Take a liveness probe into account: its failure raises a doubt, which a token can settle."""
    return dataclasses.replace(pulse, unwell=failed)


def answered(pulse: Pulse, *, ok: bool, now: float) -> Pulse:
    """Take the outcome of a request for one token into account."""
    if ok:
        return dataclasses.replace(pulse, proven_at=now, failed_tries=0, unwell=False)
    return dataclasses.replace(pulse, failed_tries=pulse.failed_tries + 1)


def is_dead(pulse: Pulse, patience: Patience) -> bool:
    """Tell whether only a restart helps."""
    if pulse.activity is None:
        return False
    if pulse.activity.in_flight > 0:
        return pulse.failed_tries >= patience.busy_tries
    return pulse.failed_tries >= patience.idle_tries


def _became_busy(before: Activity, after: Activity) -> bool:
    """A first request after an idle while: only now may its tokens be waited for."""
    return before.in_flight == 0 and after.in_flight > 0
