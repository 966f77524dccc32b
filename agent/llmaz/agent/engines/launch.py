"""Start a shim, and find the one that is there.

A shim is not the agent's child for long: it detaches itself, and its starter only waits until its
socket answers. Whether one lives is told by its lock alone, never by a pid or a socket's file.
"""

import asyncio
import fcntl
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import llmaz.shim
from llmaz.agent.engines.client import ShimClient
from llmaz.agent.engines.errors import EngineError
from llmaz.shim import crash, protocol

logger = logging.getLogger(__name__)

START_SECONDS = 30.0  # takes 60 ms; more only where a dead shim's engine is slow to die
_AGAIN_SECONDS = 0.05
_ROOT = str(Path(llmaz.shim.__file__).parents[2])
# Isolated and without site: 25 ms and 4 MiB less. The import root then has to be named.
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from llmaz.shim.__main__ import main; sys.exit(main(sys.argv[1]))"
)


def command(directory: Path) -> tuple[str, ...]:
    """Return what starts the shim of a directory."""
    return (sys.executable, "-I", "-S", "-c", _PROGRAM, _ROOT, str(directory))


def shim_lives(directory: Path) -> bool:
    """Tell whether a shim holds the directory's lock."""
    try:
        lock = os.open(directory / protocol.LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


async def launch(
    directory: Path, environ: Mapping[str, str], on_change: Callable[[], None]
) -> ShimClient:
    """Start the shim of a directory, which first ends what a dead one left there; connect to it."""
    environment = {crash.VARIABLE: environ.get(crash.VARIABLE, "")}
    log = os.open(
        directory / protocol.SHIM_LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
    )
    try:
        starter = await asyncio.create_subprocess_exec(
            *command(directory),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(log)
    async with asyncio.timeout(START_SECONDS):
        code = await starter.wait()
    if code != 0:
        said = (directory / protocol.SHIM_LOG).read_text(errors="replace").strip()
        raise EngineError(f"{directory}: its shim ended with code {code}: {said[-500:]}")
    return await ShimClient.connect(directory, on_change)


async def dismiss(directory: Path, environ: Mapping[str, str]) -> None:
    """End the engine of a directory that nobody has a record of, and its shim."""
    cleared = asyncio.Event()
    client = await any_shim(directory, environ, cleared.set)
    try:
        await client.request(protocol.STOP, grace=0.0)
        while not client.status.clear:
            await cleared.wait()
            cleared.clear()
        await client.request(protocol.SHUTDOWN)
        await client.lost.wait()
    finally:
        await client.close()


async def any_shim(
    directory: Path, environ: Mapping[str, str], on_change: Callable[[], None]
) -> ShimClient:
    """Connect to the directory's shim, or to a new one where none lives, however long it takes.

    One that does not answer is waited for: it may be stopped, or just be ending.
    """
    while True:
        try:
            if shim_lives(directory):
                return await ShimClient.connect(directory, on_change)
            return await launch(directory, environ, on_change)
        except (OSError, TimeoutError, EngineError) as error:
            logger.debug("%s: %s", directory, error)
            await asyncio.sleep(_AGAIN_SECONDS)
