"""Keep one program running: start it, start it again when it ends, stop it."""

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path

from llmaz.daemon import backoff
from llmaz.local.programs import Program

Say = Callable[[str], None]

_STOP_SECONDS = 15.0
_HEALTHY_SECONDS = 60.0  # a program that ran this long has not failed in a row
_LARGEST_LOG_BYTES = 10 * 2**20


class Supervised:
    """One program as a child of this process, in a session of its own.

    Its standard input is a pipe that nobody writes to: its end tells the program that this process
    is gone. The session keeps the terminal's Ctrl-C away, so that `up` decides who stops when.
    """

    def __init__(self, program: Program, logs: Path, say: Say) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self.last_end: str | None = None  # how it ended last without having been asked to
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    async def run(self) -> None:
        """Run the program until `stop`; start it again, ever more patiently, when it ends."""
        failures = 0
        while not self._stopping:
            started = time.monotonic()
            code = await self._once()
            if self._stopping:
                return
            self.last_end = self._why_it_ended(code)
            failures = 1 if time.monotonic() - started > _HEALTHY_SECONDS else failures + 1
            wait = backoff.delay(failures, jitter=random.random())  # noqa: S311  # no secret
            self._say(f"{self.last_end}; starting it again in {wait:.1f} s")
            await asyncio.sleep(wait)

    async def stop(self) -> None:
        """Ask the program to end, and see to it that it does."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _why_it_ended(self, code: int) -> str:
        name = self.program.name
        if code <= 0:
            return f"{name} ended {'by itself' if code == 0 else f'by signal {-code}'}"
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"{name} ended with exit code {code}: {lines[-1] if lines else 'it said nothing'}"

    async def _once(self) -> int:
        if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.program.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if self._stopping:  # asked while it was being started
            self._process.terminate()
        return await self._process.wait()
