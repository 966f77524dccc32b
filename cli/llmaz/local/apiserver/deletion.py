"""Deletions: an object goes at once, or is marked and waits until its last finalizer is gone."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from llmaz.local.apiserver import definitions, pods, status
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.forms import as_served
from llmaz.local.apiserver.metadata import meta, with_meta
from llmaz.local.apiserver.resource import Key, Resource
from llmaz.local.apiserver.routes import Request
from llmaz.local.apiserver.versions import Stored
from llmaz.local.objects.fielderror import unsupported
from llmaz.local.objects.values import Json, Object

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_POLICIES = {"Orphan": {ORPHAN}, "Foreground": {FOREGROUND}, "Background": set[str]()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a client says about a deletion."""

    uid: str = ""
    resource_version: str = ""
    policy: str = ""
    grace: int | None = None  # seconds; of pods alone
    dry_run: bool = False


def options_of(body: Object, request: Request) -> Options:
    """Read DeleteOptions from the body, else from the query, and refuse impossible ones."""
    policy = body.get("propagationPolicy") or request.query.get("propagationPolicy", "")
    orphan = body.get("orphanDependents")
    if orphan is not None and not policy:
        policy = "Orphan" if orphan else "Background"
    if policy and (not isinstance(policy, str) or policy not in _POLICIES):
        error = unsupported("propagationPolicy", policy, [*_POLICIES, "nil"])
        raise status.invalid_options("DeleteOptions", [error])
    dry_run = body.get("dryRun") or []
    if dry_run not in ([], ["All"]):
        error = unsupported("dryRun", dry_run, ["All"])
        raise status.invalid_options("DeleteOptions", [error])
    preconditions = body.get("preconditions") or {}
    if not isinstance(preconditions, dict):
        raise status.bad_request("preconditions of DeleteOptions must be an object")
    return Options(
        grace=_grace(body.get("gracePeriodSeconds", request.query.get("gracePeriodSeconds"))),
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
        policy=policy,
        dry_run=request.dry_run or bool(dry_run),
    )


def _grace(given: Json) -> int | None:
    """Read the seconds of a body or of a query, where all is text."""
    if given is None:
        return None
    try:
        return max(0, int(str(given)))
    except ValueError:
        raise status.bad_request(f'strconv.ParseInt: parsing "{given}": invalid syntax') from None


async def delete(context: Context, resource: Resource, key: Key, options: Options) -> Object:
    """Delete an object; return a Status when it is gone, or the object that waits to go."""
    live = context.store.latest(resource.storage, key)
    if live is None:
        raise status.not_found(resource.group, resource.plural, key[1])
    _require_preconditions(resource, live, options)
    doomed = marked(resource, live.obj, options.policy, context.now())
    if resource.storage == pods.STORAGE and doomed is None:
        doomed = pods.leaving(live.obj, options.grace, context.now())
    if doomed is None:
        if not options.dry_run:
            await context.store.remove(resource.storage, key)
        return _success(resource, live)
    if options.dry_run or doomed == live.obj:
        return as_served(resource, doomed)
    stored = await context.store.put(resource.storage, key, doomed)
    return as_served(resource, stored.obj)


async def delete_all(
    context: Context, resource: Resource, keys: Iterable[Key], options: Options
) -> None:
    """Delete many objects at once, so that they share the disk's time; some may be gone already."""
    deletions = (delete(context, resource, key, options) for key in keys)
    for result in await asyncio.gather(*deletions, return_exceptions=True):
        gone = isinstance(result, status.StatusError) and result.code == 404
        if isinstance(result, BaseException) and not gone:
            raise result


def marked(resource: Resource, obj: Object, policy: str, now: str) -> Object | None:
    """Return an object as it waits for its deletion, or None when nothing holds it."""
    finalizers = _finalizers(resource, obj, policy)
    if "deletionTimestamp" in meta(obj):
        return with_meta(obj, finalizers=finalizers or None) if _held(obj, finalizers) else None
    if not _held(obj, finalizers):
        return None
    if resource.storage == "namespaces":
        obj = obj | {"status": {**_dict(obj.get("status")), "phase": "Terminating"}}
        return with_meta(obj, deletionTimestamp=now, finalizers=finalizers or None)
    if resource.storage == definitions.STORAGE:
        obj = definitions.terminating(obj, now)
    generation = meta(obj).get("generation")
    return with_meta(
        obj,
        deletionTimestamp=now,
        deletionGracePeriodSeconds=0,
        finalizers=finalizers,
        generation=generation + 1 if generation else None,
    )


def released(obj: Object) -> bool:
    """Say whether an object under deletion is held by nothing any more, and by nobody's grace."""
    is_held = _held(obj, meta(obj).get("finalizers") or [])
    is_stopping = bool(meta(obj).get("deletionGracePeriodSeconds"))
    return "deletionTimestamp" in meta(obj) and not is_held and not is_stopping


async def without_finalizer(context: Context, stored: Stored, finalizer: str) -> None:
    """Take a finalizer of the server's own off an object; what nothing holds then goes."""
    live = context.store.latest(stored.resource, stored.key)
    if live is None:
        return
    finalizers = [name for name in meta(live.obj).get("finalizers") or [] if name != finalizer]
    obj = with_meta(live.obj, finalizers=finalizers or None)
    if released(obj):
        await context.store.remove(stored.resource, stored.key)
    else:
        await context.store.put(stored.resource, stored.key, obj)


def _finalizers(resource: Resource, obj: Object, policy: str) -> list[str]:
    present = list(meta(obj).get("finalizers") or [])
    if policy:
        asked = _POLICIES[policy]
        present = [name for name in present if name not in (ORPHAN, FOREGROUND) or name in asked]
        present += sorted(asked - set(present))
    fresh = "deletionTimestamp" not in meta(obj) and definitions.CLEANUP not in present
    if fresh and resource.storage == definitions.STORAGE:
        present.append(definitions.CLEANUP)
    return present


def _held(obj: Object, finalizers: list[str]) -> bool:
    # A namespace is held by a finalizer in its spec as well, until it is empty.
    own = _dict(obj.get("spec")).get("finalizers") if obj.get("kind") == "Namespace" else None
    return bool(finalizers or own)


def _dict(value: Json) -> Object:
    return value if isinstance(value, dict) else {}


def _require_preconditions(resource: Resource, live: Stored, options: Options) -> None:
    actual = meta(live.obj)
    if options.uid and options.uid != actual["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({actual['uid']}). The object might have been deleted and then recreated"
        )
        raise status.conflict(resource.group, resource.kind, live.key[1], why)
    if options.resource_version and options.resource_version != actual["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match "
            f"the ResourceVersion in record ({actual['resourceVersion']}). "
            "The object might have been modified"
        )
        raise status.conflict(resource.group, resource.kind, live.key[1], why)


def _success(resource: Resource, live: Stored) -> Object:
    details = {"name": live.key[1], "group": resource.group, "kind": resource.plural}
    details = {key: value for key, value in details.items() if value}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details | {"uid": meta(live.obj)["uid"]},
    }
