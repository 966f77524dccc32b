"""Which nodes share a model: those that shall hold it and serve what they hold."""

from llmaz.api.meta import ObjectMeta
from llmaz.api.node import AssignedModel, InferenceNode, ModelPeer, NodeSpec, NodeStatus
from llmaz.api.source import ModelSource
from llmaz.controller.peers import with_peers

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


def test_a_node_alone_has_no_peers_nor_one_that_serves_nothing() -> None:
    nodes = {"a": _node("a", "http://a:9401"), "b": _node("b", "")}
    specs = with_peers({"a": WANTS, "b": WANTS}, nodes, {})
    assert _peers(specs["a"]) == _peers(specs["b"]) == []
