"""InferenceNode: what is not known, what is none, and what makes an engine another one."""

import dataclasses

from llmaz.api.manifest import decode, encode
from llmaz.api.meta import ObjectMeta
from llmaz.api.names import GROUP_PORT
from llmaz.api.node import (
    AssignedEngine,
    AssignedModel,
    InferenceNode,
    NodeSpec,
    NodeStatus,
    fingerprint,
    is_next_epoch,
)
from llmaz.api.pod import EnvVar, Resources
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


def test_a_fingerprint_tells_what_needs_a_new_process() -> None:
    same = dataclasses.replace(ENGINE, resources=Resources())
    other = dataclasses.replace(ENGINE, args=("--fast",))
    assert fingerprint(ENGINE) == fingerprint(same)
    assert fingerprint(ENGINE) != fingerprint(other)
    assert len(fingerprint(ENGINE)) == 16


def test_an_assignment_of_the_next_epoch_is_the_same_but_for_where_the_group_meets() -> None:
    def at(epoch: int, port: str, **changes: str) -> AssignedEngine:
        env = tuple(EnvVar(name=name, value=value) for name, value in changes.items())
        met = EnvVar(name=GROUP_PORT, value=port)
        return dataclasses.replace(ENGINE, epoch=epoch, env=(met, *env))

    assert is_next_epoch(at(3, "22001"), at(2, "22000"))
    assert not is_next_epoch(at(2, "22000"), at(2, "22000"))
    assert not is_next_epoch(at(2, "22000"), at(3, "22001"))
    assert not is_next_epoch(at(3, "22001", A="b"), at(2, "22000"))
