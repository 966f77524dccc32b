"""Learns from the kubelet's own ledger which devices the pods of slots were given.

Asked once for each pod, since a pod keeps its devices until it ends; one that the kubelet does not
know yet, or a kubelet that does not answer, is asked for again.
"""

import asyncio
import json
import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llmaz.api.node import AssignedEngine

logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 15.0
_AGAIN_SECONDS = 5.0
_MOST_BYTES = 16 << 20  # plugins that count memory name thousands of devices for one pod


class Given:
    """The devices of pods by their uids, as far as they were told through a socket."""

    def __init__(
        self, socket: Path, changed: asyncio.Event, again_seconds: float = _AGAIN_SECONDS
    ) -> None:
        self._socket = socket
        self._changed = changed
        self._again_seconds = again_seconds
        self._known: dict[str, tuple[str, ...]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    def look(self, assigned: Collection[AssignedEngine]) -> Mapping[str, tuple[str, ...]]:
        """Return what is known, and have the rest asked for; what is gone is forgotten."""
        wanted = {engine.slot.uid: engine for engine in assigned if engine.slot is not None}
        for uid in self._known.keys() - wanted.keys():
            del self._known[uid]
        for uid in self._asking.keys() - wanted.keys():
            self._asking.pop(uid).cancel()
        for uid in wanted.keys() - self._known.keys() - self._asking.keys():
            self._asking[uid] = asyncio.create_task(self._ask(uid, wanted[uid]))
        return self._known

    async def aclose(self) -> None:
        asking = list(self._asking.values())
        self._asking.clear()
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, uid: str, engine: AssignedEngine) -> None:
        namespace = engine.id.partition("/")[0]
        pod = engine.slot.name if engine.slot is not None else ""
        said = ""
        while (answer := await _asked(self._socket, namespace, pod)).devices is None:
            if answer.error and answer.error != said:
                said = answer.error
                logger.warning("which devices pod %s/%s was given: %s", namespace, pod, said)
            await asyncio.sleep(self._again_seconds)
        self._known[uid] = answer.devices
        self._asking.pop(uid, None)
        self._changed.set()


@dataclass(frozen=True, slots=True)
class _Answer:
    devices: tuple[str, ...] | None = None
    error: str = ""


async def _asked(socket: Path, namespace: str, pod: str) -> _Answer:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(socket, limit=_MOST_BYTES)
            try:
                question = {"namespace": namespace, "pod": pod}
                writer.write(json.dumps(question).encode() + b"\n")
                await writer.drain()
                return _read(await reader.readline())
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except TimeoutError:
        return _Answer(error=f"{socket} does not answer")
    except OSError as error:
        return _Answer(error=f"{socket}: {error.strerror or error}")
    except ValueError:  # of a line that does not end
        return _Answer(error=f"{socket}: an answer is longer than {_MOST_BYTES} bytes")


def _read(line: bytes) -> _Answer:
    try:
        said = json.loads(line)
        if said.get("error"):
            return _Answer(error=str(said["error"]))
        devices: Mapping[str, list[str]] | None = said["devices"]
    except (ValueError, KeyError, AttributeError):
        return _Answer(error="an answer is not understood")
    if devices is None:
        return _Answer()
    return _Answer(tuple(str(id_) for _, ids in sorted(devices.items()) for id_ in ids))
