"""Who may take whose place, and how much a tenant may have: judged without the controller's code.

A replica that serves may be stopped for another of a higher class, or of another tenant; and no
tenant gets more than its limit.
"""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from llmaz.api.kinds import INFERENCE_NODE, TENANT
from llmaz.api.node import InferenceNode
from llmaz.api.placement import Placement
from llmaz.api.service import Service
from llmaz.api.tenant import Tenant
from support.simulator.server import Server

# The PriorityClasses of every cluster: their values, and whether others make way for them.
CLASSES: Mapping[str, tuple[int, bool]] = MappingProxyType(
    {"low": (-10, True), "high": (100, True), "patient": (50, False)}
)
_ORDINARY = 0, True


class Claims:
    """Who is more important than whom, and what was used when the cluster was last calm."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._ranked: set[str] = set()
        self._divided_anew = False
        self._most: dict[str, int] = {}

    def rank(self, name: str) -> None:
        """Who is asked for may be of any class until the cluster is calm."""
        self._ranked.add(name)

    def redivide(self) -> None:
        """Who is what tenant changes; limits count once the cluster has been calm."""
        self._divided_anew = True
        self._most.clear()

    def forget(self) -> None:
        """The cluster is calm. What a tenant had above a new limit it may keep."""
        self._ranked.clear()
        self._divided_anew = False
        used = self._used()
        self._most = {name: max(limit, used[name]) for name, limit in self._limits().items()}

    def may_displace(self, one: Service, other: Service) -> bool:
        """Tell whether replicas of one Service may take the places of another's."""
        mine, its = one.metadata.namespace or "", other.metadata.namespace or ""
        if self._divided_anew or {one.metadata.name, other.metadata.name} & self._ranked:
            return True
        value, displaces = class_of(one.spec.placement)
        if mine != its and self._tenants().keys() & {mine, its}:
            return displaces
        return displaces and value > class_of(other.spec.placement)[0]

    def check(self) -> None:
        """No tenant has more than its limit, or more than it had when the limit came.

        While replicas take turns it may for a moment: who makes way has not gone yet.
        """
        if not self._most:
            return
        used = self._used()
        for tenant, most in self._most.items():
            assert used[tenant] <= most, f"{tenant} has {used[tenant]}, at most {most} are its"
        limits = self._limits()
        self._most = {name: max(limits[name], used[name]) for name in self._most}

    def is_above_limit(self, namespace: str) -> bool:
        """Tell whether a tenant has more than it may, or had until now: since before the limit."""
        tenant = self._tenants().get(namespace, "")
        limit = self._limits().get(tenant)
        return limit is not None and max(self._most.get(tenant, 0), self._used()[tenant]) > limit

    def _tenants(self) -> dict[str, str]:
        """Return the tenants by their namespaces."""
        return {
            namespace: one.metadata.name
            for one in self._server.all(TENANT, Tenant)
            for namespace in one.spec.namespaces
        }

    def _limits(self) -> dict[str, int]:
        return {
            one.metadata.name: int(count)
            for one in self._server.all(TENANT, Tenant)
            for count in one.spec.limit.values()
        }

    def _used(self) -> Counter[str]:
        """Count each tenant's accelerators; of a replica on its way those of the smaller place."""
        tenants, replicas = self._tenants(), dict[tuple[str, str], int]()
        for node in self._server.all(INFERENCE_NODE, InferenceNode) if tenants else ():
            for engine in node.spec.engines:
                at = engine.namespace, engine.id
                count = len(engine.accelerators)
                replicas[at] = min(count, replicas.get(at, count))
        used: Counter[str] = Counter()
        for (namespace, _), count in replicas.items():
            used[tenants.get(namespace, "")] += count
        return used


def class_of(placement: Placement) -> tuple[int, bool]:
    """Return the value of the class that is named there, and whether others make way for it."""
    return CLASSES.get(placement.priority_class_name, _ORDINARY)
