"""Which nodes a slot's pod may go to, in the words of the stock scheduler. Pure."""

from collections.abc import Mapping
from typing import cast

from llmaz.api import names
from llmaz.api.manifest import Json, Manifest
from llmaz.api.placement import CapacityType
from llmaz.api.service import Service
from llmaz.controller.demand import Option
from llmaz.controller.leaving import CAPACITY_LABELS
from llmaz.controller.peers import RACKS, ZONE
from llmaz.controller.slots.attempts import Attempt
from llmaz.controller.slots.pod import REPLICA, SPARE

MEMORY = f"{names.ACCELERATOR}.memory-mib"
_WEIGHTS = (100, 80, 60, 40, 20)  # of flavors, in order; the rest have the last


def node_selector(attempt: Attempt, agents: Mapping[str, str]) -> Manifest:
    """Return what all nodes of an attempt have; several flavors are told apart by affinity.

    `agents` are the labels of the nodes that run an agent.
    """
    selected = dict(attempt.first.selector) if len(attempt.options) == 1 else {}
    return {names.OS: "linux", **agents, **selected}


def affinity(attempt: Attempt, option: Option, service: Service, replica: str) -> Manifest:
    """Return the affinity of a pod: flavors by weight, memory of accelerators, one's own group."""
    found: Manifest = {}
    nodes = _preferences(attempt)
    if terms := _terms(attempt, option):
        required: Manifest = {"nodeSelectorTerms": cast("Json", terms)}
        nodes["requiredDuringSchedulingIgnoredDuringExecution"] = required
    if nodes:
        found["nodeAffinity"] = nodes
    if attempt.size > 1 and replica != SPARE:
        found |= _apart_but_near(service, replica)
    return found


def _terms(attempt: Attempt, option: Option) -> list[Manifest]:
    """Return the nodes of any of the flavors, of its price, with devices that are large enough."""
    several = len(attempt.options) > 1
    terms = [
        [*selected, *price, *memory]
        for one in attempt.options
        for selected in [_selected(one) if several else []]
        for price in _prices(one.capacity)
        for memory in _memories(option)
    ]
    if not all(terms):  # some flavor takes any node, so that nothing is required
        return []
    return [{"matchExpressions": cast("Json", expressions)} for expressions in terms]


def _selected(option: Option) -> list[Manifest]:
    return [_one_of(key, value) for key, value in option.selector]


def _prices(capacity: CapacityType | None) -> list[list[Manifest]]:
    """Return in the words of each cloud which machines have a price; any of these will do.

    A machine of which nothing is said is on demand.
    """
    if capacity is None:
        return [[]]
    if capacity != "on-demand":
        return [
            [_one_of(label, *said)]
            for label, words in CAPACITY_LABELS.items()
            if (said := [word for word, type_ in words.items() if type_ == capacity])
        ]
    others = {
        label: [word for word, type_ in words.items() if type_ != capacity]
        for label, words in CAPACITY_LABELS.items()
    }
    return [
        [
            {"key": label, "operator": "NotIn", "values": cast("Json", words)}
            for label, words in others.items()
        ]
    ]


def _memories(option: Option) -> list[list[Manifest]]:
    """Return which nodes have devices that are large enough.

    A node that tells nothing of the memory of its devices is not kept from any model: one that an
    autoscaler only thinks of has no such label yet.
    """
    least = -(-option.needs.device_memory // 2**20)
    if not least:
        return [[]]
    enough: Manifest = {"key": MEMORY, "operator": "Gt", "values": [str(least - 1)]}
    return [[enough], [{"key": MEMORY, "operator": "DoesNotExist"}]]


def _preferences(attempt: Attempt) -> Manifest:
    if len(attempt.options) == 1:
        return {}
    preferred = [
        {
            "weight": _WEIGHTS[min(index, len(_WEIGHTS) - 1)],
            "preference": {"matchExpressions": [*_selected(option), *price]},
        }
        for index, option in enumerate(attempt.options)
        for price in _prices(option.capacity)
        if option.selector or price  # what any node has is no preference
    ]
    if not preferred:
        return {}
    return {"preferredDuringSchedulingIgnoredDuringExecution": cast("Json", preferred)}


def spread(service: Service) -> list[Manifest]:
    """Return how replicas are spread, where that is asked for: over zones, then over nodes."""
    if service.spec.placement.strategy != "spread":
        return []
    labels: Manifest = {names.SERVICE_NAME: service.metadata.name}
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels},
        }
        for key in (ZONE, names.HOSTNAME)
    ]


def _one_of(key: str, *values: str) -> Manifest:
    return {"key": key, "operator": "In", "values": list(values)}


def _apart_but_near(service: Service, replica: str) -> Manifest:
    """Have the members of a group on nodes of their own, near each other."""
    labels = {names.SERVICE_NAME: service.metadata.name, REPLICA: replica}
    term: Manifest = {"labelSelector": {"matchLabels": cast("Json", labels)}}
    near = [
        {"weight": 100 - 10 * index, "podAffinityTerm": {**term, "topologyKey": label}}
        for index, label in enumerate((*RACKS, ZONE))
    ]
    return {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {**term, "topologyKey": names.HOSTNAME}
            ]
        },
        "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": cast("Json", near)},
    }
