"""InferenceNode: what is not known, and what is none."""

import dataclasses

from llmaz.api.manifest import decode, encode
from llmaz.api.meta import ObjectMeta
from llmaz.api.node import (
    AssignedEngine,
    AssignedModel,
    InferenceNode,
    NodeSpec,
    NodeStatus,
)
from llmaz.api.pod import EnvVar
from llmaz.api.quantity import Quantity
from llmaz.api.source import ModelSource
from llmaz.api.validation import validate
from support import judges

ENGINE = AssignedEngine(id="a/b-0", service="b", model="m", main_model="m")


def node(spec: NodeSpec | None = None, status: NodeStatus | None = None) -> InferenceNode:
    return InferenceNode(
        metadata=ObjectMeta(name="n"), spec=spec or NodeSpec(), status=status or NodeStatus()
    )


def test_what_is_not_known_is_left_out_and_none_is_an_empty_list() -> None:
    assert encode(NodeStatus()) == {}
    assert encode(NodeStatus(engines=())) == {"engines": []}
    assert decode(NodeStatus, {"engines": []}).engines == ()
    assert decode(NodeStatus, {}).engines is None


def test_a_node_comes_back_as_it_was_written() -> None:
    before = node(
        spec=NodeSpec(
            models=(AssignedModel(name="m", source=ModelSource(uri="host:///m")),),
            engines=(dataclasses.replace(ENGINE, env=(EnvVar(name="A", value="b"),)),),
        ),
        status=NodeStatus(accelerators=(), capacity={"cpu": Quantity("4")}),
    )
    written = encode(before)
    assert isinstance(written, dict)
    assert decode(InferenceNode, written) == before
    assert judges.crd(written).problems == ()
    assert decode(InferenceNode, judges.crd(written).object) == before


def test_engines_of_one_id_are_refused_by_both() -> None:
    twice = node(spec=NodeSpec(engines=(ENGINE, ENGINE)))
    written = encode(twice)
    assert isinstance(written, dict)
    assert [problem.path for problem in validate(twice)] == ["spec.engines[1]"]
    assert judges.crd(written).is_about("spec.engines[1]")
