"""Asks a child program about accelerators, with a deadline: a call into a driver can hang."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol

from llmaz.agent.accelerators.device import Answer, Devices, LookFailed, NoDriver
from llmaz.api.manifest import decode

PROGRAM = (sys.executable, "-m", "llmaz.agent.accelerators.child")
DEADLINE_SECONDS = 10.0  # opening NVML without persistence mode takes seconds on nodes with 8 GPUs
_LINE_LIMIT = 4 * 2**20
_ANSWERS: Mapping[str, type[Answer]] = {
    kind.__name__: kind for kind in (Devices, NoDriver, LookFailed)
}


class Child(Protocol):
    """A process as `asyncio` has it."""

    stdin: asyncio.StreamWriter | None
    stdout: asyncio.StreamReader | None

    @property
    def returncode(self) -> int | None: ...

    def kill(self) -> None: ...

    async def wait(self) -> int: ...


async def _spawn(program: tuple[str, ...]) -> Child:
    return await asyncio.create_subprocess_exec(
        *program,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LINE_LIMIT,
    )


class ChildProbe:
    """The drivers, behind a child process: started when asked, ended when it does not answer."""

    def __init__(
        self,
        program: tuple[str, ...] = PROGRAM,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        spawn: Callable[[tuple[str, ...]], Awaitable[Child]] = _spawn,
    ) -> None:
        self._program = program
        self._deadline_seconds = deadline_seconds
        self._spawn = spawn
        self._child: Child | None = None
        self._ended: Child | None = None  # the one before, killed

    async def look(self) -> Answer:
        """Return the drivers' answer, LookFailed where none came in time.

        A killed child that hangs in an uninterruptible call lives until the driver lets it go. No
        other is started before: it would hang too, and they would become ever more.
        """
        if self._ended is not None and self._ended.returncode is None:
            return self._no_answer()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                answer = await self._ask()
        except TimeoutError:
            await self.aclose()
            return self._no_answer()
        except (OSError, ValueError) as error:
            await self.aclose()
            return LookFailed(reason="ProbeFailed", message=f"the device probe failed: {error}")
        if isinstance(answer, NoDriver):
            await self.aclose()  # a node without the driver needs no process that waits for one
        return answer

    async def aclose(self) -> None:
        """End the child, also one that hangs in a call."""
        child, self._child = self._child, None
        if child is None:
            return
        self._ended = child
        with suppress(ProcessLookupError):
            child.kill()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await child.wait()

    def _no_answer(self) -> LookFailed:
        return LookFailed(
            reason="NoAnswer",
            message=f"the driver did not answer within {self._deadline_seconds:g} s",
        )

    async def _ask(self) -> Answer:
        if self._child is None:
            self._child = await self._spawn(self._program)
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:
            raise OSError("the probe has no pipes")
        stdin.write(b"look\n")
        await stdin.drain()
        line = await stdout.readline()
        if not line:
            raise OSError(f"the probe exited with code {await self._child.wait()}")
        return _read(line)


def _read(line: bytes) -> Answer:
    message = json.loads(line)
    if not isinstance(message, dict) or message.get("kind") not in _ANSWERS:
        raise ValueError(f"no answer: {line[:200]!r}")
    return decode(_ANSWERS[message["kind"]], message.get("answer"))
