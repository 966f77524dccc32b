"""Accelerators -> Node labels, by which flavors select nodes.

Only labels that the controller wrote are ever changed or removed; which these are stands in an
annotation of the Node.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from llmaz.api.accelerator import Accelerator
from llmaz.api.kinds import NODE
from llmaz.api.names import ACCELERATOR, OWNED_LABELS
from llmaz.controller.actions import SetLabels
from llmaz.controller.gfd import PREFIX, TIMESTAMP, gfd_labels
from llmaz.controller.products import label_value, model_name, short_name
from llmaz.controller.snapshot import KubeNode, Ref

_SHORT_NAME = "gpu.nvidia.com/model"  # which published manifests select by: a10, a100, 4090


def accelerator_labels(
    accelerators: Sequence[Accelerator], machine: str = "", replicas: int = 1
) -> dict[str, str]:
    """Return the labels of a node with these accelerators; the commonest product names it.

    Devices that are not well count: a label says what a node has, not how it is.
    """
    named = [device for device in accelerators if device.product]
    if not named:
        return {}
    products = Counter(device.product for device in named)
    product = min(products, key=lambda name: (-products[name], name))
    devices = [device for device in named if device.product == product]
    first = devices[0]
    labels = {
        f"{ACCELERATOR}.vendor": label_value(first.vendor),
        f"{ACCELERATOR}.model": model_name(product),
        f"{ACCELERATOR}.count": str(len(devices)),
        f"{ACCELERATOR}.memory-mib": _mebibytes(first),
        f"{ACCELERATOR}.family": label_value(first.family),
        f"{ACCELERATOR}.interconnect": _interconnect(devices),
        _SHORT_NAME: short_name(product) if first.vendor == "nvidia" else "",
        **gfd_labels(accelerators, label_value(machine), replicas),
    }
    return {key: value for key, value in labels.items() if value}


def are_named(accelerators: Sequence[Accelerator]) -> bool:
    """Tell whether labels follow from these: devices whose driver is missing have no names.

    They may have had them before, and a node keeps its labels until something else is known.
    """
    return not accelerators or any(device.product for device in accelerators)


def label_node(node: KubeNode, labels: Mapping[str, str]) -> Iterator[SetLabels]:
    """Yield the write that gives a Node the labels of its accelerators, where it is not so.

    Where NVIDIA's feature discovery runs, its labels are its own, also those that were ours before
    it came: they are left standing for it to write.
    """
    owned = {key for key in node.annotations.get(OWNED_LABELS, "").split(",") if key}
    wanted = {
        key: value
        for key, value in labels.items()
        if (key in owned or key not in node.labels) and not _is_of_discovery(key, node)
    }
    changes: dict[str, str | None] = {
        key: value for key, value in wanted.items() if node.labels.get(key) != value
    }
    given_up = (key for key in sorted(owned - set(wanted)) if key in node.labels)
    changes |= {key: None for key in given_up if not _is_of_discovery(key, node)}
    if changes or owned != set(wanted):
        yield SetLabels(
            ref=Ref(kind=NODE, name=node.name),
            labels=changes,
            annotations={OWNED_LABELS: ",".join(sorted(wanted))},
        )


def _is_of_discovery(key: str, node: KubeNode) -> bool:
    return key.startswith(PREFIX) and TIMESTAMP in node.labels


def _mebibytes(device: Accelerator) -> str:
    return "" if device.memory_bytes is None else str(device.memory_bytes // 2**20)


def _interconnect(devices: Sequence[Accelerator]) -> str:
    """Return what all devices have in common: a group that spans them is as fast as its worst."""
    kinds = {device.interconnect for device in devices}
    if "" in kinds:
        return ""
    return kinds.pop() if len(kinds) == 1 else "pcie"
