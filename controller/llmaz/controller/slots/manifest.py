"""The pod of a slot, as it is written. Pure.

Its container is the runtime's image with a shim as the first process, which an init container of
the agent's image brings along. What engines it runs is no business of the pod's: a model, flags or
a group that starts anew are told to the shim by the node's agent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from llmaz.api import names
from llmaz.api.kinds import SERVICE
from llmaz.api.manifest import Json, Manifest, digest, encode
from llmaz.api.service import Service
from llmaz.controller.demand import Demand, Option
from llmaz.controller.nodes import lost_after
from llmaz.controller.owned import reference
from llmaz.controller.slots.attempts import Attempt
from llmaz.controller.slots.containers import bringer, claims_of, runner, volumes
from llmaz.controller.slots.nodes import affinity, node_selector, spread
from llmaz.controller.slots.pod import (
    ATTEMPT,
    FAILURES,
    GATE,
    KIND,
    RANK,
    REPLICA,
    SLOT_KEY,
    SPARE,
    UNDISTURBED,
)
from llmaz.controller.slots.policy import SlotPolicy

_ENDING_SECONDS = 20  # from the engine's grace to the pod's: for the hook and the shim itself
_EVICTABLE = "cluster-autoscaler.kubernetes.io/safe-to-evict"
LEFT_ALONE = {_EVICTABLE: "false", UNDISTURBED: "true"}
LET_GO = {_EVICTABLE: "true", UNDISTURBED: "false"}  # said again, since no annotation is removed
_GROUP = "kueue.x-k8s.io/pod-group-name"
_GROUP_SIZE = "kueue.x-k8s.io/pod-group-total-count"

# Taints of a node that Kubernetes has lost; its own 300 seconds hold where pods say nothing.
_OF_LOST = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which pod of a Service to make: for which member of which replica, and after which others."""

    replica: str
    rank: int = 0
    attempt: int = 0
    failures: int = 0
    after: str = ""  # the uid of the pod that it comes after

    def name(self, service: str, key: str) -> str:
        """Return its name: another one than that of any pod before it, and always the same."""
        told = [key, self.attempt, self.after, self.replica, self.rank]
        member = f"{self.replica}-{self.rank}" if self.rank else self.replica
        return f"{service}-{member}-{digest(cast('Json', told))[:6]}"


_SPARE = Place(replica=SPARE)


def slot_pod(demand: Demand, attempt: Attempt, place: Place, policy: SlotPolicy) -> Manifest:
    """Return the manifest of a slot's pod."""
    option = attempt.first
    if place.rank and option.worker is not None:
        option = option.worker
    spec = {
        **_running(demand, option, policy),
        **_placed(demand.service, attempt, option, place, policy),
        **_chosen(demand.service, policy),
    }
    metadata = _metadata(demand.service, attempt, place)
    if place.replica == SPARE:
        cast("dict[str, Json]", metadata["annotations"])[KIND] = _kind(metadata, spec)
    return {"metadata": metadata, "spec": spec}


def _running(demand: Demand, option: Option, policy: SlotPolicy) -> Manifest:
    """Return what runs in the pod, and how it ends."""
    grace = demand.pattern.termination_grace_period_seconds
    spec: Manifest = {
        "restartPolicy": "Always",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace + _ENDING_SECONDS,
        "securityContext": _pod_security(policy),
        "initContainers": [bringer(policy)],
        "containers": [runner(demand, option, policy, grace)],
        "volumes": volumes(demand, policy),
    }
    if claims := claims_of(option, policy):
        spec["resourceClaims"] = [
            {"name": name, "resourceClaimTemplateName": template}
            for name, template in claims.items()
        ]
    return spec


def _placed(
    service: Service, attempt: Attempt, option: Option, place: Place, policy: SlotPolicy
) -> Manifest:
    """Return which nodes the pod may go to, and when."""
    spec: Manifest = {
        "nodeSelector": node_selector(attempt, policy.node_selector),
        "tolerations": _tolerations(option, service, policy),
    }
    if found := affinity(attempt, option, service, place.replica):
        spec["affinity"] = found
    if constraints := spread(service):
        spec["topologySpreadConstraints"] = cast("Json", constraints)
    if attempt.size > 1 and place.replica != SPARE:
        spec["schedulingGates"] = [{"name": GATE}]
    return spec


