"""How server-side apply sees a value: as a leaf, a map or a list of items with identities.

Schema None means that nothing is known: then maps are granular and lists are leaves.
"""

import functools
from collections.abc import Iterator
from typing import Literal, TypeAlias

from llmaz.local.objects.fieldset import EMPTY, FieldSet, Path, shown
from llmaz.local.objects.values import Json, Schema, compact

Shape: TypeAlias = Literal["leaf", "map", "list"]

_STRING = {"type": "string"}
_STRINGS = {"type": "object", "additionalProperties": _STRING}
METADATA: Schema = {
    "type": "object",
    "properties": {
        **dict.fromkeys(
            ("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion"), _STRING
        ),
        "generation": {"type": "integer"},
        "creationTimestamp": _STRING,
        "deletionTimestamp": _STRING,
        "deletionGracePeriodSeconds": {"type": "integer"},
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "ownerReferences": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": "uid",
            "items": {
                "type": "object",
                "x-kubernetes-map-type": "atomic",
                "properties": {
                    **dict.fromkeys(("apiVersion", "kind", "name", "uid"), _STRING),
                    "controller": {"type": "boolean"},
                    "blockOwnerDeletion": {"type": "boolean"},
                },
            },
        },
        "finalizers": {
            "type": "array",
            "x-kubernetes-list-type": "set",
            "x-kubernetes-patch-strategy": "merge",
            "items": _STRING,
        },
        "managedFields": {"type": "array", "items": {"type": "object"}},
    },
}
_TYPE_FIELDS = {"apiVersion": _STRING, "kind": _STRING, "metadata": METADATA}


def resource(schema: Schema | None) -> Schema:
    """Return the schema of a whole object, whose type and metadata are as everywhere."""
    if schema is None:
        return {
            "type": "object",
            "properties": _TYPE_FIELDS,
            "x-kubernetes-preserve-unknown-fields": True,
        }
    return {**schema, "properties": {**(schema.get("properties") or {}), **_TYPE_FIELDS}}


def shape(schema: Schema | None, value: Json) -> Shape:
    """Tell how a value divides: a leaf belongs to its managers as a whole."""
    if isinstance(value, dict):
        atomic = schema is not None and schema.get("x-kubernetes-map-type") == "atomic"
        return "leaf" if atomic else "map"
    if isinstance(value, list) and schema is not None:
        associative = schema.get("x-kubernetes-list-type") in ("set", "map")
        return "list" if associative else "leaf"
    return "leaf"


def declared(schema: Schema | None, key: str) -> bool:
    """Tell whether a key is a field that the schema names, not one of a map's keys."""
    return schema is not None and key in (schema.get("properties") or {})


def field(schema: Schema | None, key: str) -> Schema | None:
    """Return the schema below a key; None if nothing is known of it."""
    if schema is None:
        return None
    properties: Schema = schema.get("properties") or {}
    found = properties.get(key, schema.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def items(schema: Schema | None) -> Schema | None:
    """Return the schema of a list's items."""
    found = schema.get("items") if schema is not None else None
    return found if isinstance(found, dict) else None


def step(schema: Schema | None, item: Json) -> str:
    """Return the identity of an item of an associative list."""
    keys: list[str] = (schema or {}).get("x-kubernetes-list-map-keys") or []
    if not keys or not isinstance(item, dict):
        return f"v:{compact(item)}"
    properties: Schema = (items(schema) or {}).get("properties") or {}
    found = {
        key: item[key] if key in item else properties.get(key, {}).get("default") for key in keys
    }
    return f"k:{compact({key: value for key, value in found.items() if value is not None})}"


def members(schema: Schema | None, value: Json) -> Iterator[tuple[str, Schema | None, Json]]:
    """Yield step, schema and value of each thing in a map or an associative list."""
    match shape(schema, value):
        case "map":
            for key, item in value.items():
                yield f"f:{key}", field(schema, key), item
        case "list":
            for item in value:
                yield step(schema, item), items(schema), item


def field_set(schema: Schema | None, value: Json, path: Path = ()) -> FieldSet:
    """Return the fields that a value states: leaves, items, keys of maps, and what is empty."""
    return frozenset(_fields(schema, value, path))


def _fields(schema: Schema | None, value: Json, path: Path) -> Iterator[Path]:
    if shape(schema, value) == "leaf":
        yield path
        return
    for name, below, item in members(schema, value):
        where = (*path, name)
        yield from _fields(below, item, where)
        named = isinstance(value, dict) and declared(schema, name.removeprefix("f:"))
        if not named or item == {}:
            yield where


def with_named(schema: Schema | None, fields: FieldSet) -> FieldSet:
    """Return the set with every declared field that it reaches into: with `a.b` also `a`."""
    result = set(fields)
    for path in fields:
        node = schema
        for depth, name in enumerate(path[:-1]):
            key = name.removeprefix("f:")
            if name.startswith("f:") and declared(node, key):
                result.add(path[: depth + 1])
            node = field(node, key) if name.startswith("f:") else items(node)
    return frozenset(result)


@functools.cache
def stripped_fields() -> FieldSet:
    """Return the fields that nobody manages: names, and what the server writes."""
    system = (
        "name namespace creationTimestamp selfLink uid generation managedFields resourceVersion"
    )
    own = {("f:metadata", f"f:{name}") for name in system.split()}
    return EMPTY | own | {("f:apiVersion",), ("f:kind",), ("f:metadata",)}


def undeclared(schema: Schema | None, value: Json, path: str = "") -> Iterator[str]:
    """Yield what an applied value holds that its schema does not know, as the server words it."""
    if schema is None or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, dict) and schema.get("type") == "object":
        open_map = bool(schema.get("additionalProperties"))
        for key, item in value.items():
            if not declared(schema, key) and not open_map:
                yield f"{path}.{key}: field not declared in schema"
            else:
                yield from undeclared(field(schema, key), item, f"{path}.{key}")
    elif isinstance(value, list):
        yield from _undeclared_items(schema, value, path)


def _undeclared_items(schema: Schema, value: list[Json], path: str) -> Iterator[str]:
    from_here = items(schema)
    seen: set[str] = set()
    for i, item in enumerate(value):
        name = step(schema, item)
        if shape(schema, value) == "list" and name in seen:
            yield f"{path}: duplicate entries for key {shown((name,))}"
        seen.add(name)
        yield from undeclared(from_here, item, f"{path}[{i}]")
