"""A sample of random histories of a cluster whose engines run in slots."""

import dataclasses
from random import Random

import pytest

from llmaz.api.kinds import INFERENCE_NODE, POD
from llmaz.api.manifest import encode
from llmaz.api.node import InferenceNode
from llmaz.controller.snapshot import Ref
from support.simulator import machines, users
from support.simulator.history import Step
from support.simulator.slothistory import run_slots, slot_steps_of
from support.simulator.slotted import SlottedWorld, evict

SEEDS, MORE_SEEDS = 8, 80


@pytest.mark.parametrize("quarter", range(4))
def test_a_random_history_of_slots_breaks_no_rule_and_settles(quarter: int) -> None:
    for seed in range(quarter, SEEDS, 4):
        run_slots(seed, slot_steps_of(seed))


@pytest.mark.slow
@pytest.mark.parametrize("fifth", range(5))
def test_many_random_histories_of_slots_break_no_rule_and_settle(fifth: int) -> None:
    for seed in range(SEEDS + fifth, MORE_SEEDS, 5):
        run_slots(seed, slot_steps_of(seed))


def test_no_pod_is_made_beside_one_that_has_found_its_node_unheard_of() -> None:
    run_slots(
        379,
        [
            Step("offer", ("m0", "v1")),
            Step("offer", ("m1", "v1")),
            Step("serve", ("p0", 3)),
            Step("serve", ("p1", 3)),
            Step("join", ("n0", 2)),
            Step("provide", ("v1",)),
            Step("calm"),
            Step("preempt", (2,)),
            Step("serve", ("p2", 0)),
            Step("serve", ("p1", 2)),
            Step("deafen_of_pods"),
            Step("rival", (3,)),
            Step("cut", (1,)),
            Step("join", ("n2", 4)),
            Step("pass_time", (60,)),
        ],
    )


def test_a_pod_that_was_kept_off_a_silent_node_may_go_there_when_it_is_back() -> None:
    run_slots(
        1324,
        [
            Step("join", ("n0", 2)),
            Step("provide", ("v1",)),
            Step("offer", ("m1", "v1")),
            Step("serve", ("p1", 2)),
            Step("silence", ("n0", True)),
            Step("calm"),
        ],
    )


def one_served() -> SlottedWorld:
    """A cluster in which one replica serves from a slot; nobody has asked for more since."""
    world = SlottedWorld(Random(1))
    users.offer(world, "m1", "v1")
    users.provide(world, "v1")
    machines.join(world, "n0", 2)
    users.serve(world, "p1", 1)
    world.calm()
    assert [pod.node for pod in world.pod_server.pods().values()] == ["n0"]
    return world


def test_what_is_evicted_has_another_slot_once_the_cluster_is_calm() -> None:
    world = one_served()
    (before,) = world.pod_server.pods()
    evict(world, 0)
    world.end(users.mend)
    assert before not in world.pod_server.pods()
    assert [pod.node for pod in world.pod_server.pods().values()] == ["n0"]


def test_the_rules_notice_a_slot_that_is_ended_for_no_reason() -> None:
    world = one_served()
    (ref,) = world.pod_server.pods()
    with pytest.raises(AssertionError, match="nobody asked to stop it"):
        world.server.remove(ref)


def test_the_rules_notice_an_engine_that_leaves_its_slot_for_no_reason() -> None:
    world = one_served()
    (node,) = world.server.all(INFERENCE_NODE, InferenceNode)
    spec = encode(dataclasses.replace(node.spec, engines=()))
    with pytest.raises(AssertionError, match="nobody asked to stop it"):
        world.server.put(world.agents["n0"].ref, {"spec": spec})


def test_the_rules_notice_two_engines_in_one_slot() -> None:
    world = one_served()
    (node,) = world.server.all(INFERENCE_NODE, InferenceNode)
    twice = (*node.spec.engines, dataclasses.replace(node.spec.engines[0], id="default/p1-7"))
    spec = encode(dataclasses.replace(node.spec, engines=twice))
    world.rules.excuse_playground("p1")
    world.server.put(world.agents["n0"].ref, {"spec": spec})
    with pytest.raises(AssertionError, match="two engines in one slot"):
        world.rules.check()


def test_the_rules_notice_a_slot_that_nobody_asked_for() -> None:
    world = one_served()
    ((ref, _),) = world.pod_server.pods().items()
    one = world.server.objects[ref]
    extra = Ref(kind=POD, namespace=ref.namespace, name="p1-1-extra")
    meta = {**one["metadata"], "name": extra.name, "uid": "", "resourceVersion": ""}  # type: ignore[dict-item]  # JSON
    meta["labels"] = {**meta["labels"], "llmaz.io/replica": "1"}  # type: ignore[dict-item]  # JSON
    del meta["uid"], meta["resourceVersion"]
    with pytest.raises(AssertionError, match="one more than 1"):
        world.server.apply(extra, {"metadata": meta, "spec": one["spec"]}, subresource="")
