"""Slots that end where no node is left: their successors begin once, and stay."""

import pytest

from llmaz.controller.actions import Assign
from support.slotworld import SlotWorld, followers, ready


def on(world: SlotWorld, node: str) -> list[str]:
    return [engine.id for engine in world.nodes[node].spec.engines]


@pytest.mark.parametrize("is_silent", [False, True], ids=["agent-lives", "agent-is-silent"])
@pytest.mark.parametrize("bound", [0, 1])
def test_the_successor_of_an_evicted_slot_is_assigned_once(bound: int, is_silent: bool) -> None:
    world = ready(2)
    old = world.pods()
    if is_silent:
        world.lose("n1")
    for pod in old:
        world.evict(pod)
    world.settle()
    new = {pod.replica: pod for pod in followers(world)}
    world.refuse(new[str(1 - bound)])
    world.bind(new[str(bound)], "n2", "10.0.0.10")
    for _ in range(3):  # the old agent tells of an engine that serves as long as its pod ends
        done = [one for one in world.decide() if isinstance(one, Assign) and one.node == "n2"]
        assert len(done) <= 1
        world.tick()
    assert on(world, "n2") == [f"default/chat-{bound}"]


def test_all_that_were_evicted_come_back() -> None:
    world = ready(2)
    old = world.pods()
    for pod in old:
        world.evict(pod)
    world.settle()
    for pod in followers(world):
        world.bind(pod, "n2", "10.0.0.10")
    world.settle()
    for pod in old:
        world.gone(pod)
    world.settle()
    assert on(world, "n1") == []
    assert on(world, "n2") == ["default/chat-0", "default/chat-1"]
