"""Conditions of Playgrounds and Services: upstream's types, reasons and transitions; more words.

Progressing is set to False by AbortProcessing, and by success or at rest only where it is asked
for: upstream leaves it True. Available is False with the reason of the wait until the first
success, and PlaygroundNotReady or ServiceNotReady after it; so the condition itself remembers
whether there was one. At rest that is forgotten: what comes back says what it waits for, also
where it never served.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from llmaz.api.meta import Condition, find_condition, with_condition
from llmaz.controller.actions import Refusal
from llmaz.controller.progress import Progress
from llmaz.controller.rolling import ROLLING_OUT, rolling_out

AVAILABLE = "Available"
PROGRESSING = "Progressing"
SCALING_ACTIVE = "ScalingActive"
OBJECTS_ACCEPTED = "ObjectsAccepted"
SERVICE_REFUSED = "ServiceRefused"  # the reason of a Playground whose Service the server won't have
AT_REST = ("ScaledToZero", "Asleep")  # reasons of what comes back when somebody asks

Conditions = tuple[Condition, ...]


def service_conditions(
    old: Conditions, seen: Progress, generation: int, now: datetime, *, progress_ends: bool = False
) -> Conditions:
    """Return a Service's conditions."""
    if seen.why is None:
        words = "ServiceReady", "Inference Service is ready"
        done = [_condition(PROGRESSING, "False", *words)] if progress_ends else []
        return _set(old, [*done, _condition(AVAILABLE, "True", *words)], generation, now)
    words = "ServiceInProgress", "Inference Service is progressing"
    progressing = _condition(PROGRESSING, "True", *words)
    if progress_ends and seen.why.reason in AT_REST:
        progressing = _done(seen.why)
    unavailable = _unavailable(
        old, seen.why, ready="ServiceReady", unready="ServiceNotReady", waiting="replicas"
    )
    return _set(old, [progressing, unavailable], generation, now)


def playground_conditions(
    old: Conditions,
    seen: Progress | Refusal,
    generation: int,
    now: datetime,
    *,
    progress_ends: bool = False,
) -> Conditions:
    """Return the conditions of a Playground that is not aborted.

    A refusal says why there is nothing to see of it yet: it has no Service.
    """
    why = seen if isinstance(seen, Refusal) else seen.why
    rest = why if progress_ends and why is not None and why.reason in AT_REST else None
    progressing = _playground_progressing(old, waits=why is not None and rest is None)
    if why is None:
        words = "PlaygroundReady", "Playground is ready"
        done = [_condition(PROGRESSING, "False", *words)] if progress_ends else []
        available = _condition(AVAILABLE, "True", *words)
        return _set(old, [*progressing, *done, available], generation, now)
    unavailable = _unavailable(
        old,
        why,
        ready="PlaygroundReady",
        unready="PlaygroundNotReady",
        waiting="inference Service",
    )
    done = [_done(rest)] if rest else []
    return _set(old, [*progressing, *done, unavailable], generation, now)


def _playground_progressing(old: Conditions, *, waits: bool) -> Iterator[Condition]:
    """Yield Progressing where it begins: at first, and when what was done waits again."""
    known = find_condition(old, PROGRESSING)
    if known is None or known.reason == "AbortProcessing":
        words = "Pending", "Waiting for inference Service ready"
        yield _condition(PROGRESSING, "True", *words)
    elif waits and (
        known.reason in AT_REST or _was_available(old, "PlaygroundReady", "PlaygroundNotReady")
    ):
        words = "PlaygroundInProgress", "Waiting for inference Service progressing"
        yield _condition(PROGRESSING, "True", *words)


def with_rollout(
    old: Conditions, before: int, seen: Progress, generation: int, now: datetime
) -> Conditions:
    """Say how far an update is, if there ever was one; `before` is the revision told last."""
    said = rolling_out(find_condition(old, ROLLING_OUT), before, seen)
    return old if said is None else _set(old, [said], generation, now)


def aborted_conditions(
    old: Conditions, why: Refusal | None, message: str, generation: int, now: datetime
) -> Conditions:
    """Return the conditions of a Playground that can't go on until another object changes.

    `why` it does not serve; None while what was started before goes on serving.
    """
    if why is None:
        available = _condition(AVAILABLE, "True", "PlaygroundReady", "Playground is ready")
    else:
        available = _condition(AVAILABLE, "False", why.reason, why.message)
    aborted = _condition(PROGRESSING, "False", "AbortProcessing", message)
    return _set(old, [aborted, available], generation, now)


def refused_conditions(old: Conditions, why: Refusal, generation: int, now: datetime) -> Conditions:
    """Return the conditions of an object that can't be acted upon; what serves stays available."""
    available = find_condition(old, AVAILABLE)
    if available is not None and available.is_true:
        return _set(old, [], generation, now)
    return _set(old, [_condition(AVAILABLE, "False", why.reason, why.message)], generation, now)


def scaling_conditions(
    old: Conditions, scaling: Condition | None, generation: int, now: datetime
) -> Conditions:
    """Say what decides the number of replicas of an elastic Playground, and whether it can."""
    if scaling is None:
        return tuple(condition for condition in old if condition.type != SCALING_ACTIVE)
    return _set(old, [scaling], generation, now)


def with_refusal(old: Conditions, words: str, generation: int, now: datetime) -> Conditions:
    """Say what the server refuses to keep of what an object needs, as long as it does."""
    if words:
        said = _condition(OBJECTS_ACCEPTED, "False", "ObjectRefused", words)
        return _set(old, [said], generation, now)
    return tuple(condition for condition in old if condition.type != OBJECTS_ACCEPTED)


def _unavailable(
    old: Conditions, why: Refusal, *, ready: str, unready: str, waiting: str
) -> Condition:
    if why.reason in AT_REST or not _was_available(old, ready, unready):
        return _condition(AVAILABLE, "False", why.reason, why.message)
    return _condition(
        AVAILABLE, "False", unready, f"Waiting for {waiting} ready: {why.reason}: {why.message}"
    )


def _was_available(old: Conditions, *reasons: str) -> bool:
    available = find_condition(old, AVAILABLE)
    return available is not None and available.reason in reasons


def _done(rest: Refusal) -> Condition:
    return _condition(PROGRESSING, "False", rest.reason, rest.message)


def _condition(type_: str, status: str, reason: str, message: str) -> Condition:
    return Condition(
        type=type_, status="True" if status == "True" else "False", reason=reason, message=message
    )


def _set(old: Conditions, new: Iterable[Condition], generation: int, now: datetime) -> Conditions:
    """Put the new conditions among the old; all of them are then about this generation."""
    moment = now.replace(microsecond=0)  # as precise as a manifest
    for condition in new:
        old = with_condition(old, _about(condition, generation), moment)
    return tuple(_about(condition, generation) for condition in old)


def _about(condition: Condition, generation: int) -> Condition:
    if condition.observed_generation == generation:
        return condition
    return Condition(
        type=condition.type,
        status=condition.status,
        reason=condition.reason,
        message=condition.message,
        observed_generation=generation,
        last_transition_time=condition.last_transition_time,
    )
