"""Pods have a binding, an eviction, and an end that takes its time."""

from llmaz.local.apiserver.pods import leaving

NOW = "2026-01-01T12:00:00Z"


def pod(node: str = "n1", phase: str = "Running", **meta: object) -> dict[str, object]:
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 60}
    return {"metadata": {"name": "p", **meta}, "spec": spec, "status": {"phase": phase}}


def test_a_pod_on_a_node_is_marked_and_waits_for_who_runs_it() -> None:
    marked = leaving(pod(), None, NOW)
    assert marked is not None
    assert marked["metadata"] == {
        "name": "p",
        "deletionTimestamp": "2026-01-01T12:01:00Z",
        "deletionGracePeriodSeconds": 60,
    }


def test_a_pod_that_nobody_runs_goes_at_once() -> None:
    assert leaving(pod(node=""), None, NOW) is None
    assert leaving(pod(phase="Failed"), None, NOW) is None
    assert leaving(pod(), 0, NOW) is None


def test_a_second_deletion_can_only_shorten_the_grace() -> None:
    once = leaving(pod(), 20, NOW)
    assert once is not None
    assert leaving(once, None, NOW) == once
    sooner = leaving(once, 5, NOW)
    assert sooner is not None
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 5
