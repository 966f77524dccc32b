"""InferenceNode: what the controller wants of one node (spec), and what its agent sees there (status).

The controller alone writes the spec, the agent alone the status. The object is named after its Node, which owns
it. `None` is "not known"; an empty tuple is "none". The status says only what changes rarely: a heartbeat is
the node's Lease, numbers that move all the time are metrics.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from llmaz.api.manifest import encode, named
from llmaz.api.meta import Condition, ObjectMeta
from llmaz.api.names import TERMINATION_GRACE_SECONDS
from llmaz.api.pod import EnvVar, Lifecycle, Probe, Resources
from llmaz.api.quantity import Quantity
from llmaz.api.source import ModelSource


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedModel:
    """A model that the node shall hold, because an engine of it serves it or to have it near."""

    name: str  # the OpenModel's
    source: ModelSource
    secret_namespace: str | None = (
        None  # where the hub's Secrets are looked up; None: without credentials
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedEngine:
    """One engine process to keep running on the node, until it is assigned no more.

    `command`, `args` and the values of `env` may refer to variables as `$(NAME)`; the agent adds
    LLMAZ_MODEL_PATH, LLMAZ_DRAFT_MODEL_PATH and LLMAZ_PORT (names.py) and expands them as a kubelet does.
    """

    id: str  # "<namespace>/<service>-<replica>", stable over restarts of any program
    service: str
    playground: str | None = None
    model: str  # the name under which the engine lists the model: the OpenModel's, or x:y of ollama://x:y
    main_model: str  # names an entry of NodeSpec.models
    draft_model: str | None = None
    runtime: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    accelerators: tuple[str, ...] = ()  # UUIDs; none: the engine runs on the CPU
    resources: Resources = field(default_factory=Resources)
    shared_memory_size: Quantity | None = None
    port: int | None = None  # None: the agent leases one and passes it as LLMAZ_PORT
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    termination_grace_period_seconds: int = TERMINATION_GRACE_SECONDS
    skip_model_loader: bool = False
    epoch: int = 0  # of a group of ranks; a lower one than the running is refused


def fingerprint(engine: AssignedEngine) -> str:
    """Return 16 hex digits that differ when the process would have to be started anew to match `engine`."""
    text = json.dumps(encode(engine), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """What the node shall hold and run."""

    models: tuple[AssignedModel, ...] = ()
    engines: tuple[AssignedEngine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One device that an engine may own, or a part of one (MIG)."""

    uuid: str
    index: int
    vendor: str  # nvidia, amd, intel, huawei, google, ...
    product: str  # as the driver names it: "NVIDIA A100-SXM4-80GB"
    resource: str  # the extended resource that it counts as: nvidia.com/gpu
    memory_bytes: int | None = None
    healthy: bool = field(default=True, metadata={"keep": True})
    message: str = ""


class ModelPhase(StrEnum):
    """How far a model's weights are on a node."""

    PENDING = "Pending"
    FETCHING = "Fetching"
    READY = "Ready"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """One model on a node. While fetching, `bytes_done` is renewed every few seconds at most."""

    name: str
    phase: ModelPhase
    revision: str = ""  # the commit or digest that the node holds, never a branch
    bytes_done: int | None = None
    bytes_total: int | None = None
    path: str = ""  # what LLMAZ_MODEL_PATH is on this node
    reason: str = ""  # CamelCase, of a failure
    message: str = ""


class EnginePhase(StrEnum):
    """Where an engine is between assigned and gone."""

    WAITING = "Waiting"  # for weights, a port, memory on its devices
    STARTING = "Starting"
    READY = "Ready"
    UNREADY = "Unready"  # was ready; runs, but does not answer as it should
    BACKOFF = "Backoff"  # has exited; starts again at `retry_at`
    FAILED = "Failed"  # will not be started again until its assignment changes
    STOPPING = "Stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """One engine on a node. It may be sent requests only while its phase is Ready."""

    id: str
    phase: EnginePhase
    fingerprint: str = ""  # of the assignment that runs
    epoch: int = 0
    reason: str = ""  # CamelCase: ExecutableNotFound, OutOfMemory, BadArguments, ...
    message: str = ""  # one sentence for the user, with the last lines of the log where they help
    address: str = ""  # an IP that other nodes reach
    port: int | None = None
    pid: int | None = None
    restarts: int = 0
    started_at: datetime | None = None
    ready_at: datetime | None = None
    retry_at: datetime | None = None
    log: str = ""  # path on the node


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """What the agent last saw."""

    observed_generation: int = 0
    boot_id: str = ""
    address: str = ""
    agent_url: str = ""  # http://address:port of the agent: /healthz, /metrics
    agent_version: str = ""
    capacity: Mapping[str, Quantity] = field(default_factory=dict)  # cpu, memory
    accelerators: tuple[Accelerator, ...] | None = None
    models: tuple[ModelReport, ...] | None = None
    engines: tuple[EngineReport, ...] | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceNode:
    """One node as llmaz sees it."""

    api_version: str = field(default="llmaz.io/v1alpha1", metadata={"keep": True})
    kind: str = field(default="InferenceNode", metadata={"keep": True})
    metadata: ObjectMeta
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus, metadata=named("status"))
