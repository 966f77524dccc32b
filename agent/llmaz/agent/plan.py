"""What the agent does next and what it reports: the decision over one look at the node. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from llmaz.agent.accelerators.busy import busy
from llmaz.agent.cache.decide import decide_models
from llmaz.agent.cache.entitle import decide_rights
from llmaz.agent.cache.state import ModelAction
from llmaz.agent.engines.decide import decide_engines
from llmaz.agent.engines.state import (
    EngineAction,
    EngineSeen,
    StopEngine,
)
from llmaz.agent.report import report
from llmaz.agent.state import NodeFacts, NodeState
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import NodeSpec, NodeStatus

LOOK_AT_BUSY_SECONDS = 1.0  # that a device's memory was freed wakes nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class AskThenStop:
    """Stop an engine if the assignment, read once more from the API server, says so too."""

    stop: StopEngine
    running: str  # fingerprint of what runs

    @property
    def id(self) -> str:
        return self.stop.id


AgentAction: TypeAlias = ModelAction | EngineAction | AskThenStop


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The actions of this cycle, the report, and when to look again without an event."""

    actions: tuple[AgentAction, ...]
    status: NodeStatus
    look_again_in: float | None


def plan(facts: NodeFacts, state: NodeState, now: datetime) -> Plan:
    """Bring the node one step towards its assignment.

    Without a known assignment nothing starts, stops or is dropped. What an engine's own health asks
    for is done at once; a stop that the assignment asks for is first confirmed by the API server,
    since a watch can lag.
    """
    spec = state.assignment.spec if state.assignment is not None else None
    models = decide_models(spec, state.models, now)
    rights = decide_rights(spec, state.models, now)
    taken = busy(state.accelerators, state.engines)
    engines = decide_engines(
        spec.engines if spec is not None else None,
        state.engines,
        models.ready,
        now,
        busy_accelerators=taken,
        environments=state.environments,
        refused=rights.refused,
        slots=state.slots,
    )
    actions = (*models.actions, *rights.actions, *_guarded(engines.actions, state.engines, spec))
    looks = (models.look_again_in, rights.look_again_in, engines.look_again_in)
    waits = [wait for wait in looks if wait is not None]
    if taken:
        waits.append(LOOK_AT_BUSY_SECONDS)
    return Plan(
        actions=actions,
        status=report(facts, state, models.reports, engines.reports, now),
        look_again_in=min(waits, default=None),
    )


def _guarded(
    actions: tuple[EngineAction, ...], seen: tuple[EngineSeen, ...], spec: NodeSpec | None
) -> Iterator[EngineAction | AskThenStop]:
    running = {engine.id: engine.fingerprint for engine in seen}
    wanted = {engine.id: fingerprint(engine) for engine in spec.engines} if spec else {}
    for action in actions:
        if isinstance(action, StopEngine) and wanted.get(action.id) != running[action.id]:
            yield AskThenStop(stop=action, running=running[action.id])
        else:
            yield action
