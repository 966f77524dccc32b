"""Versions of objects and the events between them, in memory and as rows of the journal."""

import json
from collections.abc import Reversible
from dataclasses import dataclass
from typing import Literal

from llmaz.local.apiserver.database import Row, StorageError
from llmaz.local.apiserver.resource import Key
from llmaz.local.objects.values import Json, Object

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of an object; `obj` is shared with every reader and must never be changed."""

    resource: str
    key: Key
    revision: int
    obj: Object
    encoded: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """One write as watches see it; a DELETED event carries the object's last state."""

    type: EventType
    now: Stored
    previous: Stored | None


def encoded(value: Json) -> bytes:
    """Return compact JSON; a character that UTF-8 can't carry becomes a question mark."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def renumbered(stored: Stored, revision: int) -> Stored:
    """Return an object as of a later revision: so a watch reports what left its selection."""
    return numbered(stored.resource, stored.key, stored.obj, revision)


def newer(history: Reversible[Event], after: int) -> list[Event]:
    """Return the events after a revision, oldest first, from a history in that order."""
    found: list[Event] = []
    for event in reversed(history):
        if event.now.revision <= after:
            break
        found.append(event)
    found.reverse()
    return found


def numbered(resource: str, key: Key, obj: Object, revision: int) -> Stored:
    """Return an object as the version of this number."""
    made = obj | {"metadata": obj["metadata"] | {"resourceVersion": str(revision)}}
    return Stored(resource, key, revision, made, encoded(made))


def row_of(event: Event) -> Row:
    """Return an event as the journal keeps it."""
    now = event.now
    return Row(now.revision, event.type, now.resource, now.key[0], now.key[1], now.encoded)


def event_of(row: Row, previous: Stored | None) -> Event:
    """Return the event of a row, after what the object was before it."""
    key = (row.namespace, row.name)
    now = Stored(row.resource, key, row.number, json.loads(row.body), row.body)
    match row.type:
        case "ADDED" | "MODIFIED" | "DELETED":
            return Event(row.type, now, previous)
    raise StorageError(f"the journal has an unknown type of event: {row.type}")
