"""Turns JSON into the values that CEL rules see: times, durations, floats, escaped field names."""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from llmaz.local.objects.formats import parse_duration
from llmaz.local.objects.values import Json, Object, Schema

_RESERVED_WORDS = (
    "true false null in as break const continue else for function if import let loop package "
    "namespace return var void while"
)
_RESERVED = frozenset(_RESERVED_WORDS.split())
_ESCAPES = {".": "__dot__", "-": "__dash__", "/": "__slash__", "__": "__underscores__"}
_SPECIAL = re.compile(r"__|[.\-/]")


def escaped(name: str) -> str:
    """Return a field's name inside a rule: `a__dash__b` for `a-b`, `__if__` for `if`."""
    if name in _RESERVED:
        return f"__{name}__"
    return _SPECIAL.sub(lambda match: _ESCAPES[match.group()], name)


def converter(schema: Schema, *, root: bool = False) -> Callable[[Json], Json] | None:
    """Return the function that makes a rule's value of a JSON value; None if they are the same."""
    if root:
        own = converter({**schema, "x-kubernetes-embedded-resource": False})
        return lambda value: _resource(value, own)
    if schema.get("x-kubernetes-int-or-string"):
        return None
    match schema.get("type"):
        case "string":
            return _STRINGS.get(schema.get("format", ""))
        case "number":
            return lambda value: float(value) if isinstance(value, int) else value
        case "array":
            return _list_converter(schema)
        case "object":
            return _map_converter(schema)
    return None


def _list_converter(schema: Schema) -> Callable[[Json], Json] | None:
    items = schema.get("items")
    of_item = converter(items) if isinstance(items, dict) else None
    if of_item is None:
        return None
    convert = of_item
    return lambda value: [convert(item) for item in value] if isinstance(value, list) else value


def _map_converter(schema: Schema) -> Callable[[Json], Json] | None:
    properties: Schema = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    every = converter(additional) if isinstance(additional, dict) else None
    fields = {key: converter(field) for key, field in properties.items()}
    names = {key: escaped(key) for key in properties}
    if (
        every is None
        and not any(fields.values())
        and all(key == name for key, name in names.items())
    ):
        return None

    def convert(value: Json) -> Json:
        if not isinstance(value, dict):
            return value
        return {
            names.get(key, key): of_field(item) if (of_field := fields.get(key, every)) else item
            for key, item in value.items()
        }

    return convert


def _resource(value: Json, own: Callable[[Json], Json] | None) -> Json:
    """A rule at the root sees of the metadata only the names."""
    if not isinstance(value, dict):
        return value
    result: Object = own(value) if own else dict(value)
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        result["metadata"] = {
            key: metadata[key] for key in ("name", "generateName") if key in metadata
        }
    return result


def _moment(value: Json) -> Json:
    try:
        return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else value
    except ValueError:
        return value


def _duration(value: Json) -> Json:
    found: timedelta | None = parse_duration(value) if isinstance(value, str) else None
    return value if found is None else found


def _bytes(value: Json) -> Json:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else value
    except (binascii.Error, ValueError):
        return value


_STRINGS: dict[str, Callable[[Json], Json]] = {
    "date": _moment,
    "date-time": _moment,
    "datetime": _moment,
    "duration": _duration,
    "byte": _bytes,
}
