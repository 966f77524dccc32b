"""Whether a schema is one at all: every keyword has a value of its type, for others to rely on."""

from collections.abc import Iterator

from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.values import Json, child, keyed, type_name

_TEXTS = "type format pattern description title x-kubernetes-list-type x-kubernetes-map-type"
_COUNTS = "minLength maxLength minItems maxItems minProperties maxProperties"
_NUMBERS = "minimum maximum multipleOf"
_FLAGS = (
    "nullable uniqueItems exclusiveMinimum exclusiveMaximum x-kubernetes-int-or-string "
    "x-kubernetes-embedded-resource x-kubernetes-preserve-unknown-fields"
)
_TYPES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_TEXTS.split(), ("string",)),
    **dict.fromkeys(_COUNTS.split(), ("integer",)),
    **dict.fromkeys(_NUMBERS.split(), ("integer", "number")),
    **dict.fromkeys(_FLAGS.split(), ("boolean",)),
    "enum": ("array",),
    "items": ("array", "object"),
    "additionalProperties": ("boolean", "object"),
    "not": ("object",),
    "properties": ("object",),
}
_LISTS = {
    "required": "string",
    "x-kubernetes-list-map-keys": "string",
    "x-kubernetes-validations": "object",
    "allOf": "object",
    "anyOf": "object",
    "oneOf": "object",
}
_RULE = ("rule", "message", "messageExpression", "reason", "fieldPath")


def shape_errors(schema: Json, path: str) -> Iterator[FieldError]:
    """Yield the keywords whose values are of no use, at every level."""
    if not isinstance(schema, dict):
        yield _wrong(schema, path, ("object",))
        return
    for key, wanted in _TYPES.items():
        if key in schema and type_name(schema[key]) not in wanted:
            yield _wrong(schema[key], child(path, key), wanted)
    for key, item in _LISTS.items():
        yield from _list_errors(schema.get(key, []), child(path, key), item)
    for i, rule in enumerate(_items(schema, "x-kubernetes-validations")):
        where = child(child(path, "x-kubernetes-validations"), i)
        for key in _RULE:
            if isinstance(rule, dict) and not isinstance(rule.get(key, ""), str):
                yield _wrong(rule[key], child(where, key), ("string",))
    for below, where in _below(schema, path):
        yield from shape_errors(below, where)


def _below(schema: dict[str, Json], path: str) -> Iterator[tuple[Json, str]]:
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name, field in sorted(properties.items()):
            yield field, keyed(child(path, "properties"), name)
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            yield schema[key], child(path, key)
    for key in ("allOf", "anyOf", "oneOf"):
        for i, option in enumerate(_items(schema, key)):
            if isinstance(option, dict):
                yield option, child(child(path, key), i)


def _items(schema: dict[str, Json], key: str) -> list[Json]:
    found = schema.get(key)
    return found if isinstance(found, list) else []


def _list_errors(value: Json, path: str, wanted: str) -> Iterator[FieldError]:
    if not isinstance(value, list):
        yield _wrong(value, path, ("array",))
        return
    for i, item in enumerate(value):
        if type_name(item) != wanted:
            yield _wrong(item, child(path, i), (wanted,))


def _wrong(value: Json, path: str, wanted: tuple[str, ...]) -> FieldError:
    return FieldError(path, "typeInvalid", type_name(value), f"must be {' or '.join(wanted)}")
