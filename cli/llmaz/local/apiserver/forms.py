"""Objects as bytes in the form that was asked for: whole, metadata alone, or a Table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.negotiation import Answer
from llmaz.local.apiserver.resource import Resource
from llmaz.local.apiserver.status import bad_request
from llmaz.local.apiserver.versions import Stored, encoded
from llmaz.local.objects.table import Include, partial_list, partial_metadata, table
from llmaz.local.objects.values import Object


class Render(Protocol):
    """One form of answers."""

    def one(self, stored: Stored) -> bytes: ...

    def many(self, stored: Sequence[Stored], list_metadata: Object) -> bytes: ...

    def bookmark(self, obj: Object) -> bytes: ...


def render_for(
    resource: Resource, answer: Answer, *, clock: Callable[[], datetime], include: str
) -> Render:
    """Return the writer of the negotiated form; `include` is a Table's includeObject."""
    if answer.form == "Table":
        return _Tables(resource, clock, _include(include))
    return _Partial() if answer.form == "PartialObjectMetadata" else _Whole(resource)


def _include(text: str) -> Include:
    match text:
        case "None" | "Object" | "Metadata":
            return text
        case "":
            return "Metadata"
    raise bad_request(f"unrecognized includeObject value: {text}")


def as_served(resource: Resource, obj: Object) -> Object:
    """Return a stored object in the version of the resource."""
    served = resource.rules.from_storage(obj)
    if served.get("apiVersion") == resource.api_version:
        return served
    return served | {"apiVersion": resource.api_version}


def list_head(resource: Resource, metadata: Object) -> Object:
    """Return a list without its items; those of custom resources always name a continuation."""
    return {
        "kind": resource.list_kind or f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": {"continue": ""} | metadata if resource.custom else metadata,
    }


@dataclass(frozen=True, slots=True)
class _Whole:
    resource: Resource

    def one(self, stored: Stored) -> bytes:
        served = as_served(self.resource, stored.obj)
        return stored.encoded if served is stored.obj else encoded(served)

    def many(self, stored: Sequence[Stored], list_metadata: Object) -> bytes:
        # The objects are kept encoded: a list of thousands is put together, not written anew.
        head = list_head(self.resource, list_metadata)
        items = b",".join(map(self.one, stored))
        return encoded(head)[:-1] + b',"items":[' + items + b"]}"

    def bookmark(self, obj: Object) -> bytes:
        return encoded(obj)


@dataclass(frozen=True, slots=True)
class _Partial:
    def one(self, stored: Stored) -> bytes:
        return encoded(partial_metadata(stored.obj))

    def many(self, stored: Sequence[Stored], list_metadata: Object) -> bytes:
        return encoded(partial_list((item.obj for item in stored), list_metadata))

    def bookmark(self, obj: Object) -> bytes:
        return encoded(partial_metadata(obj))


@dataclass(slots=True)
class _Tables:
    resource: Resource
    clock: Callable[[], datetime]
    include: Include
    described: bool = False  # a watch sends the columns with its first event alone

    def one(self, stored: Stored) -> bytes:
        made = self._table([stored.obj], {"resourceVersion": str(stored.revision)})
        if self.described:
            made["columnDefinitions"] = None
        self.described = True
        return encoded(made)

    def many(self, stored: Sequence[Stored], list_metadata: Object) -> bytes:
        return encoded(self._table([item.obj for item in stored], list_metadata))

    def bookmark(self, obj: Object) -> bytes:
        return encoded(self._table([], meta(obj)))

    def _table(self, objects: list[Object], metadata: Object) -> Object:
        served = [as_served(self.resource, obj) for obj in objects]
        return table(
            served,
            self.resource.columns,
            now=self.clock(),
            metadata=metadata,
            include=self.include,
        )
