"""What pods have beyond other kinds: a binding, an eviction, and an end that takes its time.

A pod that is bound to a node is only marked by its deletion: who runs it stops it within its grace
and then deletes it for good, with a grace of none.
"""

from datetime import datetime, timedelta

from llmaz.local.apiserver import status
from llmaz.local.apiserver.builtinrules import member
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.metadata import meta, with_meta
from llmaz.local.apiserver.resource import Key, Resource
from llmaz.local.objects.values import Object

STORAGE = "pods"
SUBRESOURCES = (
    ("binding", ("", "v1", "Binding"), ["create"]),
    ("eviction", ("policy", "v1", "Eviction"), ["create"]),
)
_GRACE_SECONDS = 30
_OVER = ("Succeeded", "Failed")


async def bind(context: Context, resource: Resource, key: Key, binding: Object) -> None:
    """Bind a pod to the node that a scheduler found for it."""
    live = context.store.latest(resource.storage, key)
    if live is None:
        raise status.not_found(resource.group, resource.plural, key[1])
    node = member(binding, "target").get("name")
    spec, seen = member(live.obj, "spec"), member(live.obj, "status")
    if spec.get("nodeName"):
        why = f'pod {key[1]} is already assigned to node "{spec["nodeName"]}"'
        raise status.conflict("", "pods/binding", key[1], why)
    if spec.get("schedulingGates"):
        why = f"pod {key[1]} has non-empty .spec.schedulingGates"
        raise status.conflict("", "pods/binding", key[1], why)
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": context.now()}
    others = [one for one in seen.get("conditions") or [] if one["type"] != "PodScheduled"]
    bound = live.obj | {
        "spec": spec | {"nodeName": node},
        "status": seen | {"conditions": [*others, scheduled]},
    }
    await context.store.put(resource.storage, key, bound)


def leaving(obj: Object, grace: int | None, now: str) -> Object | None:
    """Return a pod as it waits for who runs it; None when nobody does, or has it end at once."""
    spec, phase = member(obj, "spec"), member(obj, "status").get("phase")
    own = spec.get("terminationGracePeriodSeconds", _GRACE_SECONDS)
    seconds = own if grace is None else grace
    if not spec.get("nodeName") or phase in _OVER or seconds == 0:
        return None
    known = meta(obj).get("deletionGracePeriodSeconds")
    if "deletionTimestamp" in meta(obj) and known is not None and known <= seconds:
        return obj
    end = datetime.fromisoformat(now) + timedelta(seconds=seconds)
    stamp = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    return with_meta(obj, deletionTimestamp=stamp, deletionGracePeriodSeconds=seconds)
