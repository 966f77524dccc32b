"""Defaults of a structural schema: what an absent field of an object becomes."""

from llmaz.local.objects.values import Json, Object, Schema, copied


def defaulted(schema: Schema, obj: Object) -> Object:
    """Return `obj` with defaults filled in at every level that exists.

    A null where the schema does not allow one counts as absent: it takes the default, or goes.
    """
    result: Object = _defaulted(schema, obj)
    return result


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
        field = properties[key] if key in properties else additional
        if item is None and isinstance(field, dict) and not field.get("nullable"):
            if "default" not in field:
                continue
            item = copied(field["default"])  # noqa: PLW2901 - the rest of the loop wants the new value
        result[key] = _defaulted(field if isinstance(field, dict) else None, item)
    for key, field in properties.items():
        if key not in result and "default" in field:
            result[key] = _defaulted(field, copied(field["default"]))
    return result


def _instead_of_null(schema: Schema | None, value: Json) -> Json:
    if value is None and isinstance(schema, dict) and not schema.get("nullable"):
        return copied(schema.get("default"))
    return value
