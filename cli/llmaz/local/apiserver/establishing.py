"""What follows the write of a CustomResourceDefinition: accepted names, served resources."""

from llmaz.local.apiserver import definitions
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.metadata import meta
from llmaz.local.objects.apply import track_update
from llmaz.local.objects.defaulting import defaulted
from llmaz.local.objects.values import Object


async def settle(context: Context) -> None:
    """Bring the status of every CRD and the served resources up to date; then a write is answered.

    Clients that create a CRD and use it at once are served at once.
    """
    crds = [stored.obj for stored in context.store.select(definitions.STORAGE)]
    for crd in crds:
        if "deletionTimestamp" not in meta(crd):
            await _settle(context, crd)
    serve(context)


async def _settle(context: Context, crd: Object) -> None:
    key = ("", meta(crd)["name"])
    live = context.store.latest(definitions.STORAGE, key)
    if live is None:
        return
    others = [stored.obj for stored in context.store.select_latest(definitions.STORAGE)]
    settled = definitions.settled(live.obj, others, context.now())
    if settled["status"] == live.obj.get("status"):
        return
    resource = context.registry.by_storage(definitions.STORAGE)
    assert resource is not None
    tracked = track_update(
        live.obj,
        settled,
        manager="kube-apiserver",
        subresource="status",
        schema=resource.schema,
        now=context.clock(),
        api_version=resource.api_version,
    )
    await context.store.put(definitions.STORAGE, key, tracked)


async def migrate(context: Context) -> None:
    """Give stored objects the defaults that a CRD has got since they were written."""
    for resource in list(context.registry):
        if not resource.custom:
            continue
        for stored in context.store.select(resource.storage):
            live = context.store.latest(stored.resource, stored.key)
            if live is None or live.obj["apiVersion"] != resource.api_version:
                continue
            filled = defaulted(resource.schema, live.obj)
            if filled != live.obj:
                await context.store.put(live.resource, live.key, filled)


def serve(context: Context) -> None:
    """Serve what the stored CRDs define."""
    crds = (stored.obj for stored in context.store.select(definitions.STORAGE))
    context.registry.replace_custom(
        resource for crd in crds for resource in definitions.resources(crd)
    )
