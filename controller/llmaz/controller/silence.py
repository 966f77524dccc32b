"""Nodes whose agents have fallen silent: what the controller says of them on its own. Pure.

An agent writes the status of its InferenceNode, and nobody else does: what it said last stands
there after its end as well. Whether it still holds is the controller's to say, by annotations.
Labels of a silent node stay: its accelerators are hardly others than they were.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from llmaz.api.kinds import INFERENCE_NODE, NODE
from llmaz.api.meta import find_condition
from llmaz.api.names import ACCELERATOR_STALE, OWNED_LABELS, READY, UNKNOWN
from llmaz.api.node import InferenceNode
from llmaz.controller.actions import SetLabels
from llmaz.controller.snapshot import ClusterSnapshot, Ref

_GRACE = timedelta(seconds=20)  # beyond a Lease's end: agents come back after an outage, one by one


def judge_nodes(snapshot: ClusterSnapshot, now: datetime) -> Iterator[SetLabels]:
    """Yield the writes that say which nodes' reports and labels still hold."""
    for _, node in sorted(snapshot.nodes.items()):
        if node.metadata.deletion_timestamp is None:
            yield from _judge(node, snapshot, now)


def _judge(node: InferenceNode, snapshot: ClusterSnapshot, now: datetime) -> Iterator[SetLabels]:
    name = node.metadata.name
    if snapshot.is_fresh(name, now):
        ready, stale = _said(node), None
    else:
        since = _silent_since(node, snapshot)
        if since is None or now < since + _GRACE:
            return
        ready, stale = UNKNOWN, since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if ready and ready != node.metadata.annotations.get(READY):
        ref = Ref(kind=INFERENCE_NODE, name=name)
        yield SetLabels(ref=ref, labels={}, annotations={READY: ready})
    kube_node = snapshot.kube_nodes.get(name)
    if kube_node is None or snapshot.node_features:
        return
    marked = ACCELERATOR_STALE in kube_node.annotations
    if marked != (stale is not None) and (marked or kube_node.annotations.get(OWNED_LABELS)):
        ref = Ref(kind=NODE, name=name)
        yield SetLabels(ref=ref, labels={}, annotations={ACCELERATOR_STALE: stale})


def _said(node: InferenceNode) -> str:
    """Return what the agent says of its node; nothing before its first report."""
    condition = find_condition(node.status.conditions, "Ready")
    return condition.status if condition is not None else ""


def _silent_since(node: InferenceNode, snapshot: ClusterSnapshot) -> datetime | None:
    """Return since when a node says nothing; None while the API server is silent itself.

    A node that came just now may not have written its Lease yet.
    """
    heard = snapshot.leases_heard_since
    if heard is None:
        return None
    known = (snapshot.leases.get(node.metadata.name), node.metadata.creation_timestamp, heard)
    return max(moment for moment in known if moment is not None)
