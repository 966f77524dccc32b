"""Replicas that serve where no flavor allows them any more."""

import dataclasses

from llmaz.api.openmodel import Flavor, InferenceConfig
from llmaz.api.placement import Placement
from llmaz.controller.snapshot import KubeNode, PriorityClass
from support.builders import flavor, model, node, on, playground, runtime
from support.controlling import World, told

A10, A100 = on(flavor("a10"), kind="a10"), on(flavor("a100"), kind="a100")


def offer(world: World, *flavors: Flavor) -> None:
    """Edit the flavors of the model."""
    old = world.models["qwen"]
    config = InferenceConfig(flavors=flavors)
    world.add(dataclasses.replace(old, spec=dataclasses.replace(old.spec, inference_config=config)))


def two_kinds(replicas: int, gpus: int = 2) -> World:
    """A node of each kind, and replicas that run on the a10."""
    world = World().add(
        model("qwen", A10, A100),
        runtime(),
        playground("chat", "qwen", replicas),
        node("n1", gpus),
    )
    world.kube_nodes["n1"] = KubeNode(name="n1", labels={"kind": "a10"})
    world.settle()
    return world


def add_a100(world: World, gpus: int = 2) -> None:
    world.add(node("n2", gpus))
    world.kube_nodes["n2"] = KubeNode(name="n2", labels={"kind": "a100"})


def places(world: World) -> list[str]:
    return [where for where, _ in world.engines().values()]


def test_a_flavor_that_is_taken_away_ends_nothing_that_has_nowhere_to_go() -> None:
    world = two_kinds(2)
    before = world.engines()
    offer(world, A100)
    world.settle()
    assert world.engines() == before
    assert told(world.available("chat")) == ("True", "PlaygroundReady")
    status = world.playground("chat").status
    assert (status.ready, status.updated_replicas) == ("2/2", 0)
    assert status.message == (
        "no flavor allows replica 0 on n1, where it serves until there is room: "
        "a100: 0 of 1 nodes fit: none is labelled kind=a100; 2 of 2 replicas wait to be replaced"
    )


def test_replicas_of_a_flavor_that_is_taken_away_move_as_many_at_once_as_may_be_missing() -> None:
    world = two_kinds(2)
    offer(world, A100)
    world.settle()
    add_a100(world)
    fewest = 2
    for _ in range(20):
        acted = bool(world.decide())
        fewest = min(fewest, world.services[("default", "chat")].status.ready_replicas)
        if not world.tick() and not acted:
            break
    assert places(world) == ["n2", "n2"]
    assert fewest == 2
    assert world.playground("chat").status.message == ""


def test_a_label_that_goes_ends_nothing() -> None:
    world = two_kinds(1)
    world.kube_nodes["n1"] = KubeNode(name="n1")
    world.settle()
    assert places(world) == ["n1"]
    world.kube_nodes["n1"] = KubeNode(name="n1", labels={"kind": "a10"})
    world.settle()
    assert world.playground("chat").status.message == ""


def test_more_devices_on_the_same_node_replace_one_replica_after_the_other() -> None:
    world = two_kinds(2, gpus=4)
    offer(world, on(flavor("a10", gpus=2), kind="a10"))
    fewest = 2
    for _ in range(20):
        acted = bool(world.decide())
        fewest = min(fewest, world.services[("default", "chat")].status.ready_replicas)
        if not world.tick() and not acted:
            break
    assert sorted(len(devices) for _, devices in world.engines().values()) == [2, 2]
    assert fewest == 1


def test_one_that_serves_nobody_does_not_linger() -> None:
    world = World().add(
        model("qwen", A10, A100), runtime(), playground("chat", "qwen"), node("n1", 1)
    )
    world.kube_nodes["n1"] = KubeNode(name="n1", labels={"kind": "a10"})
    world.decide()
    assert places(world) == ["n1"]
    offer(world, A100)
    world.settle()
    assert places(world) == []
    assert told(world.available("chat")) == ("False", "Unplaceable")


def test_who_lingers_makes_way_for_who_is_more_important() -> None:
    world = two_kinds(2)
    offer(world, A100)
    world.settle()
    world.priorities["high"] = PriorityClass(name="high", value=10)
    first = playground("first", "other")
    spec = dataclasses.replace(first.spec, placement=Placement(priority_class_name="high"))
    world.add(model("other", A10), dataclasses.replace(first, spec=spec))
    world.settle()
    assert set(world.engines()) == {"default/chat-0", "default/first-0"}
