"""Runs the fetching child for one fetch, and turns what it says into values."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.request import (
    FetchRequest,
    Progress,
    Room,
    RoomWanted,
    read_event,
    write_request,
)
from llmaz.api.manifest import encode

FETCH_PROGRAM = (sys.executable, "-m", "llmaz.agent.cache.fetch")
# What tells a proof where to ask, and how: none of it is a credential of the node's own.
_OF_PROOFS = (
    *("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "VIRTUAL_ENV", "PYTHONUNBUFFERED"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "HF_ENDPOINT", "HF_HUB_OFFLINE", "MODELSCOPE_ENDPOINT"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_S3_ADDRESSING_STYLE"),
    *("OSS_REGION", "AWS_EC2_METADATA_DISABLED"),
    *("STORAGE_EMULATOR_HOST", "PYTHONPATH"),
)
_LINE_LIMIT = 64 * 2**20  # the last line names every file


class FetchChild:
    """Fetches through a child process of its own; a cancelled fetch kills it."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = {**environ, "PYTHONUNBUFFERED": "1"}

    async def fetch(
        self,
        request: FetchRequest,
        tell: Callable[[Progress], None],
        room: Callable[[int], Awaitable[Room]],
    ) -> Fetched | FetchFailed:
        """Fetch, and say how it ended; a child that says nothing at its end has failed."""
        child = await asyncio.create_subprocess_exec(
            *FETCH_PROGRAM,
            env=_without_own(self._environ) if request.prove else self._environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a traceback may show URLs that are signed
            limit=_LINE_LIMIT,
        )
        try:
            return await self._converse(child, request, tell, room)
        except ValueError as error:
            words = f"the fetch speaks another protocol: {error}"
            return FetchFailed(reason="FetchFailed", message=words, passing=True)
        finally:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    @staticmethod
    async def _converse(
        child: asyncio.subprocess.Process,
        request: FetchRequest,
        tell: Callable[[Progress], None],
        room: Callable[[int], Awaitable[Room]],
    ) -> Fetched | FetchFailed:
        if child.stdin is None or child.stdout is None:
            raise OSError("the fetching child has no pipes")
        await _say(child.stdin, write_request(request))
        while line := await child.stdout.readline():
            event = read_event(line)
            match event:
                case Progress():
                    tell(event)
                case RoomWanted(bytes_needed=needed):
                    await _say(child.stdin, json.dumps(encode(await room(needed))))
                case _:
                    return event
        code = await child.wait()
        return FetchFailed(
            reason="FetchFailed", message=f"the fetch ended with code {code}", passing=True
        )


def _without_own(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what a proof may see: it shows what the given credentials open, and no others."""
    kept = {name: environ[name] for name in _OF_PROOFS if name in environ}
    return kept | {"HOME": "/nonexistent", "HF_TOKEN_PATH": os.devnull}


async def _say(pipe: asyncio.StreamWriter, line: str) -> None:
    with suppress(ConnectionError):  # the child died: its end tells
        pipe.write(line.encode() + b"\n")
        await pipe.drain()