def _chosen(service: Service, policy: SlotPolicy) -> Manifest:
    """Return what the platform runner, or the Playground, has chosen by name."""
    priority = service.spec.placement.priority_class_name or policy.priority_class_name
    secrets = [{"name": name} for name in policy.image_pull_secrets]
    chosen: Manifest = {
        "imagePullSecrets": cast("Json", secrets),
        "runtimeClassName": policy.runtime_class_name,
        "priorityClassName": priority,
        "schedulerName": policy.scheduler_name,
    }
    return {key: value for key, value in chosen.items() if value}


def kind_of(demand: Demand, attempt: Attempt, policy: SlotPolicy) -> str:
    """Return which spares could be the pod of a replica, whichever Service they were made for."""
    pod = cast("dict[str, dict[str, dict[str, str]]]", slot_pod(demand, attempt, _SPARE, policy))
    return pod["metadata"]["annotations"][KIND]


def _kind(metadata: Manifest, spec: Manifest) -> str:
    labels = cast("dict[str, Json]", metadata["labels"])
    return digest([labels.get(names.QUEUE), spec])


def _metadata(service: Service, attempt: Attempt, place: Place) -> Manifest:
    meta = service.metadata
    playground = meta.labels.get(names.PLAYGROUND_NAME)
    labels: dict[str, Json] = {
        "app.kubernetes.io/managed-by": names.CONTROLLER,
        "app.kubernetes.io/part-of": "llmaz",
        names.MODEL_NAME: service.spec.model_claims.main,
        names.SERVICE_NAME: meta.name,
        REPLICA: place.replica,
        RANK: str(place.rank),
        **({names.PLAYGROUND_NAME: playground} if playground else {}),
        **({names.QUEUE: meta.labels[names.QUEUE]} if names.QUEUE in meta.labels else {}),
    }
    notes: dict[str, Json] = {
        SLOT_KEY: attempt.key,
        ATTEMPT: str(place.attempt),
        FAILURES: str(place.failures),
    }
    if place.replica != SPARE:
        notes |= LEFT_ALONE
    if attempt.size > 1 and names.QUEUE in labels:
        labels[_GROUP] = f"{meta.name}-{place.replica}-{place.attempt}"
        notes[_GROUP_SIZE] = str(attempt.size)
    return {
        "name": place.name(meta.name, attempt.key),
        "namespace": meta.namespace,
        "labels": labels,
        "annotations": notes,
        "ownerReferences": [reference(SERVICE, meta)],
    }


def _tolerations(option: Option, service: Service, policy: SlotPolicy) -> list[Json]:
    own: list[Json] = [
        {"key": resource, "operator": "Exists"} for resource in sorted(option.needs.devices)
    ]
    asked = [cast("Manifest", encode(one)) for one in service.spec.placement.tolerations]
    further = [cast("Manifest", encode(one)) for one in policy.tolerations]
    said: list[Manifest] = [*asked, *({"operator": "Exists", **one} for one in further)]
    return [*own, *cast("list[Json]", said), *_while_lost(said, policy)]


def _while_lost(said: Sequence[Manifest], policy: SlotPolicy) -> list[Json]:
    """Return how long a pod stays on a node whose kubelet is silent, where nobody else says it."""
    told = {one.get("key") for one in said}
    return [
        {
            "key": key,
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": int(lost_after(policy).total_seconds()),
        }
        for key in _OF_LOST
        if key not in told
    ]


def _pod_security(policy: SlotPolicy) -> Manifest:
    groups = list(policy.supplemental_groups)
    return {
        "runAsNonRoot": True,
        "runAsUser": policy.user,
        "runAsGroup": policy.user,
        "seccompProfile": {"type": "RuntimeDefault"},
        **({"supplementalGroups": cast("Json", groups)} if groups else {}),
    }
