"""Creations and updates: admit, mutate, validate, store. Every client's write comes here.

A change is decided on the store's newest state without an await in between, so that two writers
never overwrite each other; only then the write waits for the disk.
"""

from collections.abc import Callable
from dataclasses import dataclass

from llmaz.local.apiserver import status
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.deletion import released
from llmaz.local.apiserver.forms import as_served
from llmaz.local.apiserver.metadata import for_creation, for_update, meta, meta_errors, with_meta
from llmaz.local.apiserver.metatypes import require_metadata
from llmaz.local.apiserver.resource import Key, Resource
from llmaz.local.apiserver.scaling import scale_errors
from llmaz.local.objects.apply import track_update
from llmaz.local.objects.defaulting import defaulted
from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.pruning import pruned
from llmaz.local.objects.schema import validate
from llmaz.local.objects.values import Object

Change = Callable[[Object], Object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Where a write goes and how it was asked for."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    manager: str = "kube-apiserver"
    dry_run: bool = False
    field_validation: str = "Warn"
    duplicates: tuple[str, ...] = ()
    track: bool = True  # false for an apply, which has already written the managed fields

    @property
    def key(self) -> Key:
        return (self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Written:
    """The object as the client gets it, with warnings for the response's headers."""

    obj: Object
    warnings: tuple[str, ...] = ()


async def create(context: Context, write: Write, obj: Object) -> Written:
    """Store a new object and return it, or refuse."""
    resource = write.resource
    _admit_object(write, obj)
    _admit_namespace(context, write, obj)
    obj, warnings = _decoded(write, obj)
    if meta(obj).get("resourceVersion"):
        raise status.StatusError(
            500, "", "resourceVersion should not be set on objects to be created"
        )
    obj = for_creation(
        resource,
        obj,
        namespace=write.namespace,
        uid=context.fresh_uid(),
        now=context.now(),
        random_number=context.random_number(),
    )
    if resource.custom and resource.has_status:
        obj = {key: value for key, value in obj.items() if key != "status"}
    obj = resource.rules.defaults(defaulted(resource.schema, obj))
    if write.track:
        obj = _tracked(context, write, None, obj)
    obj = resource.rules.prepare(obj, None)
    _require_valid(write, obj, None)
    key = (write.namespace, meta(obj)["name"])
    if context.store.latest(resource.storage, key) is not None:
        raise status.already_exists(resource.group, resource.plural, key[1])
    if write.dry_run:
        return Written(obj, warnings)
    stored = await context.store.put(resource.storage, key, resource.rules.to_storage(obj))
    return Written(as_served(resource, stored.obj), warnings)


async def update(context: Context, write: Write, change: Change) -> Written:
    """Change an object and return it; `change` gets the newest version and says what it wants."""
    resource = write.resource
    live = context.store.latest(resource.storage, write.key)
    if live is None:
        raise status.not_found(resource.group, resource.plural, write.name)
    old = as_served(resource, live.obj)
    wanted = change(old)
    _admit_object(write, wanted)
    _admit_update(write, wanted, old)
    wanted, warnings = _decoded(write, wanted)
    obj = defaulted(resource.schema, _only_subresource(write, wanted, old))
    obj = for_update(resource, resource.rules.defaults(obj), old)
    if write.track:
        obj = _tracked(context, write, old, obj)
    obj = resource.rules.prepare(obj, old)
    _require_valid(write, obj, old)
    if _same(obj, old):
        return Written(old, warnings)
    if write.dry_run:
        return Written(obj, warnings)
    if released(obj):
        await context.store.remove(resource.storage, write.key)
        return Written(obj, warnings)
    stored = await context.store.put(resource.storage, write.key, resource.rules.to_storage(obj))
    return Written(as_served(resource, stored.obj), warnings)


def _admit_object(write: Write, obj: Object) -> None:
    resource = write.resource
    version, kind = obj.get("apiVersion", ""), obj.get("kind", "")
    if not resource.custom and (not version or not kind):
        return  # a built-in kind is known from the URL
    if kind != resource.kind:
        error = FieldError("kind", "invalid", kind, f"must be {resource.kind}")
        name = meta(obj).get("name", "") if isinstance(meta(obj).get("name"), str) else ""
        raise status.invalid(resource.group, str(kind), name, [error])
    if version != resource.api_version:
        raise status.bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({resource.api_version})"
        )


def _admit_namespace(context: Context, write: Write, obj: Object) -> None:
    resource = write.resource
    require_metadata(resource.kind, resource.version, obj)
    if not resource.namespaced:
        return
    if meta(obj).get("namespace", write.namespace) not in (write.namespace, "", None):
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    namespace = context.store.latest("namespaces", ("", write.namespace))
    if namespace is None:
        raise status.not_found("", "namespaces", write.namespace)
    if "deletionTimestamp" in meta(namespace.obj):
        raise _terminating(write, meta(obj).get("name", ""))


def _terminating(write: Write, name: str) -> status.StatusError:
    why = (
        f"unable to create new content in namespace {write.namespace} "
        "because it is being terminated"
    )
    refusal = status.forbidden(write.resource.group, write.resource.plural, name, why)
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {write.namespace} is being terminated",
        "field": "metadata.namespace",
    }
    refusal.details = (refusal.details or {}) | {"causes": [cause]}
    return refusal


