"""What is placed stays; what drives it away, and when it goes."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine, EnginePhase, EngineReport, NodeSpec
from llmaz.controller.actions import Assign
from llmaz.controller.nodes import LOST_AFTER
from llmaz.controller.plan import plan
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.snapshot import KubeNode, Taint
from support.builders import GPU, flavor, gpu, model, node, on, playground, runtime
from support.controlling import World
from support.placing import sentence, two_nodes


def test_an_unhealthy_accelerator_is_given_to_nobody() -> None:
    world = World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen"),
        node("n1", [gpu("sick", 0, healthy=False), gpu("well", 1)]),
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("well",))}


def test_an_engine_leaves_an_accelerator_that_falls_off_the_bus() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"), node("n1", 2)
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    lost = (gpu("n1-0", 0, healthy=False), gpu("n1-1", 1))
    status = dataclasses.replace(world.nodes["n1"].status, accelerators=lost)
    world.nodes["n1"] = dataclasses.replace(world.nodes["n1"], status=status)
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-1",))}


def test_a_node_that_was_lost_gets_nothing_new_and_keeps_what_it_has() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"), node("n1", 2)
    )
    world.settle()
    world.lose("n1")
    world.edit("chat", 2)
    world.decide()
    assert list(world.engines()) == ["default/chat-0"]
    available = world.available("chat")
    assert available is not None
    assert available.reason == "PlaygroundNotReady"
    assert "n1 has no living agent" in available.message


def test_replicas_of_a_lost_node_go_elsewhere_after_a_grace_and_do_not_come_back() -> None:
    world = two_nodes()
    world.lose("n1")
    world.now += LOST_AFTER - timedelta(seconds=1)
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    world.now += timedelta(seconds=1)
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}
    assert world.nodes["n1"].spec.engines == ()
    world.lost.clear()
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}


def test_how_long_a_silent_node_keeps_its_replicas_can_be_said() -> None:
    world = two_nodes()
    world.lose("n1")
    policy = SlotPolicy(lost_seconds=30)
    moved = []
    for seconds in (29, 30):
        snapshot = dataclasses.replace(world.snapshot(), slot_policy=policy)
        decided = plan(snapshot, world.now + timedelta(seconds=seconds))
        moved.append([one.node for one in decided.actions if isinstance(one, Assign)])
    assert moved == [[], ["n1", "n2"]]


def test_replicas_of_a_lost_node_stay_where_there_is_no_room_elsewhere() -> None:
    world = two_nodes()
    del world.nodes["n2"]
    world.lose("n1")
    world.now += LOST_AFTER
    world.decide()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    assert "has not been heard of" in sentence(world)


def test_a_silent_api_server_makes_no_node_a_lost_one() -> None:
    world = two_nodes()
    world.lose("n1")
    world.now += LOST_AFTER * 2
    for heard_since in (None, world.now - LOST_AFTER / 2):
        snapshot = dataclasses.replace(world.snapshot(), leases_heard_since=heard_since)
        assert [a for a in plan(snapshot, world.now).actions if isinstance(a, Assign)] == []


def test_an_engine_stays_on_a_sick_accelerator_while_there_is_no_other() -> None:
    world = two_nodes()
    del world.nodes["n2"]
    status = dataclasses.replace(
        world.nodes["n1"].status, accelerators=(gpu("n1-0", 0, healthy=False),)
    )
    world.nodes["n1"] = dataclasses.replace(world.nodes["n1"], status=status)
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (
            {"taints": (Taint(key="karpenter.sh/disrupted", effect="NoSchedule"),)},
            "n1 is about to be taken away (karpenter.sh/disrupted)",
        ),
        ({"annotations": {"llmaz.io/drain": "new memory"}}, "n1 is drained (new memory)"),
        (
            {"taints": (Taint(key="repair", effect="NoExecute"),)},
            "n1 is tainted repair:NoExecute",
        ),
    ],
)
def test_what_is_driven_away_and_has_nowhere_to_go_serves_on_and_says_why(
    there: dict[str, Any], why: str
) -> None:
    world = World().add(model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"))
    world.add(node("n1", 1))
    world.settle()
    world.kube_nodes["n1"] = KubeNode(name="n1", **there)
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    told = world.playgrounds["default", "chat"].status.message
    assert told.startswith(f"replica 0 stays until there is room elsewhere, though {why}: a10: 0 ")
    world.add(node("n2", 1))
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}
    assert world.playgrounds["default", "chat"].status.message == ""


def test_a_taint_keeps_off_what_does_not_ask_for_the_resource_of_its_name() -> None:
    taints = (
        Taint(key=GPU, value="present", effect="NoSchedule"),
        Taint(key="team", value="other", effect="NoSchedule"),
    )
    world = World().add(
        model("qwen", flavor("a10")),
        model("small", flavor("cpu", 0)),
        runtime(),
        playground("chat", "qwen"),
        playground("tiny", "small"),
        node("n1", 1),
        node("n2", 1),
    )
    for name, count in (("n1", 1), ("n2", 2)):
        world.kube_nodes[name] = KubeNode(name=name, taints=taints[:count])
    world.settle()
    assert world.engines() == {"default/chat-0": ("n1", ("n1-0",))}
    assert sentence(world, "tiny") == (
        "cpu: 0 of 2 nodes fit: n1 is tainted nvidia.com/gpu=present:NoSchedule, "
        "n2 is tainted nvidia.com/gpu=present:NoSchedule"
    )


def test_engines_leave_a_node_with_a_taint_one_by_one_after_their_weights() -> None:
    world = World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen", 2),
        node("n1", 2),
        node("n2", 2),
    )
    world.settle()
    away = (Taint(key="maintenance", effect="NoExecute"),)
    world.kube_nodes["n1"] = dataclasses.replace(world.kube_nodes["n1"], taints=away)
    world.decide()
    assert [where for where, _ in world.engines().values()] == ["n1", "n1"]
    assert [held.name for held in world.nodes["n2"].spec.models] == ["qwen"]
    world.tick()
    world.decide()
    assert sorted(where for where, _ in world.engines().values()) == ["n1", "n2"]
    world.settle()
    assert [where for where, _ in world.engines().values()] == ["n2", "n2"]


def test_a_cordoned_node_gets_nothing_new_and_keeps_what_it_has() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen"), node("n1", 2)
    )
    world.settle()
    world.kube_nodes["n1"] = dataclasses.replace(world.kube_nodes["n1"], unschedulable=True)
    world.edit("chat", 2)
    world.settle()
    assert list(world.engines()) == ["default/chat-0"]
    assert "n1 is cordoned" in sentence(world)


def test_scaling_down_removes_the_highest_replicas() -> None:
    world = World().add(
        model("qwen", flavor("a10")), runtime(), playground("chat", "qwen", 3), node("n1", 3)
    )
    world.settle()
    before = world.engines()
    world.edit("chat", 1)
    world.settle()
    assert world.engines() == {"default/chat-0": before["default/chat-0"]}


def test_an_engine_that_stands_on_two_nodes_stays_where_it_is_ready() -> None:
    world = World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen"),
        node("n1", 1),
        node("n2", 1),
    )
    world.settle()
    (engine,) = world.nodes["n1"].spec.engines
    twin = dataclasses.replace(engine, accelerators=("n2-0",))
    _run(world, "n2", twin)
    world.nodes["n1"] = dataclasses.replace(
        world.nodes["n1"], status=dataclasses.replace(world.nodes["n1"].status, engines=())
    )
    world.settle()
    assert world.engines() == {"default/chat-0": ("n2", ("n2-0",))}


def _run(world: World, name: str, engine: AssignedEngine) -> None:
    report = EngineReport(id=engine.id, phase=EnginePhase.READY, fingerprint=fingerprint(engine))
    one = world.nodes[name]
    world.nodes[name] = dataclasses.replace(
        one,
        spec=NodeSpec(engines=(engine,)),
        status=dataclasses.replace(one.status, engines=(report,)),
    )


def test_what_runs_stays_where_it_is_while_the_labels_of_its_node_are_not_known() -> None:
    steady = on(flavor("a10"), pool="a")
    world = World().add(model("qwen", steady), runtime(), playground("chat", "qwen"))
    for name in ("n1", "n2"):
        world.kube_nodes[name] = KubeNode(name=name, labels={"pool": "a"})
        world.add(node(name, 1))
    world.settle()
    before = world.engines()
    assert before == {"default/chat-0": ("n1", ("n1-0",))}
    del world.kube_nodes["n1"]
    world.settle()
    assert world.engines() == before
