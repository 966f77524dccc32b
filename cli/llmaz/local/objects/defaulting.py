"""Defaults of a structural schema: what an absent field of an object becomes.

Schemas of built-in kinds carry two marks besides. A server keeps these kinds in typed records: a
field with OMIT_EMPTY is left out when it is empty (most are), and one with a `default` of nothing
is always written.
"""

from llmaz.local.objects.values import Json, Object, Schema, copied

# On a field of a built-in kind: an empty value is as good as none and is not kept.
OMIT_EMPTY = "x-llmaz-omit-empty"
# On a whole kind: it is built in, and a new object begins with what is always written, which nobody
# manages.
TYPED = "x-llmaz-typed"


def defaulted(schema: Schema, obj: Object) -> Object:
    """Return `obj` with defaults filled in at every level that exists.

    A null where the schema does not allow one counts as absent: it takes the default, or goes.
    """
    result: Object = _defaulted(schema, obj)
    return result


def blank(schema: Schema) -> Object:
    """Return what a built-in kind's object begins with: fields that are written even when empty."""
    return {
        key: copied(field["default"]) | blank(field)
        if isinstance(field["default"], dict)
        else field["default"]
        for key, field in (schema.get("properties") or {}).items()
        if "default" in field and _is_nothing(field["default"])
    }


def _is_nothing(value: Json) -> bool:
    return all(map(_is_nothing, value.values())) if isinstance(value, dict) else not value


def _defaulted(schema: Schema | None, value: Json) -> Json:
    if not isinstance(schema, dict):
        return value
    if isinstance(value, dict):
        return _defaulted_map(schema, value)
    if isinstance(value, list):
        items = schema.get("items")
        return [_defaulted(items, _instead_of_null(items, item)) for item in value]
    return value


def _defaulted_map(schema: Schema, value: Object) -> Object:
    properties: Schema = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    result: Object = {}
    for key, item in value.items():
        field = properties.get(key, additional)
        if item is None and isinstance(field, dict) and not field.get("nullable"):
            if "default" not in field:
                continue
            item = copied(field["default"])  # noqa: PLW2901 - the rest of the loop wants the new value
        if not item and isinstance(field, dict) and field.get(OMIT_EMPTY):
            continue
        result[key] = _defaulted(field if isinstance(field, dict) else None, item)
    for key, field in properties.items():
        if key not in result and "default" in field:
            result[key] = _defaulted(field, copied(field["default"]))
    return result


def _instead_of_null(schema: Schema | None, value: Json) -> Json:
    if value is None and isinstance(schema, dict) and not schema.get("nullable"):
        return copied(schema.get("default"))
    return value
