"""One container as a process of this machine: what it runs, sees and is told.

Its image is this machine: paths of mounts are put into the texts that name them, the longest
first. As root it has a namespace of processes of its own, whose first process it is.
"""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from support.kubelet.objects import Object
from support.kubelet.volumes import Mount

_REFERENCE = re.compile(r"\$\(([^)]+)\)")
_ALONE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Inside:
    """What the inside of a container is: its variables, its mounts, and what it may do."""

    env: Mapping[str, str]
    mounts: tuple[Mount, ...]
    security: Object = field(default_factory=dict)  # the container's context over the pod's

    def referred(self, text: str) -> str:
        """Expand `$(NAME)` as a kubelet does."""
        return _REFERENCE.sub(lambda match: self.env.get(match[1], match[0]), text)

    def expanded(self, text: str) -> str:
        """Expand `$(NAME)`, then name what is mounted by where it is on this machine."""
        return self.placed(self.referred(text))

    def placed(self, text: str) -> str:
        for mount in sorted(self.mounts, key=lambda mount: len(mount.path), reverse=True):
            if text == mount.path or text.startswith(f"{mount.path}/"):
                return str(mount.source) + text[len(mount.path) :]
        return text

    def environment(self) -> dict[str, str]:
        """Return the variables; programs are the image's, whatever is mounted over their paths."""
        placed = {name: self.placed(value) for name, value in self.env.items()}
        return {**placed, "PATH": self.env["PATH"]}


class Container(Protocol):
    """A container's first process, and what is run beside it."""

    async def start(self) -> None: ...

    async def run(self) -> int: ...

    async def wait(self) -> int: ...

    async def ask(self, command: list[str], seconds: float) -> bool: ...

    def signal(self, number: signal.Signals) -> None: ...


Make: TypeAlias = Callable[[Object, Inside, Path], Container]  # of a pod's container, with its log


async def succeeded(asked: asyncio.subprocess.Process, seconds: float) -> bool:
    """Tell whether a command succeeds in time, and end one that does not."""
    try:
        async with asyncio.timeout(seconds):
            return await asked.wait() == 0
    except TimeoutError:
        asked.kill()
        await asked.wait()
        return False


class Process:
    """A container's first process, and what is run beside it."""

    def __init__(self, spec: Object, inside: Inside, log: Path) -> None:
        self._spec = spec
        self._inside = inside
        self._log = log
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        texts = [*self._spec.get("command", ()), *self._spec.get("args", ())]
        argv = [self._inside.expanded(text) for text in texts]
        alone = _ALONE if os.geteuid() == 0 else ()
        with self._log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *alone, *argv, env=self._inside.environment(), stdout=log, stderr=log, cwd="/"
            )

    async def run(self) -> int:
        """Run it to its end."""
        await self.start()
        return await self.wait()

    async def wait(self) -> int:
        assert self.process is not None
        return await self.process.wait()

    async def ask(self, command: list[str], seconds: float) -> bool:
        """Run a command beside it; tell whether it succeeded in time."""
        argv = [self._inside.expanded(text) for text in command]
        asked = await asyncio.create_subprocess_exec(
            *argv,
            env=self._inside.environment(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await succeeded(asked, seconds)

    def signal(self, number: signal.Signals) -> None:
        """Signal the container's first process, not what made its namespace."""
        if self.process is None or self.process.returncode is not None:
            return
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        if os.geteuid() == 0 and number is not signal.SIGKILL and children.exists():
            for child in children.read_text().split():
                os.kill(int(child), number)
            return
        self.process.send_signal(number)
