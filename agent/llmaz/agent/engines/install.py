"""Runs the child program that makes a Python environment, and reads what it says."""

import asyncio
import logging
import re
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path

from llmaz.agent.engines.env import INHERITED

logger = logging.getLogger(__name__)

PROGRAM = (sys.executable, "-m", "llmaz.agent.engines.building")
_LAST_LINES = 30
_CHUNK = 1 << 16
_LONGEST = 4096  # of a line: a compiler's call may be megabytes
_END_SECONDS = 30.0  # for killing what the installer started, before it is killed itself
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
# Where the index is, and how to get there. Nothing else of the agent's environment is for a build.
_CONFIGURATION = re.compile(
    r"(?i)(PIP|UV|XDG_CONFIG)_.*|LLMAZ_INSTALLER|(HTTPS?|NO|ALL)_PROXY|SSL_CERT_(FILE|DIR)|PATH"
)


async def install(
    directory: Path,
    requirements: tuple[str, ...],
    environ: Mapping[str, str],
    tell: Callable[[str], None],
) -> list[str] | None:
    """Make an environment, telling each line; return the last lines when that failed.

    Nothing that was started for it outlives this call, nor the agent.
    """
    logger.info("building the Python environment %s of %s", directory, ", ".join(requirements))
    builder = await asyncio.create_subprocess_exec(
        *(*PROGRAM, str(directory), *requirements),
        stdin=asyncio.subprocess.PIPE,  # its lifeline
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            name: value
            for name, value in environ.items()
            if name in INHERITED or _CONFIGURATION.fullmatch(name)
        },
    )
    last: list[str] = []
    assert builder.stdout is not None
    try:
        async for line in lines(builder.stdout):
            last = [*last[-_LAST_LINES:], line]
            tell(line)
        code = await builder.wait()
    finally:
        await _end(builder)
    return last if code != 0 else None


async def lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield what a program says line by line, however long they are, without any password."""
    rest = b""
    while chunk := await stream.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LONGEST]
        for line in whole:
            yield _readable(line)
    if rest:
        yield _readable(rest)


def _readable(line: bytes) -> str:
    return _CREDENTIALS.sub("", line[:_LONGEST].decode(errors="replace")).strip()


async def _end(builder: asyncio.subprocess.Process) -> None:
    if builder.returncode is not None or builder.stdin is None:
        return
    builder.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            await builder.wait()
    if builder.returncode is None:
        builder.kill()
        await builder.wait()
