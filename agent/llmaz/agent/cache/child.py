"""Runs the fetching child for one fetch, and turns what it says into values."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

from llmaz.agent.cache.request import FetchRequest, Progress, read_event, write_request
from llmaz.agent.cache.state import Fetched, FetchFailed

FETCH_PROGRAM = (sys.executable, "-m", "llmaz.agent.cache.fetch")
_LINE_LIMIT = 64 * 2**20  # the last line names every file


class FetchChild:
    """Fetches through a child process of its own; a cancelled fetch kills it."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = {**environ, "PYTHONUNBUFFERED": "1"}

    async def fetch(
        self, request: FetchRequest, tell: Callable[[Progress], None]
    ) -> Fetched | FetchFailed:
        """Fetch, and say how it ended; a child that says nothing at its end has failed."""
        child = await asyncio.create_subprocess_exec(
            *FETCH_PROGRAM,
            env=self._environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a traceback may show URLs that are signed
            limit=_LINE_LIMIT,
        )
        try:
            return await self._converse(child, request, tell)
        except ValueError as error:
            words = f"the fetch speaks another protocol: {error}"
            return FetchFailed(reason="FetchFailed", message=words, passing=True)
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    @staticmethod
    async def _converse(
        child: asyncio.subprocess.Process, request: FetchRequest, tell: Callable[[Progress], None]
    ) -> Fetched | FetchFailed:
        if child.stdin is None or child.stdout is None:
            raise OSError("the fetching child has no pipes")
        with suppress(ConnectionError):  # it died at once: its end says so below
            child.stdin.write(write_request(request).encode() + b"\n")
            await child.stdin.drain()
        while line := await child.stdout.readline():
            event = read_event(line)
            if not isinstance(event, Progress):
                return event
            tell(event)
        code = await child.wait()
        return FetchFailed(
            reason="FetchFailed", message=f"the fetch ended with code {code}", passing=True
        )
