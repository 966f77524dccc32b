"""The pod of a slot, as it is written. Pure.

Its container is the runtime's image with a shim as the first process, which an init container of
the agent's image brings along. What engines it runs is no business of the pod's: a model, flags or
a group that starts anew are told to the shim by the node's agent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from llmaz.api import names
from llmaz.api.kinds import SERVICE
from llmaz.api.manifest import Json, Manifest, digest, encode
from llmaz.api.quantity import Quantity
from llmaz.api.service import Service
from llmaz.api.slot import DIRECTORY, PROGRAMS, SLOTS, shim_command
from llmaz.controller.demand import Demand, Option
from llmaz.controller.owned import reference
from llmaz.controller.slots.attempts import Attempt
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
_POD_UID = "LLMAZ_POD_UID"
_INSIDE = "/run/llmaz/slots"  # where the init container sees the directories of all slots
_EVICTABLE = "cluster-autoscaler.kubernetes.io/safe-to-evict"
LEFT_ALONE = {_EVICTABLE: "false", UNDISTURBED: "true"}
LET_GO = {_EVICTABLE: "true", UNDISTURBED: "false"}  # said again, since no annotation is removed
_GROUP = "kueue.x-k8s.io/pod-group-name"
_GROUP_SIZE = "kueue.x-k8s.io/pod-group-total-count"


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
    service = demand.service
    grace = demand.pattern.termination_grace_period_seconds
    spec: Manifest = {
        "restartPolicy": "Always",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace + _ENDING_SECONDS,
        "securityContext": _pod_security(policy),
        "nodeSelector": node_selector(attempt, policy.node_selector),
        "tolerations": _tolerations(option, service, policy),
        "initContainers": [_bringer(policy)],
        "containers": [_runner(demand, option, policy, grace)],
        "volumes": _volumes(demand, policy),
    }
    if found := affinity(attempt, option, service, place.replica):
        spec["affinity"] = found
    if attempt.size > 1 and place.replica != SPARE:
        spec["schedulingGates"] = [{"name": GATE}]
    if policy.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in policy.image_pull_secrets]
    if constraints := spread(service):
        spec["topologySpreadConstraints"] = cast("Json", constraints)
    claims = _claims(option, policy)
    if claims:
        spec["resourceClaims"] = [
            {"name": name, "resourceClaimTemplateName": template}
            for name, template in claims.items()
        ]
    chosen = {
        "runtimeClassName": policy.runtime_class_name,
        "priorityClassName": service.spec.placement.priority_class_name
        or policy.priority_class_name,
        "schedulerName": policy.scheduler_name,
    }
    spec |= {key: value for key, value in chosen.items() if value}
    metadata = _metadata(service, attempt, place)
    if place.replica == SPARE:
        cast("dict[str, Json]", metadata["annotations"])[KIND] = _kind(metadata, spec)
    return {"metadata": metadata, "spec": spec}


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


def _bringer(policy: SlotPolicy) -> Manifest:
    """Return the init container that brings the shim, and makes the slot's own directory."""
    return {
        "name": "shim",
        "image": policy.image,
        "imagePullPolicy": policy.image_pull_policy,
        "command": ["python", "-m", "llmaz.shim.bring", PROGRAMS, f"{_INSIDE}/$({_POD_UID})"],
        "env": [_from_field(_POD_UID, "metadata.uid")],
        "securityContext": {**_security(), "readOnlyRootFilesystem": True},
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "128Mi"},
        },
        "volumeMounts": [
            {"name": "shim", "mountPath": PROGRAMS},
            {"name": "slots", "mountPath": _INSIDE},
        ],
    }


