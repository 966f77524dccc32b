"""What `nodes` prints: each node in a row, what it has and what of that runs. Pure."""

from collections import Counter
from datetime import datetime

from llmaz.api.meta import find_condition
from llmaz.api.names import READY
from llmaz.api.node import EnginePhase, InferenceNode
from llmaz.api.quantity import in_words
from llmaz.local.objects.ages import human

HEADERS = ("Name", "Ready", "CPU", "Memory", "Accelerators", "Engines", "Age")
MORE_HEADERS = ("Address", "Version")
_UNKNOWN = "<unknown>"


def row(node: InferenceNode, now: datetime) -> list[str]:
    """Return a node's cells; what its agent has not reported is unknown."""
    made = node.metadata.creation_timestamp
    return [
        node.metadata.name,
        _ready(node),
        *_capacity(node),
        _accelerators(node),
        _engines(node),
        human(now - made) if made else _UNKNOWN,
    ]


def more(node: InferenceNode) -> list[str]:
    """Return the cells that only a wide table has."""
    return [node.status.address or _UNKNOWN, node.status.agent_version or _UNKNOWN]


def _ready(node: InferenceNode) -> str:
    """Return what the agent says; of one that is silent the controller says that it is unknown."""
    ready = find_condition(node.status.conditions, "Ready")
    if ready is None:
        return _UNKNOWN
    return "Unknown" if node.metadata.annotations.get(READY) == "Unknown" else ready.status


def _capacity(node: InferenceNode) -> tuple[str, str]:
    cpu, memory = (node.status.capacity.get(name) for name in ("cpu", "memory"))
    return (str(cpu) if cpu else _UNKNOWN, in_words(int(memory)) if memory else _UNKNOWN)


def _accelerators(node: InferenceNode) -> str:
    """Name the kinds of devices, each with how many there are, and how many are not well."""
    devices = node.status.accelerators
    if devices is None:
        return _UNKNOWN
    many = Counter(device.product for device in devices)
    sick = Counter(device.product for device in devices if not device.healthy)
    kinds = (
        f"{count} x {product}" + (f" ({sick[product]} not well)" if sick[product] else "")
        for product, count in sorted(many.items())
    )
    return ", ".join(kinds) or "none"


def _engines(node: InferenceNode) -> str:
    """Say how many of the engines that the node shall run are ready."""
    if node.status.engines is None:
        return _UNKNOWN
    wanted = {engine.id for engine in node.spec.engines}
    ready = {one.id for one in node.status.engines if one.phase is EnginePhase.READY}
    return f"{len(wanted & ready)}/{len(wanted)}"
