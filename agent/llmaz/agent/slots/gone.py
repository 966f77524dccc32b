"""The shim of a slot that is not there: it has not begun, or its pod has ended.

Its first process was the first of the container, so that nothing of the container lives without it.
What it knew last stands in its journal.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from llmaz.agent.engines.client import ShimStatus
from llmaz.agent.engines.errors import ShimLost
from llmaz.agent.engines.launch import shim_lives
from llmaz.agent.slots.decide import SLOT_ENDED
from llmaz.shim import journal, protocol

LOOK_SECONDS = 0.25


class GoneShim:
    """Stands for it until there is one: then it is lost, and the one that lives is asked."""

    def __init__(self, directory: Path, on_change: Callable[[], None]) -> None:
        self._directory = directory
        self._on_change = on_change
        self.status = last_words(directory)
        self.lost = asyncio.Event()
        self._waiting = asyncio.create_task(self._wait())

    async def request(self, operation: str, **_: object) -> dict[str, object]:
        if operation == protocol.STATUS:
            return {}
        raise ShimLost(f"{SLOT_ENDED}, or has not begun")

    async def tail(self) -> str:
        """Return the end of what the engine said."""
        try:
            with (self._directory / protocol.LOG).open("rb") as log:
                log.seek(max(0, log.seek(0, 2) - protocol.TAIL_BYTES))
                return log.read().decode(errors="replace")
        except OSError:
            return ""

    async def close(self) -> None:
        self._waiting.cancel()
        await asyncio.gather(self._waiting, return_exceptions=True)

    async def _wait(self) -> None:
        while not shim_lives(self._directory):  # noqa: ASYNC110  # a lock wakes nobody
            await asyncio.sleep(LOOK_SECONDS)
        self.lost.set()
        self._on_change()


def last_words(directory: Path) -> ShimStatus:
    """Return the status that the journal of a dead shim amounts to."""
    record = journal.read(str(directory)) or {
        "shim": [0, 0],
        "state": protocol.IDLE,
        "run": 0,
        "epoch": 0,
        "fingerprint": "",
    }
    if record["state"] in protocol.LIVING:
        asked = record["state"] == protocol.STOPPING
        ended = _ended(directory, asked=asked)
        record |= {"state": protocol.EXITED, "exit": ended}
    return ShimStatus.read({**record, "clear": True})


def _ended(directory: Path, *, asked: bool) -> dict[str, object]:
    """Return the exit of an engine that ended with its container, at the journal's last word."""
    at = (directory / protocol.JOURNAL).stat().st_mtime
    return {"at": at, "asked": asked, "error": "" if asked else SLOT_ENDED}
