"""How many engines each accelerator of a node is shared by: one, unless somebody said more. Pure.

A person says it of a node by an annotation of its InferenceNode. Where NVIDIA's device plugin
shares, its feature discovery tells so by labels of the Node, of each resource. What the controller
wrote under the same names, where there is no discovery, is no news to it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llmaz.api import names
from llmaz.api.node import Accelerator, AssignedEngine, InferenceNode
from llmaz.controller.gfd import TIMESTAMP
from llmaz.controller.memo import Memo

MOST = 64  # engines to an accelerator; CUDA's MPS serves 48 to 60 clients
_STRATEGIES = frozenset({"time-slicing", "mps"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """What of a node is shared, and among how many engines. What is not named is one engine's."""

    resources: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)  # the same by UUID
    crowded: Mapping[str, int] = field(default_factory=dict)  # engines of those that have several
    told: int = 1  # what a person said of all accelerators
    wrong: str = ""  # what a person said that can't be

    def limit(self, uuid: str) -> int:
        """Return how many engines may go on there: what shares it does, if it may no more."""
        return max(self.devices.get(uuid, 1), self.crowded.get(uuid, 1))


NOT_SHARED = Sharing()


def sharing(node: InferenceNode, labels: Mapping[str, str], memo: Memo) -> Sharing:
    """Return how a node's accelerators are shared, by its InferenceNode and its Node's labels."""
    text = node.metadata.annotations.get(names.ACCELERATOR_REPLICAS)
    crowded = memo.recall(_crowded, node.spec.engines)
    if text is None and not crowded and TIMESTAMP not in labels:
        return NOT_SHARED
    told = _number(text) if text is not None else None
    if text is not None and told is None:
        wrong = f"{names.ACCELERATOR_REPLICAS} that is not 1 to {MOST}: {text[:40]}"
        return Sharing(crowded=crowded, wrong=f"has an annotation {wrong}")
    devices = node.status.accelerators or ()
    resources = {
        resource: many
        for resource in memo.recall(_resources, devices)
        if (many := told or _labelled(resource, labels)) > 1
    }
    return Sharing(
        resources=resources,
        devices={
            device.uuid: resources[device.resource]
            for device in devices
            if device.resource in resources
        },
        crowded=crowded,
        told=told or 1,
    )


def _labelled(resource: str, labels: Mapping[str, str]) -> int:
    """Return what discovery tells of a resource that the device plugin shares; else 1."""
    if TIMESTAMP not in labels or labels.get(f"{resource}.sharing-strategy") not in _STRATEGIES:
        return 1
    return _number(labels.get(f"{resource}.replicas", "")) or 1


def _number(text: str) -> int | None:
    is_short = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST))
    return int(text) if is_short and 1 <= int(text) <= MOST else None


def _resources(devices: Sequence[Accelerator]) -> frozenset[str]:
    return frozenset(device.resource for device in devices)


def _crowded(engines: Sequence[AssignedEngine]) -> Mapping[str, int]:
    owners = Counter(uuid for engine in engines for uuid in engine.accelerators)
    return {uuid: many for uuid, many in owners.items() if many > 1}
