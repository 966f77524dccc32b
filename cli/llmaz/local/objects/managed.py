"""Who manages which fields: `metadata.managedFields` as a map from manager to fields, and back.

A manager is a name with a way of writing: by apply or by other verbs (Update), the latter once per
version, on the object or on one of its subresources.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from llmaz.local.objects.fieldset import FieldSet, decoded, encoded
from llmaz.local.objects.typed import stripped_fields
from llmaz.local.objects.values import Json, Object, quoted

Operation: TypeAlias = Literal["Apply", "Update"]

# More managers by Update than these, and the oldest are counted together.
MAX_UPDATE_MANAGERS = 10
_BUCKET = "ancient-changes"


@dataclass(frozen=True, slots=True, order=True)
class Manager:
    """The identity of a manager; `api_version` is part of it for updates only."""

    name: str
    operation: Operation
    subresource: str = ""
    api_version: str = ""

    def __str__(self) -> str:
        words = quoted(self.name)
        if self.subresource:
            words += f" with subresource {quoted(self.subresource)}"
        return words if self.operation == "Apply" else f"{words} using {self.api_version}"


@dataclass(frozen=True, slots=True)
class Owned:
    """What a manager manages, in the version it wrote, and when it last changed something."""

    fields: FieldSet
    api_version: str
    time: str | None = None


Managers: TypeAlias = dict[Manager, Owned]


def managers_of(obj: Object) -> Managers:
    """Read an object's managedFields; entries that can't be read count for nothing."""
    entries = obj.get("metadata", {}).get("managedFields") or []
    result: Managers = {}
    for entry in entries:
        if not isinstance(entry, dict) or entry.get("operation") not in ("Apply", "Update"):
            continue
        version = entry.get("apiVersion", "")
        update = entry["operation"] == "Update"
        manager = Manager(
            entry.get("manager", ""),
            entry["operation"],
            entry.get("subresource", ""),
            version if update else "",
        )
        result[manager] = Owned(decoded(entry.get("fieldsV1") or {}), version, entry.get("time"))
    return result


def with_managers(obj: Object, managers: Managers) -> Object:
    """Return the object with these managers written into its metadata, in the server's order."""
    entries = [_entry(manager, owned) for manager, owned in capped(managers).items()]
    entries.sort(key=_order)
    metadata = {
        key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"
    }
    if entries:
        metadata["managedFields"] = entries
    return {**obj, "metadata": metadata}


def stripped(managers: Managers) -> Managers:
    """Drop fields that nobody manages, and managers that manage nothing."""
    rest = {
        manager: replace(owned, fields=owned.fields - stripped_fields())
        for manager, owned in managers.items()
    }
    return {manager: owned for manager, owned in rest.items() if owned.fields}


def capped(managers: Managers) -> Managers:
    """Count the oldest managers by Update together, per version, until few enough are left."""
    updaters = sorted(
        (manager for manager in managers if manager.operation == "Update"),
        key=lambda manager: (managers[manager].time or "", manager),
    )
    surplus = len(updaters) - MAX_UPDATE_MANAGERS
    result = dict(managers)
    firsts: dict[str, Manager] = {}
    for manager in updaters:
        if surplus <= 0:
            break
        version = managers[manager].api_version
        first = firsts.setdefault(version, manager)
        if first is manager:
            continue
        bucket = Manager(_BUCKET, "Update", "", version)
        gathered = (
            result.pop(first, None) if bucket not in result or first == bucket else result[bucket]
        )
        fields = (gathered.fields if gathered else frozenset()) | result.pop(manager).fields
        result[bucket] = Owned(fields, version, managers[manager].time)
        surplus -= 1
    return result


def stamp(now: datetime) -> str:
    """Write a time as objects carry it: UTC, whole seconds."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _entry(manager: Manager, owned: Owned) -> Object:
    entry: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": owned.api_version,
        "time": owned.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": encoded(owned.fields),
        "subresource": manager.subresource,
    }
    return {key: value for key, value in entry.items() if value is not None and value != ""}


def _order(entry: Mapping[str, Json]) -> tuple[str, ...]:
    keys = ("operation", "time", "manager", "apiVersion", "subresource")
    return tuple(entry.get(key, "") for key in keys)
