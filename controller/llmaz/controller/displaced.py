"""What is told of replicas that make way for others, of both: once, when they go."""

from collections.abc import Iterator

from llmaz.api import names
from llmaz.api.kinds import PLAYGROUND, SERVICE
from llmaz.api.node import InferenceNode, NodeSpec
from llmaz.controller.actions import RecordEvent
from llmaz.controller.outcomes import Displacement, Unplaced
from llmaz.controller.served import Served, service_of
from llmaz.controller.snapshot import ClusterSnapshot, Ref

_REASONS = {"priority": "Preempted", "quota": "Reclaimed", "share": "Shared"}


def told(
    node: InferenceNode, spec: NodeSpec, served: Served, snapshot: ClusterSnapshot
) -> Iterator[RecordEvent]:
    """Yield the events of those whose engine, or whose leader, ends on a node to make way."""
    staying = {engine.id for engine in spec.engines}
    for engine in node.spec.engines:
        outcome = served.outcomes.get(engine.id)
        if engine.id not in staying and isinstance(outcome, Unplaced) and outcome.displaced:
            yield from _pair(engine.id, node.metadata.name, outcome.displaced, outcome, snapshot)


def _pair(
    id_: str, node: str, displaced: Displacement, why: Unplaced, snapshot: ClusterSnapshot
) -> Iterator[RecordEvent]:
    words = "; ".join(why.reasons)
    yield from _event(
        id_, "Warning", _REASONS[displaced.cause], f"{id_} on {node} {words}", snapshot
    )
    words = f"{displaced.by} takes the place of {id_} on {node}"
    yield from _event(displaced.by, "Normal", "Displacing", words, snapshot)


def _event(
    id_: str, type_: str, reason: str, words: str, snapshot: ClusterSnapshot
) -> Iterator[RecordEvent]:
    key = service_of(id_)
    service = snapshot.services.get(key)
    if service is None:
        return
    name = service.metadata.labels.get(names.PLAYGROUND_NAME)
    playground = snapshot.playgrounds.get((key[0], name)) if name else None
    kind, meta = (PLAYGROUND, playground.metadata) if playground else (SERVICE, service.metadata)
    yield RecordEvent(
        ref=Ref(kind=kind, namespace=key[0], name=meta.name),
        uid=meta.uid,
        type="Warning" if type_ == "Warning" else "Normal",
        reason=reason,
        message=words,
    )
