"""Writes the status to the InferenceNode: at once where others act on it, else coalesced."""

import asyncio
import logging
import random
import time
from typing import Protocol, cast

from llmaz.api.kinds import INFERENCE_NODE, Kind
from llmaz.api.manifest import Json, Manifest, encode, key_of
from llmaz.api.node import EnginePhase, NodeStatus
from llmaz.daemon import backoff
from llmaz.kube.errors import KubeError

logger = logging.getLogger(__name__)

# Between two writes of which the second tells nothing that a program acts on: a start has many
# small steps, and each write costs the processors that the engine could use.
WORDS_SECONDS = 0.5
PROGRESS_SECONDS = 2.0
SLOW_PROGRESS_SECONDS = 15.0  # of a large model: thousands of nodes may be fetching
NOTICEABLE_SHARE = 0.05
LONGEST_RETRY_SECONDS = 10.0
_PROGRESS = ("bytesDone", "bytesPerSecond", "secondsLeft")
_UNKNOWN_IF_ABSENT = ("accelerators", "models", "cache", "engines", "sharingUrl")
_STATUS_KEYS = tuple(key_of(field) for field in NodeStatus.__dataclass_fields__.values())


class StatusApi(Protocol):
    """The one call that the publisher makes."""

    async def patch(
        self,
        kind: Kind,
        name: str,
        patch: Manifest,
        namespace: str | None = None,
        *,
        subresource: str = "",
    ) -> Manifest: ...


def status_patch(written: Manifest, wanted: Manifest) -> Manifest:
    """Return the merge patch that makes one status of the other: a key that shall go is null.

    What is not known now leaves what was known: a list that is absent takes nothing back.
    """
    return {
        key: wanted.get(key)
        for key in _STATUS_KEYS
        if written.get(key) != wanted.get(key) and (key in wanted or key not in _UNKNOWN_IF_ABSENT)
    }


def pause_before(written: Manifest, wanted: Manifest) -> float:
    """Return the seconds to keep between a write and the one that follows it.

    None where requests may be sent somewhere else, or an accelerator is another: a second counts.
    """
    if _acted_on(written) != _acted_on(wanted):
        return 0.0
    if _without_progress(written) != _without_progress(wanted):
        return WORDS_SECONDS
    return PROGRESS_SECONDS if _has_advanced(written, wanted) else SLOW_PROGRESS_SECONDS


def _has_advanced(written: Manifest, wanted: Manifest) -> bool:
    """Tell whether a fetch has brought a noticeable share since the last write."""
    before, after = _progress(written), _progress(wanted)
    return any(
        done - before.get(name, (0, 0))[0] >= total * NOTICEABLE_SHARE
        for name, (done, total) in after.items()
        if (done, total) != before.get(name)
    )


def _progress(status: Manifest) -> dict[str, tuple[int, int]]:
    models = cast("list[Manifest]", status.get("models") or [])
    return {
        str(model["name"]): (cast("int", model["bytesDone"]), cast("int", model["bytesTotal"]))
        for model in models
        if isinstance(model.get("bytesDone"), int) and isinstance(model.get("bytesTotal"), int)
    }


def _acted_on(status: Manifest) -> list[Json]:
    engines = cast("list[Manifest]", status.get("engines") or [])
    ready = [engine for engine in engines if engine.get("phase") == EnginePhase.READY]
    return [status.get("accelerators"), *ready]


def _without_progress(status: Manifest) -> Manifest:
    status = {key: value for key, value in status.items() if key != "cache"}
    models = status.get("models")
    if not isinstance(models, list):
        return status
    still: list[Json] = [
        {key: value for key, value in model.items() if key not in _PROGRESS}
        if isinstance(model, dict)
        else model
        for model in models
    ]
    return {**status, "models": still}


class StatusPublisher:
    """Keeps the status on the API server equal to what was offered last."""

    def __init__(self, api: StatusApi, node_name: str) -> None:
        self._api = api
        self._node_name = node_name
        self._wanted: Manifest = {}
        self._written: Manifest | None = None  # None: there is no object to write to
        self._written_at = 0.0
        self._dirty = asyncio.Event()

    def offer(self, status: NodeStatus) -> None:
        """Have this status written; one that is offered before that replaces it."""
        wanted = cast("Manifest", encode(status))
        if wanted != self._wanted:
            self._wanted = wanted
            self._dirty.set()

    def found(self, status: Manifest) -> None:
        """Take note of the object on the API server, new or not, and of the status that it has."""
        self._written = status
        self._dirty.set()

    async def run(self) -> None:
        """Write until cancelled."""
        failures = 0
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if self._written is None or not status_patch(self._written, self._wanted):
                continue
            if await self._held_back():
                continue
            try:
                await self._write()
                failures = 0
            except KubeError as error:
                failures += 1
                logger.log(
                    logging.WARNING if failures == 1 else logging.DEBUG,
                    "status not written: %s",
                    error,
                )
                await asyncio.sleep(
                    backoff.delay(
                        failures,
                        jitter=random.random(),  # noqa: S311  # no secret
                        longest_seconds=LONGEST_RETRY_SECONDS,
                    )
                )
                self._dirty.set()

    async def _held_back(self) -> bool:
        """Wait before a write that can wait; tell whether something came meanwhile."""
        pause = pause_before(self._written or {}, self._wanted)
        wait = self._written_at + pause - time.monotonic()
        if wait <= 0:
            return False
        try:
            async with asyncio.timeout(wait):
                await self._dirty.wait()
        except TimeoutError:
            return False
        return True

    async def _write(self) -> None:
        wanted, written = self._wanted, self._written
        patch: Manifest = {"status": status_patch(written or {}, wanted)}
        await self._api.patch(INFERENCE_NODE, self._node_name, patch, subresource="status")
        if self._written is written:  # no new object was found meanwhile
            self._written = wanted
        self._written_at = time.monotonic()
