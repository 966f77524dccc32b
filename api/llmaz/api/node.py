"""InferenceNode: what the controller wants of a node (spec), and what its agent sees (status).

The controller alone writes the spec, the agent alone the status. The object is named after its
Node, which owns it. `None` is "not known"; an empty tuple is "none". The status says only what
changes rarely: a heartbeat is the node's Lease, numbers that move all the time are metrics.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from llmaz.api.accelerator import Accelerator as Accelerator  # noqa: PLC0414  # part of a status
from llmaz.api.cache import CacheReport
from llmaz.api.fields import bounds, list_map
from llmaz.api.incident import EngineIncident
from llmaz.api.memory import ModelMemory
from llmaz.api.meta import Condition, ObjectMeta
from llmaz.api.names import TERMINATION_GRACE_SECONDS
from llmaz.api.peer import ModelPeer
from llmaz.api.pod import EnvVar, Lifecycle, Probe, Resources
from llmaz.api.quantity import Quantity
from llmaz.api.sleep import SleepCalls
from llmaz.api.slot import AssignedSlot
from llmaz.api.source import ModelSource


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedModel:
    """A model that the node shall hold, because an engine of it serves it or to have it near.

    name: the OpenModel
    source: where the weights come from
    secret_namespace: where the hub's Secrets are looked up; without one, no credentials are used
    secret: the Secret with the credentials, where it is not the usual one of the source
    pin: whether its weights are never evicted, not even once they are assigned no more
    priority: demand for what an engine waits for; prefetch yields to it
    revision: the commit to fetch, where other nodes hold one already; else the source is asked
    peers: the nodes that want or hold it as well, this one among them
    """

    name: str
    source: ModelSource
    secret_namespace: str | None = None
    secret: str = ""
    pin: bool = False
    priority: Literal["demand", "prefetch"] = "demand"
    revision: str = ""
    peers: tuple[ModelPeer, ...] = field(default=(), metadata=bounds(longest=256))


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedEngine:
    """One engine process to keep running on the node, until it is assigned no more.

    `command`, `args` and the values of `env` may refer to variables as `$(NAME)`; the agent adds
    those of names.py (LLMAZ_MODEL_PATH, ...) and expands them as a kubelet does.

    id: <namespace>/<service>-<replica>, stable over restarts of any program; .<rank> for a worker
    service: the Service that the engine is a replica of
    playground: the Playground that the Service was made from, if any
    model: the name under which the engine lists the model
    main_model: the entry of models that answers
    draft_model: the entry of models that proposes tokens, if any
    weights: what tells the sources of its models from others: with others, it starts anew
    runtime: the BackendRuntime
    image: the container image, used where there are containers
    command: the program and its first arguments
    args: further arguments
    requirements: Python packages that bring the program, if the node has no other
    env: environment variables, in order
    accelerators: UUIDs of the devices that the engine owns; without any, it runs on the CPU
    resources: what it asks for and may not exceed
    shared_memory_size: the size of /dev/shm
    port: the port that it listens on; without one, the agent leases one and passes it as LLMAZ_PORT
    startup_probe: the probe until which the other probes wait
    liveness_probe: the probe whose failure restarts it
    readiness_probe: the probe whose failure takes it out of the Service
    lifecycle: hooks after the start and before the stop
    termination_grace_period_seconds: seconds from SIGTERM to SIGKILL
    skip_model_loader: whether the engine fetches the weights itself
    rank: its place in a group: 0 leads, and the others answer nobody but the leader
    epoch: the group's, if it is a rank of one; a lower one than the running is refused
    slot: the pod that it runs in; without one, it is a process of the agent's own
    sleep: how it is told to sleep and to wake, if it can
    asleep: whether it shall sleep: its process stays, and it answers nobody
    """

    id: str
    service: str
    playground: str | None = None
    model: str
    main_model: str
    draft_model: str | None = None
    weights: str = ""
    runtime: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = field(default=(), metadata=bounds(longest=256))
    accelerators: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)
    shared_memory_size: Quantity | None = None
    port: int | None = None
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    termination_grace_period_seconds: int = TERMINATION_GRACE_SECONDS
    skip_model_loader: bool = False
    rank: int = 0
    epoch: int = 0
    slot: AssignedSlot | None = None
    sleep: SleepCalls | None = None
    asleep: bool = False

    @property
    def namespace(self) -> str:
        """The namespace of the Service that it is a replica of."""
        return self.id.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """What the node shall hold and run.

    models: the models that it shall hold
    engines: the engines that it shall run
    neighbours: nodes that serve their caches, this one among them: they may have what its clients
        ask for beside its models
    """

    models: tuple[AssignedModel, ...] = field(
        default=(), metadata=list_map("name") | bounds(longest=512)
    )
    engines: tuple[AssignedEngine, ...] = field(
        default=(), metadata=list_map("id") | bounds(longest=256)
    )
    neighbours: tuple[ModelPeer, ...] = field(default=(), metadata=bounds(longest=64))


PICKLES = "HasPickles"  # the reason of a model that is ready, and can run code when it is opened

# The reason of an engine that asked for more memory than its accelerators have.
OUT_OF_DEVICE_MEMORY = "OutOfDeviceMemory"

OWN_WEIGHTS = "OwnWeights"  # of a model that is not kept, as its engines bring their own weights


class ModelPhase(StrEnum):
    """How far a model's weights are on a node."""

    PENDING = "Pending"
    FETCHING = "Fetching"
    READY = "Ready"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """One model on a node. While fetching, `bytes_done` is renewed every few seconds at most.

    name: the OpenModel
    phase: how far its weights are
    revision: the commit or digest that the node holds, never a branch
    bytes_done: how many bytes are here and verified
    bytes_total: the size of the weights
    bytes_per_second: how fast they come, while fetching
    seconds_left: how long the rest takes at this rate
    fetched_from: where the bytes come from: peers, origin or both
    path: what LLMAZ_MODEL_PATH is on this node
    reason: why it failed, in CamelCase
    message: why it failed, in a sentence
    memory: what its files say of the memory that it takes; absent where they can't be read
    """

    name: str
    phase: ModelPhase
    revision: str = ""
    bytes_done: int | None = None
    bytes_total: int | None = None
    bytes_per_second: int | None = None
    seconds_left: int | None = None
    fetched_from: str = ""
    path: str = ""
    reason: str = ""
    message: str = ""
    memory: ModelMemory | None = None


