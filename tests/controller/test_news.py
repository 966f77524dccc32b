"""What readers of events learn of engines, weights, devices and nodes."""

import dataclasses
from datetime import timedelta
from itertools import pairwise

from llmaz.api.cache import CacheReport, RotReport
from llmaz.api.incident import EngineIncident, Incident
from llmaz.api.node import Accelerator, EnginePhase, EngineReport, InferenceNode, NodeStatus
from llmaz.controller.news import news
from llmaz.controller.snapshot import ClusterSnapshot, KubeNode, Taint
from support.builders import NOW, flavor, gpu, model, node, on, playground, runtime
from support.controlling import World, world_of
from support.groups import group_world, reachable

Told = list[tuple[str, str, str]]


def told(before: ClusterSnapshot, after: ClusterSnapshot) -> Told:
    return [(event.ref.name, event.reason, event.message) for event in news(before, after)]


def reporting(one: InferenceNode, *engines: EngineReport) -> InferenceNode:
    return dataclasses.replace(one, status=dataclasses.replace(one.status, engines=engines))


def having(one: InferenceNode, *devices: Accelerator) -> InferenceNode:
    return dataclasses.replace(one, status=dataclasses.replace(one.status, accelerators=devices))


def looks(world: World, *reports: EngineReport | None) -> list[Told]:
    """What is told after each of these reports of the only engine; None: nothing is said of it."""
    seen = []
    for report in reports:
        world.add(reporting(world.nodes["n1"], *([report] if report else [])))
        seen.append(world.snapshot())
    return [told(before, after) for before, after in pairwise(seen)]


def engine(phase: EnginePhase, **more: object) -> EngineReport:
    return EngineReport(id="default/chat-0", phase=phase, **more)  # type: ignore[arg-type]  # fields by name


def test_a_start_a_crash_and_a_hang_are_told_of_the_playground() -> None:
    world = world_of()
    world.settle()
    again = NOW + timedelta(minutes=1)
    assert looks(
        world,
        None,
        engine(EnginePhase.STARTING),
        engine(EnginePhase.READY, ready_at=NOW),
        engine(EnginePhase.READY, ready_at=NOW),
        engine(EnginePhase.BACKOFF, reason="OutOfDeviceMemory", message="no room"),
        engine(EnginePhase.READY, ready_at=again, restarts=1),
        engine(EnginePhase.BACKOFF, reason="Hung", message="no token", restarts=1),
    ) == [
        [],
        [("chat", "EngineStarted", "default/chat-0 on n1: is ready")],
        [],
        [("chat", "EngineCrashed", "default/chat-0 on n1: OutOfDeviceMemory: no room")],
        [("chat", "EngineStarted", "default/chat-0 on n1: is ready after 1 restarts")],
        [("chat", "EngineHung", "default/chat-0 on n1: Hung: no token")],
    ]


def test_what_an_agent_finds_when_it_begins_is_no_news() -> None:
    world = world_of()
    world.settle()
    one = world.nodes["n1"]
    world.add(dataclasses.replace(one, status=dataclasses.replace(one.status, engines=None)))
    before = world.snapshot()
    world.add(reporting(one, engine(EnginePhase.READY, ready_at=NOW)))
    assert told(before, world.snapshot()) == []


def test_weights_that_came_to_a_node_are_told_of_the_model() -> None:
    world = world_of()
    world.decide()
    before = world.snapshot()
    world.tick()
    assert ("qwen", "ModelCached", "its weights are on n1") in told(before, world.snapshot())


def test_weights_that_made_room_are_told_of_the_node_each_time() -> None:
    world = World().add(node("n1", 1))
    one, seen = world.nodes["n1"], [world.snapshot()]
    for evicted in (0, 2, 2, 3, 0):
        cache = CacheReport(used_bytes=5, evicted=evicted)
        world.add(stating(one, dataclasses.replace(one.status, cache=cache)))
        seen.append(world.snapshot())
    reasons = [[reason for _, reason, _ in told(*looks)] for looks in pairwise(seen)]
    assert reasons == [[], ["CacheEvicted"], [], ["CacheEvicted"], []]


def test_an_engine_that_goes_on_with_a_new_agent_is_told_and_one_that_does_not_is_not() -> None:
    world = world_of()
    world.settle()
    kept = engine(EnginePhase.READY, ready_at=NOW, started_at=NOW, pid=7)
    again = engine(EnginePhase.STARTING, started_at=NOW + timedelta(minutes=1), pid=7)

    def seen(agent_minutes: int | None, report: EngineReport) -> ClusterSnapshot:
        one = world.nodes["n1"]
        began = None if agent_minutes is None else NOW + timedelta(minutes=agent_minutes)
        status = dataclasses.replace(one.status, agent_started_at=began, engines=(report,))
        world.add(stating(one, status))
        return world.snapshot()

    first, same, unsaid = seen(0, kept), seen(0, kept), seen(None, kept)
    later, anew = seen(1, kept), seen(2, again)
    said = ("chat", "EngineReadopted", "default/chat-0 on n1: pid 7 goes on with a new agent")
    assert told(first, same) == []
    assert told(same, unsaid) == []
    assert told(unsaid, later) == told(same, later) == [said]
    assert told(later, anew) == []


def test_an_accelerator_that_fails_or_goes_is_told_of_its_node() -> None:
    world = World().add(node("n1", [gpu("one", 0), gpu("two", 1)]))
    before = world.snapshot()
    sick = dataclasses.replace(gpu("one", healthy=False), message="XID 79")
    world.add(having(world.nodes["n1"], sick))
    assert told(before, world.snapshot()) == [
        ("n1", "GpuLost", "one: XID 79"),
        ("n1", "GpuLost", "two: is not there any more"),
    ]


