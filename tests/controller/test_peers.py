"""Which nodes share a model: those that shall hold it and serve what they hold."""

from llmaz.api.meta import ObjectMeta
from llmaz.api.node import AssignedModel, InferenceNode, ModelPeer, NodeSpec, NodeStatus
from llmaz.api.source import ModelSource
from llmaz.controller.peers import MOST_PEERS, with_peers

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
