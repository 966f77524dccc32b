"""How slots are made: what the platform runner says once for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmaz.api.fields import OPAQUE, bounds
from llmaz.api.pod import EnvVar, Resources
from llmaz.api.slot import PROCESS, Launcher


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotToleration:
    """A taint that slots don't mind, beside those that are named after their accelerators.

    key: of the taint
    operator: Exists or Equal
    value: of the taint, where it has to be equal
    effect: of the taint; empty for all
    toleration_seconds: for how long, where it drives pods away
    """

    key: str = ""
    operator: str = "Exists"
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotPolicy:
    """How slots are made.

    launcher: how engines are started that nothing else is said of: process or slot
    image: the agent's image, from which the shim is brought
    image_pull_policy: when nodes pull images of slots
    image_pull_secrets: Secrets with registry credentials, in the namespaces of Playgrounds
    host_path: the directory of llmaz on nodes
    memory_path: where nodes have copies of weights in memory, which slots may read; empty: nowhere
    user: the user and the group that engines and agents run as
    supplemental_groups: further groups, such as the one that owns /dev/kfd
    resources: what a slot asks for and may not exceed where its runtime says nothing
    env: further environment variables of engines
    volumes: further volumes, as Kubernetes has them
    volume_mounts: where engines see them, as Kubernetes has it
    runtime_class_name: the runtime class of slots, such as nvidia
    priority_class_name: the priority class of slots
    scheduler_name: who binds slots; empty for the cluster's own scheduler
    node_selector: labels of the nodes that run an agent, and so may run slots
    tolerations: taints that slots don't mind
    lost_seconds: how long replicas, pods or processes, stay on a node that is silent, until others
        take over; five minutes without it
    disruption_budget: whether evictions wait until other slots have taken over
    drain_seconds: how long they wait while the slot that is to take over finds no place
    fallback_seconds: how long a pod may stay unschedulable until the next flavor is tried
    warm: spare slots that are kept ready in a namespace for each kind of slot in use
    device_claims: ResourceClaimTemplates to claim devices by, by the extended resource's name
    """

    launcher: Launcher = PROCESS
    image: str = "llmaz-agent:latest"
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    host_path: str = "/var/lib/llmaz"
    memory_path: str = ""
    user: int = field(default=65532, metadata=bounds(minimum=1))
    supplemental_groups: tuple[int, ...] = ()
    resources: Resources = field(default_factory=Resources)
    env: tuple[EnvVar, ...] = ()
    volumes: tuple[Mapping[str, object], ...] = field(default=(), metadata=OPAQUE)
    volume_mounts: tuple[Mapping[str, object], ...] = field(default=(), metadata=OPAQUE)
    runtime_class_name: str = ""
    priority_class_name: str = ""
    scheduler_name: str = ""
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[SlotToleration, ...] = ()
    lost_seconds: int | None = field(default=None, metadata=bounds(minimum=0))
    disruption_budget: bool = True
    drain_seconds: int = field(default=600, metadata=bounds(minimum=0))
    fallback_seconds: int = field(default=20, metadata=bounds(minimum=1))
    warm: int = field(default=0, metadata=bounds(minimum=0, maximum=16))
    device_claims: Mapping[str, str] = field(default_factory=dict)
