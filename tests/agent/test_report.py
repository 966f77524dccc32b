"""What the status says of the node as a whole."""

import dataclasses
from datetime import UTC, datetime, timedelta

from llmaz.agent.accelerators.device import Device, LookFailed, Sighting
from llmaz.agent.assignment import Assignment, Refusal
from llmaz.agent.report import report
from llmaz.agent.state import NodeFacts, NodeState
from llmaz.api.accelerator import Accelerator
from llmaz.api.cache import CacheReport
from llmaz.api.incident import EngineIncident, Incident
from llmaz.api.meta import Condition, find_condition
from llmaz.api.node import ModelPhase, ModelReport, NodeSpec, NodeStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = NodeFacts(
    name="n", address="10.0.0.7", agent_url="", agent_version="1", boot_id="boot", capacity={}
)
SEEN = Sighting(devices=(), seen_at=NOW)
ASSIGNED = Assignment(generation=4, spec=NodeSpec())


def _report(state: NodeState, *models: ModelReport) -> NodeStatus:
    return report(FACTS, state, models, (), NOW)


def _condition(status: NodeStatus, type_: str) -> Condition:
    condition = find_condition(status.conditions, type_)
    assert condition is not None
    return condition


def test_a_node_on_which_all_is_well_is_ready() -> None:
    status = _report(NodeState(assignment=ASSIGNED, accelerators=SEEN))
    assert [condition.status for condition in status.conditions] == ["True"] * 5
    assert status.observed_generation == 4
    assert status.accelerators == ()


def test_a_node_to_which_nothing_was_assigned_is_ready_for_it() -> None:
    status = _report(NodeState(accelerators=SEEN))
    assert _condition(status, "Ready").is_true
    assert _condition(status, "AssignmentAccepted").status == "Unknown"


def test_a_refused_assignment_is_told_with_the_place_and_counts_as_observed() -> None:
    refusal = Refusal(generation=5, message="spec.engines: must be a list")
    status = _report(NodeState(assignment=ASSIGNED, refusal=refusal, accelerators=SEEN))
    assert status.observed_generation == 5
    assert _condition(status, "AssignmentAccepted").reason == "InvalidAssignment"
    assert "spec.engines: must be a list" in _condition(status, "Ready").message


def test_a_driver_that_does_not_answer_is_told_as_such() -> None:
    failure = LookFailed(reason="NoAnswer", message="the driver did not answer within 10 s")
    seen = dataclasses.replace(SEEN, failure=failure)
    status = _report(NodeState(assignment=ASSIGNED, accelerators=seen))
    assert _condition(status, "AcceleratorsKnown").reason == "NoAnswer"
    assert not _condition(status, "Ready").is_true


def _device(uuid: str, message: str = "") -> Accelerator:
    return Accelerator(
        uuid=uuid,
        index=0,
        vendor="nvidia",
        product="",
        resource="nvidia.com/gpu",
        pci_address="0000:17:00.0",
        healthy=not message,
        message=message,
    )


def test_a_device_without_a_driver_is_told_and_the_node_is_ready_for_the_rest() -> None:
    undriven = _device("nvidia-0000:17:00.0", "no driver holds it")
    seen = dataclasses.replace(SEEN, unusable=(undriven,))
    status = _report(NodeState(assignment=ASSIGNED, accelerators=seen))
    assert status.accelerators == (undriven,)
    usable = _condition(status, "AcceleratorsUsable")
    assert (usable.status, usable.reason) == ("False", "DriverMissing")
    assert usable.message == "nvidia 0000:17:00.0: no driver holds it"
    assert _condition(status, "Ready").is_true


def test_a_device_that_is_not_well_is_a_condition_that_names_it() -> None:
    devices = tuple(Device(accelerator=_device(*told)) for told in (("GPU-a",), ("GPU-b", "gone")))
    seen = dataclasses.replace(SEEN, devices=devices)
    usable = _condition(
        _report(NodeState(assignment=ASSIGNED, accelerators=seen)), "AcceleratorsUsable"
    )
    assert (usable.reason, usable.message) == ("DeviceUnhealthy", "GPU-b: gone")


def test_devices_that_nobody_looked_at_yet_are_not_none() -> None:
    status = _report(NodeState(assignment=ASSIGNED))
    assert status.accelerators is None
    assert _condition(status, "AcceleratorsKnown").status == "Unknown"


def test_a_full_disk_is_a_condition_of_the_node() -> None:
    full = ModelReport(name="m", phase=ModelPhase.FAILED, reason="NoSpace", message="it is full")
    status = _report(NodeState(assignment=ASSIGNED, accelerators=SEEN), full)
    assert _condition(status, "CacheUsable").reason == "NoSpace"
    assert _condition(status, "Ready").message == "it is full"


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    state = NodeState(assignment=ASSIGNED, accelerators=SEEN)
    first = _report(state)
    later = dataclasses.replace(state, conditions=first.conditions)
    assert report(FACTS, later, (), (), NOW + timedelta(hours=1)) == first


def test_how_full_the_cache_is_is_told_once_it_is_known() -> None:
    cache = CacheReport(used_bytes=5, quota_bytes=10)
    assert _report(NodeState(cache=cache)).cache == cache
    assert _report(NodeState()).cache is None


def test_a_node_that_sent_wrong_bytes_is_named_until_it_is_asked_again() -> None:
    fine = NodeState(assignment=ASSIGNED, accelerators=SEEN)
    told = _report(dataclasses.replace(fine, distrusted=("liar",)))
    assert "liar" in _condition(told, "PeersTrusted").message
    assert told.distrusted == ("liar",)
    assert _condition(told, "Ready").status == "True"
    later = _report(dataclasses.replace(fine, conditions=told.conditions))
    assert _condition(later, "PeersTrusted").status == "True"
    assert find_condition(_report(fine).conditions, "PeersTrusted") is None


def test_what_was_done_to_engines_is_told() -> None:
    told = EngineIncident(
        id="default/chat-0", reason=Incident.ORPHAN_REAPED, message="was ended", at=NOW
    )
    assert _report(NodeState(incidents=(told,))).incidents == (told,)
