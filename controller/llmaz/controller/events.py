"""Events: one when a condition of an object takes a turn, none for each percent fetched."""

from collections.abc import Iterator, Sequence

from llmaz.api import names
from llmaz.api.kinds import PLAYGROUND, SERVICE
from llmaz.api.meta import Condition, find_condition
from llmaz.controller.actions import EventType, RecordEvent
from llmaz.controller.conditions import (
    AT_REST,
    AVAILABLE,
    OBJECTS_ACCEPTED,
    SERVICE_REFUSED,
)
from llmaz.controller.rolling import ROLLING_OUT
from llmaz.controller.snapshot import ClusterSnapshot, Key, Ref

# Reasons that are a step on the way; every other one of an object that is not available is a fault.
STEPS = frozenset({"StartingEngine", "StoppingEngine", "FetchingModel", "Pending", *AT_REST})


def turn(
    ref: Ref, uid: str, old: Sequence[Condition], new: Sequence[Condition]
) -> Iterator[RecordEvent]:
    """Yield an event when the reason of Available, or what is said of other things, has changed."""
    before, after = find_condition(old, AVAILABLE), find_condition(new, AVAILABLE)
    is_told = False
    if after is not None and (before is None or before.reason != after.reason):
        is_told = after.reason == SERVICE_REFUSED  # in the words of the server
        fine = after.is_true or after.reason in STEPS
        yield _event(ref, uid, after, fine=fine)
    before, after = find_condition(old, ROLLING_OUT), find_condition(new, ROLLING_OUT)
    if after is not None and (before is None or before.message != after.message):
        yield _event(ref, uid, after, fine=after.reason != "RolloutHalted")
    before, after = (find_condition(of, OBJECTS_ACCEPTED) for of in (old, new))
    is_news = after is not None and (before is None or before.message != after.message)
    if after is not None and is_news and not is_told:
        yield _event(ref, uid, after, fine=False)


def of_service(
    key: Key, type_: EventType, reason: str, words: str, snapshot: ClusterSnapshot
) -> Iterator[RecordEvent]:
    """Yield an event about the Playground that a Service was made from, else about the Service."""
    service = snapshot.services.get(key)
    if service is None:
        return
    name = service.metadata.labels.get(names.PLAYGROUND_NAME)
    playground = snapshot.playgrounds.get((key[0], name)) if name else None
    kind, meta = (PLAYGROUND, playground.metadata) if playground else (SERVICE, service.metadata)
    yield RecordEvent(
        ref=Ref(kind=kind, namespace=key[0], name=meta.name),
        uid=meta.uid,
        type=type_,
        reason=reason,
        message=words,
    )


def _event(ref: Ref, uid: str, said: Condition, *, fine: bool) -> RecordEvent:
    return RecordEvent(
        ref=ref,
        uid=uid,
        type="Normal" if fine else "Warning",
        reason=said.reason,
        message=said.message,
    )
