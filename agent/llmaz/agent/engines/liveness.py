"""Whether an engine still works: alive means that tokens move, not that `/health` says 200. Pure.

An engine is proven alive when its counters move or a request for one token is answered. When
neither happened for long enough, one token is asked for; only when that fails too is the engine
dead. So a saturated engine, whose answer to a probe may come late, is never restarted as long as
its tokens move.

An engine on processors alone may take long for one batch of prompts, and counts it only when it is
done. There the time that its processors work counts as life too, up to a bound: one that hangs in a
loop uses them as well. It is the work that is bounded and not the time on the clock, so that an
engine which gets little of a busy machine is not ended for that. On accelerators it does not count,
since a batch takes seconds there, and engines whose devices hang often wait in such a loop.

An engine without metrics is proven alive by tokens that it is asked for and by nothing else: one
that hangs in a loop uses its processors as one that generates does. Where somebody is connected to
it, that token may have to wait behind a full queue, so it waits for as long as processors work.
"""

import dataclasses
from dataclasses import dataclass

from llmaz.agent.engines.metrics import Activity, processor_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an engine may be silent. A hang is found in less than two minutes with these."""

    startup_total_seconds: float = 1800.0  # a large model with compilation takes 6 minutes
    startup_stall_seconds: float = 120.0  # no log, no read, no tick
    refusal_seconds: float = 60.0  # it is healthy but lists other models: some load one by one
    hang_seconds: float = 100.0  # requests run and no counter moves
    toil_seconds: float = 100.0  # no counter moves, but a processor works: a batch of long prompts
    starved_seconds: float = 900.0  # the same, where it gets hardly any of its processors' time
    idle_seconds: float = 60.0  # nothing runs and nothing proved it alive
    token_seconds: float = 20.0  # for the answer to a request for one token
    busy_tries: int = 1  # failed requests for a token until it is dead: with requests in flight
    idle_tries: int = 2  # with none in flight
    watch_seconds: float = 5.0  # between two looks
    doubt_watch_seconds: float = 1.0  # the same while something is amiss
    health_seconds: float = 5.0  # for the answer of /health: shorter ones fail under load
    drain_seconds: float = 2.0  # from unready to the first signal: endpoints have to learn of it

    @classmethod
    def within(cls, hang_seconds: float, toil_seconds: float) -> "Patience":
        """Return the patience of whoever ends an engine after that long, idle or not."""
        usual = cls()
        return cls(
            hang_seconds=hang_seconds,
            toil_seconds=toil_seconds,
            starved_seconds=max(usual.starved_seconds, toil_seconds),
            idle_seconds=min(hang_seconds, usual.idle_seconds),
            token_seconds=min(hang_seconds, usual.token_seconds),
        )

    @property
    def ask_ahead_seconds(self) -> float:
        """How long before its time is up a busy engine is asked for the token that decides."""
        return min(self.token_seconds, self.hang_seconds / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What is known of an engine's life."""

    proven_at: float
    heard_at: float = 0.0  # when it last told of itself
    busy_since: float = 0.0  # when it last ceased to be idle: tokens were not due before
    activity: Activity | None = None
    told: Activity | None = None  # the last that was not guessed
    processor_seconds: float | None = None  # that it has used; None where they prove nothing
    looked_at: float = 0.0  # when that was read
    worked_at: float = 0.0  # when they were last seen to move
    toil_seconds: float = 0.0  # that a processor worked since life was proven
    asked_at: float | None = None  # when the token was asked for that is waited for
    failed_tries: int = 0
    others: bool = False  # not only our own requests for a token are in flight
    unwell: bool = False  # its liveness probe has failed often enough


def felt(pulse: Pulse, activity: Activity | None, now: float, *, asking: bool = False) -> Pulse:
    """Take a new reading into account: counters that move prove life.

    What is guessed proves nothing. Neither does a request in flight that is our own: one that is
    being asked for (`asking`), or was given up.
    """
    own = pulse.failed_tries + asking
    before = None if activity is None or activity.guessed else pulse.told
    moved = (
        activity is not None
        and before is not None
        and activity.tokens is not None
        and before.tokens is not None
        and activity.tokens != before.tokens
    )
    is_first = activity is not None and before is not None and _became_busy(before, activity, own)
    if moved:
        pulse = _proven(pulse, now)
    elif is_first:
        pulse = _busy_from(pulse, now)
    return dataclasses.replace(
        pulse,
        heard_at=pulse.heard_at if activity is None or activity.guessed else now,
        activity=activity,
        told=pulse.told if activity is None or activity.guessed else activity,
        failed_tries=0 if moved else pulse.failed_tries,
        others=activity is not None and _has_others(pulse, activity, own),
    )


def unheard(pulse: Pulse) -> Pulse:
    """Take into account that it tells nothing, though it did before, or answers nothing at all.

    Requests may run, but before it fell silent none did if it was idle. Whatever its processors do
    is no sign of life now: a server that is stuck in a loop uses them as well.
    """
    pulse = pulse if _is_busy(pulse) else _busy_from(pulse, pulse.heard_at)
    return dataclasses.replace(pulse, activity=Activity(in_flight=1, tokens=None), others=True)


