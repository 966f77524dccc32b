"""What makes a Playground grow and shrink."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmaz.api.claims import MOST_REPLICAS
from llmaz.api.fields import OPAQUE, bounds, reach


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
class LoadTargets:
    """What a replica shall bear, and how soon that counts, where no trigger decides.

    waiting_requests: how many requests may wait for each replica before there are more replicas
    kv_cache_percent: how much of a replica's KV cache shall be in use
    tokens_per_second: how many tokens, read or generated, a replica shall bear
    tolerance_percent: how far load may be off before anything changes
    scale_up_seconds: for how long more replicas must be needed
    scale_down_seconds: for how long fewer replicas must suffice
    idle_seconds: after how long without a request the last replica stops, with minReplicas 0
    sleep_seconds: after how long without a request it sleeps before that, if its engine can
    release_seconds: after how long without a request its node need not keep the weights any more
    """

    waiting_requests: int = field(default=1, metadata=bounds(minimum=0))
    kv_cache_percent: int = field(default=80, metadata=bounds(minimum=1))
    tokens_per_second: int | None = field(default=None, metadata=bounds(minimum=1))
    tolerance_percent: int = field(default=10, metadata=bounds(minimum=0))
    scale_up_seconds: int = field(default=10, metadata=bounds(minimum=0))
    scale_down_seconds: int = field(default=300, metadata=bounds(minimum=0))
    idle_seconds: int = field(default=300, metadata=bounds(minimum=1))
    sleep_seconds: int | None = field(default=None, metadata=bounds(minimum=1))
    release_seconds: int = field(default=3600, metadata=bounds(minimum=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticConfig:
    """How many replicas there may be, and what decides.

    min_replicas: the fewest; 0 lets an idle Playground stop until the next request
    max_replicas: the most
    scale_trigger: what decides, in place of the BackendRuntime's
    scale_trigger_ref: which of the BackendRuntime's scaleTriggers decides (v0.1.0)
    load: what a replica shall bear, where no trigger decides
    """

    min_replicas: int = field(default=1, metadata=bounds(minimum=0))
    max_replicas: int = field(metadata=bounds(minimum=1) | reach(MOST_REPLICAS))
    scale_trigger: ScaleTrigger | None = None
    scale_trigger_ref: ScaleTriggerRef | None = None
    load: LoadTargets = field(default_factory=LoadTargets)
