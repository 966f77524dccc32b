"""A replica that goes to another node serves where it was until it is ready where it shall be."""

import dataclasses
from datetime import timedelta

from llmaz.api.kinds import ENDPOINT_SLICE
from llmaz.api.node import EnginePhase
from llmaz.api.placement import MoveBack, Toleration
from llmaz.controller.snapshot import KubeNode, Taint
from support.builders import flavor, model, node, on, playground, runtime
from support.controlling import World, told
from support.groups import group_world, members, reachable
from support.placing import assert_no_double_booking, placed_as


def places(world: World) -> dict[str, list[str]]:
    """The nodes on which each engine is assigned."""
    found: dict[str, list[str]] = {}
    for name, one in sorted(world.nodes.items()):
        for engine in one.spec.engines:
            found.setdefault(engine.id.removeprefix("default/"), []).append(name)
    return found


def serving(replicas: int = 1, nodes: int = 2, gpus: int = 2) -> World:
    world = World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen", replicas),
        *(node(f"n{number}", gpus) for number in range(1, nodes + 1)),
    )
    world.settle()
    return world


def mark(world: World, name: str, **changes: object) -> None:
    old = world.kube_nodes.get(name, KubeNode(name=name))
    world.kube_nodes[name] = dataclasses.replace(old, **changes)  # type: ignore[arg-type]  # by name


def drain(world: World, name: str) -> None:
    mark(world, name, annotations={"llmaz.io/drain": "new memory"})


def address(world: World) -> object:
    """Where requests for the only replica are sent."""
    slices = [one for ref, one in world.manifests.items() if ref.kind == ENDPOINT_SLICE]
    return [one["endpoints"] for one in slices]


def test_a_drain_moves_a_replica_that_serves_until_its_successor_does() -> None:
    world = serving()
    drain(world, "n1")
    world.decide()
    assert places(world) == {"chat-0": ["n1"]}  # until the weights are there
    world.tick()
    world.decide()
    assert places(world) == {"chat-0": ["n1", "n2"]}
    assert told(world.available("chat")) == ("True", "PlaygroundReady")
    world.tick()
    world.decide()
    assert places(world) == {"chat-0": ["n1", "n2"]}
    world.settle()
    assert places(world) == {"chat-0": ["n2"]}
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def test_of_several_replicas_as_many_move_at_once_as_may_be_missing() -> None:
    world = serving(replicas=2)
    assert places(world) == {"chat-0": ["n1"], "chat-1": ["n1"]}
    drain(world, "n1")
    world.decide()
    world.tick()
    world.decide()
    assert places(world) == {"chat-0": ["n1", "n2"], "chat-1": ["n1"]}
    world.settle()
    assert places(world) == {"chat-0": ["n2"], "chat-1": ["n2"]}


def test_from_a_machine_that_is_taken_away_all_move_at_once_and_before_their_weights() -> None:
    for notice in (
        {"taints": (Taint(key="aws-node-termination-handler/spot-itn", effect="NoSchedule"),)},
        {"taints": (Taint(key="karpenter.sh/disrupted", effect="NoSchedule"),)},
        {"conditions": frozenset({"PreemptScheduled"})},
    ):
        world = serving(replicas=2)
        mark(world, "n1", **notice)
        world.decide()
        assert places(world) == {"chat-0": ["n1", "n2"], "chat-1": ["n1", "n2"]}
        world.settle()
        assert places(world) == {"chat-0": ["n2"], "chat-1": ["n2"]}


def test_what_finds_no_room_stays_on_a_drained_node_and_nothing_new_comes() -> None:
    world = serving(nodes=1)
    drain(world, "n1")
    world.edit("chat", 2)
    world.settle()
    assert places(world) == {"chat-0": ["n1"]}
    condition = world.available("chat")
    assert condition is not None
    assert "n1 is drained (new memory)" in condition.message


