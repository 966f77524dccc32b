"""Comments in a stream whose engine still starts, so that no proxy gives the connection up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

COMMENT = b": waiting for an engine\n\n"


def asks_for_a_stream(body: bytes) -> bool:
    """Tell whether the answer is a stream of events, in which comments may stand."""
    if b'"stream"' not in body:
        return False
    try:
        content = json.loads(body)
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("stream") is True


class KeepAlive:
    """A stream that may begin before there is an engine; `begun` is None while it has not."""

    def __init__(self) -> None:
        self.begun: web.StreamResponse | None = None

    @asynccontextmanager
    async def during(self, request: web.Request, seconds: float | None) -> AsyncIterator[None]:
        """Send a comment every so many seconds while the block lasts; none without."""
        over = asyncio.Event()
        sending = asyncio.create_task(self._send(request, seconds, over))
        try:
            yield
        finally:
            # It is not cancelled, which could leave half of a header or of a comment sent.
            over.set()
            with suppress(ConnectionError):  # the client is gone, and so is this request
                await sending

    async def _send(self, request: web.Request, seconds: float | None, over: asyncio.Event) -> None:
        while True:
            try:
                async with asyncio.timeout(seconds):
                    await over.wait()
                    return
            except TimeoutError:
                await self._comment(request)

    async def _comment(self, request: web.Request) -> None:
        if self.begun is None:
            self.begun = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
            )
            await self.begun.prepare(request)
        await self.begun.write(COMMENT)
