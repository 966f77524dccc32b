"""The objects in memory, their history for watches, and the queue of writes to the database.

A write is seen by readers and watches only once it is on the disk. Until then `latest` shows it
to other writers alone, so that a change is decided on the newest state although many share one
fsync. If the database refuses a batch, every write that was decided on top of it is refused too:
nothing is half-written.
"""

import asyncio
import bisect
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from llmaz.local.apiserver.database import Database, StorageError
from llmaz.local.apiserver.resource import Key
from llmaz.local.apiserver.versions import (
    Event,
    EventType,
    Stored,
    event_of,
    newer,
    numbered,
    row_of,
)
from llmaz.local.objects.values import Object

WINDOW = 5000  # revisions a watch can go back
WINDOW_BYTES = 32 * 1024 * 1024  # and no further than these, written as JSON, reach


@dataclass(slots=True)
class _Table:
    objects: dict[Key, Stored] = field(default_factory=dict)
    order: list[Key] = field(default_factory=list)
    history: deque[Event] = field(default_factory=deque)
    floor: int = 0  # the newest revision of its own that was forgotten
    # Who waits for a write to objects of a name, or ("") to any, holds the future.
    changed: "WeakValueDictionary[str, asyncio.Future[None]]" = field(
        default_factory=WeakValueDictionary
    )


@dataclass(frozen=True, slots=True)
class _Write:
    event: Event
    done: "asyncio.Future[Stored]"


