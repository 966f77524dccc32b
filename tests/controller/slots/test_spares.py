"""Spare slots: ready before they are needed, and no more of them than the policy says."""

from support.controlling import runtime, world_of
from support.slotworld import SlotWorld, slot_world


def with_spare() -> SlotWorld:
    """A replica that serves, and a spare slot that is bound."""
    world = slot_world(world_of(), warm=1)
    world.settle()
    for pod in world.pods():
        world.bind(pod, "n1")
    world.settle()
    return world


def spares(world: SlotWorld) -> list[str]:
    return [pod.uid for pod in world.pods() if pod.replica == "spare" and pod.lives]


def test_a_new_replica_takes_a_spare_and_another_spare_is_made() -> None:
    world = with_spare()
    (spare,) = spares(world)
    world.edit("chat", 2)
    world.settle()
    assert world.pod(1).uid == spare
    assert world.playground("chat").status.ready == "2/2"  # nothing had to be bound
    (another,) = spares(world)
    assert another != spare
    notes = world.manifest(world.pod(1))["metadata"]["annotations"]
    assert notes["karpenter.sh/do-not-disrupt"] == "true"


def test_an_evicted_replica_goes_on_in_a_spare() -> None:
    world = with_spare()
    (spare,) = spares(world)
    old = world.pod(0)
    world.evict(old)
    world.settle()
    assert next(pod for pod in world.pods(0) if pod.lives).uid == spare


def test_spares_of_another_image_are_replaced() -> None:
    world = with_spare()
    (spare,) = spares(world)
    world.add(runtime(version="v2"))
    world.decide()
    assert spare not in spares(world)
    assert len(spares(world)) == 1


def test_no_spare_is_kept_where_the_policy_wants_none() -> None:
    world = slot_world(world_of())
    world.settle()
    assert spares(world) == []
