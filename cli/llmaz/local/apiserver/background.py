"""Work that no request waits for: it follows the store's events, and starts from what is stored.

Everything here can be done twice, so a crash in the middle of a deletion is put right at the next
start.
"""

import asyncio
import logging
from collections.abc import Iterable

from llmaz.local.apiserver import definitions, emptying, events
from llmaz.local.apiserver.collector import Collector
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.database import StorageError
from llmaz.local.apiserver.deletion import Options, delete
from llmaz.local.apiserver.establishing import migrate, settle
from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.status import StatusError
from llmaz.local.apiserver.versions import Event

EVENTS_LIVE_SECONDS = 3600
_TICK_SECONDS = 30.0  # how often old Events are looked for
_RETRY_SECONDS = 1.0  # after a write that the disk refused
logger = logging.getLogger(__name__)


class Background:
    """Collects garbage, empties namespaces and removed CRDs, and lets old Events go."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._collector = Collector(context)
        self._seen = 0
        self._definitions_changed = True
        self._next_expiry = 0.0

    async def run(self) -> None:
        """Work until cancelled."""
        self._look_at_everything()
        while True:
            changed = self._context.store.any_changed()
            try:
                self._catch_up()
                await self._work()
            except (StorageError, StatusError) as error:
                logger.warning("background work is tried again: %s", error)
                await self._start_over()
                continue
            except Exception:
                logger.exception("background work is tried again")
                await self._start_over()
                continue
            if self._context.store.revision == self._seen:
                await asyncio.wait({changed}, timeout=_TICK_SECONDS)

    async def _start_over(self) -> None:
        await asyncio.sleep(_RETRY_SECONDS)
        self._look_at_everything()

    def _look_at_everything(self) -> None:
        self._seen = self._context.store.revision
        self._collector.restart(self._context.store.everything())

    def _catch_up(self) -> None:
        store = self._context.store
        if self._seen < store.floor:
            self._look_at_everything()
            return
        found = store.all_events(self._seen)
        self._seen = store.revision
        self._collector.observe(found)
        self._definitions_changed |= _touches(found, definitions.STORAGE)

    async def _work(self) -> None:
        await self._collector.collect()  # first: it must still know the kinds of removed CRDs
        if self._definitions_changed:
            await settle(self._context)
            await migrate(self._context)
            self._definitions_changed = False
        await emptying.empty_namespaces(self._context)
        await emptying.empty_definitions(self._context)
        await self._expire_events()

    async def _expire_events(self) -> None:
        tick = asyncio.get_running_loop().time()  # a clock that is set back must not end this
        if tick < self._next_expiry:
            return
        self._next_expiry = tick + _TICK_SECONDS
        resource = self._context.registry.by_storage("events")
        assert resource is not None
        oldest = self._context.clock().timestamp() - EVENTS_LIVE_SECONDS
        for stored in self._context.store.select("events"):
            if events.last_seen(stored.obj) < oldest:
                uid = meta(stored.obj)["uid"]
                await delete(self._context, resource, stored.key, Options(uid=uid))


def _touches(found: Iterable[Event], resource: str) -> bool:
    return any(event.now.resource == resource for event in found)