def test_the_room_that_a_replica_leaves_is_its_own_until_it_has_left() -> None:
    world = serving(gpus=1)
    mark(world, "n1", taints=(Taint(key="k", effect="NoExecute"),))
    tolerant = placed_as("other", "qwen", tolerations=(Toleration(key="k", operator="Exists"),))
    world.decide()
    world.tick()
    world.decide()
    assert places(world)["chat-0"] == ["n1", "n2"]
    world.add(tolerant)
    world.decide()
    assert_no_double_booking(world)
    assert places(world) == {"chat-0": ["n1", "n2"]}


def test_a_successor_that_does_not_start_leaves_the_old_one_serving() -> None:
    world = serving()
    drain(world, "n1")
    world.decide()
    world.tick()
    world.decide()
    one = world.nodes["n2"]
    engines = [
        dataclasses.replace(report, phase=EnginePhase.FAILED) for report in one.status.engines or ()
    ]
    world.nodes["n2"] = dataclasses.replace(
        one, status=dataclasses.replace(one.status, engines=tuple(engines))
    )
    world.decide()
    assert places(world) == {"chat-0": ["n1", "n2"]}
    assert told(world.available("chat")) == ("True", "PlaygroundReady")


def fallen_back(after: int, replicas: int = 1) -> World:
    """Replicas on their second flavor, where the first has room since a moment ago."""
    world = World().add(
        model("qwen", on(flavor("best"), pool="a"), on(flavor("next"), pool="b")),
        runtime(),
        placed_as("chat", "qwen", replicas, move_back=MoveBack(after_seconds=after)),
        node("n2", 2),
    )
    world.kube_nodes["n2"] = KubeNode(name="n2", labels={"pool": "b"})
    world.settle()
    assert {tuple(where) for where in places(world).values()} == {("n2",)}
    world.kube_nodes["n1"] = KubeNode(name="n1", labels={"pool": "a"})
    world.add(node("n1", 2))
    return world


def since(world: World, seconds: int) -> None:
    """Let every engine have been ready for so long."""
    for name, one in world.nodes.items():
        reports = tuple(
            dataclasses.replace(report, ready_at=world.now - timedelta(seconds=seconds))
            for report in one.status.engines or ()
        )
        status = dataclasses.replace(one.status, engines=reports)
        world.nodes[name] = dataclasses.replace(one, status=status)


def test_a_replica_goes_back_to_a_better_flavor_when_it_has_served_long_enough() -> None:
    world = fallen_back(after=600)
    since(world, 599)
    world.decide()
    assert places(world) == {"chat-0": ["n2"]}
    since(world, 600)
    world.decide()
    world.tick()
    since(world, 600)
    world.decide()
    assert places(world) == {"chat-0": ["n1", "n2"]}
    assert told(world.available("chat")) == ("True", "PlaygroundReady")
    world.settle()
    assert places(world) == {"chat-0": ["n1"]}
    assert world.playground("chat").status.flavor == "best"


def test_one_replica_goes_back_at_a_time() -> None:
    world = fallen_back(after=0, replicas=2)
    since(world, 1)
    world.decide()
    world.tick()
    since(world, 1)
    world.decide()
    assert places(world) == {"chat-0": ["n1", "n2"], "chat-1": ["n2"]}


def test_without_the_wish_what_runs_stays() -> None:
    world = fallen_back(after=0)
    world.add(playground("chat", "qwen"))
    since(world, 10**6)
    world.settle()
    assert places(world) == {"chat-0": ["n2"]}


def test_nobody_takes_the_place_of_a_group_whose_node_is_drained_and_that_has_no_other() -> None:
    world = group_world()
    world.settle()
    before = members(world)
    drain(world, "n1")
    world.add(model("small", flavor("a10")), playground("also", "small"))
    world.settle()
    assert members(world) == before


def test_a_group_whose_node_is_drained_goes_on_where_it_can_beside_what_it_has() -> None:
    world = group_world()
    world.settle()
    drain(world, "n1")
    world.add(reachable(3))
    world.settle()
    assert {name for name, _ in world.engines().values()} == {"n2", "n3"}
