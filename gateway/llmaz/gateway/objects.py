"""What the gateway reads of Kubernetes' objects: views that pass over everything else."""

from dataclasses import dataclass, field
from typing import ClassVar

from llmaz.api.meta import Condition, ObjectMeta, find_condition


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConditions:
    """Whether an endpoint may be sent requests; what is not said is meant as yes."""

    LENIENT: ClassVar = True
    ready: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceEndpoint:
    """One engine's addresses."""

    LENIENT: ClassVar = True
    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = field(default_factory=EndpointConditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePort:
    """One port of all endpoints of a slice."""

    LENIENT: ClassVar = True
    name: str = ""
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSlice:
    """Where a Service's engines listen."""

    LENIENT: ClassVar = True
    metadata: ObjectMeta
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """A model by its OpenModel's name."""

    LENIENT: ClassVar = True
    name: str = ""
    role: str = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelClaim:
    """A claim of one model."""

    LENIENT: ClassVar = True
    model_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelClaims:
    """A claim of several models: the main one, and those that help it."""

    LENIENT: ClassVar = True
    models: tuple[ModelRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticConfig:
    """How few replicas there may be."""

    LENIENT: ClassVar = True
    min_replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundSpec:
    """Which model a Playground serves, and with how many replicas."""

    LENIENT: ClassVar = True
    replicas: int = 1
    elastic_config: ElasticConfig | None = None
    model_claim: ModelClaim | None = None
    model_claims: ModelClaims | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundStatus:
    """How a Playground is."""

    LENIENT: ClassVar = True
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Playground:
    """A Playground as far as routing needs it."""

    LENIENT: ClassVar = True
    metadata: ObjectMeta
    spec: PlaygroundSpec = field(default_factory=PlaygroundSpec)
    status: PlaygroundStatus = field(default_factory=PlaygroundStatus)

    @property
    def model(self) -> str:
        """The OpenModel's name; empty while none is claimed."""
        if self.spec.model_claim is not None:
            return self.spec.model_claim.model_name
        claims = self.spec.model_claims or ModelClaims()
        return next((ref.name for ref in claims.models if ref.role == "main"), "")

    @property
    def wakes(self) -> bool:
        """Whether it goes to zero when it is idle, and comes back for a request."""
        elastic = self.spec.elastic_config
        return elastic is not None and elastic.min_replicas == 0

    @property
    def waits_because(self) -> str:
        """The controller's sentence about why no engine is ready."""
        available = find_condition(self.status.conditions, "Available")
        if available is None or not available.message:
            return "the controller has not looked at it yet"
        if available.is_true:  # the engine has just gone, and the controller was not told yet
            return "it was ready a moment ago, and its engine just went away"
        return available.message