class EnginePhase(StrEnum):
    """Where an engine is between assigned and gone."""

    WAITING = "Waiting"  # for weights, a port, memory on its devices
    STARTING = "Starting"
    READY = "Ready"
    UNREADY = "Unready"  # was ready; runs, but does not answer as it should
    ASLEEP = "Asleep"  # runs, has freed its accelerators' memory, and answers once it is woken
    BACKOFF = "Backoff"  # has exited; starts again at `retry_at`
    FAILED = "Failed"  # will not be started again until its assignment changes
    STOPPING = "Stopping"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """One engine on a node. It may be sent requests only while its phase is Ready.

    id: the assignment's
    phase: where it is between assigned and gone
    fingerprint: what tells the running assignment from others
    epoch: of the group as it runs
    reason: why it is not ready, in CamelCase: ExecutableNotFound, BadArguments, ...
    message: the same in a sentence, with the last lines of the log where they help
    address: an IP that other nodes reach
    port: the port that it listens on
    pid: the process
    restarts: how often it was started again since it was assigned
    started_at: when the process started
    ready_at: when it first answered since its start
    retry_at: when it starts again
    log: its path on the node
    accelerators: UUIDs of the devices that its slot was given, where they are known
    """

    id: str
    phase: EnginePhase
    fingerprint: str = ""
    epoch: int = 0
    reason: str = ""
    message: str = ""
    address: str = ""
    port: int | None = None
    pid: int | None = None
    restarts: int = 0
    started_at: datetime | None = None
    ready_at: datetime | None = None
    retry_at: datetime | None = None
    log: str = ""
    accelerators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """What the agent last saw.

    observed_generation: the generation of the spec that the agent last read
    boot_id: what tells this run of the node's system from others
    address: an IP that other nodes reach
    agent_url: http://address:port of the agent, which serves /healthz and /metrics
    agent_version: the agent's version
    agent_started_at: when this agent began; engines that started before it were adopted
    machine: what its maker calls the machine, such as DGX H100
    sharing_url: where the node serves its weights to other nodes and to clients on it
    capacity: the node's cpu and memory
    accelerators: its devices; absent while they are not known
    models: what its cache holds; absent while they are not known
    cache: how full its cache is; absent while that is not known
    distrusted: nodes that sent it bytes other than they said, and that it does not ask now
    engines: what runs on it; absent while they are not known
    incidents: what it had to do to engines, the last few since the agent began
    conditions: Ready
    """

    observed_generation: int = 0
    boot_id: str = ""
    address: str = ""
    agent_url: str = ""
    agent_version: str = ""
    agent_started_at: datetime | None = None
    machine: str = ""
    sharing_url: str = ""
    capacity: Mapping[str, Quantity] = field(default_factory=dict)
    accelerators: tuple[Accelerator, ...] | None = None
    models: tuple[ModelReport, ...] | None = None
    cache: CacheReport | None = None
    distrusted: tuple[str, ...] = ()
    engines: tuple[EngineReport, ...] | None = None
    incidents: tuple[EngineIncident, ...] = field(default=(), metadata=bounds(longest=16))
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceNode:
    """One node as llmaz sees it: what it shall hold and run, and what it does."""

    api_version: Literal["llmaz.io/v1alpha1"] = field(
        default="llmaz.io/v1alpha1", metadata={"keep": True}
    )
    kind: Literal["InferenceNode"] = field(default="InferenceNode", metadata={"keep": True})
    metadata: ObjectMeta
    spec: NodeSpec = field(default_factory=NodeSpec)
    status: NodeStatus = field(default_factory=NodeStatus)
