"""The containers of a slot's pod: the one that brings the shim, and the one that engines run in.

Both are as restricted as a pod may be. What they see of the node is the cache, read-only, with the
copies of weights in memory where there are some, and the slot's own directory.
"""

from collections.abc import Mapping
from typing import cast

from llmaz.api import names
from llmaz.api.manifest import Json, Manifest, encode
from llmaz.api.quantity import Quantity
from llmaz.api.slot import DIRECTORY, MEMORY, PROGRAMS, SLOTS, shim_command
from llmaz.controller.demand import Demand, Option
from llmaz.controller.slots.policy import SlotPolicy

_POD_UID = "LLMAZ_POD_UID"
_INSIDE = "/run/llmaz/slots"  # where the init container sees the directories of all slots


def bringer(policy: SlotPolicy) -> Manifest:
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


def runner(demand: Demand, option: Option, policy: SlotPolicy, grace: int) -> Manifest:
    """Return the container that engines run in: its first process is the shim."""
    ready = shim_command(PROGRAMS, "probe", "ready")
    drain = shim_command(PROGRAMS, "drain")
    return {
        "name": names.MODEL_RUNNER,
        "image": demand.pattern.image,
        "imagePullPolicy": policy.image_pull_policy,
        "command": cast("list[Json]", shim_command(PROGRAMS, "run")),
        "env": _env(policy, grace),
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
        "volumeMounts": _mounts(policy),
    }


def _env(policy: SlotPolicy, grace: int) -> list[Json]:
    return [
        _from_field(_POD_UID, "metadata.uid"),
        _from_field("LLMAZ_SLOT_ADDRESS", "status.podIP"),
        {"name": "LLMAZ_SLOT_DIRECTORY", "value": DIRECTORY},
        {"name": "LLMAZ_SLOT_GRACE", "value": str(grace)},
        {"name": "HOME", "value": "/tmp"},  # noqa: S108  # a volume of the pod's own
        {"name": "USER", "value": "llmaz"},  # some engines ask for the name of their user
        *cast("list[Json]", [encode(variable) for variable in policy.env]),
    ]


def _mounts(policy: SlotPolicy) -> list[Json]:
    seen = ("cache", MEMORY) if policy.memory_path else ("cache",)
    weights: list[Json] = [
        {"name": name, "mountPath": f"{policy.host_path}/{name}", "readOnly": True} for name in seen
    ]
    return [
        {"name": "shim", "mountPath": PROGRAMS, "readOnly": True},
        {"name": "slots", "mountPath": DIRECTORY, "subPathExpr": f"$({_POD_UID})"},
        *weights,
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # as above
        {"name": "dshm", "mountPath": "/dev/shm"},  # noqa: S108  # where programs look for it
        *cast("list[Json]", policy.volume_mounts),
    ]


def _resources(option: Option, policy: SlotPolicy) -> Manifest:
    """Return the runtime's resources; devices are limits, which a scheduler takes as requests."""
    asked = option.resources
    limits, requests = dict(asked.limits), dict(asked.requests)
    for name in [name for name in requests if "/" in name]:
        limits.setdefault(name, requests.pop(name))
    claims = claims_of(option, policy)
    limits = {name: amount for name, amount in limits.items() if name not in policy.device_claims}
    resources: Manifest = {
        "requests": _amounts(requests or dict(policy.resources.requests)),
        "limits": _amounts(limits or dict(policy.resources.limits)),
    }
    if claims:
        resources["claims"] = [{"name": name} for name in claims]
    return resources


def claims_of(option: Option, policy: SlotPolicy) -> dict[str, str]:
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


def volumes(demand: Demand, policy: SlotPolicy) -> list[Json]:
    """Return what the pod mounts."""
    size = demand.pattern.shared_memory_size
    memory: Manifest = {"medium": "Memory", **({"sizeLimit": str(size)} if size else {})}
    copies: list[Json] = [
        {"name": MEMORY, "hostPath": {"path": path, "type": "DirectoryOrCreate"}}
        for path in [policy.memory_path]
        if path
    ]
    return [
        {"name": "shim", "emptyDir": {}},
        {"name": "slots", "hostPath": _on_node(policy, SLOTS)},
        {"name": "cache", "hostPath": _on_node(policy, "cache")},
        *copies,
        {"name": "tmp", "emptyDir": {}},
        {"name": "dshm", "emptyDir": memory},
        *cast("list[Json]", policy.volumes),
    ]


def _on_node(policy: SlotPolicy, name: str) -> Manifest:
    return {"path": f"{policy.host_path}/{name}", "type": "DirectoryOrCreate"}


def _security() -> Manifest:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _from_field(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