def _admit_update(write: Write, obj: Object, old: Object) -> None:
    resource = write.resource
    require_metadata(resource.kind, resource.version, obj)
    if meta(obj).get("name", write.name) != write.name:
        raise status.bad_request(
            f"the name of the object ({meta(obj)['name']}) does not match the name on the URL "
            f"({write.name})"
        )
    if meta(obj).get("namespace") not in (write.namespace, "", None):
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    given = meta(obj).get("resourceVersion", "")
    if not given and resource.custom:
        error = FieldError(
            "metadata.resourceVersion", "invalid", 0, "must be specified for an update"
        )
        raise status.invalid(resource.group, resource.plural, write.name, [error])
    if meta(obj).get("uid") not in (meta(old)["uid"], "", None):
        raise _other_uid(write, meta(obj)["uid"], meta(old)["uid"])
    if given and given != meta(old)["resourceVersion"]:
        raise status.conflict(resource.group, resource.plural, write.name, status.MODIFIED)


def _other_uid(write: Write, given: str, actual: str) -> status.StatusError:
    resource = write.resource
    path = "/".join(part for part in (resource.group, resource.plural, *write.key) if part)
    why = (
        f"StorageError: invalid object, Code: 4, Key: /registry/{path}, ResourceVersion: 0, "
        f"AdditionalErrorMsg: Precondition failed: UID in precondition: {given}, "
        f"UID in object meta: {actual}"
    )
    return status.conflict(resource.group, resource.plural, write.name, why)


def _decoded(write: Write, obj: Object) -> tuple[Object, tuple[str, ...]]:
    """Return the object with known fields alone, and a warning for each that went."""
    resource = write.resource
    obj = obj | {"apiVersion": resource.api_version, "kind": resource.kind}
    known, unknown = pruned(resource.schema, obj)
    found = [f'unknown field "{path}"' for path in unknown]
    found += [f'duplicate field "{key}"' for key in write.duplicates]
    if found and write.field_validation == "Strict":
        raise status.bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: strict decoding error: {', '.join(found)}"
        )
    if not resource.custom:
        _require_types(resource, known)
    return known, tuple(found) if write.field_validation == "Warn" else ()


def _require_types(resource: Resource, obj: Object) -> None:
    """Refuse what the real server, which reads built-in kinds into typed records, can't read."""
    errors = validate(resource.schema, obj)
    mistyped = next((error for error in errors if error.kind == "typeInvalid"), None)
    if mistyped is not None:
        raise status.bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: {mistyped.message()}"
        )


def _only_subresource(write: Write, obj: Object, old: Object) -> Object:
    """Return `old` with the part that the write is about: the status, or all but the status."""
    if write.subresource == "status":
        if write.resource.custom:
            kept = old
        else:
            kept = obj | {key: old[key] for key in ("spec",) if key in old}
            if "spec" not in old:
                kept.pop("spec", None)
        kept = with_meta(kept, managedFields=meta(obj).get("managedFields"))
        rest = {key: value for key, value in kept.items() if key != "status"}
        return rest | ({"status": obj["status"]} if "status" in obj else {})
    if not write.resource.has_status or write.subresource:
        return obj
    rest = {key: value for key, value in obj.items() if key != "status"}
    return rest | ({"status": old["status"]} if "status" in old else {})


def _require_valid(write: Write, obj: Object, old: Object | None) -> None:
    resource = write.resource
    errors = validate(
        resource.schema,
        obj,
        old,
        metadata=meta_errors(resource, obj, old),
        scale=scale_errors(resource, obj),
    )
    if not errors:  # the rules of a kind rely on its types
        errors = resource.rules.check(obj, old)
    if errors:
        name = meta(obj).get("name", "")
        raise status.invalid(resource.group, resource.kind, name, errors)


def _tracked(context: Context, write: Write, old: Object | None, obj: Object) -> Object:
    """Return the object with managed fields; a write that can't set the status does not own it."""
    resource = write.resource
    hidden = resource.has_status and not write.subresource
    tracked = track_update(
        _hiding_status(old, hidden=hidden) if old else None,
        _hiding_status(obj, hidden=hidden),
        manager=write.manager,
        subresource=write.subresource,
        schema=resource.schema,
        # The real server gives a scale no time either.
        now=None if write.subresource == "scale" else context.clock(),
        api_version=resource.api_version,
    )
    return with_meta(obj, managedFields=meta(tracked).get("managedFields"))


def _hiding_status(obj: Object, *, hidden: bool) -> Object:
    return {key: value for key, value in obj.items() if key != "status"} if hidden else obj


def _same(obj: Object, old: Object) -> bool:
    """Say whether nothing but the times of managed fields differ: such a write is none."""
    return _timeless(obj) == _timeless(old)


def _timeless(obj: Object) -> Object:
    entries = meta(obj).get("managedFields", [])
    timeless = [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
    return with_meta(obj, managedFields=timeless)
