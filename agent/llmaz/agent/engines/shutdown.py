"""End every engine of a state directory without an agent."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from llmaz.agent.engines.adapter import Engines
from llmaz.agent.engines.ending import Ended
from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.liveness import Patience
from llmaz.agent.engines.surroundings import Surroundings


async def stop_all(state_dir: Path, grace_seconds: float, environ: Mapping[str, str]) -> Ended:
    """End every engine under `state_dir`, drained, within about `grace_seconds`, and their shims.

    Records and logs stay: the next agent starts the engines again if they are still assigned.
    """
    unheard = Patience(drain_seconds=0.0)  # no agent runs that could tell the endpoints
    around = Surroundings(environ=environ, lookup=_Nowhere())
    async with Engines(state_dir, around, changed=asyncio.Event(), patience=unheard) as engines:
        return await engines.stop_all("the node's engines are stopped", within=grace_seconds)


class _Nowhere:
    """No API server is asked while everything is stopped: exec hooks go without Secrets' values."""

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, str]:
        raise EngineError(f"Secret {namespace}/{name} is not looked up to stop an engine")

    async def get_config_map(self, namespace: str, name: str) -> Mapping[str, str]:
        raise EngineError(f"ConfigMap {namespace}/{name} is not looked up to stop an engine")
