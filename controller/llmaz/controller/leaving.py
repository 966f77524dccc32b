"""Nodes that are about to go, and of which price they are: what clouds and people write on a Node.

A notice tells of a machine that is taken away within seconds or minutes: its replicas go at once. A
drain is somebody's wish, and they go one after another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmaz.api.names import DRAIN
from llmaz.api.placement import CapacityType, Toleration
from llmaz.controller.snapshot import KubeNode, Taint

# Taints by which a machine's end is announced: of AWS Node Termination Handler, Karpenter (and its
# older name), GKE, AKS, cluster-autoscaler, and cloud controllers that saw a shutdown.
_NOTICE_TAINTS = frozenset(
    {
        "aws-node-termination-handler/spot-itn",
        "aws-node-termination-handler/asg-lifecycle-termination",
        "aws-node-termination-handler/scheduled-maintenance",
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
        "cloud.google.com/impending-node-termination",
        "remediator.kubernetes.azure.com/unschedulable",
        "ToBeDeletedByClusterAutoscaler",
        "node.cloudprovider.kubernetes.io/shutdown",
    }
)
# Conditions by which AKS tells of the same.
_NOTICE_CONDITIONS = frozenset({"PreemptScheduled", "TerminateScheduled"})
# Labels that say what a machine costs, and the words of each cloud for the types.
CAPACITY_LABELS: Mapping[str, Mapping[str, CapacityType]] = {
    "karpenter.sh/capacity-type": {
        "spot": "spot",
        "on-demand": "on-demand",
        "reserved": "reserved",
    },
    "eks.amazonaws.com/capacityType": {
        "SPOT": "spot",
        "ON_DEMAND": "on-demand",
        "CAPACITY_BLOCK": "reserved",
    },
    "cloud.google.com/gke-spot": {"true": "spot"},
    "cloud.google.com/gke-preemptible": {"true": "spot"},
    "kubernetes.azure.com/scalesetpriority": {"spot": "spot", "regular": "on-demand"},
    "node.kubernetes.io/lifecycle": {"spot": "spot", "on-demand": "on-demand"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Why a node's replicas shall go elsewhere, and whether there is no time to lose."""

    words: str
    is_urgent: bool


def leaving(node: KubeNode | None) -> Leaving | None:
    """Return what was announced of a node, if anything."""
    if node is None:
        return None
    notice = next((taint.key for taint in node.taints if taint.key in _NOTICE_TAINTS), None)
    notice = notice or next(iter(sorted(node.conditions & _NOTICE_CONDITIONS)), None)
    if notice is not None:
        return Leaving(words=f"is about to be taken away ({notice})", is_urgent=True)
    why = node.annotations.get(DRAIN)
    if why is None or why == "false":
        return None
    said = f" ({why})" if why not in ("", "true") else ""
    return Leaving(words=f"is drained{said}", is_urgent=False)


def capacity_type(labels: Mapping[str, str]) -> CapacityType:
    """Return what a node's labels say of its price; a machine of which nothing is said is kept."""
    for label, words in CAPACITY_LABELS.items():
        found = words.get(labels.get(label, ""))
        if found is not None:
            return found
    return "on-demand"


def tolerates(tolerations: Sequence[Toleration], taint: Taint) -> bool:
    """Tell whether any toleration suits a taint, as for pods."""
    return any(_suits(one, taint) for one in tolerations)


def _suits(one: Toleration, taint: Taint) -> bool:
    if one.effect not in ("", taint.effect) or one.key not in ("", taint.key):
        return False
    if one.operator == "Exists":
        return True
    return bool(one.key) and one.value == taint.value
