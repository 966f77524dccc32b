"""Updates in slots of which some replicas have no place."""

from llmaz.controller.slots.pod import SlotPod
from support.builders import runtime
from support.controlling import world_of
from support.slotworld import SlotWorld, slot_world


def one_nowhere() -> SlotWorld:
    """Three replicas, of which one has never had a place."""
    world = slot_world(world_of(3))
    world.settle()
    for index in range(2):
        world.bind(world.pod(index), "n1", f"10.0.0.{index}")
    world.refuse(world.pod(2))
    world.settle()
    return world


def renew(world: SlotWorld) -> None:
    """Another image: other pods."""
    world.add(runtime(version="v2"))
    world.decide()
    for pod in unbound(world):
        world.refuse(pod)
    world.decide()


def unbound(world: SlotWorld) -> list[SlotPod]:
    return [pod for pod in world.pods() if not pod.node and pod.lives]


def leaving(world: SlotWorld) -> list[SlotPod]:
    return [pod for pod in world.pods() if pod.is_ending]


def test_a_replica_that_never_had_a_place_holds_up_no_update_of_the_rest() -> None:
    world = one_nowhere()
    before = {pod.uid for pod in world.pods()}
    renew(world)
    for _ in range(2):
        (old,) = leaving(world)  # one at a time: maxUnavailable
        world.gone(old)
        world.decide()
        new = next(pod for pod in unbound(world) if pod.replica == old.replica)
        world.refuse(new)
        world.decide()
        assert leaving(world) == []
        world.bind(new, "n1")
        world.settle()
    assert leaving(world) == []
    assert not before & {pod.uid for pod in world.pods()}
    assert [pod.replica for pod in unbound(world)] == ["2"]


def test_an_update_that_fits_nowhere_takes_no_more_down_than_may_be_missing() -> None:
    world = one_nowhere()
    renew(world)
    (old,) = leaving(world)
    world.gone(old)
    world.decide()
    for _ in range(3):
        for pod in unbound(world):
            world.refuse(pod)
        world.settle()
        world.pass_(3600)
    assert leaving(world) == []
    assert len([pod for pod in world.pods() if pod.node]) == 1
