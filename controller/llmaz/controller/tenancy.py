"""What the status of every Tenant says: what it uses, what of that it has borrowed, who waits."""

from collections import Counter
from collections.abc import Iterator, Mapping

from llmaz.api.kinds import TENANT
from llmaz.api.quantity import Quantity
from llmaz.api.tenant import Tenant, TenantStatus
from llmaz.controller.actions import SetStatus
from llmaz.controller.board import devices_of
from llmaz.controller.outcomes import Placed
from llmaz.controller.served import Served, service_of
from llmaz.controller.snapshot import ClusterSnapshot, Ref
from llmaz.controller.tenants import Tree, Usage, tree_of


def report_tenants(snapshot: ClusterSnapshot, served: Served) -> Iterator[SetStatus]:
    """Yield the writes that bring the status of every Tenant up to date."""
    if not snapshot.tenants:
        return
    tree = tree_of(snapshot.tenants)
    usage, waiting = Usage(tree, {}), Counter[str]()
    for id_, outcome in served.outcomes.items():
        path = tree.path(service_of(id_)[0])
        if isinstance(outcome, Placed):
            usage.add(path, devices_of(outcome.option))
        else:
            waiting.update(path)
    for name, tenant in sorted(snapshot.tenants.items()):
        status = _status(tenant, tree, usage, waiting)
        if status != tenant.status:
            yield SetStatus(ref=Ref(kind=TENANT, name=name), uid=tenant.metadata.uid, status=status)


def _status(tenant: Tenant, tree: Tree, usage: Usage, waiting: Mapping[str, int]) -> TenantStatus:
    name = tenant.metadata.name
    quota = tree.quotas[name]
    resources = sorted({*quota, *tree.limits[name], *usage.resources(name)})
    used = {resource: usage.used(name, resource) for resource in resources}
    borrowed = {resource: usage.borrowed(name, resource) for resource in resources}
    return TenantStatus(
        observed_generation=tenant.metadata.generation,
        used=_amounts(used),
        borrowed=_amounts(borrowed),
        use=", ".join(
            f"{count}/{quota.get(resource, 0)} {resource}" for resource, count in used.items()
        ),
        waiting=waiting.get(name, 0),
        message=tree.problems.get(name, ""),
    )


def _amounts(counts: Mapping[str, int]) -> dict[str, Quantity]:
    return {resource: Quantity(str(count)) for resource, count in counts.items() if count}
