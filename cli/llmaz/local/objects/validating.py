"""Validation of a value against a schema, in the words of a kube-apiserver.

`old` is the stored value: what was wrong before and has not changed stays allowed, so that a schema
may get stricter without locking its objects. List items have an old value only in lists that are
maps by key.
"""

from collections.abc import Iterator
from typing import Final

from llmaz.local.objects import formats, patterns
from llmaz.local.objects.fielderror import FieldError, too_long, too_many, unsupported
from llmaz.local.objects.values import Json, Object, Schema, child, equal, quoted, type_name


class Absent:
    """Stands for a value that is not there, where None is a value."""


ABSENT: Final = Absent()
_RANGES = {"int32": 2**31, "int64": 2**63}


def value_errors(
    schema: Schema, value: Json, path: str = "", old: Json = ABSENT
) -> list[FieldError]:
    """Return what is wrong with `value`: types first, then combined schemas, bounds, fields."""
    errors = _own_errors(schema, value, path, old)
    if errors and not isinstance(old, Absent) and equal(value, old):
        return []
    return errors


def _own_errors(schema: Schema, value: Json, path: str, old: Json) -> list[FieldError]:
    errors = list(_type_errors(schema, value, path))
    if value is None:
        return errors or list(_enum_errors(schema, value, path))
    errors += _combination_errors(schema, value, path)
    if isinstance(value, str):
        errors += _string_errors(schema, value, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        errors += _number_errors(schema, value, path)
    elif isinstance(value, list):
        errors += _list_errors(schema, value, path, old)
    errors += _enum_errors(schema, value, path)
    if isinstance(value, dict):
        errors += _map_errors(schema, value, path, old)
    return errors


def _type_errors(schema: Schema, value: Json, path: str) -> Iterator[FieldError]:
    both = schema.get("x-kubernetes-int-or-string")
    wanted = "integer,string" if both else schema.get("type")
    if not wanted or (value is None and schema.get("nullable")):
        return
    found = type_name(value)
    if found == wanted or (both and found in ("integer", "string")):
        return
    if wanted == "number" and found == "integer":
        return
    if wanted in ("integer", "integer,string") and found == "number" and value.is_integer():
        return
    if schema.get("format") and found in ("boolean", "object"):
        yield FieldError(
            path, "typeInvalid", "", f'{path} in body must be of type {schema["format"]}: ""'
        )
        return
    words = f"{path} in body must be of type {wanted}: {quoted(found)}"
    yield FieldError(path, "typeInvalid", found, words)


def _combination_errors(schema: Schema, value: Json, path: str) -> Iterator[FieldError]:
    if "anyOf" in schema:
        yield from _any_of(schema["anyOf"], value, path)
    if "oneOf" in schema:
        yield from _one_of(schema["oneOf"], value, path)
    if "allOf" in schema:
        yield from _all_of(schema["allOf"], value, path)
    if "not" in schema and not value_errors(schema["not"], value, path):
        yield _combined(f"{quoted(path)} must not validate the schema (not)")


def _any_of(options: list[Schema], value: Json, path: str) -> list[FieldError]:
    tried = []
    for option in options:
        errors = value_errors(option, value, path)
        if not errors:
            return []
        tried.append(errors)
    words = f"{quoted(path)} must validate at least one schema (anyOf)"
    return [_combined(words), *min(tried, key=len)] if tried else []


def _one_of(options: list[Schema], value: Json, path: str) -> list[FieldError]:
    tried = [value_errors(option, value, path) for option in options]
    valid = sum(not errors for errors in tried)
    if valid == 1 or not tried:
        return []
    found = f"Found {valid} valid alternatives" if valid else "Found none valid"
    words = f"{quoted(path)} must validate one and only one schema (oneOf). {found}"
    return [_combined(words), *([] if valid else min(tried, key=len))]


def _all_of(options: list[Schema], value: Json, path: str) -> list[FieldError]:
    tried = [value_errors(option, value, path) for option in options]
    if not any(tried):
        return []
    none = ". None validated" if all(tried) else ""
    words = f"{quoted(path)} must validate all the schemas (allOf){none}"
    return [*(error for errors in tried for error in errors), _combined(words)]


def _combined(words: str) -> FieldError:
    """The server reports a failed combination at no field, and with an empty value."""
    return FieldError("", "invalid", "", words)


def _string_errors(schema: Schema, value: str, path: str) -> Iterator[FieldError]:
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield too_long(path, schema["maxLength"])
    if "minLength" in schema and len(value) < schema["minLength"]:
        words = f"{path} in body should be at least {schema['minLength']} chars long"
        yield FieldError(path, "invalid", value, words)
    if "pattern" in schema and not patterns.compiled(schema["pattern"]).search(value):
        words = f"{path} in body should match '{schema['pattern']}'"
        yield FieldError(path, "invalid", value, words)
    if "format" in schema and not formats.matches(value, schema["format"]):
        words = f"{path} in body must be of type {schema['format']}: {quoted(value)}"
        yield FieldError(path, "typeInvalid", value, words)


def _number_errors(schema: Schema, value: float, path: str) -> Iterator[FieldError]:
    def wrong(words: str) -> FieldError:
        return FieldError(path, "invalid", value, f"{path} in body should be {words}")

    step, top, bottom = (schema.get(key) for key in ("multipleOf", "maximum", "minimum"))
    if step is not None and value % step != 0:
        yield wrong(f"a multiple of {step}")
    if top is not None and (value >= top if schema.get("exclusiveMaximum") else value > top):
        yield wrong(f"less than {'' if schema.get('exclusiveMaximum') else 'or equal to '}{top}")
    if bottom is not None and (
        value <= bottom if schema.get("exclusiveMinimum") else value < bottom
    ):
        yield wrong(
            f"greater than {'' if schema.get('exclusiveMinimum') else 'or equal to '}{bottom}"
        )
    bound = _RANGES.get(schema.get("format", ""))
    if bound is not None and not -bound <= value < bound:
        words = f"Checked value must be of type integer with format {schema['format']} in {path}"
        yield FieldError("", "invalid", "", words)


def _list_errors(schema: Schema, value: list[Json], path: str, old: Json) -> Iterator[FieldError]:
    items = schema.get("items")
    if isinstance(items, dict):
        before = old_items(schema, value, old)
        for i, item in enumerate(value):
            yield from value_errors(items, item, child(path, i), before[i] if before else ABSENT)
    if "minItems" in schema and len(value) < schema["minItems"]:
        words = f"{path} in body should have at least {schema['minItems']} items"
        yield FieldError(path, "invalid", len(value), words)
    if "maxItems" in schema and len(value) > schema["maxItems"]:
        yield too_many(path, len(value), schema["maxItems"])
    if schema.get("uniqueItems") and any(
        equal(a, b) for i, a in enumerate(value) for b in value[:i]
    ):
        yield FieldError(path, "invalid", "", f"{path} in body shouldn't contain duplicates")


def old_items(schema: Schema, value: list[Json], old: Json) -> list[Json] | None:
    """Return for each item what it was before, found by its keys; None if the list has no keys."""
    keys = schema.get("x-kubernetes-list-map-keys")
    if not isinstance(old, list) or schema.get("x-kubernetes-list-type") != "map" or not keys:
        return None
    before = {_identity(item, keys): item for item in old if isinstance(item, dict)}
    return [
        before.get(_identity(item, keys), ABSENT) if isinstance(item, dict) else ABSENT
        for item in value
    ]


def _identity(item: Object, keys: list[str]) -> tuple[str, ...]:
    return tuple(repr(item.get(key)) for key in keys)


def _map_errors(schema: Schema, value: Object, path: str, old: Json) -> Iterator[FieldError]:
    before = old if isinstance(old, dict) else {}
    properties: Schema = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    if "maxProperties" in schema and len(value) > schema["maxProperties"]:
        yield too_many(path, len(value), schema["maxProperties"])
    if "minProperties" in schema and len(value) < schema["minProperties"]:
        words = f"{path} in body should have at least {schema['minProperties']} properties"
        yield FieldError(path, "invalid", len(value), words)
    for key in sorted(value):
        field = properties.get(key, additional)
        if isinstance(field, dict):
            yield from value_errors(field, value[key], child(path, key), before.get(key, ABSENT))
    for key in schema.get("required") or ():
        if key not in value:
            yield FieldError(child(path, key), "required")


def _enum_errors(schema: Schema, value: Json, path: str) -> Iterator[FieldError]:
    choices = schema.get("enum")
    if choices and not any(equal(value, choice) for choice in choices):
        yield unsupported(path, value, choices)
