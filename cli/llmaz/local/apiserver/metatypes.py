"""The types of metadata's fields: what is no metadata is refused before anything looks."""

from collections.abc import Iterator

from llmaz.local.apiserver.status import bad_request
from llmaz.local.objects.values import Json, Object, type_name

_GO = {"integer": "number", "boolean": "bool", "null": "null"}
_TEXTS = ("name", "generateName", "namespace", "uid", "resourceVersion", "creationTimestamp")
_MAPS = ("labels", "annotations")
_LISTS = {"finalizers": "string", "ownerReferences": "object", "managedFields": "object"}
_MEMBERS = {
    "ownerReferences": {
        **dict.fromkeys(("apiVersion", "kind", "name", "uid"), "string"),
        **dict.fromkeys(("controller", "blockOwnerDeletion"), "boolean"),
    },
    "managedFields": {
        **dict.fromkeys(("manager", "operation", "apiVersion", "time", "subresource"), "string"),
        "fieldsV1": "object",
    },
}


def require_metadata(kind: str, version: str, obj: Object) -> None:
    """Refuse an object whose metadata is of the wrong types."""
    for found, field, wanted in _wrong(obj.get("metadata")):
        raise bad_request(
            f'{kind} in version "{version}" cannot be handled as a {kind}: json: cannot unmarshal '
            f"{_GO.get(found, found)} into Go struct field ObjectMeta.{field} of type {wanted}"
        )


def _wrong(metadata: Json) -> Iterator[tuple[str, str, str]]:
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        yield type_name(metadata), "metadata", "v1.ObjectMeta"
        return
    for key in _TEXTS:
        if not isinstance(metadata.get(key, ""), str | None):
            yield type_name(metadata[key]), f"metadata.{key}", "string"
    for key in _MAPS:
        yield from _wrong_members(key, metadata.get(key))
    for key, wanted in _LISTS.items():
        yield from _wrong_items(key, metadata.get(key), wanted)


def _wrong_members(key: str, members: Json) -> Iterator[tuple[str, str, str]]:
    if members is None:
        return
    if not isinstance(members, dict):
        yield type_name(members), f"metadata.{key}", "map[string]string"
        return
    for value in members.values():
        if not isinstance(value, str):
            yield type_name(value), f"metadata.{key}", "string"


def _wrong_items(key: str, items: Json, wanted: str) -> Iterator[tuple[str, str, str]]:
    if items is None:
        return
    if not isinstance(items, list):
        yield type_name(items), f"metadata.{key}", f"[]{wanted}"
        return
    for item in items:
        if type_name(item) != wanted:
            yield type_name(item), f"metadata.{key}", wanted
            continue
        for name, type_ in _MEMBERS.get(key, {}).items():
            if item.get(name) is not None and type_name(item[name]) != type_:
                yield type_name(item[name]), f"metadata.{key}.{name}", _GO.get(type_, type_)
