"""Events: one when an object's Available condition takes a turn, none for each percent fetched."""

from collections.abc import Iterator, Sequence

from llmaz.api.meta import Condition, find_condition
from llmaz.controller.actions import RecordEvent
from llmaz.controller.conditions import AT_REST, AVAILABLE
from llmaz.controller.snapshot import Ref

# Reasons that are a step on the way; every other one of an object that is not available is a fault.
_STEPS = frozenset({"StartingEngine", "StoppingEngine", "FetchingModel", "Pending", *AT_REST})


def turn(
    ref: Ref, uid: str, old: Sequence[Condition], new: Sequence[Condition]
) -> Iterator[RecordEvent]:
    """Yield an event when the reason of Available has changed."""
    before, after = find_condition(old, AVAILABLE), find_condition(new, AVAILABLE)
    if after is None or (before is not None and before.reason == after.reason):
        return
    fine = after.is_true or after.reason in _STEPS
    yield RecordEvent(
        ref=ref,
        uid=uid,
        type="Normal" if fine else "Warning",
        reason=after.reason,
        message=after.message,
    )
