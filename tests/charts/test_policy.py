"""The admission policies, evaluated as an API server would: who may write what."""

from collections.abc import Mapping
from typing import Any

import cel
import pytest

from support.chart import Json, rendered, the

SPEC: Json = {"engines": []}
ACCOUNT = "system:serviceaccount:llmaz-system:"


def refusal(policy: Json, variables: dict[str, Any]) -> str | None:
    """Return the words of the first validation that fails; None where the request may pass."""
    spec = policy["spec"]
    if not all(cel.evaluate(one["expression"], variables) for one in spec["matchConditions"]):
        return None
    named = {
        one["name"]: cel.evaluate(one["expression"], variables) for one in spec.get("variables", ())
    }
    known = {**variables, "variables": named}
    for one in spec["validations"]:
        if not cel.evaluate(one["expression"], known):
            return str(one.get("message") or cel.evaluate(one["messageExpression"], known))
    return None


def request(
    user: str = "llmaz-agent",
    *,
    node: str | None = "a",
    resource: str = "inferencenodes",
    operation: str = "UPDATE",
    name: str = "a",
) -> Json:
    info: Json = {"username": ACCOUNT + user}
    if node is not None:
        info["extra"] = {"authentication.kubernetes.io/node-name": [node]}
    return {
        "userInfo": info,
        "resource": {"group": "", "version": "v1", "resource": resource},
        "operation": operation,
        "name": name,
    }


def of(name: str, **fields: Json) -> Json:
    return {"metadata": {"name": name}, **fields}


@pytest.fixture(scope="module")
def policies() -> Mapping[str, Json]:
    objects = rendered()
    names = ("llmaz-agent", "llmaz-controller")
    return {name: the(objects, "ValidatingAdmissionPolicy", name) for name in names}


@pytest.mark.parametrize(
    ("asked", "new", "old"),
    [
        (request(), of("a", status={"b": 1}, spec=SPEC), of("a", spec=SPEC)),
        (request(), of("a", status={}), of("a")),
        (request(operation="CREATE"), of("a"), None),
        (request(operation="CREATE"), of("a", spec={}), None),
        (request(resource="leases"), of("a", spec={"renewTime": "2"}), of("a", spec={})),
        (request(resource="leases", operation="CREATE"), of("a", spec={}), None),
        (request("llmaz-controller", node="b"), of("a", spec={}), of("a", spec=SPEC)),
        (request("somebody", node=None, operation="DELETE"), None, of("a")),
    ],
    ids=["status", "without a spec", "create", "create with an empty spec", "renew", "first lease",
         "the controller assigns", "a person deletes"],
)  # fmt: skip
def test_what_an_agent_writes_of_its_own_node_may_pass(
    policies: Mapping[str, Json], asked: Json, new: Json, old: Json
) -> None:
    variables = {"request": asked, "object": new, "oldObject": old}
    assert refusal(policies["llmaz-agent"], variables) is None


@pytest.mark.parametrize(
    ("asked", "new", "old", "words"),
    [
        (request(node="b"), of("a"), of("a"), "the agent of node b may write"),
        (request(node="b", resource="leases"), of("a"), of("a"), "the agent of node b may write"),
        (request(node="b", operation="CREATE"), of("a"), None, "the agent of node b may write"),
        (request(node="b", operation="DELETE"), None, of("a"), "the agent of node b may write"),
        (request(node=None), of("a"), of("a"), "must be bound to a pod on a node"),
        (request(), of("a", spec={}), of("a", spec=SPEC), "belongs to the controller"),
        (request(), of("a", spec=SPEC), of("a"), "belongs to the controller"),
        (request(), of("a"), of("a", spec=SPEC), "belongs to the controller"),
        (request(operation="CREATE"), of("a", spec=SPEC), None, "belongs to the controller"),
        (
            request(node="llmaz-controller", resource="leases", name="llmaz-controller"),
            of("llmaz-controller"),
            of("llmaz-controller"),
            "the Lease of the leading controller",
        ),
    ],
)
def test_what_a_stolen_token_of_an_agent_could_want_is_refused(
    policies: Mapping[str, Json], asked: Json, new: Json, old: Json, words: str
) -> None:
    variables = {"request": asked, "object": new, "oldObject": old}
    assert words in (refusal(policies["llmaz-agent"], variables) or "")


def test_the_controller_may_label_and_no_more(policies: Mapping[str, Json]) -> None:
    asked = request("llmaz-controller", node="b", resource="nodes")
    old = of("a", spec={"taints": []})
    labelled = {"metadata": {"name": "a", "labels": {"b": "c"}}, "spec": {"taints": []}}
    cordoned = of("a", spec={"unschedulable": True})
    may = {"request": asked, "object": labelled, "oldObject": old}
    may_not = {"request": asked, "object": cordoned, "oldObject": old}
    assert refusal(policies["llmaz-controller"], may) is None
    assert "labels and annotations alone" in str(refusal(policies["llmaz-controller"], may_not))
    other = {**may_not, "request": request("somebody", resource="nodes")}
    assert refusal(policies["llmaz-controller"], other) is None


def test_a_policy_is_bound_and_refuses_when_it_fails(policies: Mapping[str, Json]) -> None:
    objects = rendered()
    for name, policy in policies.items():
        binding = the(objects, "ValidatingAdmissionPolicyBinding", name)["spec"]
        assert binding == {"policyName": name, "validationActions": ["Deny"]}
        assert policy["spec"]["failurePolicy"] == "Fail"
