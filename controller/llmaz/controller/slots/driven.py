"""Slots on nodes from which they shall go: drained, cordoned, lost, or taken away soon. Pure.

Another slot comes first, whatever maxSurge is, and takes over when its engine is ready. An eviction
that comes before that finds it on its way.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from llmaz.api.manifest import Manifest
from llmaz.controller.demand import Demand, tolerations_of
from llmaz.controller.nodes import NodeView
from llmaz.controller.rollout import most_surplus, most_unavailable
from llmaz.controller.slots.pod import SlotPod
from llmaz.controller.slots.unit import Unit


def is_driven(pod: SlotPod, demand: Demand, views: Mapping[str, NodeView]) -> bool:
    """Tell whether a pod shall be followed by one on another node.

    A cordoned node is about to be drained: what is evicted there serves until then.
    """
    view = views.get(pod.node)
    if view is None or any(option.worker is not None for option in demand.options):
        return False  # a group goes as a whole, when it is evicted
    resources = demand.options[0].needs.devices
    return view.is_cordoned or view.drives_away(resources, tolerations_of(demand.service))


def may_be_followed(
    demand: Demand, units: Mapping[str, Unit], driven: frozenset[str]
) -> frozenset[str]:
    """Return the replicas on such nodes that another slot is made for now.

    Not more at a time than an update would touch, so that not all of a Service ask for a second
    place at once; at least one.
    """
    going = [
        id_
        for id_, unit in units.items()
        if unit.outdated and all(pod.uid in driven for pod in unit.outdated)
    ]
    most = max(1, most_unavailable(demand.service), most_surplus(demand.service))
    going.sort(key=lambda id_: not units[id_].current)  # those that have begun come first
    return frozenset(going[:most])


def nodes_to_avoid(views: Mapping[str, NodeView]) -> tuple[str, ...]:
    """Return the nodes that slots shall leave, of which the scheduler knows nothing.

    Where only the agent is silent it would bind each follower to the same node again.
    """
    return tuple(
        sorted(name for name, view in views.items() if view.leaving is not None or view.is_lost)
    )


def kept_off(pod: Manifest, nodes: Iterable[str]) -> Manifest:
    """Return the pod, which the scheduler binds to none of these nodes: each term says so."""
    fields = [{"key": "metadata.name", "operator": "NotIn", "values": [name]} for name in nodes]
    if not fields:
        return pod
    spec = cast("dict[str, Any]", pod["spec"])
    affinity = spec.get("affinity") or {}
    near = affinity.get("nodeAffinity") or {}
    required = near.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = [{**term, "matchFields": fields} for term in required.get("nodeSelectorTerms") or [{}]]
    wanted = {
        **near,
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms},
    }
    return {**pod, "spec": {**spec, "affinity": {**affinity, "nodeAffinity": wanted}}}


def is_kept_off_in_vain(pod: SlotPod, avoid: Collection[str]) -> bool:
    """Tell whether a pod that fits nowhere may not go to a node that is there again by now.

    Its affinity can't be changed: another has to be made.
    """
    return bool(pod.unschedulable and not pod.node and pod.kept_off - set(avoid))
