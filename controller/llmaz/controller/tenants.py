"""Tenants: whose accelerators are whose, and who may borrow and claim back. Pure.

A tenant's quota is kept for it and its parts. What others leave idle it may borrow, up to its
limit. Borrowed accelerators are claimed back by whoever is within a quota of its own, and among
those who borrow by whoever has the smaller share: borrowed, of all there are, by weight.
Namespaces of no tenant are one tenant without a quota.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from llmaz.api.quantity import Quantity
from llmaz.api.tenant import Tenant

Devices: TypeAlias = Mapping[str, int]
Path: TypeAlias = tuple[str, ...]  # from the tenant of a namespace up to one without a parent
Cause: TypeAlias = Literal["priority", "quota", "share"]

_NOBODY = ""  # the tenant of all namespaces that belong to none


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Who belongs to whom. A parent that does not exist, or that is a part of it, is none."""

    paths: Mapping[str, Path] = field(default_factory=dict)  # by namespace
    quotas: Mapping[str, Devices] = field(default_factory=dict)
    limits: Mapping[str, Devices] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def path(self, namespace: str) -> Path:
        return self.paths.get(namespace, (_NOBODY,))


def tree_of(tenants: Mapping[str, Tenant]) -> Tree:
    """Return the tree of all tenants. A namespace belongs to the first that names it."""
    problems: dict[str, str] = {}
    parents = {name: _parent(name, tenants, problems) for name in sorted(tenants)}
    paths: dict[str, Path] = {}
    for name, tenant in sorted(tenants.items()):
        for namespace in tenant.spec.namespaces:
            if namespace in paths:
                problems[name] = f"namespace {namespace} belongs to tenant {paths[namespace][0]}"
            else:
                paths[namespace] = (name, *_ancestors(name, parents))
    return Tree(
        paths=paths,
        quotas={name: _counts(one.spec.quota) for name, one in tenants.items()},
        limits={name: _counts(one.spec.limit) for name, one in tenants.items()},
        weights={name: one.spec.weight for name, one in tenants.items()},
        problems=problems,
    )


def _parent(name: str, tenants: Mapping[str, Tenant], problems: dict[str, str]) -> str:
    parent = tenants[name].spec.parent
    if parent and parent not in tenants:
        problems[name] = f"there is no tenant {parent}, its parent"
        return ""
    above, seen = parent, {name}
    while above in tenants:
        if above in seen:
            problems[name] = f"tenant {parent}, its parent, is a part of it"
            return ""
        seen.add(above)
        above = tenants[above].spec.parent
    return parent


def _ancestors(name: str, parents: Mapping[str, str]) -> Iterator[str]:
    while name := parents[name]:
        yield name


def _counts(amounts: Mapping[str, Quantity]) -> dict[str, int]:
    return {resource: int(amount) for resource, amount in amounts.items()}


class Usage:
    """What tenants use while replicas are placed. Mutable, and it never leaves the placing."""

    def __init__(self, tree: Tree, capacity: Devices) -> None:
        self.tree = tree
        self.is_shared = bool(tree.quotas)
        self._capacity = capacity
        self._used: dict[str, dict[str, int]] = {}

    def add(self, path: Path, devices: Devices, sign: int = 1) -> None:
        for tenant in path if self.is_shared else ():
            used = self._used.setdefault(tenant, {})
            for resource, count in devices.items():
                used[resource] = used.get(resource, 0) + sign * count

    def used(self, tenant: str, resource: str) -> int:
        return self._used.get(tenant, {}).get(resource, 0)

    def resources(self, tenant: str) -> list[str]:
        """Return what a tenant uses any of."""
        return [resource for resource, count in self._used.get(tenant, {}).items() if count]

    def above_limit(self, path: Path, devices: Devices) -> str | None:
        """Say which limit so many more accelerators would pass, or None."""
        for tenant in path if self.is_shared else ():
            limits = self.tree.limits.get(tenant, {})
            for resource, count in devices.items():
                used, most = self.used(tenant, resource), limits.get(resource)
                if most is not None and used + count > most:
                    return f"tenant {tenant} uses {used} of at most {most} {resource}"
        return None

    def borrowed(self, tenant: str, resource: str) -> int:
        """Return how many accelerators a tenant has beyond its quota."""
        quota = self.tree.quotas.get(tenant, {}).get(resource, 0)
        return max(0, self.used(tenant, resource) - quota)

    def is_within(self, tenant: str, devices: Devices) -> bool:
        """Tell whether a tenant has what it uses of these resources within its quota."""
        return not any(self.borrowed(tenant, resource) for resource in devices)

    def share(self, tenant: str) -> float:
        """Return what a tenant has borrowed: of its dominant resource, by its weight."""
        most = max(
            (
                self.borrowed(tenant, resource) / total
                for resource, total in self._capacity.items()
                if total
            ),
            default=0.0,
        )
        return most / self.tree.weights.get(tenant, 1)

    def turn(self, path: Path, devices: Devices) -> tuple[float, ...]:
        """Return what orders those who wait: the shares that they would have, from the top down."""
        self.add(path, devices)
        shares = tuple(self.share(tenant) for tenant in reversed(path))
        self.add(path, devices, -1)
        return shares

    def may_claim(self, path: Path, devices: Devices, other: Path, theirs: Devices) -> Cause | None:
        """Say why one tenant's replica may displace another's, if it may.

        Judged where their ways part: by the quota if that makes the claim one's own, else by share,
        where the one that gains must not come out above the one that loses.
        """
        mine, its = _parting(path, other)
        if mine is None or its is None or self.is_within(its, _both(devices, theirs)):
            return None
        self.add(path, devices)
        self.add(other, theirs, -1)
        within, gains, loses = self.is_within(mine, devices), self.share(mine), self.share(its)
        self.add(other, theirs)
        self.add(path, devices, -1)
        if within:
            return "quota"
        return "share" if gains <= loses else None


def _parting(path: Path, other: Path) -> tuple[str | None, str | None]:
    """Return the two highest tenants in which two paths differ."""
    for mine, its in zip(reversed(path), reversed(other), strict=False):
        if mine != its:
            return mine, its
    return None, None


def _both(devices: Devices, theirs: Devices) -> dict[str, int]:
    return {resource: count for resource, count in devices.items() if resource in theirs}
