"""What all engines of one agent share, and what they are asked with."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llmaz.agent.engines import stopping
from llmaz.agent.engines.client import Shim
from llmaz.agent.engines.env import CommandLine
from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.incidents import Incidents
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.probe import Prober, Target
from llmaz.agent.engines.record import EngineRecord
from llmaz.agent.slots.about import SlotAbout
from llmaz.api.node import AssignedEngine
from llmaz.shim import proc, protocol
from llmaz.shim.crash import Effects


class Launcher(Protocol):
    """How the shim of an engine comes to be, and is found again."""

    async def launch(self, directory: Path, on_change: Callable[[], None]) -> Shim: ...

    async def connect(self, directory: Path, on_change: Callable[[], None]) -> Shim: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The parts of the agent that an engine's supervision works with."""

    prober: Prober
    patience: Patience
    changed: asyncio.Event
    incidents: Incidents
    effects: Effects
    shims: Launcher
    slots: Launcher
    slots_dir: Path  # where the directories of slots are
    environment: Callable[[EngineRecord, SlotAbout | None], Awaitable[CommandLine]]

    def place_of(self, engine: AssignedEngine, own: Path) -> tuple[Launcher, Path]:
        """Return who knows an engine's shim, and where its files are: `own` is the engine's."""
        if engine.slot is None:
            return self.shims, own
        return self.slots, self.slots_dir / engine.slot.uid


async def target_of(kept: EngineRecord, tools: Tools, slot: SlotAbout | None = None) -> Target:
    """Return how an engine is asked; its environment is made only where a command needs it."""
    engine = kept.assignment
    env: Mapping[str, str] = {}
    if stopping.executes(engine):
        with contextlib.suppress(EngineError):
            env = (await tools.environment(kept, slot)).env
    return Target(
        port=kept.port or 0,
        model=engine.model,
        model_path=kept.model_path,
        env=env,
        host="127.0.0.1" if slot is None else slot.address,
        slot=None if slot is None or engine.slot is None else tools.slots_dir / engine.slot.uid,
    )


async def work_of(client: Shim) -> tuple[int, ...]:
    """Return numbers that grow while an engine does anything: output, processor time, reads."""
    await client.request(protocol.STATUS)
    status = client.status
    return (status.log_bytes, *(proc.work(status.shim_pid) if status.slot is None else status.work))
