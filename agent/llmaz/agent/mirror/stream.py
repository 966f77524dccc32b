"""Sends a file's bytes from the disk: those that are verified, and those that still come.

Of a file on its way the last byte is held back until the whole of it is verified, so that no client
ends well with wrong bytes. Those who were sent a part of what turned out wrong are cut off, and a
later request that would go on from such a part is answered with the whole file.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from llmaz.agent.cache import spans
from llmaz.agent.cache.journal import replayed
from llmaz.agent.cache.spans import Spans
from llmaz.agent.cache.wanted import Wish

_POLL_SECONDS = 0.05
_HUNGRY_SECONDS = 0.25  # what comes in order is soon there, and need not be wished for
_SETTLE_SECONDS = 2.0  # for a fetch to show a file that is verified; it may go on with others
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SpoiledError(Exception):
    """The bytes that were sent are not those of the file."""


async def send_verified(
    request: web.Request, response: web.StreamResponse, descriptor: int, start: int, end: int
) -> None:
    """Send a range of an open file; the kernel copies it. The descriptor is closed at the end."""
    try:
        await response.prepare(request)
        await _send(request, descriptor, start, end)
        await response.write_eof()
    finally:
        os.close(descriptor)


async def _send(request: web.Request, descriptor: int, start: int, end: int) -> None:
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError("the client went away")
    if start < end:
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            loop = asyncio.get_running_loop()
            await loop.sendfile(request.transport, file, start, end - start)


class Coming:
    """A file on its way, held open: it stays readable under whatever name it has by now."""

    def __init__(self, cache_dir: Path, key: str, size: int) -> None:
        self._journal = cache_dir / "partial" / f"{key}.journal"
        self._data = cache_dir / "partial" / f"{key}.data"
        self.size = size
        self.descriptor: int | None = None
        self._wish = Wish(cache_dir, key, f"{os.getpid()}-{id(self)}")
        self._spans: Spans = ()
        self._read = 0  # bytes of the journal that `_spans` was made of

    def open(self) -> bool:
        """Open it if it is there; tell whether it is."""
        if self.descriptor is None:
            with suppress(OSError):
                self.descriptor = os.open(self._data, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return self.descriptor is not None

    def wait_for(self, offset: int) -> None:
        """Let the fetch know what is waited for: it brings that first."""
        self._wish.tell(offset)

    def close(self) -> None:
        self._wish.drop()
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def is_discarded(self) -> bool:
        """Tell whether the file was thrown away; bytes that were only cut off are right so far."""
        if self.descriptor is None:
            return False
        status = os.fstat(self.descriptor)
        return status.st_nlink == 0 and status.st_mode & 0o222 != 0

    def there(self, offset: int) -> int:
        """Return up to where bytes can be sent from an offset on; raise when they are spoiled."""
        if self.descriptor is None:
            return offset
        status = os.fstat(self.descriptor)
        if status.st_mode & 0o222 == 0:  # sealed: verified as a whole
            return self.size
        if self.is_discarded():
            raise SpoiledError
        try:
            self._follow()
        except OSError:
            return offset
        ends = [end for start, end in self._spans if start <= offset < end]
        return min(ends[0], self.size - 1) if ends else offset

    def _follow(self) -> None:
        """Read what was added to the journal; all of it again where it was begun anew."""
        with self._journal.open("rb") as file:
            if os.fstat(file.fileno()).st_size >= self._read > 0:
                file.seek(self._read)
                added = file.read()
                whole = added[: added.rfind(b"\n") + 1]
                ranges = _ranges(whole, self.size)
                if ranges is not None:
                    for span in ranges:
                        self._spans = spans.joined(self._spans, span)
                    self._read += len(whole)
                    return
                file.seek(0)
            text = file.read().decode("ascii", "replace")
        known = replayed(text, size=self.size, boot=_BOOT_ID.read_text().strip())
        self._spans, self._read = known.there, known.length


def _ranges(added: bytes, size: int) -> Spans | None:
    """Return the ranges that lines of a journal add; None: they change what was before them."""
    found = []
    for line in added.decode("ascii", "replace").splitlines():
        first, _, second = line.partition(" ")
        if first.isdecimal() and second.isdecimal() and int(first) < int(second) <= size:
            found.append((int(first), int(second)))
        elif first not in ("claim", "chunk", "flushed"):
            return None
    return tuple(found)


async def send_coming(
    request: web.Request,
    coming: Coming,
    *,
    start: int,
    end: int,
    ended: Callable[[], bool],
) -> None:
    """Send a range as it comes, after the head of the answer; raise when it can't be completed."""
    at, patient_until, waited = start, 0.0, 0.0
    while at < end:
        over = ended()  # looked at first: what came before the end is seen below
        there = min(end, await asyncio.to_thread(coming.there, at))
        if there == coming.size and not over:
            patient_until = patient_until or time.monotonic() + _SETTLE_SECONDS
            there -= 1 if time.monotonic() < patient_until else 0
        if there > at and coming.descriptor is not None:
            await _send(request, coming.descriptor, at, there)
            at, waited = there, 0.0
        elif over:
            raise SpoiledError
        else:
            if waited >= _HUNGRY_SECONDS:
                await asyncio.to_thread(coming.wait_for, at)
            await asyncio.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