def stating(one: InferenceNode, status: NodeStatus) -> InferenceNode:
    return dataclasses.replace(one, status=status)


def test_a_node_that_sends_wrong_bytes_is_told_of_the_one_that_drops_it_once() -> None:
    world = World().add(node("n1", 1), node("n2", 1))
    one, seen = world.nodes["n1"], [world.snapshot()]
    for distrusted in (("n2",), ("n2", "n3"), ("n3",), ()):
        world.add(stating(one, dataclasses.replace(one.status, distrusted=distrusted)))
        seen.append(world.snapshot())
    assert [told(before, after) for before, after in pairwise(seen)] == [
        [("n1", "PeerDropped", "n2 sent bytes other than it said: its disk or memory may fail")],
        [("n1", "PeerDropped", "n3 sent bytes other than it said: its disk or memory may fail")],
        [],
        [],
    ]


def test_what_a_disk_has_changed_is_told_of_its_node_each_time_it_is_found() -> None:
    world = World().add(node("n1", 1))
    one, seen = world.nodes["n1"], [world.snapshot()]
    first = RotReport(sha256="a" * 64, problem="its sha256 is b", found_at=NOW, files=1)
    again = dataclasses.replace(first, found_at=NOW + timedelta(minutes=1), files=2)
    for rot, used in ((None, 5), (first, 5), (first, 6), (again, 6), (None, 6)):
        cache = CacheReport(used_bytes=used, rot=rot)
        world.add(stating(one, dataclasses.replace(one.status, cache=cache)))
        seen.append(world.snapshot())
    words = f"stored file {'a' * 64}: its sha256 is b; what lacks it is fetched anew"
    found = [("n1", "BitRotFound", words)]
    assert [told(*looks) for looks in pairwise(seen)] == [[], found, [], found, []]


def test_a_drain_is_told_when_it_begins() -> None:
    world = World().add(node("n1", 1))
    before = world.snapshot()
    world.kube_nodes["n1"] = KubeNode(name="n1", annotations={"llmaz.io/drain": "new memory"})
    after = world.snapshot()
    assert told(before, after) == [("n1", "DrainStarted", "n1 is drained (new memory)")]
    assert told(after, world.snapshot()) == []


def test_what_nobody_saw_before_is_not_told() -> None:
    world = world_of()
    world.settle()
    assert told(ClusterSnapshot(), world.snapshot()) == []


def test_a_replica_that_falls_back_to_another_flavor_is_told() -> None:
    flavors = [on(flavor("a100"), kind="a100"), on(flavor("a10"), kind="a10")]
    world = World().add(
        model("qwen", *flavors), runtime(), playground("chat", "qwen"), node("n1", 1)
    )
    world.kube_nodes["n1"] = KubeNode(name="n1", labels={"kind": "a10"})
    world.settle()
    seen = {(event.reason, event.message) for event in world.events}
    assert ("FlavorFallback", "default/chat-0 takes a10 on n1: no room on a100") in seen
    assert ("FlavorSelected", "replicas run on a10") in seen


def moved(world: World) -> list[str]:
    return [event.message for event in world.events if event.reason == "Moving"]


def test_a_replica_that_is_driven_away_says_from_where_and_why_once() -> None:
    world = world_of()
    world.settle()
    world.add(node("n2", 1))
    world.settle()
    assert moved(world) == []
    world.kube_nodes["n1"] = KubeNode(name="n1", annotations={"llmaz.io/drain": "new memory"})
    world.settle()
    assert moved(world) == ["default/chat-0 goes from n1 to n2: n1 is drained (new memory)"]
    taint = Taint(key="broken", value="fan", effect="NoExecute")
    world.kube_nodes = {"n2": KubeNode(name="n2", taints=(taint,))}
    world.settle()
    assert moved(world)[1:] == [
        "default/chat-0 goes from n2 to n1: n2 is tainted broken=fan:NoExecute"
    ]


def test_a_group_that_is_driven_away_says_from_where_and_why_once() -> None:
    world = group_world(nodes=2)
    world.settle()
    world.add(reachable(3)).add(reachable(4))
    world.kube_nodes["n2"] = KubeNode(name="n2", annotations={"llmaz.io/drain": ""})
    world.settle()
    assert moved(world) == ["default/chat-0 goes from n1 and n2 to n1 and n3: n2 is drained"]


def test_what_an_agent_did_to_an_engine_is_told_once_and_of_the_node_where_nobody_owns_it() -> None:
    world = world_of()
    world.settle()
    one = world.nodes["n1"]
    drained = EngineIncident(
        id="default/chat-0", reason=Incident.DRAIN_TIMED_OUT, message="1 request", at=NOW
    )
    orphan = EngineIncident(
        id="gone/chat-0", reason=Incident.ORPHAN_REAPED, message="was ended", at=NOW
    )
    seen = [world.snapshot()]
    for last in ((drained,), (drained, orphan), (orphan,), ()):
        world.add(stating(one, dataclasses.replace(one.status, incidents=last)))
        seen.append(world.snapshot())
    assert [told(before, after) for before, after in pairwise(seen)] == [
        [("chat", "DrainTimedOut", "default/chat-0 on n1: 1 request")],
        [("n1", "OrphanReaped", "gone/chat-0 on n1: was ended")],
        [],
        [],
    ]
