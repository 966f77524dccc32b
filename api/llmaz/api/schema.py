"""The OpenAPI schema of a class, as a CustomResourceDefinition carries it.

Each class's docstring describes its fields, a line or more `name: text` for each; its first
paragraph describes the class. The schema is a structural one: every value has a type, or is one of
the two that Kubernetes excepts (a number or text; anything at all).
"""

import dataclasses
import enum
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from llmaz.api.fields import Bounds, has_default, key_of, list_map_of, older_key_of, older_key_wins
from llmaz.api.manifest import Json, Manifest, encode
from llmaz.api.meta import Condition, ObjectMeta
from llmaz.api.quantity import PATTERN, Quantity
from llmaz.api.rules import RULES

_ANYTHING: Manifest = {"x-kubernetes-preserve-unknown-fields": True}
# Text, a number or true and false, but no list and no object: Kubernetes has no type for that.
_STRINGLY: Manifest = {**_ANYTHING, "maxProperties": 0, "maxItems": 0}
_INT_OR_STRING: Manifest = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}
_QUANTITY: Manifest = {**_INT_OR_STRING, "pattern": PATTERN, "maxLength": 64}
_SCALARS: dict[object, Manifest] = {
    str: {"type": "string"},
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
    Quantity: _QUANTITY,
    ObjectMeta: {"type": "object"},
}
_COMMON = {
    "api_version": "The version of the schema that this object is written in.",
    "kind": "What this object is.",
    "spec": "What is wanted.",
    "status": "What there is.",
}
_ENTRY = re.compile(r"^(\w+): (.*(?:\n    +.*)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Style:
    """What a part of a schema inherits from the part around it."""

    defaults: bool = True  # a status has none: what nobody reported is not known
    keep_unknown: bool = False
    rules: bool = True


def schema_of(cls: type, *, rules: bool = True) -> Manifest:
    """Return the schema of a kind's class, with what users' objects are held to or without."""
    return _object(cls, _Style(rules=rules))


def descriptions(cls: type) -> dict[str, str]:
    """Return what a class's docstring says of each field."""
    found = _ENTRY.findall(inspect.cleandoc(cls.__doc__ or ""))
    return {name: _sentence(" ".join(text.split())) for name, text in found}


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "...")) else ".")


def _object(cls: type, style: _Style) -> Manifest:
    keep = style.keep_unknown or bool(getattr(cls, "KEEP_UNKNOWN", False))
    style = dataclasses.replace(style, keep_unknown=keep)
    schema: Manifest = {"type": "object"}
    fields = dataclasses.fields(cls)
    if required := [key_of(field) for field in fields if not has_default(field)]:
        schema["required"] = cast("list[Json]", [key for key in required if key != "metadata"])
    schema["properties"] = dict(_properties(cls, style))
    if keep:
        schema |= _ANYTHING
    if style.rules and (rules := list(_rules(cls))):
        schema["x-kubernetes-validations"] = rules
    return schema


def _properties(cls: type, style: _Style) -> Iterator[tuple[str, Json]]:
    hints = typing.get_type_hints(cls)
    told = _COMMON | descriptions(cls)
    for field in dataclasses.fields(cls):
        within = dataclasses.replace(style, defaults=style.defaults and field.name != "status")
        schema = _field(field, hints[field.name], within)
        if field.name in ("api_version", "kind"):
            schema = {"type": "string"}  # the API server sees to it that they are right
        if "reshaped" in field.metadata:
            schema = dict(_ANYTHING)
        if hints[field.name] is ObjectMeta:
            yield field.name, schema  # the API server describes it, and lets nobody else do so
            continue
        text = told.get(field.name, "")
        yield key_of(field), {"description": text, **schema}
        if older := older_key_of(field):
            which = ", which wins" if older_key_wins(field) else ""
            words = f"The older name of {key_of(field)}{which}. {text}"
            yield older, {"description": words, **schema}


def _field(field: "dataclasses.Field[object]", hint: object, style: _Style) -> Manifest:
    schema = _type(hint, style)
    if "opaque" in field.metadata:
        opaque: Manifest = {"type": "object", **_ANYTHING}
        schema = {"type": "array", "items": opaque} if schema["type"] == "array" else opaque
    if "stringly" in field.metadata:
        schema["additionalProperties"] = dict(_STRINGLY)
    if schema.get("type") == "array":
        schema |= _list_type(field, hint)
    schema |= _bounds(Bounds.of(field), str(schema.get("type", "")))
    # A default would look as if both the newer and the older name were given.
    if style.defaults and older_key_of(field) is None and (default := _default(field)) is not None:
        schema["default"] = default
    return schema


def _type(hint: object, style: _Style) -> Manifest:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        choices = [choice for choice in arguments if choice is not type(None)]
        return _type(choices[0], style) if len(choices) == 1 else dict(_INT_OR_STRING)
    if origin in (tuple, frozenset):
        return {"type": "array", "items": _type(arguments[0], style)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type(arguments[1], style)}
    if origin is typing.Literal:
        return {"type": "string", "enum": list(arguments)}
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"type": "string", "enum": [member.value for member in hint]}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _object(hint, style)
    return dict(_ANYTHING)


def _list_type(field: "dataclasses.Field[object]", hint: object) -> Manifest:
    keys = ("type",) if hint == tuple[Condition, ...] else list_map_of(field)
    if not keys:
        return {"x-kubernetes-list-type": "atomic"}
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


_LENGTHS = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


def _bounds(bounds: Bounds, kind: str) -> Manifest:
    shortest, longest = _LENGTHS.get(kind, ("", ""))
    said = {
        "minimum": bounds.minimum,
        "maximum": bounds.maximum,
        shortest: bounds.shortest,
        longest: bounds.longest,
    }
    return {key: value for key, value in said.items() if key and value is not None}


def _default(field: "dataclasses.Field[object]") -> Json:
    if "written" in field.metadata and field.default_factory is not dataclasses.MISSING:
        return _in_full(field.default_factory())
    default = field.default
    if default in (dataclasses.MISSING, None, "", ()) or default is False:
        return None
    return encode(default)


def _in_full(value: object) -> Json:
    if dataclasses.is_dataclass(value):
        return {
            key_of(field): _in_full(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    return encode(value)


def _rules(cls: type) -> Iterator[Json]:
    for rule in RULES:
        if rule.of is cls:
            # A path may only name what the schema describes, which metadata is not.
            has_path = rule.field and not rule.field.startswith("metadata")
            where: Manifest = {"fieldPath": f".{rule.field}"} if has_path else {}
            yield {"rule": rule.cel, "message": rule.message, **where}
    for field in dataclasses.fields(cls):
        if (older := older_key_of(field)) and not older_key_wins(field):
            yield {
                "rule": f"!(has(self.{key_of(field)}) && has(self.{older}))",
                "message": f"is the older name of {key_of(field)}: give only one of them",
                "fieldPath": f".{older}",
            }
