"""Namespaces and CRDs under deletion: what is in them goes first, then they do."""

from llmaz.local.apiserver import definitions
from llmaz.local.apiserver.builtinrules import member
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.deletion import Options, delete_all, without_finalizer
from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.resource import Resource
from llmaz.local.apiserver.versions import Stored

_BACKGROUND = Options(policy="Background")


async def empty_namespaces(context: Context) -> None:
    """Delete what is in namespaces under deletion, and the namespaces that are empty."""
    for namespace in context.store.select("namespaces"):
        if "deletionTimestamp" in meta(namespace.obj):
            await _empty_namespace(context, namespace)


async def _empty_namespace(context: Context, namespace: Stored) -> None:
    left = 0
    for resource in _stored_resources(context):
        if resource.namespaced:
            left += await _empty(context, resource, namespace.key[1])
    live = context.store.latest("namespaces", namespace.key)
    if left or live is None:
        return
    if meta(live.obj).get("finalizers"):
        if member(live.obj, "spec").get("finalizers"):
            await context.store.put("namespaces", namespace.key, live.obj | {"spec": {}})
        return
    await context.store.remove("namespaces", namespace.key)


async def empty_definitions(context: Context) -> None:
    """Delete the objects of CRDs under deletion, and let the CRDs that have none left go."""
    for crd in context.store.select(definitions.STORAGE):
        if definitions.CLEANUP not in (meta(crd.obj).get("finalizers") or []):
            continue
        if "deletionTimestamp" not in meta(crd.obj):
            continue
        served = definitions.resources(crd.obj)
        left = await _empty(context, served[0], "") if served else 0
        if not left:
            await without_finalizer(context, crd, definitions.CLEANUP)


async def _empty(context: Context, resource: Resource, namespace: str) -> int:
    """Delete all objects of a resource; return how many still wait for their finalizers."""
    found = context.store.select_latest(resource.storage, namespace)
    keys = [stored.key for stored in found if "deletionTimestamp" not in meta(stored.obj)]
    await delete_all(context, resource, keys, _BACKGROUND)
    return sum(1 for _ in context.store.select_latest(resource.storage, namespace))


def _stored_resources(context: Context) -> list[Resource]:
    """Return one resource for each place of the store, whatever versions and groups show it."""
    found = {resource.storage: resource for resource in reversed(list(context.registry))}
    return [resource for storage, resource in found.items() if storage]
