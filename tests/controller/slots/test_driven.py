"""Slots on nodes that are drained or cordoned: another one first, and nothing is missing."""

from typing import Any, cast

import pytest

from llmaz.api.kinds import ENDPOINT_SLICE
from support.slotworld import CORDON, DRAIN, SlotWorld, followers, leave, ready


def endpoints(world: SlotWorld) -> list[str]:
    """The pods that requests go to."""
    return sorted(
        endpoint["targetRef"]["name"]
        for ref, one in world.manifests.items()
        if ref.kind == ENDPOINT_SLICE
        for endpoint in cast("Any", one)["endpoints"]
        if endpoint["conditions"]["ready"]
    )


@pytest.mark.parametrize("told", [DRAIN, CORDON], ids=["drained", "cordoned"])
def test_a_slot_of_such_a_node_serves_until_another_one_does(told: dict[str, Any]) -> None:
    world = ready()
    old = world.pod()
    leave(world, told)
    world.settle()
    (new,) = followers(world)
    assert endpoints(world) == [old.name]
    assert not any(pod.is_ending for pod in world.pods())
    world.bind(new, "n2", "10.0.0.10")
    for _ in range(20):  # at each step of the agents somebody takes requests
        world.decide()
        assert len(endpoints(world)) == 1
        if not world.tick():
            break
    assert endpoints(world) == [new.name]
    assert world.nodes["n1"].spec.engines == ()
    assert [engine.id for engine in world.nodes["n2"].spec.engines] == ["default/chat-0"]
    assert [pod.name for pod in world.pods() if pod.is_ending] == [old.name]


def test_a_slot_that_no_node_takes_over_serves_on() -> None:
    world = ready()
    old = world.pod()
    leave(world, DRAIN)
    world.settle()
    (new,) = followers(world)
    world.refuse(new)
    world.pass_(3600)
    world.settle()
    assert endpoints(world) == [old.name]
    assert not next(pod for pod in world.pods() if pod.uid == old.uid).is_ending


def test_not_more_go_at_once_than_an_update_would_touch() -> None:
    world = ready(3)
    leave(world, DRAIN)
    world.settle()
    for _ in range(3):
        (new,) = followers(world)
        world.bind(new, "n2")
        world.settle()
        assert len(endpoints(world)) == 3
        for pod in [pod for pod in world.pods() if pod.is_ending]:
            world.gone(pod)
        world.settle()
    assert {pod.node for pod in world.pods()} == {"n2"}


def test_a_node_that_takes_slots_again_keeps_those_that_serve() -> None:
    world = ready()
    old = world.pod()
    leave(world, CORDON)
    world.settle()
    leave(world, {"unschedulable": False})
    world.settle()
    assert [pod.name for pod in world.pods()] == [old.name]


def test_an_eviction_before_the_other_slot_is_ready_finds_it_on_its_way() -> None:
    world = ready()
    old = world.pod()
    leave(world, CORDON)
    world.settle()
    (new,) = followers(world)
    world.bind(new, "n2", "10.0.0.10")
    world.decide()
    world.evict(old)
    world.settle()
    world.gone(old)
    world.settle()
    assert endpoints(world) == [new.name]
    assert world.pod().uid == new.uid


def test_no_pod_is_bound_to_a_drained_node_of_which_the_scheduler_knows_nothing() -> None:
    world = ready()
    leave(world, DRAIN)
    world.settle()
    (new,) = followers(world)
    wanted = world.manifest(new)["spec"]["affinity"]["nodeAffinity"]
    terms = wanted["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    off = {"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}
    assert [term["matchFields"] for term in terms] == [[off]]


def test_pods_that_are_bound_to_such_a_node_all_the_same_do_not_pile_up() -> None:
    world = ready()
    old = world.pod()
    world.pass_(5)
    leave(world, DRAIN)
    world.settle()
    for _ in range(3):
        world.pass_(5)
        (new,) = followers(world)
        world.bind(new, "n1")
        world.settle()
        assert next(pod for pod in world.pods() if pod.uid == new.uid).is_ending
        world.gone(new)
        world.settle()
        assert len([pod for pod in world.pods() if pod.lives]) == 2
        assert endpoints(world) == [old.name]
