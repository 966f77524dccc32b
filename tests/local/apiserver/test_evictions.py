"""Evictions heed PodDisruptionBudgets, in the words of a kube-apiserver."""

from typing import Any

import pytest

from llmaz.local.apiserver.evictions import needed, selects
from support.apicalls import Json, created, merged, namespace
from support.plane import ControlPlane
from support.recordings import Answer, call

LABELS = {"app": "chat", "tier": "engine"}
ANY = "/apis/policy/v1/namespaces/{}/poddisruptionbudgets"
READY = [{"type": "Ready", "status": "True"}]


def budget(name: str, **spec: Json) -> Json:
    selector = {"matchLabels": {"app": "chat"}}
    head = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}}
    return {**head, "spec": {"selector": selector, **spec}}


def told(plane: ControlPlane, path: str, *, healthy: int, desired: int) -> None:
    """Write a budget's status, as a kube-controller-manager does; the embedded server counts."""
    status = {
        "observedGeneration": 1,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": healthy,
        "disruptionsAllowed": max(0, healthy - desired),
    }
    assert merged(plane, f"{path}/status", {"status": status}).status == 200


def running(plane: ControlPlane, space: str, name: str, *, is_ready: bool = True) -> str:
    """Make a pod that runs on a node; return its path."""
    pods = f"/api/v1/namespaces/{space}/pods"
    spec = {"nodeName": "n1", "containers": [{"name": "one", "image": "one"}]}
    head: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod"}
    created(plane, pods, {**head, "metadata": {"name": name, "labels": LABELS}, "spec": spec})
    status = {"phase": "Running", "conditions": READY if is_ready else []}
    assert merged(plane, f"{pods}/{name}/status", {"status": status}).status == 200
    return f"{pods}/{name}"


def evicted(plane: ControlPlane, pod: str) -> Answer:
    metadata = {"name": pod.rpartition("/")[2]}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    return call(plane, "POST", f"{pod}/eviction", body)


def space_of(plane: ControlPlane, name: str) -> str:
    """Make a namespace that may have pods, with the account that they are given."""
    namespace(plane, name)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    call(plane, "POST", f"/api/v1/namespaces/{name}/serviceaccounts", account)
    return name


def test_a_pod_that_has_to_stay_is_not_evicted(control_plane: ControlPlane) -> None:
    space = space_of(control_plane, "has-to-stay")
    pod = running(control_plane, space, "chat-0")
    created(control_plane, ANY.format(space), budget("chat", minAvailable=1))
    told(control_plane, f"{ANY.format(space)}/chat", healthy=1, desired=1)
    refused = evicted(control_plane, pod)
    assert refused.status == 429
    assert refused.json()["reason"] == "TooManyRequests"
    assert refused.json()["details"]["causes"] == [
        {
            "reason": "DisruptionBudget",
            "message": "The disruption budget chat needs 1 healthy pods and has 1 currently",
        }
    ]
    assert "as it would violate the pod's disruption budget" in refused.json()["message"]


def test_one_more_than_has_to_stay_may_go(control_plane: ControlPlane) -> None:
    space = space_of(control_plane, "one-more")
    pods = [running(control_plane, space, f"chat-{index}") for index in range(2)]
    created(control_plane, ANY.format(space), budget("chat", minAvailable=1))
    told(control_plane, f"{ANY.format(space)}/chat", healthy=2, desired=1)
    assert [evicted(control_plane, pod).status for pod in pods] == [201, 429]


def test_a_pod_that_is_not_ready_may_always_go_where_the_budget_says_so(
    control_plane: ControlPlane,
) -> None:
    space = space_of(control_plane, "not-ready")
    pod = running(control_plane, space, "chat-0", is_ready=False)
    strict = budget("chat", minAvailable=1, unhealthyPodEvictionPolicy="AlwaysAllow")
    created(control_plane, ANY.format(space), strict)
    told(control_plane, f"{ANY.format(space)}/chat", healthy=0, desired=1)
    assert evicted(control_plane, pod).status == 201


def test_a_pod_of_two_budgets_is_evicted_by_nobody(control_plane: ControlPlane) -> None:
    space = space_of(control_plane, "two-budgets")
    pod = running(control_plane, space, "chat-0")
    for name in ("one", "two"):
        created(control_plane, ANY.format(space), budget(name, minAvailable=0))
        told(control_plane, f"{ANY.format(space)}/{name}", healthy=1, desired=0)
    refused = evicted(control_plane, pod)
    assert refused.status == 500
    assert "more than one PodDisruptionBudget" in refused.json()["message"]


def test_a_budget_says_one_of_both(control_plane: ControlPlane) -> None:
    space = space_of(control_plane, "one-of-both")
    both = budget("chat", minAvailable=1, maxUnavailable=1)
    refused = call(control_plane, "POST", ANY.format(space), both)
    assert refused.status == 422
    assert "minAvailable and maxUnavailable cannot be both set" in refused.json()["message"]


@pytest.mark.parametrize("field", ["minAvailable", "maxUnavailable"])
def test_a_budget_says_a_number_or_a_share(control_plane: ControlPlane, field: str) -> None:
    space = space_of(control_plane, f"number-or-share-{field.lower()}")
    for value in ("one", "1", "101%", -1):
        refused = call(control_plane, "POST", ANY.format(space), budget("chat", **{field: value}))
        assert (value, refused.status) == (value, 422)
        assert f"spec.{field}: Invalid value" in refused.json()["message"]


@pytest.mark.parametrize(
    ("spec", "pods", "least"),
    [
        ({"minAvailable": 2}, 5, 2),
        ({"minAvailable": "50%"}, 5, 3),
        ({"maxUnavailable": 1}, 5, 4),
        ({"maxUnavailable": "30%"}, 5, 3),
        ({"maxUnavailable": 7}, 5, 0),
        ({}, 5, 1),
    ],
)
def test_how_many_have_to_stay(spec: Json, pods: int, least: int) -> None:
    assert needed(spec, pods) == least


@pytest.mark.parametrize(
    ("selector", "is_selected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "other"}}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "In", "values": ["engine"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["engine"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_which_pods_a_budget_is_of(selector: Json, is_selected: bool) -> None:
    assert selects({"spec": {"selector": selector}}, LABELS) is is_selected
