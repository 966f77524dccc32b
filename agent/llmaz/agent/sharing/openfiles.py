"""Files that are being served, open for a moment longer than they are in use.

The next chunk of the same file is mostly asked for at once, and finding the way to it again costs
as much as a tenth of sending it. Not for long: the disk gets back what was evicted only once
nobody has it open.
"""

import asyncio
from dataclasses import dataclass
from typing import BinaryIO

from llmaz.agent.sharing.holdings import Holding

IDLE_SECONDS = 1.0


@dataclass
class _Open:
    holding: Holding
    file: BinaryIO
    users: int = 0
    closing: asyncio.TimerHandle | None = None


class OpenFiles:
    """The files that one process serves now. A holding that was looked up anew is opened anew."""

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._open: dict[int, _Open] = {}  # by the identity of the holding, which is kept alive

    def take(self, holding: Holding) -> BinaryIO:
        """Return a holding's file, to be given back; raise OSError where it is there no more."""
        entry = self._open.get(id(holding))
        if entry is None:
            entry = self._open[id(holding)] = _Open(holding, holding.open())
        if entry.closing is not None:
            entry.closing.cancel()
            entry.closing = None
        entry.users += 1
        return entry.file

    def give_back(self, holding: Holding) -> None:
        entry = self._open[id(holding)]
        entry.users -= 1
        if not entry.users:
            loop = asyncio.get_running_loop()
            entry.closing = loop.call_later(self._idle_seconds, self._close, entry)

    def _close(self, entry: _Open) -> None:
        del self._open[id(entry.holding)]
        entry.file.close()
