"""Spare slots: ready before they are needed, and no more of them than the policy says."""

import dataclasses

from support.builders import flavor, model, playground, runtime
from support.controlling import world_of
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


def two_services() -> SlotWorld:
    """Two Playgrounds of one image, count and flavor, with one spare between them."""
    world = slot_world(world_of(), warm=1)
    world.add(model("llama", flavor("a10")), playground("talk", "llama"))
    world.settle()
    for pod in world.pods():
        world.bind(pod, "n1")
    world.settle()
    return world


def test_services_of_one_image_count_and_flavor_share_their_spares() -> None:
    world = two_services()
    (spare,) = spares(world)
    world.add(playground("talk", "llama", 2))
    world.settle()
    (taken,) = (pod for pod in world.pods(1) if pod.service == "talk")
    assert taken.uid == spare
    meta = world.manifest(taken)["metadata"]
    assert [owner["name"] for owner in meta["ownerReferences"]] == ["talk"]
    assert meta["labels"]["llmaz.io/model-name"] == "llama"
    assert meta["labels"]["llmaz.io/playground"] == "talk"
    assert len(spares(world)) == 1


def test_a_service_of_other_accelerators_has_a_spare_of_its_own() -> None:
    world = two_services()
    world.add(model("big", flavor("a10", 2)), playground("large", "big"))
    world.settle()
    asked = [
        world.manifest(pod)["spec"]["containers"][0]["resources"]["limits"]
        for pod in world.pods()
        if pod.replica == "spare"
    ]
    assert sorted(limits["nvidia.com/gpu"] for limits in asked) == ["1", "2"]


def test_a_spare_that_nobody_could_use_goes() -> None:
    world = two_services()
    (spare,) = spares(world)
    for name in ("chat", "talk"):
        world.add(playground(name, "llama" if name == "talk" else "qwen", 0))
    world.policy = dataclasses.replace(world.policy, warm=0)
    world.settle()
    assert spare not in spares(world)
