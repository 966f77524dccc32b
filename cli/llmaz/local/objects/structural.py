"""What a server wants of a CRD's schema: a structure, sane extensions, valid defaults.

The errors carry the server's paths: `<path>.properties[spec].properties[model].type`.
"""

from collections.abc import Iterator

from llmaz.local.objects import patterns
from llmaz.local.objects.fielderror import FieldError, unsupported
from llmaz.local.objects.pruning import pruned
from llmaz.local.objects.schemashape import shape_errors
from llmaz.local.objects.structuralrules import rule_errors
from llmaz.local.objects.validating import value_errors
from llmaz.local.objects.values import Json, Schema, child, compact, keyed

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_FORBIDDEN = (
    "$ref",
    "definitions",
    "dependencies",
    "deprecated",
    "discriminator",
    "id",
    "patternProperties",
    "readOnly",
    "writeOnly",
    "xml",
    "$recursiveRef",
)
_STRUCTURE = (
    "type",
    "default",
    "additionalProperties",
    "description",
    "nullable",
    "title",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
)
_LOGIC = ("allOf", "anyOf", "oneOf")


def structural_errors(
    schema: Schema, path: str = "spec.validation.openAPIV3Schema"
) -> list[FieldError]:
    """Return what a server refuses in a schema; `path` is where it stands in its CRD."""
    errors = list(shape_errors(schema, path))
    if errors:
        return errors
    errors = list(_node_errors(schema, path, root=True))
    errors += _metadata_errors(schema, path)
    if not errors and schema.get("type") != "object":
        errors.append(
            FieldError(
                child(path, "type"), "invalid", schema.get("type"), "must be object at the root"
            )
        )
    if not errors:
        errors += _default_errors(schema, path)
    return errors


def _metadata_errors(schema: Schema, path: str) -> Iterator[FieldError]:
    """A schema may bound the names of its objects; all else of their metadata is the server's."""
    metadata = (schema.get("properties") or {}).get("metadata")
    if not isinstance(metadata, dict):
        return
    named = metadata.get("properties", {}).keys() <= {"name", "generateName"}
    if metadata.keys() - {"type", "properties"} or not named:
        words = (
            "must not specify anything other than name and generateName, but metadata is"
            " implicitly specified"
        )
        yield FieldError(keyed(child(path, "properties"), "metadata"), "forbidden", None, words)


def _node_errors(
    schema: Schema, path: str, *, root: bool = False, unknown_again: str = ""
) -> Iterator[FieldError]:
    yield from _type_errors(schema, path, root=root)
    yield from _construct_errors(schema, path)
    yield from _extension_errors(schema, path)
    yield from rule_errors(schema, path, root=root, unknown_again=unknown_again)
    for logic in _LOGIC:
        for i, option in enumerate(schema.get(logic) or ()):
            yield from _value_schema_errors(option, schema, child(child(path, logic), i))
    if "not" in schema:
        yield from _value_schema_errors(schema["not"], schema, child(path, "not"))
    yield from _children_errors(schema, path, unknown_again)


def _children_errors(schema: Schema, path: str, unknown_again: str) -> Iterator[FieldError]:
    for name, field in sorted((schema.get("properties") or {}).items()):
        where = keyed(child(path, "properties"), name)
        yield from _node_errors(field, where, unknown_again=unknown_again)
    items, additional = schema.get("items"), schema.get("additionalProperties")
    if isinstance(items, dict):
        again = schema.get("x-kubernetes-list-type") == "map"
        lost = unknown_again or ("" if again else path)
        yield from _node_errors(items, child(path, "items"), unknown_again=lost)
    elif isinstance(items, list):
        yield FieldError(
            child(path, "items"),
            "forbidden",
            None,
            "items must be a schema object and not an array",
        )
    elif schema.get("type") == "array" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        yield FieldError(child(path, "items"), "required", None, "must be specified")
    if isinstance(additional, dict):
        where = child(path, "additionalProperties")
        yield from _node_errors(additional, where, unknown_again=unknown_again)


def _type_errors(schema: Schema, path: str, *, root: bool) -> Iterator[FieldError]:
    kind = schema.get("type")
    where = child(path, "type")
    if schema.get("x-kubernetes-int-or-string"):
        if kind:
            words = "must be empty if x-kubernetes-int-or-string is true"
            yield FieldError(where, "invalid", kind, words)
    elif kind and kind not in _TYPES:
        yield unsupported(where, kind, _TYPES)
    elif not kind and not schema.get("x-kubernetes-preserve-unknown-fields"):
        place = "specified object fields" if not path.endswith("items") else "specified array items"
        words = "must not be empty at the root" if root else f"must not be empty for {place}"
        yield FieldError(where, "required", None, words)
    if schema.get("x-kubernetes-embedded-resource") and kind != "object":
        yield FieldError(
            where, "invalid", kind, "must be object if x-kubernetes-embedded-resource is true"
        )


