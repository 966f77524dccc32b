"""What the agent does next: the decision over one look at the node."""

from datetime import UTC, datetime

from llmaz.agent.assignment import Assignment
from llmaz.agent.cache.state import FetchModel, Held, ModelSeen
from llmaz.agent.engines.state import EngineSeen, Health, Running, StartEngine, StopEngine
from llmaz.agent.plan import AskThenStop, Plan, plan
from llmaz.agent.state import NodeFacts, NodeState
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine, AssignedModel, EnginePhase, ModelPhase, NodeSpec
from llmaz.api.source import ModelSource

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = NodeFacts(
    name="n",
    address="10.0.0.7",
    agent_url="http://10.0.0.7:9400",
    agent_version="1",
    boot_id="boot",
    capacity={},
)
MODEL = AssignedModel(name="m", source=ModelSource(uri="host:///models/m"))
ENGINE = AssignedEngine(id="default/a-0", service="a", model="m", main_model="m")
HELD = {"m": ModelSeen(model=MODEL, state=Held(path="/models/m"))}


def _running(engine: AssignedEngine, health: Health = Health.READY) -> EngineSeen:
    return EngineSeen(
        id=engine.id,
        assignment=engine,
        fingerprint=fingerprint(engine),
        process=Running(pid=7, run=1, started_at=NOW),
        port=9000,
        health=health,
        detail="it hangs" if health is Health.DEAD else "",
        ready_at=NOW,
    )


def _plan(state: NodeState) -> Plan:
    return plan(FACTS, state, NOW)


def _assigned(*engines: AssignedEngine, models: tuple[AssignedModel, ...] = ()) -> Assignment:
    return Assignment(generation=4, spec=NodeSpec(engines=engines, models=models))


def test_an_agent_without_an_assignment_reports_what_runs_and_touches_nothing() -> None:
    decided = _plan(NodeState(engines=(_running(ENGINE),), models=HELD))
    assert decided.actions == ()
    assert decided.status.engines is not None
    assert decided.status.engines[0].phase is EnginePhase.READY


def test_an_engine_waits_for_its_weights() -> None:
    decided = _plan(NodeState(assignment=_assigned(ENGINE, models=(MODEL,))))
    assert decided.actions == (FetchModel(model=MODEL),)
    assert decided.status.models is not None
    assert decided.status.models[0].phase is ModelPhase.PENDING
    assert decided.status.engines is not None
    assert decided.status.engines[0].phase is EnginePhase.WAITING


def test_an_engine_starts_with_the_path_of_its_weights() -> None:
    decided = _plan(NodeState(assignment=_assigned(ENGINE, models=(MODEL,)), models=HELD))
    assert decided.actions == (StartEngine(engine=ENGINE, model_path="/models/m"),)


def test_a_stop_that_the_assignment_asks_for_is_confirmed_first() -> None:
    decided = _plan(NodeState(assignment=_assigned(), engines=(_running(ENGINE),)))
    stop = StopEngine(id=ENGINE.id, reason="no longer assigned to this node")
    assert decided.actions == (AskThenStop(stop=stop, running=fingerprint(ENGINE)),)


def test_a_stop_that_an_engines_health_asks_for_is_not() -> None:
    seen = _running(ENGINE, Health.DEAD)
    state = NodeState(assignment=_assigned(ENGINE, models=(MODEL,)), engines=(seen,), models=HELD)
    assert _plan(state).actions == (StopEngine(id=ENGINE.id, reason="it hangs"),)


def test_an_engine_is_reported_at_the_address_of_its_node() -> None:
    state = NodeState(assignment=_assigned(ENGINE, models=(MODEL,)), models=HELD)
    (waiting,) = _plan(state).status.engines or ()
    assert (waiting.address, waiting.port) == ("", None)
    seen = NodeState(assignment=state.assignment, models=HELD, engines=(_running(ENGINE),))
    (ready,) = _plan(seen).status.engines or ()
    assert (ready.address, ready.port) == ("10.0.0.7", 9000)
