"""Which models are fetched, and what is said of each."""

import dataclasses
from datetime import UTC, datetime, timedelta

from llmaz.agent.cache.decide import ModelPlan, decide_models
from llmaz.agent.cache.state import DropModel, Failed, Fetching, FetchModel, Held, ModelSeen
from llmaz.api.node import AssignedEngine, AssignedModel, ModelPhase, ModelReport, NodeSpec
from llmaz.api.source import ModelSource

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = AssignedModel(name="m", source=ModelSource(uri="host:///models/m"))
MOVED = AssignedModel(name="m", source=ModelSource(uri="host:///elsewhere"))
WANTED = NodeSpec(models=(MODEL,))


def _engine(*, skips: bool, draft: str | None = None) -> AssignedEngine:
    return AssignedEngine(
        id=f"default/{skips}-0",
        service="s",
        model="m",
        main_model="m",
        draft_model=draft,
        skip_model_loader=skips,
    )


def _failed(*, passing: bool = True, failures: int = 1, at: datetime = NOW) -> Failed:
    return Failed(
        reason="NetworkUnreachable", message="no way", passing=passing, failures=failures, at=at
    )


def _decide(
    spec: NodeSpec | None, state: Fetching | Held | Failed | None, model: AssignedModel = MODEL
) -> ModelPlan:
    seen = {} if state is None else {"m": ModelSeen(model=model, state=state)}
    return decide_models(spec, seen, NOW)


def test_a_model_that_is_assigned_is_fetched() -> None:
    plan = _decide(WANTED, None)
    assert plan.actions == (FetchModel(model=MODEL),)
    assert plan.reports == (ModelReport(name="m", phase=ModelPhase.PENDING),)
    assert plan.ready == {}


def test_a_fetch_under_way_is_not_begun_again() -> None:
    plan = _decide(WANTED, Fetching(bytes_done=3, bytes_total=10))
    assert plan.actions == ()
    assert plan.reports == (
        ModelReport(name="m", phase=ModelPhase.FETCHING, bytes_done=3, bytes_total=10),
    )


def test_a_model_that_is_looked_for_is_pending() -> None:
    (report,) = _decide(WANTED, Fetching()).reports
    assert report.phase is ModelPhase.PENDING


def test_a_model_that_is_held_is_ready_at_its_path() -> None:
    plan = _decide(WANTED, Held(path="/models/m"))
    assert (plan.actions, plan.ready) == ((), {"m": "/models/m"})


def test_a_model_whose_source_changed_is_fetched_from_there() -> None:
    plan = _decide(NodeSpec(models=(MOVED,)), Held(path="/models/m"))
    assert (plan.actions, plan.ready) == ((FetchModel(model=MOVED),), {})


def test_a_passing_failure_is_tried_again_after_a_wait_that_grows() -> None:
    plan = _decide(WANTED, _failed())
    assert plan.actions == ()
    assert plan.reports[0].reason == "NetworkUnreachable"
    first = plan.look_again_in
    later = _decide(WANTED, _failed(failures=4)).look_again_in
    assert first is not None
    assert later is not None
    assert 1.0 < first < 3.0 < later
    due = _failed(at=NOW - timedelta(seconds=3))
    assert _decide(WANTED, due).actions == (FetchModel(model=MODEL),)


def test_a_lasting_failure_is_looked_at_again_now_and_then() -> None:
    wait = _decide(WANTED, _failed(passing=False)).look_again_in
    assert wait is not None
    assert 30.0 < wait < 90.0


def test_a_failed_model_whose_credentials_changed_is_tried_at_once() -> None:
    model = AssignedModel(name="m", source=MODEL.source, secret_namespace="team")
    plan = _decide(NodeSpec(models=(model,)), _failed(passing=False))
    assert plan.actions == (FetchModel(model=model),)


def test_a_fetch_after_a_failure_says_what_it_follows() -> None:
    (report,) = _decide(WANTED, Fetching(after=_failed())).reports
    assert report.phase is ModelPhase.FETCHING
    assert report.message == "tried again after: no way"


def test_a_model_that_is_assigned_no_more_is_dropped() -> None:
    plan = _decide(NodeSpec(), Held(path="/models/m"))
    assert (plan.actions, plan.reports) == ((DropModel(name="m"),), ())


def test_without_an_assignment_nothing_is_dropped() -> None:
    plan = _decide(None, Held(path="/models/m"))
    assert (plan.actions, plan.ready) == ((), {"m": "/models/m"})


AHEAD = dataclasses.replace(MODEL, priority="prefetch")


def test_a_model_of_which_every_engine_brings_the_weights_is_not_prefetched() -> None:
    spec = NodeSpec(models=(AHEAD,), engines=(_engine(skips=True),))
    plan = _decide(spec, None)
    assert plan.actions == ()
    assert plan.reports[0].phase is ModelPhase.READY


def test_a_model_is_prefetched_for_one_engine_that_needs_it() -> None:
    spec = NodeSpec(models=(AHEAD,), engines=(_engine(skips=True), _engine(skips=False)))
    assert _decide(spec, None).actions == (FetchModel(model=AHEAD),)


def test_weights_on_demand_are_fetched_while_an_engine_that_brings_its_own_serves() -> None:
    spec = NodeSpec(models=(MODEL,), engines=(_engine(skips=True),))
    plan = _decide(spec, None)
    assert plan.actions == (FetchModel(model=MODEL),)
    assert plan.ready == {}


OLLAMA = AssignedModel(name="m", source=ModelSource(uri="ollama://qwen:7b"), priority="prefetch")


def test_an_ollama_model_is_fetched_for_an_engine_that_opens_a_file() -> None:
    engine = dataclasses.replace(_engine(skips=False), args=("-m", "$(LLMAZ_MODEL_PATH)"))
    plan = decide_models(NodeSpec(models=(OLLAMA,), engines=(engine,)), {}, NOW)
    assert plan.actions == (FetchModel(model=OLLAMA),)


def test_ollama_itself_pulls_its_model_by_name() -> None:
    plan = decide_models(NodeSpec(models=(OLLAMA,), engines=(_engine(skips=False),)), {}, NOW)
    assert (plan.actions, plan.ready) == ((), {"m": ""})
    assert plan.reports[0].reason == "OwnWeights"


def test_weights_that_can_run_code_are_ready_and_said_to_be() -> None:
    (report,) = _decide(WANTED, Held(path="/models/m", pickles=("a.bin", "b.bin"))).reports
    assert (report.phase, report.reason) == (ModelPhase.READY, "HasPickles")
    assert report.message.startswith("a.bin and 1 more can run code")


def test_a_clock_that_was_put_back_holds_up_no_further_try() -> None:
    failed = Failed(reason="X", message="x", passing=True, failures=1, at=NOW + timedelta(hours=1))
    assert _decide(WANTED, failed).actions == (FetchModel(model=MODEL),)
