"""Which namespaces are asked about, and which engines may not have what is on the node."""

import dataclasses
from datetime import UTC, datetime, timedelta

from llmaz.agent.cache.entitle import RightsPlan, decide_rights
from llmaz.agent.cache.state import (
    Asking,
    AskRight,
    DropRight,
    Failed,
    Fetching,
    Granted,
    Held,
    ModelSeen,
    Right,
)
from llmaz.api.node import AssignedEngine, AssignedModel, NodeSpec
from llmaz.api.source import ModelSource

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = AssignedModel(name="m", source=ModelSource(uri="s3://bucket/m"))
HELD = Held(path="/models/m")
REFUSED = Failed(reason="NotAuthorized", message="no", passing=False, failures=1, at=NOW)


def _engine(namespace: str) -> AssignedEngine:
    return AssignedEngine(id=f"{namespace}/s-0", service="s", model="m", main_model="m")


def _spec(*namespaces: str) -> NodeSpec:
    return NodeSpec(models=(MODEL,), engines=tuple(map(_engine, namespaces)))


def _plan(spec: NodeSpec | None, rights: dict[str, Right] | None, at: datetime = NOW) -> RightsPlan:
    seen = ModelSeen(model=MODEL, state=HELD, rights=rights)
    return decide_rights(spec, {"m": seen}, at)


def test_every_namespace_is_asked_about_and_waits_until_it_is_known() -> None:
    plan = _plan(_spec("one", "two"), {"one": Granted()})
    assert plan.actions == (AskRight(model=MODEL, namespace="two"),)
    assert plan.refused == {
        ("two", "m"): "asks the source whether namespace two may have m",
    }


def test_a_namespace_is_asked_about_once_at_a_time() -> None:
    plan = _plan(_spec("one"), {"one": Asking()})
    assert plan.actions == ()
    assert ("one", "m") in plan.refused


def test_a_refusal_is_said_and_asked_for_again_later() -> None:
    plan = _plan(_spec("one"), {"one": REFUSED})
    assert plan.actions == ()
    assert plan.refused == {("one", "m"): "NotAuthorized: no"}
    assert plan.look_again_in is not None
    later = _plan(_spec("one"), {"one": REFUSED}, NOW + timedelta(minutes=5))
    assert later.actions == (AskRight(model=MODEL, namespace="one"),)


def test_a_namespace_whose_engines_are_gone_is_forgotten() -> None:
    plan = _plan(_spec(), {"one": Granted()})
    assert plan.actions == (DropRight(name="m", namespace="one"),)


def test_without_the_option_weights_are_for_all() -> None:
    assert _plan(_spec("one"), None) == RightsPlan(refused={})


def test_without_an_assignment_nothing_is_asked_and_nothing_forgotten() -> None:
    assert _plan(None, {"one": Granted()}) == RightsPlan(refused={})


def test_nobody_is_asked_about_weights_that_are_not_here_yet() -> None:
    seen = ModelSeen(model=MODEL, state=Fetching(), rights={})
    assert decide_rights(_spec("one"), {"m": seen}, NOW) == RightsPlan(refused={})


def test_an_engine_that_brings_its_own_weights_needs_no_right() -> None:
    engine = dataclasses.replace(_engine("one"), skip_model_loader=True)
    spec = NodeSpec(models=(MODEL,), engines=(engine,))
    assert _plan(spec, {}) == RightsPlan(refused={})
