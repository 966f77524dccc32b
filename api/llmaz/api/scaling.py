"""What makes a Playground grow and shrink."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmaz.api.fields import OPAQUE, bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class HpaTrigger:
    """The rules of a HorizontalPodAutoscaler, passed on to it as they are.

    metrics: what is measured, as in autoscaling/v2
    behavior: how fast it may scale, as in autoscaling/v2
    """

    metrics: tuple[Mapping[str, object], ...] = field(default=(), metadata=OPAQUE)
    behavior: Mapping[str, object] | None = field(default=None, metadata=OPAQUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleTrigger:
    """What decides the number of replicas.

    hpa: a HorizontalPodAutoscaler with these rules
    """

    hpa: HpaTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedScaleTrigger:
    """A trigger of a BackendRuntime that Playgrounds may refer to (v0.1.0).

    name: the name by which scaleTriggerRef refers to it
    hpa: a HorizontalPodAutoscaler with these rules
    """

    name: str = ""
    hpa: HpaTrigger


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleTriggerRef:
    """A trigger of the BackendRuntime (v0.1.0).

    name: one of the BackendRuntime's scaleTriggers
    """

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticConfig:
    """How many replicas there may be, and what decides.

    min_replicas: the fewest; 0 lets an idle Playground stop until the next request
    max_replicas: the most
    scale_trigger: what decides, in place of the BackendRuntime's
    scale_trigger_ref: which of the BackendRuntime's scaleTriggers decides (v0.1.0)
    """

    min_replicas: int = field(default=1, metadata=bounds(minimum=0))
    max_replicas: int = field(metadata=bounds(minimum=1))
    scale_trigger: ScaleTrigger | None = None
    scale_trigger_ref: ScaleTriggerRef | None = None
