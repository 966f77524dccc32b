"""Comments in a stream whose engine still starts, so that no proxy gives the connection up."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from llmaz.gateway.reply import WAITING, Reply

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
        self.begun: Reply | None = None

    @contextmanager
    def during(self, request: web.Request, seconds: float | None) -> Iterator[None]:
        """Send a comment every so many seconds while the block lasts; none without."""
        if seconds is None:
            yield
            return
        sending = asyncio.create_task(self._send(request, seconds))
        try:
            yield
        finally:
            sending.cancel()  # between two comments: each is written in one step

    async def _send(self, request: web.Request, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            if self.begun is None:
                self.begun = Reply(request, WAITING)
            self.begun.pass_on(COMMENT)
