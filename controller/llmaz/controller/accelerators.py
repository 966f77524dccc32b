"""Accelerators -> Node labels, by which flavors select nodes.

Only labels that the controller wrote are ever changed or removed; which these are stands in an
annotation of the Node.
"""

import re
from collections import Counter
from collections.abc import Sequence

from llmaz.api.kinds import NODE
from llmaz.api.names import ACCELERATOR, OWNED_LABELS
from llmaz.api.node import Accelerator
from llmaz.controller.actions import SetLabels
from llmaz.controller.snapshot import KubeNode, Ref

_SHORT_NAME = "gpu.nvidia.com/model"  # which published manifests select by: a10, a100, 4090
_FAMILIES = frozenset({"nvidia", "geforce", "rtx", "gtx", "tesla", "quadro", "titan"})


def accelerator_labels(accelerators: Sequence[Accelerator]) -> dict[str, str]:
    """Return the labels of a node with these accelerators; the commonest product names it."""
    if not accelerators:
        return {}
    products = Counter(device.product for device in accelerators)
    product = min(products, key=lambda name: (-products[name], name))
    first = next(device for device in accelerators if device.product == product)
    labels = {
        f"{ACCELERATOR}.vendor": _value(first.vendor),
        f"{ACCELERATOR}.model": _value(product),
        f"{ACCELERATOR}.count": str(len(accelerators)),
    }
    if first.memory_bytes is not None:
        labels[f"{ACCELERATOR}.memory-mib"] = str(first.memory_bytes // 2**20)
    short = _short_name(product)
    if first.vendor == "nvidia" and short:
        labels[_SHORT_NAME] = short
    return labels


def label_node(node: KubeNode, accelerators: Sequence[Accelerator] | None) -> SetLabels | None:
    """Return what to change of a Node's labels; nothing while its accelerators are not known."""
    if accelerators is None:
        return None
    owned = {key for key in node.annotations.get(OWNED_LABELS, "").split(",") if key}
    wanted = {
        key: value
        for key, value in accelerator_labels(accelerators).items()
        if key in owned or key not in node.labels
    }
    changes: dict[str, str | None] = {
        key: value for key, value in wanted.items() if node.labels.get(key) != value
    }
    changes |= {key: None for key in sorted(owned - set(wanted)) if key in node.labels}
    if not changes and owned == set(wanted):
        return None
    return SetLabels(
        ref=Ref(kind=NODE, name=node.name),
        labels=changes,
        annotations={OWNED_LABELS: ",".join(sorted(wanted))},
    )


def _value(text: str) -> str:
    """Return the text as a label's value."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:63].strip("-_.")


def _short_name(product: str) -> str:
    """Return the first word that tells the product from its kin: NVIDIA A100-SXM4-80GB -> a100."""
    words = (word for word in re.split(r"[\s-]+", product.lower()) if word not in _FAMILIES)
    return next(words, "")
