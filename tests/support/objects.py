"""What tests of object semantics share: the recorded Widget kind, and shorter words."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from llmaz.local.objects.apply import server_side_apply, track_update
from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.values import Json, Object, Schema

GOLDEN = Path(__file__).parents[1] / "local" / "apiserver" / "golden"
NOW = datetime(2026, 11, 23, 6, 31, 12, tzinfo=UTC)


@cache
def recorded(name: str) -> list[Json]:
    """Return the steps of a recording of a real server."""
    steps: list[Json] = json.loads((GOLDEN / f"{name}.json").read_text())["steps"]
    return steps


def widget_schema() -> Schema:
    """Return the schema of the kind that the recordings use."""
    crd: Schema = recorded("01-crd")[0]["request"]["body"]
    schema: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def widget(**spec: Json) -> Object:
    """Return a Widget with this spec."""
    return {
        "apiVersion": "golden.example.io/v1",
        "kind": "Widget",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": spec,
    }


def record(**properties: Json) -> Schema:
    """Return an object schema with these fields."""
    return {"type": "object", "properties": properties}


def messages(errors: Iterable[FieldError]) -> list[str]:
    """Return the messages of errors."""
    return [error.message() for error in errors]


def causes(errors: Iterable[FieldError]) -> list[Object]:
    """Return errors as the causes of a Status."""
    return [error.cause() for error in errors]


def applied(
    live: Object | None,
    config: Object,
    manager: str = "one",
    *,
    force: bool = False,
    subresource: str = "",
    schema: Schema | None = None,
    now: datetime = NOW,
) -> Object:
    """Apply, by default as `one` without force and with the Widget's schema."""
    return server_side_apply(
        live,
        config,
        manager=manager,
        force=force,
        subresource=subresource,
        schema=widget_schema() if schema is None else schema,
        now=now,
    )


def tracked(
    old: Object | None,
    new: Object,
    manager: str = "one",
    *,
    now: datetime | None = NOW,
    **more: Json,
) -> Object:
    """Track an update, by default by `one` with the Widget's schema."""
    settings = {"subresource": "", "schema": widget_schema(), "api_version": "golden.example.io/v1"}
    return track_update(old, new, manager=manager, now=now, **{**settings, **more})


def fields_of(obj: Object, manager: str, operation: str = "Apply") -> Object | None:
    """Return what a manager manages of an object, as FieldsV1; None if it is no manager."""
    for entry in obj["metadata"].get("managedFields", []):
        if entry["manager"] == manager and entry["operation"] == operation:
            found: Object = entry["fieldsV1"]
            return found
    return None
