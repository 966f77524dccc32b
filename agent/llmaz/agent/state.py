"""What the agent sees at one moment: the only thing that its plan may look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from llmaz.agent.accelerators.device import Sighting
from llmaz.agent.assignment import Assignment, Refusal
from llmaz.agent.cache.state import Fetching, ModelSeen
from llmaz.agent.engines.state import EngineSeen, Environment
from llmaz.agent.slots.decide import SlotSeen
from llmaz.api.cache import CacheReport
from llmaz.api.incident import EngineIncident
from llmaz.api.meta import Condition
from llmaz.api.quantity import Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What does not change while the agent runs."""

    name: str
    address: str
    agent_url: str
    agent_version: str
    boot_id: str
    capacity: Mapping[str, Quantity]
    machine: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """One look at the node."""

    assignment: Assignment | None = None  # the last that could be read
    refusal: Refusal | None = None  # of a later one
    accelerators: Sighting = field(default_factory=Sighting)
    models: Mapping[str, ModelSeen] = field(default_factory=dict)
    engines: tuple[EngineSeen, ...] = ()
    environments: Mapping[tuple[str, ...], Environment] = field(default_factory=dict)
    slots: Mapping[str, SlotSeen] = field(default_factory=dict)  # whose shims live, by uid
    sharing_url: str = ""  # empty while nothing is served to other nodes
    cache: CacheReport | None = None  # None: it was not measured yet
    distrusted: tuple[str, ...] = ()  # nodes that sent wrong bytes, and are asked for nothing now
    incidents: tuple[EngineIncident, ...] = ()
    conditions: tuple[Condition, ...] = ()  # as they were last reported

    @property
    def is_complete(self) -> bool:
        """Whether every part has been looked at once since the agent started."""
        assigned = self.assignment.spec.models if self.assignment is not None else ()
        looked_at = {
            name
            for name, seen in self.models.items()
            if not isinstance(seen.state, Fetching) or seen.state.bytes_total is not None
        }
        return self.accelerators.devices is not None and all(
            model.name in looked_at for model in assigned
        )
