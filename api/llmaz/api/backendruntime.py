"""BackendRuntime: how an engine is started, for all Playgrounds that use it."""

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from llmaz.api.fields import bounds, formerly, list_map
from llmaz.api.memory import EngineMemory
from llmaz.api.meta import Condition, ObjectMeta
from llmaz.api.pod import EnvVar, Lifecycle, Probe, Resources
from llmaz.api.quantity import Quantity
from llmaz.api.scaling import NamedScaleTrigger, ScaleTrigger
from llmaz.api.sleep import SleepMode
from llmaz.api.slot import Launcher

# Names of recommendedConfigs with a meaning; others are chosen by configName alone.
DEFAULT_CONFIG = "default"
SPECULATIVE_DECODING = "speculative-decoding"
MODEL_PARALLELISM = "model-parallelism"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecommendedConfig:
    """Arguments and resources for one use of the engine.

    name: default, speculative-decoding, model-parallelism, or one that Playgrounds name
    args: arguments with placeholders such as {{ .ModelPath }}
    resources: what a replica asks for and may not exceed; accelerators stand in the flavors
    shared_memory_size: the size of /dev/shm
    scale_trigger: what decides the number of replicas, where a Playground leaves it open
    """

    name: str = field(default=DEFAULT_CONFIG, metadata={"keep": True} | bounds(longest=253))
    args: tuple[str, ...] = field(default=(), metadata=formerly("flags"))
    resources: Resources | None = None
    shared_memory_size: Quantity | None = None
    scale_trigger: ScaleTrigger | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiHostCommands:
    """What a group of nodes runs in place of the command (v0.1.0).

    leader: what the first node runs; the arguments are added, to the script where it is a shell's
    worker: what the other nodes run, without arguments; without it, they run what the leader runs
    """

    leader: tuple[str, ...] = ()
    worker: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """How the engine runs as a process of the node, where there are no containers.

    command: the program and its first arguments in place of the container's command
    requirements: Python packages that bring it; {{ .Version }} is the version without its v
    """

    command: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRuntimeSpec:
    """How the engine is started.

    command: the program and its first arguments
    multi_host_commands: what a group of nodes runs in place of the command (v0.1.0)
    process: how the engine runs as a process of the node, where there are no containers
    launcher: process or slot (a pod of its own), where it is not the controller's default
    memory: how the engine uses the memory of its accelerators, to tell before a start what fits
    sleep: how an idle engine frees the memory of its accelerators, and takes it again
    image: the container image without its tag
    version: the tag of the image
    envs: environment variables, in order
    lifecycle: hooks after the start and before the stop
    startup_probe: the probe until which the other probes wait
    liveness_probe: the probe whose failure restarts the engine
    readiness_probe: the probe whose failure takes the engine out of the Service
    resources: resources of the recommendedConfigs that have none (v0.1.0)
    recommended_configs: arguments and resources for the uses of the engine
    scale_triggers: triggers that Playgrounds may refer to; the first is the default (v0.1.0)
    """

    command: tuple[str, ...] = field(default=(), metadata=formerly("commands", wins=True))
    multi_host_commands: MultiHostCommands | None = None
    process: Process | None = None
    launcher: Launcher | None = None
    memory: EngineMemory | None = None
    sleep: SleepMode | None = None
    image: str = field(metadata=bounds(shortest=1))
    version: str = field(metadata=bounds(shortest=1))
    envs: tuple[EnvVar, ...] = field(default=(), metadata=bounds(longest=256))
    lifecycle: Lifecycle | None = None
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    resources: Resources | None = None
    recommended_configs: tuple[RecommendedConfig, ...] = field(
        default=(), metadata=formerly("args", wins=True) | list_map("name") | bounds(longest=16)
    )
    scale_triggers: tuple[NamedScaleTrigger, ...] = field(default=(), metadata=bounds(longest=16))

    def config(self, name: str) -> RecommendedConfig | None:
        """Return a configuration with what v0.1.0 says once for all of them filled in."""
        found = next((config for config in self.recommended_configs if config.name == name), None)
        if found is None:
            return None
        first = ScaleTrigger(hpa=self.scale_triggers[0].hpa) if self.scale_triggers else None
        return dataclasses.replace(
            found,
            resources=found.resources or self.resources,
            scale_trigger=found.scale_trigger or first,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRuntimeStatus:
    """Whether Playgrounds can use it.

    observed_generation: the generation that this status is about
    conditions: Ready
    """

    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRuntime:
    """How an engine is started."""

    api_version: Literal["inference.llmaz.io/v1alpha1"] = field(
        default="inference.llmaz.io/v1alpha1", metadata={"keep": True}
    )
    kind: Literal["BackendRuntime"] = field(default="BackendRuntime", metadata={"keep": True})
    metadata: ObjectMeta
    spec: BackendRuntimeSpec
    status: BackendRuntimeStatus = field(default_factory=BackendRuntimeStatus)
