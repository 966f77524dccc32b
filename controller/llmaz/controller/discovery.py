"""Accelerators -> NodeFeatures, by which Node Feature Discovery labels Nodes. Pure.

The controller then writes no Node: discovery, which does that for others as well, is told what the
labels are. Each NodeFeature belongs to its InferenceNode and goes with it. That the labels of a
silent node are what was known is told as one more label, since discovery sets no annotations.
"""

from collections.abc import Iterator, Mapping
from typing import cast

from llmaz.api import names
from llmaz.api.kinds import INFERENCE_NODE, NODE_FEATURE
from llmaz.api.manifest import Json, Manifest
from llmaz.api.node import InferenceNode
from llmaz.controller.actions import ApplyOwned
from llmaz.controller.owned import ensure, reference
from llmaz.controller.snapshot import ClusterSnapshot, Ref

_OF_NODE = "nfd.node.kubernetes.io/node-name"  # which Node it is about: discovery's own label
_PREFIX = "llmaz-"  # a NodeFeature of the node's own name belongs to discovery's worker
_STALE = {names.ACCELERATOR_STALE: "true"}  # a label can't have the colons of a time


def tell_discovery(
    node: InferenceNode, labels: Mapping[str, str], snapshot: ClusterSnapshot
) -> Iterator[ApplyOwned]:
    """Yield the write that tells discovery the labels of a node, where it was told others."""
    name = f"{_PREFIX}{node.metadata.name}"
    ref = Ref(kind=NODE_FEATURE, namespace=names.SYSTEM_NAMESPACE, name=name)
    seen = snapshot.manifests.get(ref)
    if seen is None and not labels:
        return
    silent = node.metadata.annotations.get(names.READY) == names.UNKNOWN
    told = {**labels, **_STALE} if labels and silent else labels
    write = ensure(ref, _manifest(node, name, told), seen)
    if write is not None:
        yield write


def _manifest(node: InferenceNode, name: str, labels: Mapping[str, str]) -> Manifest:
    return {
        "metadata": {
            "name": name,
            "namespace": names.SYSTEM_NAMESPACE,
            "labels": {
                "app.kubernetes.io/managed-by": names.CONTROLLER,
                _OF_NODE: node.metadata.name,
            },
            "ownerReferences": [reference(INFERENCE_NODE, node.metadata)],
        },
        "spec": {"labels": cast("dict[str, Json]", dict(sorted(labels.items())))},
    }
