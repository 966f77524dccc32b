"""What Kubernetes' extensions of schemas promise: sets and maps as lists, embedded resources."""

from collections.abc import Iterator

from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.values import Json, Object, Schema, child, compact, keyed


def list_errors(schema: Schema, value: Json, path: str = "") -> Iterator[FieldError]:
    """Yield the duplicates in lists of type `set` and `map`, at every level."""
    if isinstance(value, dict):
        for field, item, where in _members(schema, value, path):
            yield from list_errors(field, item, where)
    elif isinstance(value, list):
        yield from _duplicates(schema, value, path)
        items = schema.get("items")
        if isinstance(items, dict):
            for i, item in enumerate(value):
                yield from list_errors(items, item, child(path, i))


def embedded_errors(
    schema: Schema, value: Json, path: str = "", *, root: bool = True
) -> Iterator[FieldError]:
    """Yield what embedded resources lack to be resources."""
    if isinstance(value, dict):
        if schema.get("x-kubernetes-embedded-resource") and not root:
            for key in ("apiVersion", "kind"):
                if not value.get(key):
                    yield FieldError(child(path, key), "required", None, "must not be empty")
        for field, item, where in _members(schema, value, path):
            yield from embedded_errors(field, item, where, root=False)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for i, item in enumerate(value):
            yield from embedded_errors(schema["items"], item, child(path, i), root=False)


def _members(schema: Schema, value: Object, path: str) -> Iterator[tuple[Schema, Json, str]]:
    properties: Schema = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    for key, item in sorted(value.items()):
        if not isinstance(item, (dict, list)):
            continue
        if key in properties:
            yield properties[key], item, child(path, key)
        elif isinstance(additional, dict):
            yield additional, item, keyed(path, key)


def _duplicates(schema: Schema, value: list[Json], path: str) -> Iterator[FieldError]:
    match schema.get("x-kubernetes-list-type"):
        case "set":
            identities = list(value)
        case "map":
            keys = schema.get("x-kubernetes-list-map-keys") or []
            identities = [
                {key: item[key] for key in keys if key in item} if isinstance(item, dict) else item
                for item in value
            ]
        case _:
            return
    seen: set[str] = set()
    for i, identity in enumerate(identities):
        text = compact(identity)
        if text in seen:
            yield FieldError(child(path, i), "duplicate", identity)
        seen.add(text)
