"""Which nodes a slot's pod may go to, in the words of the stock scheduler. Pure."""

from collections.abc import Mapping
from typing import cast

from llmaz.api import names
from llmaz.api.manifest import Json, Manifest
from llmaz.api.service import Service
from llmaz.controller.demand import Option
from llmaz.controller.peers import RACKS, ZONE
from llmaz.controller.slots.attempts import Attempt
from llmaz.controller.slots.pod import REPLICA, SPARE

MEMORY = f"{names.ACCELERATOR}.memory-mib"
_WEIGHTS = (100, 80, 60, 40, 20)  # of flavors, in order; the rest have the last


def node_selector(attempt: Attempt, agents: Mapping[str, str]) -> Manifest:
    """Return what all nodes of an attempt have; several flavors are told apart by affinity.

    `agents` are the labels of the nodes that run an agent.
    """
    selected = dict(attempt.first.flavor.node_selector) if len(attempt.options) == 1 else {}
    return {names.OS: "linux", **agents, **selected}


def affinity(attempt: Attempt, option: Option, service: Service, replica: str) -> Manifest:
    """Return the affinity of a pod: flavors by weight, memory of accelerators, one's own group."""
    found: Manifest = {}
    terms = _terms(attempt, option)
    if terms:
        required: Manifest = {"nodeSelectorTerms": cast("Json", terms)}
        found["nodeAffinity"] = {
            "requiredDuringSchedulingIgnoredDuringExecution": required,
            **_preferences(attempt),
        }
    if attempt.size > 1 and replica != SPARE:
        found |= _apart_but_near(service, replica)
    return found


def _terms(attempt: Attempt, option: Option) -> list[Manifest]:
    """Return the nodes of any of the flavors, with devices that are large enough.

    A node that tells nothing of the memory of its devices is not kept from any model: one that an
    autoscaler only thinks of has no such label yet.
    """
    several = len(attempt.options) > 1
    least = -(-option.needs.device_memory // 2**20)
    terms = []
    for one in attempt.options:
        wanted = one.flavor.node_selector.items() if several else ()
        selected: list[Manifest] = [
            {"key": key, "operator": "In", "values": [value]} for key, value in sorted(wanted)
        ]
        if not least:
            terms.append(selected)
            continue
        terms.append([*selected, {"key": MEMORY, "operator": "Gt", "values": [str(least - 1)]}])
        terms.append([*selected, {"key": MEMORY, "operator": "DoesNotExist"}])
    if not all(terms):  # some flavor takes any node, so that nothing is required
        return []
    return [{"matchExpressions": cast("Json", expressions)} for expressions in terms]


def _preferences(attempt: Attempt) -> Manifest:
    if len(attempt.options) == 1:
        return {}
    preferred = []
    for index, option in enumerate(attempt.options):
        labels = sorted(option.flavor.node_selector.items())
        expressions = [{"key": key, "operator": "In", "values": [value]} for key, value in labels]
        weight = _WEIGHTS[min(index, len(_WEIGHTS) - 1)]
        preferred.append({"weight": weight, "preference": {"matchExpressions": expressions}})
    return {"preferredDuringSchedulingIgnoredDuringExecution": cast("Json", preferred)}


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
