"""What is around the engines of one node, and the command line that an engine gets for it."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from llmaz.agent.engines import env
from llmaz.agent.engines.record import EngineRecord
from llmaz.agent.engines.references import Lookup, references_of
from llmaz.agent.slots.about import SlotAbout
from llmaz.api.node import Accelerator

# Where an engine finds what others like it compiled, as variables.
Compiled: TypeAlias = Callable[[EngineRecord, SlotAbout | None], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What engines may be told. What changes while the agent runs is asked for at each start."""

    environ: Mapping[str, str]  # the agent's own
    lookup: Lookup
    node_name: str = ""
    address: str = "127.0.0.1"
    accelerators: Callable[[], Mapping[str, Accelerator]] = dict  # by UUID
    hub_url: Callable[[], str] = str
    compiled: Compiled | None = None

    async def command_line(self, kept: EngineRecord, slot: SlotAbout | None) -> env.CommandLine:
        """Build what an engine's shim is to execute, in a slot or beside the agent.

        Raises an EngineError where a Secret or a ConfigMap that it needs can't be had.
        """
        engine = kept.assignment
        found = await references_of(engine, self.lookup)
        return env.command_line(
            engine,
            self._beside_agent() if slot is None else self._inside(slot),
            env.Leased(
                port=kept.port or 0,
                model_path=kept.model_path,
                draft_model_path=kept.draft_model_path,
                programs=kept.programs,
                compiled={} if self.compiled is None else await self.compiled(kept, slot),
                secrets=found.secrets,
                config_maps=found.config_maps,
            ),
        )

    def _inside(self, slot: SlotAbout) -> env.Local:
        """Return what the inside of a slot's container looks like."""
        return env.Local(
            node_name=self.node_name,
            address=slot.address,
            path=slot.path,
            hub_url=self.hub_url(),
        )

    def _beside_agent(self) -> env.Local:
        own = str(Path(sys.executable).parent)  # the engines that came with this agent
        path = self.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
        return env.Local(
            node_name=self.node_name,
            address=self.address,
            path=f"{own}:{path}",
            inherited={name: self.environ[name] for name in env.INHERITED if name in self.environ},
            accelerators=self.accelerators(),
            hub_url=self.hub_url(),
        )
