"""What the controller may do. A plan is a tuple of these, and says nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from llmaz.api.backendruntime import BackendRuntimeStatus
from llmaz.api.manifest import Manifest
from llmaz.api.node import NodeSpec
from llmaz.api.openmodel import OpenModelStatus
from llmaz.api.tenant import TenantStatus
from llmaz.api.workload import WorkloadStatus
from llmaz.controller.snapshot import Key, Ref

EventType: TypeAlias = Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why something can't be done: a reason for programs and a sentence for people."""

    reason: str  # CamelCase
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The objects of a place that were seen: another one is made only where there are no more."""

    labels: Mapping[str, str]  # that objects of the place have
    uids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOwned:
    """Make an object that the controller owns (Service, `-lb` Service, EndpointSlice) look so.

    It is written only while the object is at the version that was seen, or is still not there.
    """

    ref: Ref
    manifest: Manifest
    version: str = ""  # of the object; without one, nothing of that name was seen
    known: Known | None = None  # of what takes its place under another name


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOwned:
    """Delete an object that the controller made and nothing needs any more."""

    ref: Ref
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Write what a node shall hold and run.

    `gone` are the Services that were not seen and whose engines therefore end: each is asked for
    once more before the write. It is written only while the node is at the version that was seen:
    a controller that leads no more, or lags, undoes nothing that was decided since.
    """

    node: str
    uid: str
    version: str = ""  # of the InferenceNode; without one, whatever it is
    spec: NodeSpec
    gone: tuple[Key, ...] = ()
    events: "tuple[RecordEvent, ...]" = ()  # of turns that nobody could tell once it is written


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGate:
    """Let the scheduler bind a pod of a group, all of whose pods are there."""

    ref: Ref
    uid: str
    left: tuple[str, ...] = ()  # gates that are somebody else's


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStatus:
    """Write the status of an object that a user wrote, or of a Service."""

    ref: Ref
    uid: str
    status: OpenModelStatus | BackendRuntimeStatus | WorkloadStatus | TenantStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLabels:
    """Set labels and annotations on an object; None removes one. It may get another owner."""

    ref: Ref
    labels: Mapping[str, str | None]
    annotations: Mapping[str, str | None] = field(default_factory=dict)
    owner: "Manifest | None" = None  # the ownerReference


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEvent:
    """Tell the readers of `kubectl describe` of a turn that an object took."""

    ref: Ref
    uid: str
    type: EventType
    reason: str
    message: str


Action: TypeAlias = (
    ApplyOwned | DeleteOwned | Assign | OpenGate | SetStatus | SetLabels | RecordEvent
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do now, and after how many seconds to look again if nothing happens."""

    actions: tuple[Action, ...] = ()
    look_again_in: float | None = None
    unplaced: Mapping[str, int] = field(default_factory=dict)  # replicas, by what they lack
    waits: Mapping[str, int] = field(default_factory=dict)  # replicas, by why they are not ready
