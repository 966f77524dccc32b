"""What one served resource is: its names, schema, columns, subresources and rules."""

from collections.abc import Callable
from dataclasses import dataclass, field

from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.table import AGE, NAME, Column
from llmaz.local.objects.values import Object, Schema

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")

Key = tuple[str, str]  # namespace (empty for cluster-scoped objects) and name


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where the scale subresource finds its numbers, as paths such as `.spec.replicas`."""

    spec_replicas: str
    status_replicas: str
    label_selector: str = ""


def _unchanged(obj: Object, _old: Object | None) -> Object:
    return obj


def _no_errors(_obj: Object, _old: Object | None) -> list[FieldError]:
    return []


def _same(obj: Object) -> Object:
    return obj


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a kind does beyond its schema, with `old` None for a creation.

    `defaults` are what the client could have written, and are its fields from then on; `prepare`
    writes what is the server's own.
    """

    defaults: Callable[[Object], Object] = _same
    prepare: Callable[[Object, Object | None], Object] = _unchanged
    check: Callable[[Object, Object | None], list[FieldError]] = _no_errors
    to_storage: Callable[[Object], Object] = _same
    from_storage: Callable[[Object], Object] = _same


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource in one version, as it is served."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    schema: Schema
    storage: str
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    columns: tuple[Column, ...] = (NAME, AGE)
    selectable: tuple[str, ...] = ()
    has_status: bool = False
    has_generation: bool = False
    scale: Scale | None = None
    custom: bool = False
    rules: Rules = field(default_factory=Rules)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version
