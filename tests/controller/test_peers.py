"""Which nodes share a model: those that shall hold it and serve what they hold."""

import dataclasses

from llmaz.api.meta import ObjectMeta
from llmaz.api.node import AssignedModel, InferenceNode, NodeSpec, NodeStatus
from llmaz.api.peer import ModelPeer
from llmaz.api.source import ModelSource
from llmaz.controller.peers import MOST_NEIGHBOURS, MOST_PEERS, with_peers
from support.builders import node
from support.controlling import World

QWEN = AssignedModel(name="qwen", source=ModelSource(uri="https://a.test/qwen.gguf"))
WANTS = NodeSpec(models=(QWEN,))


def _node(name: str, url: str) -> InferenceNode:
    return InferenceNode(metadata=ObjectMeta(name=name), status=NodeStatus(sharing_url=url))


def _peers(spec: NodeSpec) -> list[str]:
    return [peer.name for peer in spec.models[0].peers]


def test_nodes_that_want_a_model_know_each_other_by_zone() -> None:
    nodes = {name: _node(name, f"http://{name}:9401") for name in ("a", "b")}
    labels = {"a": {"topology.kubernetes.io/zone": "z1", "topology.kubernetes.io/rack": "r"}}
    specs = with_peers({"b": WANTS, "a": WANTS}, nodes, labels)
    assert specs["a"] == specs["b"]
    assert specs["a"].models[0].peers == (
        ModelPeer(name="a", url="http://a:9401", zone="z1", rack="r"),
        ModelPeer(name="b", url="http://b:9401"),
    )


def test_a_node_that_serves_nothing_yet_is_told_of_those_that_do() -> None:
    nodes = {"a": _node("a", "http://a:9401"), "b": _node("b", "")}
    specs = with_peers({"a": WANTS, "b": WANTS}, nodes, {})
    assert _peers(specs["a"]) == []
    assert _peers(specs["b"]) == ["a"]


def test_of_many_nodes_all_are_told_of_the_same_of_each_zone_as_many() -> None:
    names = [f"n{number:04}" for number in range(1000)]
    nodes = {name: _node(name, f"http://{name}:9401") for name in names}
    labels = {
        name: {"topology.kubernetes.io/zone": "z1" if name < "n0100" else "z2"} for name in names
    }
    specs = with_peers(dict.fromkeys(names, WANTS), nodes, labels)
    told = {tuple(_peers(spec)) for spec in specs.values()}
    (listed,) = told
    assert len(listed) == MOST_PEERS
    assert sum(name < "n0100" for name in listed) == 100
    left = [name for name in names if name != listed[0]]
    after = _peers(with_peers(dict.fromkeys(left, WANTS), nodes, labels)[left[0]])
    assert len(set(listed) - set(after)) == 1  # who comes or goes moves nobody else


def _near(nodes: dict[str, InferenceNode], zones: dict[str, str]) -> dict[str, set[str]]:
    labels = {name: {"topology.kubernetes.io/zone": zone} for name, zone in zones.items()}
    specs = with_peers(dict.fromkeys(nodes, NodeSpec()), nodes, labels)
    return {name: {peer.name for peer in spec.neighbours} for name, spec in specs.items()}


def test_a_few_nodes_that_serve_their_caches_all_know_each_other() -> None:
    nodes = {name: _node(name, f"http://{name}:9401") for name in ("a", "b")} | {
        "c": _node("c", "")
    }
    assert _near(nodes, {}) == {"a": {"a", "b"}, "b": {"a", "b"}, "c": set()}
    assert _near({"a": nodes["a"]}, {}) == {"a": set()}


def test_nodes_are_told_of_their_neighbours_once() -> None:
    world = World().add(node("a"), node("b"))
    for name, one in world.nodes.items():
        status = dataclasses.replace(one.status, sharing_url=f"http://{name}:9401")
        world.nodes[name] = dataclasses.replace(one, status=status)
    world.decide()
    assert [peer.name for peer in world.nodes["a"].spec.neighbours] == ["a", "b"]
    assert world.plan() == ()


def test_of_many_nodes_neighbours_know_each_other_mostly_in_their_zone_and_few_change() -> None:
    nodes = {f"n{each:03}": _node(f"n{each:03}", f"http://n{each}:9401") for each in range(200)}
    zones = {name: "z1" if name < "n100" else "z2" for name in nodes}
    near = _near(nodes, zones)
    assert {len(known) for known in near.values()} == {MOST_NEIGHBOURS + 1}
    assert all(name in near[other] for name, known in near.items() for other in known)
    abroad = sum(zones[name] != zones[other] for name, known in near.items() for other in known)
    assert abroad <= MOST_NEIGHBOURS**2  # those at the two borders of the ring
    gone = "n017"
    after = _near({name: node for name, node in nodes.items() if name != gone}, zones)
    assert sum(after[name] != near[name] for name in after) == MOST_NEIGHBOURS
