"""The words in which schemas of built-in kinds are written; `defaulting` explains the marks."""

from collections.abc import Sequence

from llmaz.local.objects.defaulting import OMIT_EMPTY, TYPED
from llmaz.local.objects.values import Json, Object, Schema


def text(
    description: str = "", *, choices: Sequence[str] = (), default: str | None = None
) -> Object:
    """A string; with choices, one of these."""
    schema: Object = {"type": "string", "description": description, OMIT_EMPTY: True}
    if choices:
        schema["enum"] = list(choices)
    return schema if default is None else {**schema, "default": default}


def integer(description: str = "", *, form: str = "int32", default: int | None = None) -> Object:
    """A whole number which may be 0 on purpose."""
    schema: Object = {"type": "integer", "format": form, "description": description}
    return schema if default is None else {**schema, "default": default}


def count(description: str = "", *, form: str = "int32") -> Object:
    """A whole number of which 0 is none."""
    return {**integer(description, form=form), OMIT_EMPTY: True}


def flag(description: str = "", *, default: bool | None = None) -> Object:
    """True or false, where false may be meant."""
    schema: Object = {"type": "boolean", "description": description}
    return schema if default is None else {**schema, "default": default}


def set_flag(description: str = "") -> Object:
    """True, or not there."""
    return {**flag(description), OMIT_EMPTY: True}


def time(description: str = "") -> Object:
    """A moment, to the second."""
    return {"type": "string", "format": "date-time", "description": description, OMIT_EMPTY: True}


def quantity(description: str = "") -> Object:
    """An amount such as 500m, 8Gi or 2."""
    return {"x-kubernetes-int-or-string": True, "description": description}


def port_or_name(description: str = "") -> Object:
    """A port's number or its name."""
    return {
        "x-kubernetes-int-or-string": True,
        "format": "int-or-string",
        "description": description,
    }


def record(description: str = "", /, *, required: Sequence[str] = (), **fields: Schema) -> Object:
    """An object with these fields and no others."""
    return record_of(fields, description, required=required)


def record_of(fields: Schema, description: str = "", *, required: Sequence[str] = ()) -> Object:
    """The same, where the fields are computed."""
    schema: Object = {
        "type": "object",
        "description": description,
        "properties": dict(fields),
    }
    return {**schema, "required": list(required)} if required else schema


def mapping(values: Schema, description: str = "") -> Object:
    """An object whose keys are free."""
    return {
        "type": "object",
        "description": description,
        "additionalProperties": values,
        OMIT_EMPTY: True,
    }


def anything(description: str = "") -> Object:
    """An object of which no more is known here; it is kept as it comes."""
    return {
        "type": "object",
        "description": description,
        "x-kubernetes-preserve-unknown-fields": True,
    }


def atomic(items: Schema, description: str = "") -> Object:
    """A list that one manager owns as a whole."""
    return {
        "type": "array",
        "description": description,
        "items": items,
        "x-kubernetes-list-type": "atomic",
        OMIT_EMPTY: True,
    }


def unique(items: Schema, description: str = "") -> Object:
    """A list of values without duplicates."""
    return {
        **atomic(items, description),
        "x-kubernetes-list-type": "set",
        "x-kubernetes-patch-strategy": "merge",
    }


def keyed_list(items: Schema, *keys: str, description: str = "", merge: str = "") -> Object:
    """A list that is a map by these keys; a strategic patch finds items by one of them."""
    return {
        **atomic(items, description),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": merge or keys[0],
    }


def patched_by(key: str, schema: Schema) -> Object:
    """A list that only strategic merge patches see as a map by this key."""
    return {
        **schema,
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": key,
    }


def pointer(schema: Schema) -> Object:
    """A field whose empty value is a value."""
    return {key: value for key, value in schema.items() if key != OMIT_EMPTY}


def always(schema: Schema, value: Json) -> Object:
    """A field that is written even when it holds nothing."""
    return {**pointer(schema), "default": value, **({"nullable": True} if value is None else {})}


def whole(schema: Schema) -> Schema:
    """An atomic object: it has one manager."""
    return {**schema, "x-kubernetes-map-type": "atomic"}


def kind(description: str, /, *, required: Sequence[str] = (), **fields: Schema) -> Schema:
    """A whole kind, with the fields that every kind has."""
    return kind_of(fields, description, required=required)


def kind_of(fields: Schema, description: str, *, required: Sequence[str] = ()) -> Schema:
    """The same, where the fields are computed."""
    own = {
        "apiVersion": text("The version of the API that the object is written in."),
        "kind": text("The kind of the object."),
        "metadata": {"type": "object", "description": "Names, labels and the server's records."},
    }
    schema = record_of({**own, **fields}, description, required=required)
    return {**schema, TYPED: True}


def condition(description: str = "", **more: Schema) -> Object:
    """A condition: what is observed, since when and why."""
    return record(
        description,
        required=("type", "status"),
        type=text("What is observed."),
        status=text("True, False or Unknown."),
        reason=text("Why, in one word."),
        message=text("Why, in a sentence."),
        lastTransitionTime=time("When the status last changed."),
        **more,
    )
