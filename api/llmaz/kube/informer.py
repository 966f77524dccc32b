"""Informer: all objects of one kind, kept up to date by a list and a watch.

What was last known stays through any outage: only a complete list and a DELETED event take an
object away.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TypeAlias, cast

from llmaz.api.kinds import Kind
from llmaz.api.manifest import Manifest
from llmaz.daemon import backoff
from llmaz.kube.client import Kube, WatchEvent
from llmaz.kube.errors import Gone, KubeError, Unavailable

logger = logging.getLogger(__name__)

_SHORTEST_SECONDS = 1.0  # a watch that ends sooner is a failure, lest it be opened without a pause
# A server that says when to come again is asked at least so often, however often it has refused.
_LONGEST_ADVISED_SECONDS = 5.0
# A server says something at least once a minute (bookmarks).
_LONGEST_SILENCE = timedelta(seconds=100)

Key: TypeAlias = tuple[str, str]  # namespace ("" where the kind has none), name


class Informer:
    """Objects of one kind. `changed` is set after every change; several informers may share it."""

    def __init__(
        self,
        kube: Kube,
        kind: Kind,
        *,
        changed: asyncio.Event,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> None:
        self.kind = kind
        self.synced = False  # whether `objects` was ever complete
        self._kube = kube
        self._changed = changed
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._objects: dict[Key, Manifest] = {}
        self._version = ""  # to resume from; empty: list anew
        self._heard_since: datetime | None = None
        self._last_heard: datetime | None = None
        self._failures = 0
        self._hurry = asyncio.Event()  # ends the wait after a failure
        self._following: asyncio.Task[None] | None = None

    @property
    def objects(self) -> Mapping[Key, Manifest]:
        """The objects by namespace and name. They are the informer's own: don't change them."""
        return MappingProxyType(self._objects)

    def heard_since(self, now: datetime) -> datetime | None:
        """Return since when the server has never been silent for long; None while it is.

        Only what was heard without a gap tells that something did not happen.
        """
        if self._last_heard is None or now - self._last_heard > _LONGEST_SILENCE:
            return None
        return self._heard_since

    async def run(self) -> None:
        """List, watch and resume for ever."""
        while True:
            self._following = asyncio.create_task(self._follow())
            try:
                await self._following
            except Gone as error:
                self._version = ""
                await self._back_off(error)
            except KubeError as error:
                await self._back_off(error)
            except asyncio.CancelledError:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise  # else it was `list_anew` that ended the watch

    def list_anew(self) -> None:
        """Believe what is known no more until a list that is asked for from now on is there.

        Somebody waits for it: what failed before is no reason to ask later.
        """
        self.synced = False
        self._version = ""
        self._failures = 0
        self._hurry.set()
        if self._following is not None:
            self._following.cancel()

    def learn(self, manifest: Manifest) -> bool:
        """Take in an answer of the server before the watch brings it; tell whether it is news.

        What is older than what the watch has brought is passed over, so that an object which was
        deleted since does not come back.
        """
        if not self._version.isdecimal() or _order(_version(manifest)) <= _order(self._version):
            return False
        known = self._objects.get(_key(manifest))
        is_news = known is None or _order(_version(manifest)) > _order(_version(known))
        if is_news:
            self._keep(manifest)
        return is_news

    async def _follow(self) -> None:
        """Watch until the stream ends, after a list where there is no version to resume from."""
        if not self._version:
            await self._list()
        stream = self._kube.watch(
            self.kind,
            self._namespace,
            resource_version=self._version,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        opened = asyncio.get_running_loop().time()
        async for event in stream:
            self._failures = 0
            self._take(event)
        if asyncio.get_running_loop().time() - opened < _SHORTEST_SECONDS:
            raise Unavailable(f"watch {self.kind.plural}: the stream ended at once")
        self._failures = 0

    async def _list(self) -> None:
        listing = await self._kube.list(
            self.kind,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        self._objects = {_key(item): _trimmed(item) for item in listing.items}
        self._version = listing.resource_version
        self.synced = True
        self._hear()
        self._changed.set()

    def _hear(self) -> None:
        now = datetime.now(UTC)
        if self.heard_since(now) is None:
            self._heard_since = now
        self._last_heard = now

    def _take(self, event: WatchEvent) -> None:
        self._hear()
        self._version = _version(event.object)
        if event.type == "BOOKMARK":
            return
        if event.type == "DELETED":
            if self._objects.pop(_key(event.object), None) is not None:
                self._changed.set()
            return
        known = self._objects.get(_key(event.object))
        if known is None or _version(known) != _version(event.object):
            self._keep(event.object)

    def _keep(self, manifest: Manifest) -> None:
        self._objects[_key(manifest)] = _trimmed(manifest)
        self._changed.set()

    async def _back_off(self, error: KubeError) -> None:
        self._failures += 1
        self._hurry.clear()
        wait = pause(error, self._failures, jitter=random.random())  # noqa: S311  # no secret
        level = logging.WARNING if self._failures == 1 else logging.DEBUG
        logger.log(level, "watching %s again in %.1f s: %s", self.kind.plural, wait, error)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._hurry.wait()


def pause(error: KubeError, failures: int, *, jitter: float) -> float:
    """Return the seconds to wait after so many failures in a row, of which this is the last."""
    advised = error.retry_after_seconds
    if advised is None:
        return backoff.delay(failures, jitter=jitter)
    longest = max(advised, _LONGEST_ADVISED_SECONDS)
    return max(advised, backoff.delay(failures, jitter=jitter, longest_seconds=longest))


def _metadata(manifest: Manifest) -> Manifest:
    return cast("Manifest", manifest["metadata"])


def _key(manifest: Manifest) -> Key:
    meta = _metadata(manifest)
    return str(meta.get("namespace") or ""), str(meta["name"])


def _version(manifest: Manifest) -> str:
    return str(_metadata(manifest)["resourceVersion"])


def _order(version: str) -> int:
    return int(version) if version.isdecimal() else 0


def _trimmed(manifest: Manifest) -> Manifest:
    """Leave out who owns which field: nobody here reads it, and it is the larger half of many."""
    meta = {key: value for key, value in _metadata(manifest).items() if key != "managedFields"}
    return {**manifest, "metadata": meta}
