"""Objects as a meta.k8s.io/v1 Table, which kubectl prints as it is, and as bare metadata."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from llmaz.local.objects import jsonpath
from llmaz.local.objects.ages import age
from llmaz.local.objects.fielderror import FieldError, unsupported
from llmaz.local.objects.values import Json, Object, child, compact

_TYPES = ("boolean", "date", "integer", "number", "string")
Include: TypeAlias = Literal["None", "Metadata", "Object"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading and an object's cell at a moment; priority 1 is for `-o wide`."""

    name: str
    cell: Callable[[Object, datetime], Json]
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0

    def definition(self) -> Object:
        """Return the column as an entry of `columnDefinitions`."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


NAME = Column(
    "Name",
    lambda obj, _: obj.get("metadata", {}).get("name", ""),
    format="name",
    description="The object's name, unique among the objects of its kind (and of its namespace).",
)
AGE = Column(
    "Age",
    lambda obj, now: age(obj.get("metadata", {}).get("creationTimestamp"), now),
    type="date",
    description="The time since the object was created.",
)


def printer_columns(columns: Sequence[Mapping[str, Json]] | None) -> tuple[Column, ...]:
    """Return a custom resource's columns: the name, then `additionalPrinterColumns` or the age."""
    return (NAME, *map(_printer_column, columns)) if columns else (NAME, AGE)


def column_errors(columns: Sequence[Mapping[str, Json]], path: str) -> Iterator[FieldError]:
    """Yield what is wrong with `additionalPrinterColumns`."""
    for i, column in enumerate(columns):
        where, kind = child(path, i), column.get("type", "")
        if kind not in _TYPES:
            yield unsupported(child(where, "type"), kind, _TYPES)
        try:
            jsonpath.compiled(column.get("jsonPath", ""))
        except jsonpath.PathError as error:
            words = f"is an invalid jsonpath: {error}"
            yield FieldError(child(where, "jsonPath"), "invalid", column["jsonPath"], words)


def table(
    objects: Iterable[Object],
    columns: Sequence[Column],
    *,
    now: datetime,
    metadata: Object | None = None,
    include: Include = "Metadata",
) -> Object:
    """Return the Table of objects; `include` says what each row carries of its object."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata or {},
        "columnDefinitions": [column.definition() for column in columns],
        "rows": [
            {
                "cells": [column.cell(obj, now) for column in columns],
                "object": _included(obj, include),
            }
            for obj in objects
        ],
    }


def partial_metadata(obj: Object) -> Object:
    """Return the object as PartialObjectMetadata."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj.get("metadata", {}),
    }


def partial_list(objects: Iterable[Object], metadata: Object) -> Object:
    """Return a list of objects as PartialObjectMetadataList."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "items": [partial_metadata(obj) for obj in objects],
    }


def _included(obj: Object, include: Include) -> Object | None:
    match include:
        case "None":
            return None
        case "Object":
            return obj
        case "Metadata":
            return partial_metadata(obj)


def _printer_column(column: Mapping[str, Json]) -> Column:
    find, kind = jsonpath.compiled(column["jsonPath"]), column["type"]

    def cell(obj: Object, now: datetime) -> Json:
        found = find(obj)
        return _cell(found[0], kind, now) if found else None

    return Column(
        column["name"],
        cell,
        type=kind,
        format=column.get("format", ""),
        description=column.get("description")
        or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
        priority=column.get("priority", 0),
    )


def _cell(value: Json, kind: str, now: datetime) -> Json:
    """Return what a cell of the column's type shows; None for a value of another type."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    match kind:
        case "string":
            return _text(value)
        case "integer" if number:
            return int(value)
        case "number" if number:
            return float(value)
        case "boolean" if isinstance(value, bool):
            return value
        case "date" if isinstance(value, str):
            return age(value, now)
    return None


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (bool, float)) else compact(value)