def _construct_errors(schema: Schema, path: str) -> Iterator[FieldError]:
    for key in _FORBIDDEN:
        if key in schema:
            words = f"{key} is not supported"
            yield FieldError(child(path, key), "forbidden", None, words)
    if schema.get("uniqueItems"):
        words = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield FieldError(child(path, "uniqueItems"), "forbidden", None, words)
    if schema.get("additionalProperties") is False:
        words = "additionalProperties cannot be set to false"
        yield FieldError(child(path, "additionalProperties"), "forbidden", None, words)
    elif schema.get("additionalProperties") and schema.get("properties"):
        words = "additionalProperties and properties are mutual exclusive"
        yield FieldError(child(path, "additionalProperties"), "forbidden", None, words)
    if "pattern" in schema:
        try:
            patterns.compiled(schema["pattern"])
        except patterns.PatternError as error:
            words = f"must be a valid regular expression, but isn't: {error}"
            yield FieldError(child(path, "pattern"), "invalid", schema["pattern"], words)


def _extension_errors(schema: Schema, path: str) -> Iterator[FieldError]:
    kind = schema.get("x-kubernetes-list-type")
    where = child(path, "x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if kind is not None and kind not in ("atomic", "set", "map"):
        yield unsupported(where, kind, ("atomic", "set", "map"))
    if kind is not None and schema.get("type") != "array":
        yield FieldError(
            child(path, "type"),
            "invalid",
            schema.get("type", ""),
            "must be array if x-kubernetes-list-type is specified",
        )
    if kind == "map":
        yield from _map_list_errors(schema, path, keys)
    elif keys:
        yield FieldError(
            where, "invalid", kind, "must be map if x-kubernetes-list-map-keys is non-empty"
        )
    shape = schema.get("x-kubernetes-map-type")
    if shape is not None and shape not in ("atomic", "granular"):
        yield unsupported(child(path, "x-kubernetes-map-type"), shape, ("atomic", "granular"))
    if (
        "x-kubernetes-preserve-unknown-fields" in schema
        and schema["x-kubernetes-preserve-unknown-fields"] is not True
    ):
        words = "must be true or undefined"
        yield FieldError(
            child(path, "x-kubernetes-preserve-unknown-fields"), "invalid", False, words
        )


def _map_list_errors(schema: Schema, path: str, keys: list[str]) -> Iterator[FieldError]:
    items = schema.get("items") if isinstance(schema.get("items"), dict) else {}
    properties = (items or {}).get("properties") or {}
    where = child(path, "x-kubernetes-list-map-keys")
    if not keys:
        yield FieldError(
            where, "required", None, "must not be empty if x-kubernetes-list-type is map"
        )
    for i, key in enumerate(keys):
        if key in keys[:i]:
            yield FieldError(child(where, i), "duplicate", key)
        field = properties.get(key)
        if field is None:
            words = "entries must all be names of item properties"
            yield FieldError(child(where, i), "invalid", key, words)
        elif field.get("type") in ("array", "object"):
            words = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield FieldError(
                keyed(child(child(path, "items"), "properties"), key) + ".type",
                "invalid",
                field["type"],
                words,
            )
        elif key not in ((items or {}).get("required") or ()) and "default" not in field:
            words = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default "
                "or be a required property"
            )
            yield FieldError(
                keyed(child(child(path, "items"), "properties"), key) + ".default",
                "required",
                None,
                words,
            )


def _value_schema_errors(schema: Schema, whole: Schema, path: str) -> Iterator[FieldError]:
    """Inside allOf, anyOf, oneOf and not, only values may be bound; structure belongs outside."""
    both = whole.get("x-kubernetes-int-or-string")
    for key in _STRUCTURE:
        if key in schema and not (both and key == "type"):
            yield FieldError(
                child(path, key),
                "forbidden",
                None,
                f"must be {_EMPTY.get(key, 'undefined')} to be structural",
            )
    for name, field in sorted((schema.get("properties") or {}).items()):
        where = keyed(child(path, "properties"), name)
        outside = (whole.get("properties") or {}).get(name)
        if outside is None:
            if not whole.get("x-kubernetes-preserve-unknown-fields"):
                outside_path = path[: path.rindex(".")] if "." in path else path
                yield FieldError(
                    keyed(child(outside_path, "properties"), name),
                    "required",
                    None,
                    f"because it is defined in {where}",
                )
            continue
        yield from _value_schema_errors(field, outside, where)
    if isinstance(schema.get("items"), dict):
        yield from _value_schema_errors(
            schema["items"], whole.get("items") or {}, child(path, "items")
        )
    for logic in _LOGIC:
        for i, option in enumerate(schema.get(logic) or ()):
            yield from _value_schema_errors(option, whole, child(child(path, logic), i))
    if "not" in schema:
        yield from _value_schema_errors(schema["not"], whole, child(path, "not"))


_EMPTY = {"type": "empty", "description": "empty", "title": "empty", "nullable": "false"}


def _default_errors(schema: Schema, path: str) -> Iterator[FieldError]:
    """A default must itself be valid, and be nothing that pruning would take away."""
    if "default" in schema:
        yield from _wrong_default(schema, schema["default"], child(path, "default"))
    for name, field in sorted((schema.get("properties") or {}).items()):
        yield from _default_errors(field, keyed(child(path, "properties"), name))
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _default_errors(schema[key], child(path, key))


def _wrong_default(schema: Schema, default: Json, path: str) -> Iterator[FieldError]:
    if isinstance(default, dict):
        kept, unknown = pruned(
            {**schema, "x-kubernetes-embedded-resource": False}, default, root=False
        )
        if unknown:
            words = f"must not have unknown fields: {compact(kept)}"
            yield FieldError(path, "invalid", default, words)
    yield from value_errors(schema, default, path)
