"""Tenant: whose accelerators are whose, for namespaces that share a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from llmaz.api.fields import bounds
from llmaz.api.meta import ObjectMeta
from llmaz.api.quantity import Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSpec:
    """Who they are, and what they may use.

    parent: the tenant that this one is a part of; without one, it stands beside all others
    namespaces: the namespaces that are the tenant's own
    quota: accelerators that are kept for the tenant and its parts, such as nvidia.com/gpu: 8
    limit: the most that they may use, what others leave idle included
    weight: their share, among tenants of one parent, of what is idle
    """

    parent: str = field(default="", metadata=bounds(longest=63))
    namespaces: tuple[str, ...] = field(default=(), metadata=bounds(longest=256))
    quota: Mapping[str, Quantity] = field(default_factory=dict, metadata=bounds(longest=32))
    limit: Mapping[str, Quantity] = field(default_factory=dict, metadata=bounds(longest=32))
    weight: int = field(default=1, metadata=bounds(minimum=1, maximum=1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantStatus:
    """What they use.

    observed_generation: the generation that this status is about
    used: accelerators that replicas of the tenant and its parts have
    borrowed: those of them above the quota, which others may claim back
    use: the same for people, such as 6/4 nvidia.com/gpu
    waiting: replicas that have no place
    message: what is wrong with the tenant, in one sentence
    """

    observed_generation: int = 0
    used: Mapping[str, Quantity] = field(default_factory=dict)
    borrowed: Mapping[str, Quantity] = field(default_factory=dict)
    use: str = ""
    waiting: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Namespaces that share accelerators, and what they may use."""

    api_version: Literal["llmaz.io/v1alpha1"] = field(
        default="llmaz.io/v1alpha1", metadata={"keep": True}
    )
    kind: Literal["Tenant"] = field(default="Tenant", metadata={"keep": True})
    metadata: ObjectMeta
    spec: TenantSpec
    status: TenantStatus = field(default_factory=TenantStatus)
