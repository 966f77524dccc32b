"""What is said of an update, and when."""

import dataclasses

from llmaz.api.meta import find_condition
from llmaz.api.node import ModelPhase, ModelReport
from llmaz.api.playground import BackendRuntimeConfig, Playground
from llmaz.api.source import ModelHub, ModelSource
from llmaz.controller.rolling import ROLLING_OUT
from support.controlling import World, told, world_of
from support.failing import fail_first


def with_args(old: Playground, *args: str) -> Playground:
    config = BackendRuntimeConfig(args=args)
    return dataclasses.replace(
        old, spec=dataclasses.replace(old.spec, backend_runtime_config=config)
    )


def turns(world: World) -> list[tuple[str, str]]:
    """What was told of updates to readers of the Playground."""
    return [
        (event.reason, event.message)
        for event in world.events
        if event.reason.startswith("Rollout") and event.ref.kind.kind == "Playground"
    ]


def rolling(world: World) -> tuple[str, str]:
    found = find_condition(world.playground("chat").status.conditions, ROLLING_OUT)
    assert found is not None
    return found.status, found.reason


def test_the_first_start_is_no_rollout() -> None:
    world = world_of(2)
    world.settle()
    world.edit("chat", 3)
    world.settle()
    assert turns(world) == []
    assert find_condition(world.playground("chat").status.conditions, ROLLING_OUT) is None


def test_an_update_is_told_when_it_starts_and_when_it_is_done() -> None:
    world = world_of(2)
    world.settle()
    world.add(with_args(world.playground("chat"), "--new"))
    world.settle()
    assert turns(world) == [
        ("RolloutStarted", "from revision 1 to 2"),
        ("RolloutCompleted", "revision 2: 2 of 2 replicas are ready"),
    ]
    assert rolling(world) == ("False", "RolloutCompleted")


def test_an_update_that_halts_is_told_once_and_goes_on_with_the_next_one() -> None:
    world = world_of(2)
    world.settle()
    good = world.playground("chat")
    world.add(with_args(good, "--wrong"))
    world.decide()
    fail_first(world)
    world.decide()
    world.decide()
    assert rolling(world) == ("True", "RolloutHalted")
    assert turns(world)[1:] == [("RolloutHalted", "at revision 2: on n1: BadArguments")]
    world.add(dataclasses.replace(world.playground("chat"), spec=good.spec))
    world.settle()
    assert turns(world)[2:] == [
        ("RolloutStarted", "from revision 2 to 3"),
        ("RolloutCompleted", "revision 3: 2 of 2 replicas are ready"),
    ]


def test_the_way_back_to_a_named_revision_is_told() -> None:
    world = world_of(1)
    world.settle()
    world.add(with_args(world.playground("chat"), "--new"))
    world.settle()
    old = world.playground("chat")
    meta = dataclasses.replace(old.metadata, annotations={"llmaz.io/revision": "1"})
    world.add(dataclasses.replace(old, metadata=meta))
    world.settle()
    assert turns(world)[2:] == [
        ("RolloutUndone", "from revision 2 to 1"),
        ("RolloutCompleted", "revision 1: 1 of 1 replicas are ready"),
    ]


def test_other_weights_are_an_update() -> None:
    world = world_of(1)
    world.settle()
    old = world.models["qwen"]
    newer = ModelSource(model_hub=ModelHub(model_id="org/qwen", revision="v2"))
    world.add(dataclasses.replace(old, spec=dataclasses.replace(old.spec, source=newer)))
    world.settle()
    assert [reason for reason, _ in turns(world)] == ["RolloutStarted", "RolloutCompleted"]


def test_an_update_whose_weights_can_not_be_had_says_so_and_halts_while_the_old_ones_serve() -> (
    None
):
    world = world_of(2)
    world.settle()
    old = world.models["qwen"]
    newer = ModelSource(model_hub=ModelHub(model_id="org/qwen", revision="v2"))
    world.add(dataclasses.replace(old, spec=dataclasses.replace(old.spec, source=newer)))
    world.decide()
    report_weights(world, ModelPhase.FETCHING)
    world.decide()
    waiting = "2 of 2 replicas wait to be replaced: OpenModel qwen"
    assert world.playground("chat").status.message == f"{waiting} is being fetched to n1"
    report_weights(world, ModelPhase.FAILED)
    world.decide()
    world.decide()
    assert world.playground("chat").status.message == f"{waiting} on n1: GatedRepository"
    assert [reason for reason, _ in turns(world)] == ["RolloutStarted", "RolloutHalted"]
    assert turns(world)[-1][1].endswith("OpenModel qwen on n1: GatedRepository")
    assert told(world.available("chat")) == ("True", "PlaygroundReady")
    world.settle()
    assert rolling(world) == ("False", "RolloutCompleted")


def report_weights(world: World, phase: ModelPhase) -> None:
    """Let the node's agent say how far it is with the weights that it shall hold now."""
    one = world.nodes["n1"]
    reason = "GatedRepository" if phase is ModelPhase.FAILED else ""
    report = ModelReport(name="qwen", phase=phase, reason=reason)
    status = dataclasses.replace(
        one.status, observed_generation=one.metadata.generation, models=(report,)
    )
    world.nodes["n1"] = dataclasses.replace(one, status=status)


def test_an_update_that_is_scaled_to_zero_is_done() -> None:
    world = world_of(2)
    world.settle()
    world.add(with_args(world.playground("chat"), "--new"))
    world.decide()
    world.edit("chat", 0)
    world.settle()
    assert rolling(world) == ("False", "RolloutCompleted")
