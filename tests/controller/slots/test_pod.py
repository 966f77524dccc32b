"""Pods as they are read."""

from datetime import UTC, datetime
from typing import Any

from llmaz.controller.slots.pod import read_pod

MADE = "2026-01-01T12:00:00Z"


def pod(status: dict[str, Any] | None = None, **meta: Any) -> Any:  # noqa: ANN401  # JSON
    return {
        "metadata": {
            "name": "chat-0-abc",
            "namespace": "default",
            "uid": "uid",
            "creationTimestamp": MADE,
            "labels": {"llmaz.io/service": "chat", "llmaz.io/replica": "0"},
            "annotations": {"llmaz.io/slot-key": "key", "llmaz.io/slot-attempt": "3"},
            **meta,
        },
        "spec": {"nodeName": "n1"},
        "status": status or {},
    }


def test_a_pod_that_says_nothing_of_a_slot_is_none() -> None:
    assert read_pod(pod(labels={"app": "other"})) is None


def test_a_pod_tells_for_whom_it_was_made() -> None:
    seen = read_pod(pod())
    assert seen is not None
    assert (seen.owner, seen.replica, seen.attempt) == (("default", "chat"), "0", 3)
    assert seen.lives


def test_a_pod_that_failed_tells_when_and_why() -> None:
    at = "2026-01-01T12:30:00Z"
    conditions = [{"type": "DisruptionTarget", "status": "True", "lastTransitionTime": at}]
    status = {"phase": "Failed", "reason": "Preempted", "message": "by another", "startTime": MADE}
    seen = read_pod(pod(status | {"conditions": conditions}))
    assert seen is not None
    assert not seen.lives
    assert seen.ended == "Preempted: by another"
    assert seen.ended_at == datetime(2026, 1, 1, 12, 30, tzinfo=UTC)


def test_a_pod_that_is_being_pulled_waits_for_nothing_that_has_to_be_told() -> None:
    creating = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    failing = {"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
    first = read_pod(pod({"containerStatuses": [creating]}))
    second = read_pod(pod({"initContainerStatuses": [failing], "containerStatuses": [creating]}))
    assert first is not None
    assert second is not None
    assert (first.waiting, second.waiting) == (None, "ErrImagePull: not found")


def test_the_state_of_a_pod_is_one_word_for_the_metrics() -> None:
    spare = {"llmaz.io/service": "chat", "llmaz.io/replica": "spare"}
    seen = (
        read_pod(pod()),
        read_pod(pod(labels=spare)),
        read_pod(pod(deletionTimestamp=MADE)),
        read_pod(pod({"phase": "Failed"})),
        read_pod({**pod(), "spec": {}}),
    )
    states = [one.state for one in seen if one is not None]
    assert states == ["Bound", "Spare", "Ending", "Ended", "Pending"]


RUNS = {"state": {"running": {"startedAt": MADE}}, "ready": True}


def test_a_container_that_a_webhook_added_changes_nothing_while_it_runs() -> None:
    native = {"name": "istio-proxy", **RUNS}  # an init container that goes on
    first = {"name": "istio-proxy", **RUNS}
    own = {"name": "model-runner", **RUNS}
    for status in (
        {"containerStatuses": [first, own]},
        {"initContainerStatuses": [native], "containerStatuses": [own]},
    ):
        seen = read_pod(pod({"phase": "Running", "podIP": "10.0.0.1", **status}))
        assert seen is not None
        assert (seen.lives, seen.ip, seen.waiting) == (True, "10.0.0.1", None)


def test_a_container_that_a_webhook_added_is_named_where_it_keeps_the_pod_from_running() -> None:
    broken = {"name": "istio-proxy", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    own = {"name": "model-runner", "state": {"waiting": {"reason": "PodInitializing"}}}
    seen = read_pod(pod({"initContainerStatuses": [broken], "containerStatuses": [own]}))
    assert seen is not None
    assert seen.waiting == "ImagePullBackOff (container istio-proxy)"


def test_a_pod_whose_added_container_ended_goes_on_until_the_pod_is_over() -> None:
    ended = {"name": "logger", "state": {"terminated": {"exitCode": 0}}}
    seen = read_pod(pod({"phase": "Running", "containerStatuses": [ended, RUNS]}))
    assert seen is not None
    assert seen.lives


def test_a_pod_on_a_node_that_was_lost_is_ending_and_one_with_a_reason_alone_tells_it() -> None:
    lost = read_pod(pod({"phase": "Running", "reason": "NodeLost"}, deletionTimestamp=MADE))
    evicted = read_pod(pod({"phase": "Failed", "reason": "Evicted", "message": "disk is full"}))
    assert lost is not None
    assert evicted is not None
    assert (lost.state, evicted.ended) == ("Ending", "Evicted: disk is full")