class Store:
    """All objects of the server, by resource (`widgets.example.io`) and key (namespace, name)."""

    def __init__(
        self, database: Database, *, window: int = WINDOW, window_bytes: int = WINDOW_BYTES
    ) -> None:
        self._database = database
        self._window = window
        self._window_bytes = window_bytes
        self._recent_bytes = 0
        self._tables: dict[str, _Table] = {}
        self._recent: deque[Event] = deque()
        self._superseded: list[int] = []
        self._pending: dict[tuple[str, Key], Event] = {}
        self._queue: list[_Write] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._changed: asyncio.Future[None] | None = None
        self.revision = 1
        self.floor = 0
        self._load()
        self._next = self.revision + 1

    # Reading: what is on the disk.

    def get(self, resource: str, key: Key) -> Stored | None:
        table = self._tables.get(resource)
        return table.objects.get(key) if table else None

    def select(self, resource: str, namespace: str = "") -> list[Stored]:
        """Return the objects in the order of their keys, of one namespace or of all."""
        table = self._tables.get(resource)
        if table is None:
            return []
        if not namespace:
            return [table.objects[key] for key in table.order]
        start = bisect.bisect_left(table.order, (namespace, ""))
        end = bisect.bisect_left(table.order, (namespace + "\0", ""))
        return [table.objects[key] for key in table.order[start:end]]

    def select_at(self, resource: str, namespace: str, revision: int) -> list[Stored]:
        """Return the objects as they were at a revision that is not below the floor."""
        if revision >= self.revision:
            return self.select(resource, namespace)
        then = {stored.key: stored for stored in self.select(resource, namespace)}
        for event in reversed(self.events(resource, revision)):
            if namespace and event.now.key[0] != namespace:
                continue
            if event.previous is None:
                then.pop(event.now.key, None)
            else:
                then[event.now.key] = event.previous
        return [then[key] for key in sorted(then)]

    def counts(self) -> dict[str, int]:
        return {name: len(table.objects) for name, table in sorted(self._tables.items())}

    def everything(self) -> Iterator[Stored]:
        for table in self._tables.values():
            yield from table.objects.values()

    def events(
        self, resource: str, after: int, *, name: str = "", limit: int | None = None
    ) -> list[Event]:
        """Return the events of one resource that are newer than a revision, oldest first.

        With a name: those of objects of that name.
        """
        table = self._tables.get(resource)
        found = newer(table.history, after) if table else []
        return [event for event in found if name in ("", event.now.key[1])][:limit]

    def floor_of(self, resource: str) -> int:
        """Return the newest revision of one resource that no watch can be told any more."""
        return self._table(resource).floor

    def all_events(self, after: int) -> list[Event]:
        return newer(self._recent, after)

    def changed(self, resource: str, name: str = "") -> "asyncio.Future[None]":
        """Return a future that the next committed write to objects of a name, or any, resolves."""
        waiting = self._table(resource).changed
        found = waiting.get(name)
        if found is None or found.done():
            found = waiting[name] = asyncio.get_running_loop().create_future()
        return found

    def any_changed(self) -> "asyncio.Future[None]":
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        return self._changed

    def wal_bytes(self) -> int:
        return self._database.wal_bytes()

    # Writing. Between `latest` and the call of `put` or `remove` a writer must not await.

    def latest(self, resource: str, key: Key) -> Stored | None:
        """Return the newest state, on the disk or on its way there."""
        pending = self._pending.get((resource, key))
        if pending is None:
            return self.get(resource, key)
        return None if pending.type == "DELETED" else pending.now

    def select_latest(self, resource: str, namespace: str = "") -> Iterator[Stored]:
        known = {stored.key for stored in self.select(resource, namespace)}
        pending = {key for name, key in self._pending if name == resource}
        for key in known | {key for key in pending if not namespace or key[0] == namespace}:
            stored = self.latest(resource, key)
            if stored is not None:
                yield stored

    def put(self, resource: str, key: Key, obj: Object) -> "asyncio.Future[Stored]":
        """Queue a creation or an update; the future resolves once it is on the disk."""
        previous = self.latest(resource, key)
        return self._enqueue(
            "MODIFIED" if previous else "ADDED", resource, key, obj, previous=previous
        )

    def remove(self, resource: str, key: Key) -> "asyncio.Future[Stored]":
        """Queue a removal of an object that `latest` has shown."""
        previous = self.latest(resource, key)
        if previous is None:
            raise KeyError(key)
        return self._enqueue("DELETED", resource, key, previous.obj, previous=previous)

    async def run(self) -> None:
        """Write queued batches until `stop`, then what is left, and close the database."""
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            await self._write_batch()
        self._thread.shutdown()
        self._database.close()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    def _enqueue(
        self, type_: EventType, resource: str, key: Key, obj: Object, *, previous: Stored | None
    ) -> "asyncio.Future[Stored]":
        now = numbered(resource, key, obj, self._next)
        self._next += 1
        write = _Write(Event(type_, now, previous), asyncio.get_running_loop().create_future())
        self._pending[resource, key] = write.event
        self._queue.append(write)
        self._wake.set()
        return write.done

    async def _write_batch(self) -> None:
        batch, self._queue = self._queue, []
        if not batch:
            return
        superseded, self._superseded = self._superseded, []
        rows = [row_of(write.event) for write in batch]
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(
                self._thread, self._database.write, rows, superseded, self.floor
            )
        except StorageError as error:
            self._superseded = superseded + self._superseded
            self._refuse([*batch, *self._queue], error)
            return
        for write in batch:
            self._publish(write.event)
            if not write.done.done():
                write.done.set_result(write.event.now)
        self._forget()
        self._notify([write.event.now for write in batch])

    def _refuse(self, writes: Iterable[_Write], error: StorageError) -> None:
        self._queue = []
        self._pending.clear()
        self._next = self.revision + 1
        for write in writes:
            if not write.done.done():
                write.done.set_exception(error)

    def _publish(self, event: Event) -> None:
        now = event.now
        table = self._table(now.resource)
        if event.type == "DELETED":
            del table.objects[now.key]
            del table.order[bisect.bisect_left(table.order, now.key)]
        else:
            if now.key not in table.objects:
                bisect.insort(table.order, now.key)
            table.objects[now.key] = now
        self._remember(event)
        if self._pending.get((now.resource, now.key)) is event:
            del self._pending[now.resource, now.key]

    def _remember(self, event: Event) -> None:
        self._table(event.now.resource).history.append(event)
        self._recent.append(event)
        self._recent_bytes += len(event.now.encoded)
        self.revision = event.now.revision

    def _forget(self) -> None:
        """Let events out of the window; what they replaced or removed is then needed by nobody."""
        while len(self._recent) > self._window or self._recent_bytes > self._window_bytes:
            event = self._recent.popleft()
            self._recent_bytes -= len(event.now.encoded)
            table = self._table(event.now.resource)
            table.history.popleft()
            self.floor = table.floor = event.now.revision
            if event.previous is not None:
                self._superseded.append(event.previous.revision)
            if event.type == "DELETED":
                self._superseded.append(event.now.revision)

    def _notify(self, written: Iterable[Stored]) -> None:
        of = {(now.resource, name) for now in written for name in ("", now.key[1])}
        waiting = [self._tables[resource].changed.get(name) for resource, name in of]
        for future in (*waiting, self._changed):
            if future is not None and not future.done():
                future.set_result(None)

    def _table(self, resource: str) -> _Table:
        if resource not in self._tables:
            self._tables[resource] = _Table()
        return self._tables[resource]

    def _load(self) -> None:
        rows, self.floor = self._database.load()
        for row in rows:
            table, key = self._table(row.resource), (row.namespace, row.name)
            event = event_of(row, table.objects.get(key))
            if event.type == "DELETED":
                table.objects.pop(key, None)
            else:
                table.objects[key] = event.now
            if row.number > self.floor:
                self._remember(event)
        for table in self._tables.values():
            table.order = sorted(table.objects)
        self.revision = rows[-1].number if rows else 1
        self._forget()
