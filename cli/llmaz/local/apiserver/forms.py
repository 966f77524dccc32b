"""Objects as bytes in the form that was asked for: whole, as metadata alone, or as rows of a Table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.negotiation import Answer
from llmaz.local.apiserver.resource import Resource
from llmaz.local.apiserver.store import Stored, encoded
from llmaz.local.objects.table import table
from llmaz.local.objects.values import Object

_META = "meta.k8s.io/v1"


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
        return _Tables(resource, clock, include or "Metadata")
    return _Partial(resource) if answer.form == "PartialObjectMetadata" else _Whole(resource)


def as_served(resource: Resource, obj: Object) -> Object:
    """Return a stored object in the version of the resource."""
    served = resource.rules.from_storage(obj)
    if served.get("apiVersion") == resource.api_version:
        return served
    return served | {"apiVersion": resource.api_version}


def list_kind(resource: Resource) -> str:
    return resource.list_kind or f"{resource.kind}List"


@dataclass(frozen=True, slots=True)
class _Whole:
    resource: Resource

    def one(self, stored: Stored) -> bytes:
        served = as_served(self.resource, stored.obj)
        return stored.encoded if served is stored.obj else encoded(served)

    def many(self, stored: Sequence[Stored], list_metadata: Object) -> bytes:
        # The objects are kept encoded: a list of thousands is put together, not written anew.
        head = {
            "kind": list_kind(self.resource),
            "apiVersion": self.resource.api_version,
            "metadata": list_metadata,
        }
        items = b",".join(map(self.one, stored))
        return encoded(head)[:-1] + b',"items":[' + items + b"]}"

    def bookmark(self, obj: Object) -> bytes:
        return encoded(obj)


@dataclass(frozen=True, slots=True)
class _Partial:
    resource: Resource

    def one(self, stored: Stored) -> bytes:
        return encoded(_partial(stored.obj))

    def many(self, stored: Sequence[Stored], list_metadata: Object) -> bytes:
        items = [_partial(item.obj) for item in stored]
        head = {"kind": "PartialObjectMetadataList", "apiVersion": _META}
        return encoded(head | {"metadata": list_metadata, "items": items})

    def bookmark(self, obj: Object) -> bytes:
        return encoded(_partial(obj))


@dataclass(slots=True)
class _Tables:
    resource: Resource
    clock: Callable[[], datetime]
    include: str
    described: bool = False  # a watch sends the columns with its first event alone

    def one(self, stored: Stored) -> bytes:
        made = self._table([stored.obj])
        made["metadata"] = {"resourceVersion": str(stored.revision)}
        if self.described:
            made["columnDefinitions"] = None
        self.described = True
        return encoded(made)

    def many(self, stored: Sequence[Stored], list_metadata: Object) -> bytes:
        return encoded(self._table([item.obj for item in stored]) | {"metadata": list_metadata})

    def bookmark(self, obj: Object) -> bytes:
        made = self._table([])
        made["metadata"] = meta(obj)
        return encoded(made)

    def _table(self, objects: list[Object]) -> Object:
        served = [as_served(self.resource, obj) for obj in objects]
        columns = [*self.resource.columns]
        return table(served, columns, now=self.clock(), include_object=self.include)


def _partial(obj: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": meta(obj)}
