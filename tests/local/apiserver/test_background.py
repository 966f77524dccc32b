"""Background work on its own: Events grow old, and definitions change under stored objects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from llmaz.local.apiserver.background import Background
from llmaz.local.apiserver.bootstrap import bootstrap
from llmaz.local.apiserver.builtin import builtin_resources
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.database import Database
from llmaz.local.apiserver.registry import Registry
from llmaz.local.apiserver.store import Store
from llmaz.local.apiserver.writing import Write, create

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@asynccontextmanager
async def _cluster(directory: Path, now: datetime) -> AsyncIterator[Context]:
    store = Store(Database(directory))
    writer = asyncio.create_task(store.run())
    context = Context(store=store, registry=Registry(builtin_resources(store)), clock=lambda: now)
    try:
        await bootstrap(context)
        yield context
    finally:
        store.stop()
        await writer


async def _create_event(context: Context, name: str) -> None:
    resource = context.registry.find("", "v1", "events")
    assert resource is not None
    seen = {"firstTimestamp": context.now(), "lastTimestamp": context.now()}
    event = {"metadata": {"name": name}, "involvedObject": {}, "reason": "Tested"}
    await create(context, Write(resource=resource, namespace="default"), event | seen)


async def test_events_are_forgotten_after_an_hour(tmp_path: Path) -> None:
    async with _cluster(tmp_path, NOW) as context:
        await _create_event(context, "old")
    async with _cluster(tmp_path, NOW + timedelta(minutes=61)) as context:
        await _create_event(context, "new")
        worker = asyncio.create_task(Background(context).run())
        async with asyncio.timeout(120):
            while context.store.get("events", ("default", "old")) is not None:
                await context.store.any_changed()
        assert context.store.get("events", ("default", "new")) is not None
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
