"""What the server itself writes into metadata, and the rules that metadata must keep. All pure."""

from collections.abc import Iterator

from llmaz.local.apiserver.resource import Resource
from llmaz.local.objects.fielderror import FieldError, too_long
from llmaz.local.objects.names import (
    label_1035_errors,
    label_errors,
    label_key_errors,
    label_value_errors,
    subdomain_errors,
)
from llmaz.local.objects.values import Json, Object

_ANNOTATIONS_LIMIT = 256 * 1024
_GENERATED = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words
_GENERATED_LENGTH = 5
_GENERATED_MAX = 63

# What the server writes; a client's own values are passed over.
_SYSTEM = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def meta(obj: Object) -> Object:
    """Return an object's metadata, empty if it has none."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def with_meta(obj: Object, **changes: Json) -> Object:
    """Return the object with metadata changed; None removes a key."""
    merged = meta(obj) | changes
    return obj | {"metadata": {key: value for key, value in merged.items() if value is not None}}


def generated_name(prefix: str, random_number: int) -> str:
    """Return `prefix` with five characters drawn by the number."""
    suffix = ""
    for _ in range(_GENERATED_LENGTH):
        random_number, index = divmod(random_number, len(_GENERATED))
        suffix += _GENERATED[index]
    return prefix[: _GENERATED_MAX - _GENERATED_LENGTH] + suffix


def for_creation(
    resource: Resource, obj: Object, *, namespace: str, uid: str, now: str, random_number: int
) -> Object:
    """Return a new object with the server's metadata."""
    given = {key: value for key, value in meta(obj).items() if key not in (*_SYSTEM, "selfLink")}
    if not given.get("name") and isinstance(given.get("generateName"), str):
        given["name"] = generated_name(given["generateName"], random_number)
    if resource.namespaced:
        given["namespace"] = namespace
    else:
        given.pop("namespace", None)
    given.pop("resourceVersion", None)
    given.pop("generation", None)
    if resource.has_generation:
        given["generation"] = 1
    given |= {"uid": uid, "creationTimestamp": now}
    return obj | {"metadata": _tidy(given)}


def for_update(resource: Resource, obj: Object, old: Object) -> Object:
    """Return an updated object with the metadata that no client may change, and its generation."""
    kept = {key: value for key, value in meta(old).items() if key in _SYSTEM}
    given = {key: value for key, value in meta(obj).items() if key not in (*_SYSTEM, "selfLink")}
    given |= kept | {"name": meta(old)["name"], "resourceVersion": meta(old)["resourceVersion"]}
    if resource.namespaced:
        given["namespace"] = meta(old)["namespace"]
    given.pop("generation", None)
    if resource.has_generation:
        before = meta(old).get("generation", 1)
        given["generation"] = before + 1 if _wanted_differs(resource, obj, old) else before
    return obj | {"metadata": _tidy(given)}


def _tidy(metadata: Object) -> Object:
    return {key: value for key, value in metadata.items() if value not in (None, "", {}, [])}


def _wanted_differs(resource: Resource, obj: Object, old: Object) -> bool:
    ignored = {"metadata", "status"} if resource.has_status else {"metadata"}
    return _without(obj, ignored) != _without(old, ignored)


def _without(obj: Object, keys: set[str]) -> Object:
    return {key: value for key, value in obj.items() if key not in keys}


def meta_errors(resource: Resource, obj: Object, old: Object | None) -> list[FieldError]:
    """Return what is wrong with an object's metadata."""
    metadata = meta(obj)
    errors = [] if old else list(_name_errors(resource, metadata))
    errors += _label_errors(metadata.get("labels"))
    errors += _annotation_errors(metadata.get("annotations"))
    errors += _owner_errors(metadata.get("ownerReferences"))
    errors += _finalizer_errors(metadata.get("finalizers"), old)
    return errors


def _name_errors(resource: Resource, metadata: Object) -> Iterator[FieldError]:
    name = metadata.get("name", "")
    if not name:
        yield FieldError("metadata.name", "required", None, "name or generateName is required")
        return
    rules = {"namespaces": label_errors, "services": label_1035_errors}
    for words in rules.get(resource.storage, subdomain_errors)(name):
        yield FieldError("metadata.name", "invalid", name, words)


def _label_errors(labels: Json) -> Iterator[FieldError]:
    for key, value in labels.items() if isinstance(labels, dict) else ():
        for words in label_key_errors(key):
            yield FieldError("metadata.labels", "invalid", key, words)
        for words in label_value_errors(value):
            yield FieldError("metadata.labels", "invalid", value, words)


def _annotation_errors(annotations: Json) -> Iterator[FieldError]:
    if not isinstance(annotations, dict):
        return
    for key in annotations:
        for words in label_key_errors(key.lower()):
            yield FieldError("metadata.annotations", "invalid", key, words)
    size = sum(len(part.encode()) for pair in annotations.items() for part in pair)
    if size > _ANNOTATIONS_LIMIT:
        yield too_long("metadata.annotations", _ANNOTATIONS_LIMIT)


def _owner_errors(owners: Json) -> Iterator[FieldError]:
    controllers = 0
    for index, owner in enumerate(owners if isinstance(owners, list) else []):
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                path = f"metadata.ownerReferences[{index}].{key}"
                yield FieldError(path, "invalid", owner.get(key, ""), "must not be empty")
        controllers += owner.get("controller") is True
    if controllers > 1:
        detail = "Only one reference can have Controller set to true."
        yield FieldError("metadata.ownerReferences", "invalid", owners, detail)


def _finalizer_errors(finalizers: Json, old: Object | None) -> Iterator[FieldError]:
    names = finalizers if isinstance(finalizers, list) else []
    for name in names:
        for words in label_key_errors(name):
            yield FieldError("metadata.finalizers", "invalid", name, words)
    if old is None or "deletionTimestamp" not in meta(old):
        return
    added = [name for name in names if name not in meta(old).get("finalizers", [])]
    if added:
        shown = ", ".join(f'"{name}"' for name in added)
        yield FieldError(
            "metadata.finalizers",
            "forbidden",
            None,
            "no new finalizers can be added if the object is being deleted, "
            f"found new finalizers []string{{{shown}}}",
        )
