"""Finds the shims of slots. They are started by the kubelet, and never by the agent."""

import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path

from llmaz.agent.engines.client import Shim, ShimClient
from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.launch import shim_lives
from llmaz.agent.slots.gone import GoneShim

_KEPT_SECONDS = 3600.0  # logs of a slot that ended are of use for a while


class SlotShims:
    """The launcher of engines in slots."""

    async def launch(self, directory: Path, on_change: Callable[[], None]) -> Shim:
        """Connect to the shim of a slot that has begun."""
        if not shim_lives(directory):
            raise EngineError("the shim of its slot has not begun, or has ended")
        return await ShimClient.connect(directory, on_change)

    async def connect(self, directory: Path, on_change: Callable[[], None]) -> Shim:
        """Connect to the shim of a slot, or to what stands for it until there is one."""
        try:
            if shim_lives(directory):
                return await ShimClient.connect(directory, on_change)
        except (OSError, EngineError):  # it ends just now
            pass
        return GoneShim(directory, on_change)


def sweep(slots: Path, assigned: Collection[str], now: float | None = None) -> None:
    """Remove what slots left that ended long ago and that no engine is assigned to."""
    now = time.time() if now is None else now
    for directory in slots.iterdir() if slots.is_dir() else ():
        old = now - directory.stat().st_mtime > _KEPT_SECONDS
        if old and directory.name not in assigned and not shim_lives(directory):
            shutil.rmtree(directory, ignore_errors=True)
