"""`llmaz nodes`: what each node has, and what of that runs."""

import dataclasses
from datetime import timedelta

from llmaz.api.meta import Condition
from llmaz.api.node import EnginePhase, EngineReport, InferenceNode, NodeSpec, NodeStatus
from llmaz.cli.nodelist import HEADERS, MORE_HEADERS, more, row
from support.builders import NOW, gpu, node
from support.nodes import fake_engine


def _running(one: InferenceNode) -> InferenceNode:
    """Two engines, of which one is ready, and one that is left from before."""
    ids = ("default/chat-0", "default/chat-1")
    phases = {ids[0]: EnginePhase.READY, ids[1]: EnginePhase.STARTING, "a/b-0": EnginePhase.READY}
    reports = tuple(EngineReport(id=id_, phase=phase) for id_, phase in phases.items())
    return dataclasses.replace(
        one,
        metadata=dataclasses.replace(one.metadata, creation_timestamp=NOW - timedelta(minutes=5)),
        spec=NodeSpec(engines=tuple(fake_engine(engine_id=id_) for id_ in ids)),
        status=dataclasses.replace(one.status, engines=reports),
    )


def test_a_node_shows_its_processors_memory_devices_and_engines() -> None:
    shown = row(_running(node("a", 2, cpu="64", memory="256Gi")), NOW)
    assert shown == ["a", "<unknown>", "64", "256.0Gi", "2 x NVIDIA A10", "1/2", "5m"]
    assert len(shown) == len(HEADERS)


def test_devices_of_several_kinds_are_counted_by_kind() -> None:
    other = dataclasses.replace(gpu("c"), product="NVIDIA T4")
    assert row(node("a", [gpu("a"), other, gpu("b")]), NOW)[4] == "2 x NVIDIA A10, 1 x NVIDIA T4"


def test_devices_that_are_not_well_are_counted_as_such() -> None:
    sick = dataclasses.replace(gpu("b"), healthy=False)
    assert row(node("a", [gpu("a"), sick]), NOW)[4] == "2 x NVIDIA A10 (1 not well)"


def test_what_is_none_and_what_is_not_known_are_told_apart() -> None:
    assert row(node("a"), NOW)[4:6] == ["none", "0/0"]
    silent = dataclasses.replace(node("a"), status=NodeStatus())
    assert set(row(silent, NOW)[1:]) == {"<unknown>"}
    assert more(silent) == ["<unknown>"] * len(MORE_HEADERS)


def test_a_node_whose_agent_is_silent_is_not_said_to_be_ready() -> None:
    one = node("a", 1)
    ready = Condition(type="Ready", status="True", reason="AgentReady")
    told = dataclasses.replace(one, status=dataclasses.replace(one.status, conditions=(ready,)))
    silent = dataclasses.replace(
        told, metadata=dataclasses.replace(told.metadata, annotations={"llmaz.io/ready": "Unknown"})
    )
    assert [row(each, NOW)[1] for each in (told, silent)] == ["True", "Unknown"]
