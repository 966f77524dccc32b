"""What the API server will not have: told on the object that is waiting for it. Pure.

A quota, an admission webhook or a policy may refuse what the controller makes. The condition
ObjectsAccepted of the owner says so for as long as it lasts, and is not there otherwise. A refused
write to an object of somebody else (an assignment, a label, a status) is told by an Event on it.
"""

from collections.abc import Iterator, Mapping

from llmaz.api.kinds import INFERENCE_NODE
from llmaz.api.meta import ObjectMeta
from llmaz.controller.actions import (
    Action,
    ApplyOwned,
    Assign,
    OpenGate,
    RecordEvent,
    SetLabels,
    SetStatus,
)
from llmaz.controller.owned import owner_of
from llmaz.controller.snapshot import ClusterSnapshot, Denial, Ref


def denial(action: Action, words: str) -> Denial | None:
    """Return what the server refused, in its words; None where nothing depends on it."""
    match action:
        case ApplyOwned(ref=ref, manifest=manifest):
            return Denial(ref=ref, owner=owner_of(manifest) or "", words=words)
        case Assign(node=node, uid=uid):
            return Denial(ref=Ref(kind=INFERENCE_NODE, name=node), uid=uid, words=words)
        case OpenGate(ref=ref, uid=uid) | SetStatus(ref=ref, uid=uid):
            return Denial(ref=ref, uid=uid, words=words)
        case SetLabels(ref=ref):
            return Denial(ref=ref, words=words)
    return None


def told(before: Mapping[Ref, Denial], now: Mapping[Ref, Denial]) -> Iterator[RecordEvent]:
    """Yield an Event for each new refusal of a write to an object that is not the controller's."""
    for ref, one in now.items():
        if not one.owner and before.get(ref) != one:
            yield RecordEvent(
                ref=ref, uid=one.uid, type="Warning", reason="WriteRefused", message=one.words
            )


def refused_for(meta: ObjectMeta, snapshot: ClusterSnapshot) -> str:
    """Return in a sentence what the server refused that an object owns; empty for nothing."""
    own = [one for one in snapshot.refused.values() if one.owner and one.owner == meta.uid]
    if not own:
        return ""
    first = min(own, key=lambda one: (one.ref.kind.kind, one.ref.name))
    more = f" (and {len(own) - 1} more objects)" if len(own) > 1 else ""
    return f"{first.ref.kind.kind} {first.ref.name} is refused: {first.words}{more}"
