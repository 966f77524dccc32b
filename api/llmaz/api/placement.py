"""Placement: what a Playground or Service may say of where its replicas run, if anything."""

from dataclasses import dataclass, field
from typing import Literal

from llmaz.api.fields import bounds, reach
from llmaz.api.memory import ReplicaMemory

CapacityType = Literal["on-demand", "spot", "reserved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Toleration:
    """Taints that do not keep replicas off, as a pod's toleration.

    key: the taint's key; without one, every taint
    operator: Exists for any value, Equal for the given one
    value: the taint's value
    effect: NoSchedule or NoExecute; without one, both
    """

    key: str = ""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Which replicas run on machines of which price.

    base: so many replicas, those with the lowest numbers, run on baseType alone
    base_type: the capacity type of the base
    surplus_type: the capacity type that all other replicas take first
    spill: whether the others go to machines of any type where there is no room on surplusType
    """

    base: int = field(default=0, metadata=bounds(minimum=0))
    base_type: CapacityType = "on-demand"
    surplus_type: CapacityType = "spot"
    spill: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveBack:
    """Going back to a flavor that is preferred, once there is room: a replica at a time.

    after_seconds: how long a replica has served where it is before it may move
    """

    after_seconds: int = field(default=600, metadata=bounds(minimum=0) | reach(10**9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where replicas run, beyond the flavors.

    priority_class_name: the PriorityClass by which they displace others, and others them
    strategy: pack fills node after node; spread goes over zones, and over the nodes of each
    tolerations: taints that do not keep them off
    capacity: which of them run on spot machines and which do not
    move_back: go back to a flavor that is preferred; without it, what runs stays
    memory: what a replica shall have room for on its accelerators
    """

    priority_class_name: str = field(default="", metadata=bounds(longest=253))
    strategy: Literal["pack", "spread"] = "pack"
    tolerations: tuple[Toleration, ...] = field(default=(), metadata=bounds(longest=32))
    capacity: Capacity | None = None
    move_back: MoveBack | None = None
    memory: ReplicaMemory = field(default_factory=ReplicaMemory)
