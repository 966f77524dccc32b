"""Engines that compile, under an agent that keeps what they make."""

import dataclasses
import sys
from datetime import timedelta
from pathlib import Path

from llmaz.agent.engines import Engines
from llmaz.agent.engines.state import EngineSeen
from llmaz.agent.jit.caches import JitCaches
from llmaz.api.node import Accelerator, AssignedEngine
from llmaz.api.slot import SLOTS
from support import compiling
from support.engines import engines
from support.shims import FAKE_ENGINE


class JitNode:
    """A node whose agent keeps what its engines compile, in a gibibyte below `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.slots_dir = home / SLOTS
        self._log = home / "log"
        self.seen: tuple[EngineSeen, ...] | None = None
        self.devices: dict[str, Accelerator] = {}
        self.jit = JitCaches(
            home / "jit",
            2**30,
            accelerators=lambda: self.devices,
            engines=lambda: self.seen,
            slots=self.slots_dir,
            settle=timedelta(),
        )

    def compiling(self, engine: AssignedEngine) -> AssignedEngine:
        """Return an engine that compiles first, or finds what another has compiled."""
        wrapper = (sys.executable, "-I", str(compiling.__file__), str(self._log), FAKE_ENGINE)
        return dataclasses.replace(engine, command=wrapper)

    def engines(self) -> Engines:
        return engines(self._home / "agent", compiled=self.jit.variables)

    async def look(self, under: Engines) -> None:
        self.seen = await under.observe()
        await self.jit.look()

    def said(self) -> list[str]:
        """Return what its engines compiled and found, in their order."""
        return self._log.read_text().splitlines()
