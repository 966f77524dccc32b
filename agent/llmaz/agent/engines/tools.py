"""What all engines of one agent share, and what they are asked with."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from llmaz.agent.engines import stopping
from llmaz.agent.engines.client import ShimClient
from llmaz.agent.engines.env import CommandLine
from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.launch import Shims
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.probe import Prober, Target
from llmaz.agent.engines.record import EngineRecord
from llmaz.shim import proc, protocol
from llmaz.shim.crash import Effects


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The parts of the agent that an engine's supervision works with."""

    prober: Prober
    patience: Patience
    changed: asyncio.Event
    effects: Effects
    shims: Shims
    environment: Callable[[EngineRecord], Awaitable[CommandLine]]


async def target_of(kept: EngineRecord, tools: Tools) -> Target:
    """Return how an engine is asked; its environment is made only where a command needs it."""
    env: Mapping[str, str] = {}
    if stopping.executes(kept.assignment):
        with contextlib.suppress(EngineError):
            env = (await tools.environment(kept)).env
    return Target(
        port=kept.port or 0, model=kept.assignment.model, model_path=kept.model_path, env=env
    )


async def work_of(client: ShimClient) -> tuple[int, ...]:
    """Return numbers that grow while an engine does anything: output, processor time, reads."""
    await client.request(protocol.STATUS)
    return (client.status.log_bytes, *proc.work(client.status.shim_pid))