def _runner(demand: Demand, option: Option, policy: SlotPolicy, grace: int) -> Manifest:
    pattern = demand.pattern
    env: list[Json] = [
        _from_field(_POD_UID, "metadata.uid"),
        _from_field("LLMAZ_SLOT_ADDRESS", "status.podIP"),
        {"name": "LLMAZ_SLOT_DIRECTORY", "value": DIRECTORY},
        {"name": "LLMAZ_SLOT_GRACE", "value": str(grace)},
        {"name": "HOME", "value": "/tmp"},  # noqa: S108  # a volume of the pod's own
        {"name": "USER", "value": "llmaz"},  # some engines ask for the name of their user
        *cast("list[Json]", [encode(variable) for variable in policy.env]),
    ]
    cache = f"{policy.host_path}/cache"
    mounts: list[Json] = [
        {"name": "shim", "mountPath": PROGRAMS, "readOnly": True},
        {"name": "slots", "mountPath": DIRECTORY, "subPathExpr": f"$({_POD_UID})"},
        {"name": "cache", "mountPath": cache, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # as above
        {"name": "dshm", "mountPath": "/dev/shm"},  # noqa: S108  # where programs look for it
        *cast("list[Json]", policy.volume_mounts),
    ]
    ready = shim_command(PROGRAMS, "probe", "ready")
    drain = shim_command(PROGRAMS, "drain")
    return {
        "name": names.MODEL_RUNNER,
        "image": pattern.image,
        "imagePullPolicy": policy.image_pull_policy,
        "command": cast("list[Json]", shim_command(PROGRAMS, "run")),
        "env": env,
        "ports": [{"name": "http", "containerPort": names.ENGINE_PORT, "protocol": "TCP"}],
        "resources": _resources(option, policy),
        "securityContext": _security(),
        # The shim and the agent see to it that the engine lives: a kubelet's liveness probe that
        # comes late under load would end all of it.
        "readinessProbe": {
            "exec": {"command": cast("list[Json]", ready)},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "lifecycle": {"preStop": {"exec": {"command": cast("list[Json]", drain)}}},
        "volumeMounts": mounts,
    }


def _resources(option: Option, policy: SlotPolicy) -> Manifest:
    """Return the runtime's resources; devices are limits, which a scheduler takes as requests."""
    asked = option.resources
    limits, requests = dict(asked.limits), dict(asked.requests)
    for name in [name for name in requests if "/" in name]:
        limits.setdefault(name, requests.pop(name))
    claims = _claims(option, policy)
    limits = {name: amount for name, amount in limits.items() if name not in policy.device_claims}
    resources: Manifest = {
        "requests": _amounts(requests or dict(policy.resources.requests)),
        "limits": _amounts(limits or dict(policy.resources.limits)),
    }
    if claims:
        resources["claims"] = [{"name": name} for name in claims]
    return resources


def _claims(option: Option, policy: SlotPolicy) -> dict[str, str]:
    """Return the resource claims of a pod, by their names in it: one for each device."""
    return {
        f"{_claim_name(resource)}-{index}": policy.device_claims[resource]
        for resource, count in option.needs.devices.items()
        if resource in policy.device_claims
        for index in range(count)
    }


def _claim_name(resource: str) -> str:
    return resource.partition("/")[2].replace(".", "-").replace("_", "-").lower()


def _amounts(amounts: Mapping[str, Quantity]) -> Manifest:
    return {name: str(amount) for name, amount in sorted(amounts.items())}


def _volumes(demand: Demand, policy: SlotPolicy) -> list[Json]:
    size = demand.pattern.shared_memory_size
    memory: Manifest = {"medium": "Memory", **({"sizeLimit": str(size)} if size else {})}
    return [
        {"name": "shim", "emptyDir": {}},
        {"name": "slots", "hostPath": _on_node(policy, SLOTS)},
        {"name": "cache", "hostPath": _on_node(policy, "cache")},
        {"name": "tmp", "emptyDir": {}},
        {"name": "dshm", "emptyDir": memory},
        *cast("list[Json]", policy.volumes),
    ]


def _on_node(policy: SlotPolicy, name: str) -> Manifest:
    return {"path": f"{policy.host_path}/{name}", "type": "DirectoryOrCreate"}


def _tolerations(option: Option, service: Service, policy: SlotPolicy) -> list[Json]:
    own: list[Json] = [
        {"key": resource, "operator": "Exists"} for resource in sorted(option.needs.devices)
    ]
    asked = [cast("Manifest", encode(one)) for one in service.spec.placement.tolerations]
    further = [cast("Manifest", encode(one)) for one in policy.tolerations]
    return [*own, *asked, *({"operator": "Exists", **one} for one in further)]


def _pod_security(policy: SlotPolicy) -> Manifest:
    groups = list(policy.supplemental_groups)
    return {
        "runAsNonRoot": True,
        "runAsUser": policy.user,
        "runAsGroup": policy.user,
        "seccompProfile": {"type": "RuntimeDefault"},
        **({"supplementalGroups": cast("Json", groups)} if groups else {}),
    }


def _security() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _from_field(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