def worked(pulse: Pulse, ticks: int, now: float) -> Pulse:
    """Take the time that the engine's processors have worked into account.

    Whole seconds are seen to move: answering the agent takes milliseconds, which moves them less
    than once in a `hang_seconds`. As many processors as there may be, they toil for no longer than
    the clock says.
    """
    seconds, before = processor_seconds(ticks), pulse.processor_seconds
    moved = before is not None and int(seconds) != int(before)
    toil = 0.0 if before is None else min(seconds - before, now - pulse.looked_at)
    return dataclasses.replace(
        pulse,
        processor_seconds=seconds,
        looked_at=now,
        worked_at=now if moved else pulse.worked_at,
        toil_seconds=pulse.toil_seconds + max(0.0, toil),
    )


def in_doubt(pulse: Pulse, patience: Patience, now: float) -> bool:
    """Tell whether one token should be asked for now."""
    if pulse.unwell or pulse.failed_tries:
        return True
    if _is_busy(pulse) and not _is_guessed(pulse):
        return _is_stuck(pulse, patience, now, patience.ask_ahead_seconds)
    return now - pulse.proven_at >= patience.idle_seconds


def asked(pulse: Pulse, now: float) -> Pulse:
    """Take into account that one token is asked for."""
    return dataclasses.replace(pulse, asked_at=now)


def answer_seconds(pulse: Pulse, patience: Patience) -> float:
    """Return how long its answer is waited for: very long where it may have to queue unseen.

    One that is asked for anew after each failure would always be the last of a queue.
    """
    if _is_guessed(pulse) and _is_busy(pulse):
        return patience.starved_seconds
    return patience.token_seconds


def with_liveness(pulse: Pulse, *, failed: bool) -> Pulse:
    """Take a liveness probe into account: its failure raises a doubt, which a token can settle."""
    return dataclasses.replace(pulse, unwell=failed)


def answered(pulse: Pulse, *, ok: bool, now: float) -> Pulse:
    """Take the outcome of a request for one token into account."""
    pulse = dataclasses.replace(pulse, asked_at=None)
    if ok:
        return dataclasses.replace(_proven(pulse, now), failed_tries=0, unwell=False)
    return dataclasses.replace(pulse, failed_tries=pulse.failed_tries + 1)


def is_dead(pulse: Pulse, patience: Patience, now: float) -> bool:
    """Tell whether only a restart helps.

    Behind a full queue a token that is asked for comes too late, so that its want alone proves
    nothing while requests run: nothing must have moved for long as well.
    """
    if pulse.activity is None:
        return False
    tries = _tries(pulse, patience, now)
    if _is_busy(pulse):
        return tries >= patience.busy_tries and _is_stuck(pulse, patience, now)
    is_over = not _is_guessed(pulse) or _has_toiled(pulse, patience, now)
    return tries >= patience.idle_tries and is_over


def _tries(pulse: Pulse, patience: Patience, now: float) -> int:
    """Count the tokens that did not come in time; one that is still waited for may be several."""
    waited = 0.0 if pulse.asked_at is None else now - pulse.asked_at
    return pulse.failed_tries + int(waited / patience.token_seconds)


def _is_guessed(pulse: Pulse) -> bool:
    return pulse.activity is not None and pulse.activity.guessed


def _is_busy(pulse: Pulse) -> bool:
    return pulse.activity is not None and pulse.activity.in_flight > 0 and pulse.others


def _is_stuck(pulse: Pulse, patience: Patience, now: float, ahead: float = 0.0) -> bool:
    """Requests run and nothing has moved for long: no counter, nor the processors if they count.

    With `ahead`: whether that is so in as many seconds if nothing moves until then.
    """
    silent = now + ahead - max(pulse.proven_at, pulse.busy_since)
    is_over = _has_toiled(pulse, patience, now, ahead)
    if _is_guessed(pulse):  # others wait with that token: what they wait for may be long
        is_over = not _toils(pulse, patience, now + ahead)
    return silent >= (patience.hang_seconds if is_over else patience.starved_seconds)


def _has_toiled(pulse: Pulse, patience: Patience, now: float, ahead: float = 0.0) -> bool:
    """Whether its processors stand still, or have worked for as long as they may in vain."""
    is_starved = now + ahead - pulse.proven_at >= patience.starved_seconds
    is_spent = pulse.toil_seconds + ahead >= patience.toil_seconds
    return is_spent or is_starved or not _toils(pulse, patience, now + ahead)


def _toils(pulse: Pulse, patience: Patience, now: float) -> bool:
    return pulse.processor_seconds is not None and now - pulse.worked_at < patience.hang_seconds


def _proven(pulse: Pulse, now: float) -> Pulse:
    return dataclasses.replace(pulse, proven_at=now, toil_seconds=0.0)


def _busy_from(pulse: Pulse, moment: float) -> Pulse:
    return dataclasses.replace(pulse, busy_since=moment, toil_seconds=0.0)


def _became_busy(before: Activity, after: Activity, own: int) -> bool:
    """A first request after an idle while: only now may its tokens be waited for."""
    return before.in_flight == 0 and after.in_flight > own


def _has_others(pulse: Pulse, activity: Activity, own: int) -> bool:
    if activity.guessed:  # our own are not among them
        return activity.in_flight > 0
    if activity.in_flight > own:
        return True
    return pulse.others and activity.in_flight > 0
