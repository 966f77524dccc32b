"""ClusterSnapshot: everything that one decision may see, read at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.kinds import Kind
from llmaz.api.manifest import Manifest
from llmaz.api.meta import ObjectMeta
from llmaz.api.node import InferenceNode
from llmaz.api.openmodel import OpenModel
from llmaz.api.playground import Playground
from llmaz.api.service import Service
from llmaz.api.tenant import Tenant
from llmaz.api.workload import WorkloadStatus
from llmaz.controller.memo import Memo
from llmaz.controller.seats import Seat
from llmaz.controller.slots.budget import Budget
from llmaz.controller.slots.pod import SlotPod
from llmaz.controller.slots.policy import SlotPolicy

Key: TypeAlias = tuple[str, str]  # namespace, name


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Which object: its kind, namespace ("" where the kind has none) and name."""

    kind: Kind
    namespace: str = ""
    name: str

    @property
    def key(self) -> Key:
        return self.namespace, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A write that the API server refused, and will refuse again as long as nothing changes."""

    ref: Ref  # what was to be written
    uid: str = ""
    owner: str = ""  # the uid of whom it is made for; empty for what others have made
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    """A taint of a Node that keeps off what does not tolerate it; NoExecute also drives it away."""

    key: str
    value: str = ""
    effect: Literal["NoSchedule", "NoExecute"]

    def __str__(self) -> str:
        pair = f"{self.key}={self.value}" if self.value else self.key
        return f"{pair}:{self.effect}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeNode:
    """The part of a core Node that decides what may run there."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    conditions: frozenset[str] = frozenset()  # the types of those that are True


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityClass:
    """The part of a PriorityClass that counts."""

    name: str
    value: int
    displaces: bool = True  # whether those of a lower value make way for it
    is_default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """What is known of an object whose spec can't be read, and why it can't."""

    why: str
    metadata: ObjectMeta
    status: WorkloadStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSnapshot:
    """The cluster as last seen. What can't be read stands in `unreadable`, and as it last could."""

    models: Mapping[str, OpenModel] = field(default_factory=dict)
    runtimes: Mapping[str, BackendRuntime] = field(default_factory=dict)
    playgrounds: Mapping[Key, Playground] = field(default_factory=dict)
    services: Mapping[Key, Service] = field(default_factory=dict)
    nodes: Mapping[str, InferenceNode] = field(default_factory=dict)
    # What each node runs follows from its InferenceNode, but takes time for thousands of engines:
    # it is worked out once for each version of one.
    seats: Mapping[str, tuple[Seat, ...]] = field(default_factory=dict)
    kube_nodes: Mapping[str, KubeNode] = field(default_factory=dict)
    priorities: Mapping[str, PriorityClass] = field(default_factory=dict)
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    leases: Mapping[str, datetime] = field(default_factory=dict)  # node -> until when it is fresh
    leases_heard_since: datetime | None = None  # without a silence of the API server; None: silent
    manifests: Mapping[Ref, Manifest] = field(default_factory=dict)  # of what the controller makes
    slots: Mapping[Key, tuple[SlotPod, ...]] = field(default_factory=dict)  # by their Services
    budgets: Mapping[Key, Budget] = field(default_factory=dict)  # of evictions, whosever
    slot_policy: SlotPolicy = field(default_factory=SlotPolicy)
    unreadable: Mapping[Ref, Unreadable] = field(default_factory=dict)
    refused: Mapping[Ref, Denial] = field(default_factory=dict)  # of the writes of the last round
    node_features: bool = False  # whether Node Feature Discovery labels the Nodes, as it is told
    gateway_url: str = ""  # where users reach the gateway; not known without
    progress_ends: bool = False  # whether Progressing is False once all is done
    unknown_loads: frozenset[Key] = frozenset()  # elastic Playgrounds whose engines tell nothing
    memo: Memo = field(default_factory=Memo, compare=False)  # of the decisions before

    def is_fresh(self, node: str, now: datetime) -> bool:
        """Tell whether the node's agent renewed its Lease in time."""
        until = self.leases.get(node)
        return until is not None and now < until
