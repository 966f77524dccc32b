"""What the agent sees at one moment: the only thing that its plan may look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmaz.agent.accelerators.device import Sighting
from llmaz.agent.assignment import Assignment, Refusal
from llmaz.agent.cache.state import ModelSeen
from llmaz.agent.engines.state import EngineSeen
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """One look at the node."""

    assignment: Assignment | None = None  # the last that could be read
    refusal: Refusal | None = None  # of a later one
    accelerators: Sighting = field(default_factory=Sighting)
    models: Mapping[str, ModelSeen] = field(default_factory=dict)
    engines: tuple[EngineSeen, ...] = ()
    conditions: tuple[Condition, ...] = ()  # as they were last reported
