"""Groups part leader first: its workers go once it has finished what it runs."""

from llmaz.api.backendruntime import MultiHostCommands
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine, EnginePhase
from llmaz.controller.nodes import LOST_AFTER
from llmaz.controller.snapshot import KubeNode, Taint
from support.builders import playground
from support.controlling import World, told
from support.groups import fail, group_runtime, group_world, members, reachable

LEADER, WORKER = "default/chat-0", "default/chat-0.1"
NEWER = MultiHostCommands(leader=("lead", "better"), worker=("work", "better"))
DRAINED = Taint(key="maintenance", effect="NoExecute")


def settled(nodes: int = 2, replicas: int = 1) -> World:
    world = group_world(nodes, replicas)
    world.settle()
    return world


def places(world: World) -> list[tuple[str, AssignedEngine]]:
    return [(name, one) for name, node in world.nodes.items() for one in node.spec.engines]


def sentence(world: World) -> str:
    condition = world.available("chat")
    assert condition is not None
    return condition.message


def test_a_group_that_is_wanted_no_more_loses_its_leader_first() -> None:
    world = settled()
    world.edit("chat", 0)
    world.decide()
    assert set(members(world)) == {WORKER}
    world.decide()
    assert set(members(world)) == {WORKER}  # the leader's agent still reports it
    world.tick()
    world.decide()
    assert members(world) == {}


def test_a_group_that_is_updated_keeps_its_old_worker_while_its_old_leader_runs() -> None:
    world = settled()
    before = members(world)
    world.add(group_runtime(NEWER))
    world.decide()
    between = members(world)
    assert fingerprint(between[LEADER]) != fingerprint(before[LEADER])
    assert between[WORKER] == before[WORKER]
    fail(world, LEADER, EnginePhase.STOPPING)  # as its agent saw it: the old one drains
    world.decide()
    assert members(world)[WORKER] == before[WORKER]
    world.settle()
    after = members(world)
    assert after[WORKER] != before[WORKER]
    assert {one.id: node for node, one in places(world)} == {LEADER: "n1", WORKER: "n2"}
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def test_nothing_of_a_group_that_moves_is_assigned_anew_before_its_leader_has_ended() -> None:
    world = settled()
    world.add(reachable(3), reachable(4))
    world.kube_nodes["n2"] = KubeNode(name="n2", taints=(DRAINED,))
    world.decide()
    world.tick()  # its new node has the weights
    world.decide()
    assert [(node, one.id) for node, one in places(world)] == [("n2", WORKER)]
    assert "its former leader finishes the requests that it has" in sentence(world)
    world.settle()
    assert {node for node, _ in places(world)} == {"n1", "n3"}
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def test_what_a_worker_that_stays_for_its_leader_has_is_given_to_nobody() -> None:
    world = settled()
    world.edit("chat", 0)
    world.add(playground("other", "qwen", 1))
    for _ in range(6):
        world.decide()
        owned = [uuid for _, one in places(world) for uuid in one.accelerators]
        assert len(owned) == len(set(owned))
        world.tick()
    world.settle()
    assert set(members(world)) == {"default/other-0", "default/other-0.1"}


def test_a_broken_group_goes_at_once() -> None:
    world = settled()
    fail(world, WORKER)
    world.edit("chat", 0)
    world.decide()
    assert members(world) == {}


def test_workers_do_not_wait_for_a_leader_on_a_lost_node() -> None:
    world = settled()
    world.lose("n1")
    world.now += LOST_AFTER
    world.edit("chat", 0)
    world.decide()
    assert WORKER not in members(world)


def test_the_next_epoch_of_a_group_begins_with_all_of_its_members() -> None:
    world = settled()
    fail(world, WORKER)
    world.decide()
    assert {one.epoch for one in members(world).values()} == {2}


def test_workers_that_outlive_their_service_are_assigned_once() -> None:
    world = settled()
    world.edit("chat", 0)
    world.decide()
    assert set(members(world)) == {WORKER}
    world.delete_service("chat")
    world.edit("chat", 1)
    for _ in range(3):  # the first decision makes the Service anew
        for action in world.plan():
            world.perform(action)
        ids = [(node, one.id) for node, one in places(world)]
        assert len(ids) == len(set(ids))
