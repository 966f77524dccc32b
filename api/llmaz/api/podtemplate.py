"""The pods of a hand-written Service: the part of a PodTemplateSpec that llmaz can carry out.

What is not here is refused with its path. Ignoring a security context or an affinity would run
something other than what was asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from llmaz.api.fields import bounds
from llmaz.api.names import MODEL_RUNNER
from llmaz.api.placement import Toleration
from llmaz.api.pod import EnvVar, Lifecycle, Probe, Resources
from llmaz.api.quantity import Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPort:
    """A port that the container listens on.

    container_port: the number of the port
    name: the name by which probes and Services may refer to it
    protocol: the transport
    """

    container_port: int = field(metadata=bounds(minimum=1, maximum=65535))
    name: str = ""
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeMount:
    """Where a container sees a volume.

    name: the volume
    mount_path: the path in the container
    read_only: whether writing is refused
    sub_path: the folder of the volume that is seen, if not all of it
    """

    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyDir:
    """A folder that lives as long as the pod.

    medium: Memory for one in memory, else on the node's disk
    size_limit: how much it may hold
    """

    medium: Literal["", "Memory"] = ""
    size_limit: Quantity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPath:
    """A path of the node.

    path: the path on the node
    type: what must be there, as Kubernetes names it: Directory, File, DirectoryOrCreate, ...
    """

    path: str
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A folder that containers may mount; exactly one kind is set.

    name: the name by which containers mount it
    empty_dir: a folder that lives as long as the pod
    host_path: a path of the node
    """

    name: str
    empty_dir: EmptyDir | None = None
    host_path: HostPath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One program of the pod. The one named model-runner is the engine.

    name: model-runner for the engine, another for other programs
    image: the container image, used where there are containers
    image_pull_policy: when the image is fetched, as Kubernetes has it
    command: the program and its first arguments
    args: further arguments
    working_dir: the folder that it starts in
    env: environment variables, in order
    ports: the ports that it listens on
    resources: what it asks for and may not exceed
    volume_mounts: where it sees volumes
    startup_probe: the probe until which the other probes wait
    liveness_probe: the probe whose failure restarts it
    readiness_probe: the probe whose failure takes it out of the Service
    lifecycle: hooks after the start and before the stop
    """

    name: str
    image: str = ""
    image_pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[EnvVar, ...] = field(default=(), metadata=bounds(longest=256))
    ports: tuple[ContainerPort, ...] = ()
    resources: Resources = field(default_factory=Resources)
    volume_mounts: tuple[VolumeMount, ...] = ()
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSpec:
    """The programs of a pod.

    containers: the programs; one of them is named model-runner
    volumes: folders that the containers may mount
    termination_grace_period_seconds: seconds from SIGTERM to SIGKILL
    priority_class_name: the PriorityClass, where the placement names none
    tolerations: taints that do not keep the pods off, beside those of the placement
    """

    containers: tuple[Container, ...] = field(metadata=bounds(shortest=1, longest=16))
    volumes: tuple[Volume, ...] = field(default=(), metadata=bounds(longest=64))
    termination_grace_period_seconds: int | None = field(default=None, metadata=bounds(minimum=0))
    priority_class_name: str = field(default="", metadata=bounds(longest=253))
    tolerations: tuple[Toleration, ...] = field(default=(), metadata=bounds(longest=32))

    @property
    def model_runner(self) -> Container | None:
        """The container that is the engine."""
        return next((one for one in self.containers if one.name == MODEL_RUNNER), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateMeta:
    """What the pods are marked with.

    labels: labels of each pod
    annotations: annotations of each pod
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTemplate:
    """What each pod is made from.

    The API server keeps what these types do not know, so that the controller can say that it is
    refused, and where; pruned, it would be ignored in silence.

    metadata: labels and annotations of each pod
    spec: containers and volumes of each pod
    """

    KEEP_UNKNOWN: ClassVar = True
    metadata: TemplateMeta = field(default_factory=TemplateMeta)
    spec: PodSpec
