"""What is told of a model before it is deployed is what placement would do."""

import dataclasses

from llmaz.api.memory import EngineMemory
from llmaz.api.placement import Placement
from llmaz.api.playground import BackendRuntimeConfig
from llmaz.controller.actions import Refusal
from llmaz.controller.fitting import Fit, fits
from support.builders import flavor, gpu, model, node, on, playground, runtime
from support.controlling import World
from support.groups import group_world
from support.placing import GIB, LLAMA, large, sized


def asked(world: World, name: str = "qwen", engine: str = "vllm") -> tuple[Fit, ...]:
    config = BackendRuntimeConfig(backend_name=engine)
    found = fits(world.models[name], config, Placement(), world.snapshot(), world.now)
    assert not isinstance(found, Refusal)
    return found


def told(found: tuple[Fit, ...]) -> list[tuple[str, str, str, str]]:
    return [(one.flavor, one.node, one.verdict, one.short) for one in found]


def test_each_node_is_told_for_each_flavor() -> None:
    world = World().add(
        sized(model("qwen", flavor("any"), on(flavor("two", 2), pool="b")), LLAMA),
        runtime(memory=EngineMemory()),
        node("n1", [large("n1-0", 8)]),
        node("n2", [large("n2-0", 24), large("n2-1", 24, 1)]),
    )
    world.kube_nodes["n2"] = dataclasses.replace(world.kube_nodes["n2"], labels={"pool": "b"})
    found = asked(world)
    short = "has 0 of 1 nvidia.com/gpu with 16.0 GiB memory, the others have at most 8.0"
    assert told(found) == [
        ("any", "n1", "no", short),
        ("any", "n2", "fits", ""),
        ("two", "n1", "no", "is not labelled pool=b"),
        ("two", "n2", "fits", ""),
    ]
    assert [one.memory.each // GIB for one in found if one.memory] == [16, 16, 8, 8]


def test_a_node_that_has_room_but_for_what_runs_there_is_busy() -> None:
    world = World().add(
        model("qwen", flavor("any")), runtime(), playground("chat", "qwen"), node("n1", 1)
    )
    world.settle()
    assert told(asked(world)) == [("any", "n1", "busy", "has 0 of 1 nvidia.com/gpu")]


def test_a_model_whose_memory_is_not_known_is_told_by_the_rest() -> None:
    world = World().add(model("qwen", flavor("any")), runtime(), node("n1", [gpu("n1-0")]))
    (found,) = asked(world)
    assert (found.verdict, found.memory) == ("fits", None)


def test_a_flavor_of_several_nodes_tells_of_each_member() -> None:
    found = asked(group_world())
    assert {one.verdict for one in found} == {"fits"}
    assert {one.nodes for one in found} == {2}


def test_a_flavor_of_several_nodes_says_that_a_runtime_knows_no_groups() -> None:
    pair = flavor("pair", 1, TP="1", PP="2")
    world = World().add(model("qwen", pair), runtime(), node("n1", 1))
    short = "can't be one of 2 nodes: the BackendRuntime has no multiHostCommands"
    assert told(asked(world)) == [("pair", "n1", "no", short)]


def test_an_engine_that_is_not_there_is_refused() -> None:
    world = World().add(model("qwen", flavor("any")), node("n1", 1))
    config = BackendRuntimeConfig(backend_name="gone")
    found = fits(world.models["qwen"], config, Placement(), world.snapshot(), world.now)
    assert found == Refusal(reason="RuntimeNotFound", message="BackendRuntime gone does not exist")
