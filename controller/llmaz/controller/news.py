"""What became of engines, weights and nodes between two looks: events, on which nothing depends.

A controller that has just begun to lead saw nothing before, and tells nothing.
"""

from collections.abc import Iterator

from llmaz.api.kinds import INFERENCE_NODE, OPEN_MODEL
from llmaz.api.node import EnginePhase, EngineReport, InferenceNode, ModelPhase
from llmaz.controller.actions import EventType, RecordEvent
from llmaz.controller.denials import told
from llmaz.controller.events import of_service
from llmaz.controller.leaving import leaving
from llmaz.controller.served import service_of
from llmaz.controller.snapshot import ClusterSnapshot, Ref

_ENDED = (EnginePhase.BACKOFF, EnginePhase.FAILED)
_HUNG = "Hung"  # the reason of an engine that was ended since it made no token any more


def news(before: ClusterSnapshot, after: ClusterSnapshot) -> Iterator[RecordEvent]:
    """Yield what happened on the nodes that both looks saw."""
    for name, node in after.nodes.items():
        old = before.nodes.get(name)
        if old is None:
            continue
        if old is not node:
            yield from _of_engines(old, node, after)
            yield from _of_models(old, node, after)
            yield from _of_accelerators(old, node)
            yield from _of_bytes(old, node)
            yield from _of_incidents(old, node, after)
        yield from _of_drain(node, before, after)
    yield from _of_evictions(before, after)
    yield from told(before.refused, after.refused)


def _of_engines(
    old: InferenceNode, node: InferenceNode, after: ClusterSnapshot
) -> Iterator[RecordEvent]:
    if old.status.engines is None:  # an agent that has just begun: what it finds is no news
        return
    known = {report.id: report for report in old.status.engines}
    for report in node.status.engines or ():
        happened = _happened(known.get(report.id), report)
        if happened is not None:
            reason, words = happened
            text = f"{report.id} on {node.metadata.name}: {words}"
            type_: EventType = "Normal" if reason == "EngineStarted" else "Warning"
            yield from of_service(service_of(report.id), type_, reason, text, after)
        elif _is_adopted(old, known.get(report.id), node, report):
            text = f"{report.id} on {node.metadata.name}: pid {report.pid} goes on with a new agent"
            yield from of_service(service_of(report.id), "Normal", "EngineReadopted", text, after)


def _is_adopted(
    old: InferenceNode, before: EngineReport | None, node: InferenceNode, report: EngineReport
) -> bool:
    """Tell whether an engine went on while its agent was replaced."""
    began = node.status.agent_started_at
    if began in (None, old.status.agent_started_at) or before is None or report.pid is None:
        return False
    return (before.pid, before.started_at) == (report.pid, report.started_at)


def _happened(old: EngineReport | None, report: EngineReport) -> tuple[str, str] | None:
    """Return the reason of the event, and what is said of the engine itself."""
    if report.phase is EnginePhase.READY and (old is None or old.ready_at != report.ready_at):
        again = f"is ready after {report.restarts} restarts" if report.restarts else "is ready"
        return "EngineStarted", again
    was_there = old is not None and (old.phase, old.restarts) == (report.phase, report.restarts)
    if report.phase not in _ENDED or was_there:
        return None
    said = ": ".join(part for part in (report.reason, report.message) if part) or "it ended"
    return ("EngineHung" if report.reason == _HUNG else "EngineCrashed"), said


def _of_models(
    old: InferenceNode, node: InferenceNode, after: ClusterSnapshot
) -> Iterator[RecordEvent]:
    ready = {one.name for one in old.status.models or () if one.phase is ModelPhase.READY}
    for one in node.status.models or () if old.status.models is not None else ():
        model = after.models.get(one.name)
        if one.phase is ModelPhase.READY and one.name not in ready and model is not None:
            yield RecordEvent(
                ref=Ref(kind=OPEN_MODEL, name=one.name),
                uid=model.metadata.uid,
                type="Normal",
                reason="ModelCached",
                message=f"its weights are on {node.metadata.name}",
            )


def _of_accelerators(old: InferenceNode, node: InferenceNode) -> Iterator[RecordEvent]:
    if node.status.accelerators is None:
        return
    now = {device.uuid: device for device in node.status.accelerators}
    for device in old.status.accelerators or ():
        found = now.get(device.uuid)
        if device.healthy and (found is None or not found.healthy):
            words = found.message if found is not None else "is not there any more"
            yield _of_node(node, "Warning", "GpuLost", f"{device.uuid}: {words}")


def _of_bytes(old: InferenceNode, node: InferenceNode) -> Iterator[RecordEvent]:
    """Tell of what a cache gave up, and of bytes of other nodes, or its disk, that were wrong."""
    for peer in sorted({*node.status.distrusted} - {*old.status.distrusted}):
        words = f"{peer} sent bytes other than it said: its disk or memory may fail"
        yield _of_node(node, "Warning", "PeerDropped", words)
    evicted = [one.status.cache.evicted if one.status.cache else 0 for one in (old, node)]
    if evicted[0] < evicted[1]:
        words = f"{evicted[1]} times since its agent began, weights used least recently made room"
        yield _of_node(node, "Normal", "CacheEvicted", words)
    before = old.status.cache.rot if old.status.cache is not None else None
    rot = node.status.cache.rot if node.status.cache is not None else None
    if rot is not None and (before is None or before.found_at != rot.found_at):
        words = f"stored file {rot.sha256}: {rot.problem}; what lacks it is fetched anew"
        yield _of_node(node, "Warning", "BitRotFound", words)


def _of_incidents(
    old: InferenceNode, node: InferenceNode, after: ClusterSnapshot
) -> Iterator[RecordEvent]:
    """Tell of what an agent did to engines: of the node where their Service is gone."""
    for one in node.status.incidents:
        if one not in old.status.incidents:
            words = f"{one.id} on {node.metadata.name}: {one.message}"
            about = of_service(service_of(one.id), "Warning", one.reason, words, after)
            yield next(about, _of_node(node, "Warning", one.reason, words))


def _of_evictions(before: ClusterSnapshot, after: ClusterSnapshot) -> Iterator[RecordEvent]:
    """Tell of evictions that wait no longer: what they take is missing until there is room."""
    seconds = after.slot_policy.drain_seconds
    words = f"may be evicted: no other place was found for {seconds} s for slots that shall go"
    for key, budget in after.budgets.items():
        old = before.budgets.get(key)
        if budget.lets_through and old is not None and not old.lets_through:
            service = budget.namespace, budget.service
            yield from of_service(service, "Warning", "EvictionsLetThrough", words, after)


def _of_drain(
    node: InferenceNode, before: ClusterSnapshot, after: ClusterSnapshot
) -> Iterator[RecordEvent]:
    name = node.metadata.name
    there, here = before.kube_nodes.get(name), after.kube_nodes.get(name)
    if there is here:
        return
    going = leaving(here)
    if going is not None and leaving(there) is None:
        yield _of_node(node, "Normal", "DrainStarted", f"{name} {going.words}")


def _of_node(node: InferenceNode, type_: EventType, reason: str, words: str) -> RecordEvent:
    return RecordEvent(
        ref=Ref(kind=INFERENCE_NODE, name=node.metadata.name),
        uid=node.metadata.uid,
        type=type_,
        reason=reason,
        message=words,
    )
