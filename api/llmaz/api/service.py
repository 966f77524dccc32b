"""Service (of llmaz, not the core one): models, and the pods that serve them.

The controller makes one from each Playground; one may be written by hand for what a Playground
can't say, such as groups of a leader and workers.
"""

from dataclasses import dataclass, field
from typing import Literal

from llmaz.api.claims import MOST_REPLICAS, ModelClaims
from llmaz.api.fields import WRITTEN, bounds, reach
from llmaz.api.manifest import ManifestError, at
from llmaz.api.meta import ObjectMeta
from llmaz.api.placement import Placement
from llmaz.api.podtemplate import PodTemplate
from llmaz.api.workload import WorkloadStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SubGroupPolicy:
    """How a group is divided for the scheduler.

    sub_group_policy_type: whether the leader counts as a member of the first part
    sub_group_size: how many pods a part has
    """

    sub_group_policy_type: Literal["LeaderWorker", "LeaderExcluded"] = "LeaderWorker"
    sub_group_size: int | None = field(default=None, metadata=bounds(minimum=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadTemplate:
    """What a replica is: one pod, or a group of a leader and workers.

    leader_template: what the first pod of a group is made from, if not the workerTemplate
    worker_template: what the pods are made from
    size: how many pods a group has, the leader included
    restart_policy: whether a group starts anew when one of its pods ends
    sub_group_policy: how a group is divided for the scheduler
    """

    leader_template: PodTemplate | None = None
    worker_template: PodTemplate
    size: int = field(default=1, metadata=bounds(minimum=1))
    restart_policy: Literal["Default", "RecreateGroupOnPodRestart", "None"] = (
        "RecreateGroupOnPodRestart"
    )
    sub_group_policy: SubGroupPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingUpdate:
    """How many replicas may differ from what is wanted during an update.

    max_unavailable: how many may be missing, a number or a share such as 25%
    max_surge: how many there may be in excess, a number or a share such as 25%
    """

    max_unavailable: int | str = field(default=1, metadata=reach(MOST_REPLICAS))
    max_surge: int | str = field(default=0, metadata=reach(MOST_REPLICAS))

    def check(self, path: str) -> None:
        """Refuse a share of more replicas than anybody could mean."""
        for key, share in (("maxUnavailable", self.max_unavailable), ("maxSurge", self.max_surge)):
            if isinstance(share, str) and len(share) > len("999%"):
                raise ManifestError(at(path, key), f"must be at most 999%, not {share[:64]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStrategy:
    """How replicas are replaced when what they run has changed.

    type: RollingUpdate is the only one there is
    rolling_update_configuration: how many may be missing or in excess
    """

    type: Literal["RollingUpdate"] = "RollingUpdate"
    rolling_update_configuration: RollingUpdate = field(default_factory=RollingUpdate)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """What to serve, and how.

    model_claims: a main model, and a draft model for speculative decoding
    replicas: how many pods or groups answer requests
    workload_template: what a replica is
    rollout_strategy: how replicas are replaced when what they run has changed
    placement: where replicas run, beyond the flavors
    """

    model_claims: ModelClaims
    replicas: int = field(default=1, metadata=bounds(minimum=0) | reach(MOST_REPLICAS))
    workload_template: WorkloadTemplate
    rollout_strategy: RolloutStrategy = field(default_factory=RolloutStrategy, metadata=WRITTEN)
    placement: Placement = field(default_factory=Placement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Models, and the pods that serve them."""

    api_version: Literal["inference.llmaz.io/v1alpha1"] = field(
        default="inference.llmaz.io/v1alpha1", metadata={"keep": True}
    )
    kind: Literal["Service"] = field(default="Service", metadata={"keep": True})
    metadata: ObjectMeta
    spec: ServiceSpec
    status: WorkloadStatus = field(default_factory=WorkloadStatus)
