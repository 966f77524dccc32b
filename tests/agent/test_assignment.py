"""What an InferenceNode assigns."""

from llmaz.agent.assignment import (
    Assignment,
    Refusal,
    confirms_stop,
    read_assignment,
)
from llmaz.api.fingerprint import fingerprint
from llmaz.api.manifest import Json, Manifest
from llmaz.api.node import AssignedEngine, NodeSpec

ENGINE = AssignedEngine(id="default/a-0", service="a", model="a", main_model="a")
RUNNING = fingerprint(ENGINE)


def _manifest(generation: int, spec: Json = None) -> Manifest:
    manifest: Manifest = {"metadata": {"name": "n", "generation": generation}}
    return manifest if spec is None else {**manifest, "spec": spec}


def _assignment(*engines: AssignedEngine) -> Assignment:
    return Assignment(generation=2, spec=NodeSpec(engines=engines))


def test_an_object_as_the_agent_makes_it_assigns_nothing_and_takes_nothing_away() -> None:
    assert read_assignment(_manifest(1)) is None


def test_a_spec_that_was_emptied_assigns_that_nothing_shall_run() -> None:
    assert read_assignment(_manifest(2)) == Assignment(generation=2, spec=NodeSpec())
    assert read_assignment(_manifest(2, {})) == Assignment(generation=2, spec=NodeSpec())


def test_a_first_spec_counts_at_once() -> None:
    spec: Json = {"models": [{"name": "m", "source": {"uri": "host:///m"}}]}
    reading = read_assignment(_manifest(1, spec))
    assert isinstance(reading, Assignment)
    assert [model.name for model in reading.spec.models] == ["m"]


def test_a_spec_that_cannot_be_read_is_refused_with_the_place() -> None:
    reading = read_assignment(_manifest(3, {"engines": [{"id": 5}]}))
    assert reading == Refusal(
        generation=3, message="spec.engines[0].id: must be a string, not an integer"
    )


def test_an_engine_that_is_not_assigned_may_be_stopped() -> None:
    assert confirms_stop(_assignment(), ENGINE.id, RUNNING)


def test_an_engine_that_is_assigned_as_it_runs_may_not() -> None:
    assert not confirms_stop(_assignment(ENGINE), ENGINE.id, RUNNING)


def test_an_engine_that_shall_run_otherwise_may_be_stopped() -> None:
    assert confirms_stop(_assignment(ENGINE), ENGINE.id, "another")


def test_what_is_unknown_or_refused_confirms_no_stop() -> None:
    assert not confirms_stop(None, ENGINE.id, RUNNING)
    assert not confirms_stop(Refusal(generation=2, message="?"), ENGINE.id, RUNNING)
