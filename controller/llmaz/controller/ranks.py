"""The members of a group: their ids, how many there are, and the variables that tell them apart.

A replica that takes several nodes is a group: its leader, rank 0, answers requests, and workers do
their part for it. The variables are those of LeaderWorkerSet, so that scripts for it run as they
are, but for the leader's address: it is an IP, which no member has to wait for a name server for.
"""

import dataclasses
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from llmaz.api import names
from llmaz.api.openmodel import Flavor
from llmaz.api.pod import EnvVar
from llmaz.api.service import WorkloadTemplate
from llmaz.controller.flavors import hosts_of

_LABELS = "leaderworkerset.sigs.k8s.io"
_RENDEZVOUS_PORTS = range(22000, 30000)  # above those that agents lease, below the kernel's


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where one member of a group runs: a node, an IP of it, and accelerators there."""

    node: str
    address: str
    accelerators: tuple[str, ...]


def is_grouped(template: WorkloadTemplate) -> bool:
    """Tell whether a Service's replicas may be groups; without, each is one engine."""
    return template.leader_template is not None or template.size > 1


def size_of(template: WorkloadTemplate, flavor: Flavor) -> int:
    """Return how many members a replica on this flavor has.

    A size that is written down holds for all flavors; else each flavor says it by its PP, so that
    one replica may run on a single large node and another on a group of smaller ones.
    """
    if not is_grouped(template):
        return 1
    return template.size if template.size > 1 else hosts_of(flavor)


def rank_id(leader: str, rank: int) -> str:
    """Return the id of a member's engine.

    No replica's number has a dot in it, so that it is never that of another Service's replica.
    """
    return f"{leader}.{rank}" if rank else leader


def leader_id(engine_id: str) -> str:
    """Return the id of the engine that leads the group of this one; its own if it has none."""
    head, dash, tail = engine_id.rpartition("-")
    return f"{head}{dash}{tail.partition('.')[0]}"


def rank_env(
    env: tuple[EnvVar, ...], leader: str, rank: int, spots: tuple[Spot, ...], epoch: int
) -> tuple[EnvVar, ...]:
    """Return a member's variables: those that tell it its place come first."""
    place = {
        names.LWS_LEADER_ADDRESS: spots[0].address,
        names.LWS_GROUP_SIZE: str(len(spots)),
        names.LWS_WORKER_INDEX: str(rank),
        names.NODE_ADDRESS: spots[rank].address,
        names.GROUP_PORT: str(_rendezvous_port(leader, epoch)),
    }
    own = tuple(EnvVar(name=name, value=value) for name, value in place.items())
    others = tuple(variable for variable in env if variable.name not in place)
    return (*own, *told_env(others, leader, rank, len(spots)))


def told_env(
    env: tuple[EnvVar, ...], leader: str, rank: int = 0, size: int = 1
) -> tuple[EnvVar, ...]:
    """Return the variables with the text of what they read from the labels of a pod."""
    if not any(variable.value_from and variable.value_from.field_ref for variable in env):
        return env
    labels = _pod_fields(leader, rank, size)
    return tuple(_told(variable, labels) for variable in env)


def is_told(path: str) -> bool:
    """Tell whether an engine can be told this field of its pod: by its agent, or by its rank."""
    return path in names.POD_FIELDS or path in _pod_fields("", 0, 1)


def _told(variable: EnvVar, labels: Mapping[str, str]) -> EnvVar:
    field = variable.value_from.field_ref if variable.value_from else None
    if field is None or field.field_path not in labels:
        return variable
    return dataclasses.replace(variable, value=labels[field.field_path], value_from=None)


def _pod_fields(leader: str, rank: int, size: int) -> dict[str, str]:
    service, _, replica = leader.rpartition("/")[2].rpartition("-")
    return {
        f"metadata.labels['{_LABELS}/name']": service,
        f"metadata.labels['{_LABELS}/group-index']": replica,
        f"metadata.labels['{_LABELS}/worker-index']": str(rank),
        f"metadata.annotations['{_LABELS}/size']": str(size),
    }


def _rendezvous_port(leader: str, epoch: int) -> int:
    """Return where members meet on the leader's node: seldom the same for two groups there.

    A group that failed since another had its port asks for another one in its next epoch.
    """
    met = zlib.crc32(f"{leader}@{epoch}".encode())
    return _RENDEZVOUS_PORTS[met % len(_RENDEZVOUS_PORTS)]
