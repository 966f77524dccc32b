"""Start a shim, and find the one that is there.

A shim is not the agent's child for long: it detaches itself, and its starter only waits until its
socket answers. Whether one lives is told by its lock alone, never by a pid or a socket's file.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from pathlib import Path

import llmaz.shim
from llmaz.agent.engines.client import ShimClient
from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.tasks import Tasks
from llmaz.shim import crash, protocol

logger = logging.getLogger(__name__)

START_SECONDS = 30.0  # takes 60 ms; more only where a dead shim's engine is slow to die
SPARE_PAUSE_SECONDS = 5.0  # an engine that has just been started has better use for the processors
_AGAIN_SECONDS = 0.05
_ROOT = str(Path(llmaz.shim.__file__).parents[2])
# Isolated and without site: 25 ms and 4 MiB less. The import root then has to be named.
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from llmaz.shim.__main__ import main; sys.exit(main())"
)
COMMAND = (sys.executable, "-I", "-S", "-c", _PROGRAM, _ROOT)  # reads its directory from its input


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


class Shims:
    """Starts shims and finds them.

    One may be prepared ahead: it has loaded its program and only waits to be told its directory,
    which takes most of a start out of an engine's way.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._spare: Process | None = None
        self._tasks = Tasks("the spare shim")

    async def prepare(self, *, pause: float = 0.0) -> None:
        """Have a spare one, after a pause."""
        await asyncio.sleep(pause)
        if self._spare is None:
            self._spare = await self._spawn()

    async def launch(self, directory: Path, on_change: Callable[[], None]) -> ShimClient:
        """Start a directory's shim, which first ends what a dead one left there; connect to it."""
        starter = await self._starter()
        assert starter.stdin is not None
        starter.stdin.write(os.fsencode(directory))
        starter.stdin.close()
        try:
            async with asyncio.timeout(START_SECONDS):
                code = await starter.wait()
        except (TimeoutError, asyncio.CancelledError):
            # Nobody waits for it now, so it must not come to life later, when the directory is
            # somebody else's. A shim that it has begun finds that it can't tell it, and ends.
            starter.kill()
            await starter.wait()
            raise
        if code != 0:
            said = await asyncio.to_thread(_log, directory)
            raise EngineError(f"{directory}: its shim ended with code {code}: {said[-500:]}")
        return await ShimClient.connect(directory, on_change)

    async def dismiss(self, directory: Path) -> bool:
        """End the engine of a directory that nobody has a record of, and its shim.

        Returns whether anything of it was left to end.
        """
        cleared = asyncio.Event()
        client = await self.connect(directory, cleared.set)
        try:
            was_left = not client.status.clear or client.status.reaped > 0
            await client.request(protocol.STOP, grace=0.0)
            while not client.status.clear:
                await cleared.wait()
                cleared.clear()
            await client.request(protocol.SHUTDOWN)
            await client.lost.wait()
        finally:
            await client.close()
        return was_left

    async def connect(self, directory: Path, on_change: Callable[[], None]) -> ShimClient:
        """Connect to a directory's shim, or to a new one where none lives, however long it takes.

        One that does not answer is waited for: it may be stopped, or just be ending.
        """
        while True:
            try:
                if shim_lives(directory):
                    return await ShimClient.connect(directory, on_change)
                return await self.launch(directory, on_change)
            except (OSError, TimeoutError, EngineError) as error:
                logger.debug("%s: %s", directory, error)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def aclose(self) -> None:
        """End the spare one; those with a directory go on."""
        await self._tasks.cancel()
        if self._spare is not None:
            assert self._spare.stdin is not None
            self._spare.stdin.close()
            await self._spare.wait()

    async def _starter(self) -> Process:
        spare, self._spare = self._spare, None
        if spare is None or spare.returncode is not None:
            return await self._spawn()
        self._tasks.begin(self.prepare(pause=SPARE_PAUSE_SECONDS))
        return spare

    async def _spawn(self) -> Process:
        return await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            env={crash.VARIABLE: self._environ.get(crash.VARIABLE, "")},
            start_new_session=True,
        )


def _log(directory: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return (directory / protocol.SHIM_LOG).read_text(errors="replace").strip()
    return ""
