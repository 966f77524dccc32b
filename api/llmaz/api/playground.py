"""Playground: a model to serve, and no word about how."""

from dataclasses import dataclass, field
from typing import Literal

from llmaz.api.claims import MOST_REPLICAS, ModelClaim, ModelClaims
from llmaz.api.fields import RESHAPED, bounds, formerly, reach
from llmaz.api.manifest import ManifestError, at, decode
from llmaz.api.meta import ObjectMeta
from llmaz.api.placement import Placement
from llmaz.api.pod import EnvVar, Resources
from llmaz.api.quantity import Quantity
from llmaz.api.scaling import ElasticConfig
from llmaz.api.slot import Launcher
from llmaz.api.workload import WorkloadStatus

DEFAULT_BACKEND = "vllm"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFlags:
    """Arguments as v0.1.0 wrote them: with the configuration that they add to.

    name: the configuration
    flags: the arguments
    """

    name: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendRuntimeConfig:
    """Which engine serves, and what is different from its BackendRuntime.

    backend_name: the BackendRuntime
    version: the version of the engine, in place of the BackendRuntime's
    config_name: one of its recommendedConfigs; else the one that suits the claims
    args: arguments added to the arguments of that configuration
    envs: environment variables added to the BackendRuntime's by name
    resources: what a replica asks for and may not exceed, over what the configuration says
    shared_memory_size: the size of /dev/shm, in place of the configuration's
    launcher: process or slot (a pod of its own), in place of the BackendRuntime's
    """

    backend_name: str = field(default=DEFAULT_BACKEND, metadata=formerly("name"))
    version: str | None = None
    config_name: str | None = None
    args: tuple[str, ...] = field(default=(), metadata=RESHAPED)
    envs: tuple[EnvVar, ...] = field(default=(), metadata=bounds(longest=256))
    resources: Resources = field(default_factory=Resources)
    shared_memory_size: Quantity | None = None
    launcher: Launcher | None = None

    @classmethod
    def upgraded(cls, members: dict[str, object], path: str) -> dict[str, object]:
        """Read v0.1.0's `args: {name, flags}` as configName and args."""
        args = members.get("args")
        if not isinstance(args, dict):
            return members
        older = decode(NamedFlags, args, at(path, "args"))
        if older.name is not None and members.get("configName") is not None:
            raise ManifestError(
                at(path, "args.name"), "is the older name of configName: give only one of them"
            )
        config = {} if older.name is None else {"configName": older.name}
        return {**members, **config, "args": list(older.flags)}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundSpec:
    """What to serve.

    replicas: how many copies of the model answer requests
    model_claim: the model
    model_claims: in place of modelClaim, a main model and a draft model for speculative decoding
    backend_runtime_config: which engine serves, if not vllm as its BackendRuntime has it
    elastic_config: how many replicas there may be, and what decides
    placement: where replicas run, beyond the flavors
    """

    replicas: int = field(default=1, metadata=bounds(minimum=0) | reach(MOST_REPLICAS))
    model_claim: ModelClaim | None = None
    model_claims: ModelClaims | None = None
    backend_runtime_config: BackendRuntimeConfig = field(default_factory=BackendRuntimeConfig)
    elastic_config: ElasticConfig | None = None
    placement: Placement = field(default_factory=Placement)

    @property
    def claims(self) -> ModelClaims:
        """The claims in the long form, whichever form the manifest has."""
        if self.model_claim is not None:
            return self.model_claim.in_full
        return self.model_claims or ModelClaims(models=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Playground:
    """A model to serve."""

    api_version: Literal["inference.llmaz.io/v1alpha1"] = field(
        default="inference.llmaz.io/v1alpha1", metadata={"keep": True}
    )
    kind: Literal["Playground"] = field(default="Playground", metadata={"keep": True})
    metadata: ObjectMeta
    spec: PlaygroundSpec
    status: WorkloadStatus = field(default_factory=WorkloadStatus)
