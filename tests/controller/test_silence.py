"""What the controller says of a node whose agent is silent, and takes back when it is heard."""

import dataclasses
from datetime import timedelta

from llmaz.api.kinds import INFERENCE_NODE, NODE
from llmaz.api.meta import Condition
from llmaz.controller.actions import SetLabels
from llmaz.controller.silence import judge_nodes
from llmaz.controller.snapshot import ClusterSnapshot
from support.builders import NOW, node
from support.controlling import World

STALE = "llmaz.io/accelerator.stale"
READY = "llmaz.io/ready"
SINCE = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")


def cluster() -> World:
    """One labelled node whose agent says that it is ready."""
    one = node("n1", 1)
    ready = Condition(type="Ready", status="True", reason="AgentReady")
    status = dataclasses.replace(one.status, conditions=(ready,))
    world = World().add(dataclasses.replace(one, status=status))
    world.settle()
    return world


def marks(world: World) -> tuple[str | None, str | None]:
    return (
        world.nodes["n1"].metadata.annotations.get(READY),
        world.kube_nodes["n1"].annotations.get(STALE),
    )


def judged(snapshot: ClusterSnapshot, world: World) -> list[SetLabels]:
    return list(judge_nodes(snapshot, world.now))


def test_a_node_is_what_its_agent_says_while_that_is_heard() -> None:
    assert marks(cluster()) == ("True", None)


def test_what_a_silent_agent_said_is_marked_as_unknown_and_its_labels_stay() -> None:
    world = cluster()
    labels = world.kube_nodes["n1"].labels
    world.lose("n1")
    world.settle()
    assert marks(world) == ("True", None)  # a Lease that ran out just now may be renewed yet
    world.now += timedelta(seconds=20)
    world.settle()
    assert marks(world) == ("Unknown", SINCE)
    assert world.kube_nodes["n1"].labels == labels != {}
    world.now += timedelta(hours=1)
    world.settle()
    assert marks(world) == ("Unknown", SINCE)


def test_the_marks_go_when_the_agent_is_heard_again() -> None:
    world = cluster()
    world.lose("n1")
    world.now += timedelta(minutes=1)
    world.settle()
    del world.lost["n1"]
    world.settle()
    assert marks(world) == ("True", None)


def test_nobody_is_called_silent_while_the_api_server_is_or_has_just_come_back() -> None:
    world = cluster()
    world.lose("n1")
    world.now += timedelta(hours=1)
    for heard in (None, world.now - timedelta(seconds=19)):
        snapshot = dataclasses.replace(world.snapshot(), leases_heard_since=heard)
        assert judged(snapshot, world) == []


def test_a_node_that_came_just_now_is_not_called_silent_before_its_first_lease() -> None:
    world = cluster()
    one = world.nodes["n1"]
    meta = dataclasses.replace(one.metadata, creation_timestamp=world.now - timedelta(seconds=5))
    world.nodes["n1"] = dataclasses.replace(one, metadata=meta)
    snapshot = dataclasses.replace(world.snapshot(), leases={})
    assert judged(snapshot, world) == []
    world.now += timedelta(seconds=15)
    assert [action.ref.kind for action in judged(snapshot, world)] == [INFERENCE_NODE, NODE]


def test_a_node_without_labels_of_ours_is_not_marked() -> None:
    world = World().add(dataclasses.replace(node("n1", 1)))
    world.lose("n1")
    world.now += timedelta(minutes=1)
    assert [action.ref.kind for action in judged(world.snapshot(), world)] == [INFERENCE_NODE]


def test_no_node_is_written_where_node_feature_discovery_labels_them() -> None:
    world = cluster()
    world.lose("n1")
    world.now += timedelta(minutes=1)
    snapshot = dataclasses.replace(world.snapshot(), node_features=True)
    assert [action.ref.kind for action in judged(snapshot, world)] == [INFERENCE_NODE]
