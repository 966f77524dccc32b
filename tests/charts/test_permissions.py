"""What each program may do on Kubernetes is what it was seen to do, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from charts.conftest import TEAM, Evidence
from support.chart import Json, only, rendered, the
from support.recorder import Call, call_of

PROGRAMS = ("controller", "agent", "gateway")
VALUES = {"agent.secretNamespaces": [TEAM]}


@dataclass(frozen=True)
class Grant:
    """One verb on one resource, as the rendered roles give it."""

    group: str
    resource: str
    verb: str
    namespace: str  # empty: in all of them
    names: frozenset[str]  # empty: whatever the name

    def allows(self, call: Call) -> bool:
        return (
            (self.group, self.resource, self.verb) == (call.group, call.resource, call.verb)
            and self.namespace in ("", call.namespace)
            and (not self.names or call.name in self.names)
        )


def granted(objects: list[Json], program: str) -> Iterator[Grant]:
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        for binding in only(objects, kind):
            if binding["subjects"][0]["name"] == f"llmaz-{program}":
                role = the(objects, binding["roleRef"]["kind"], binding["roleRef"]["name"])
                for rule in role["rules"]:
                    yield from _of_rule(rule, binding["metadata"].get("namespace", ""))


def _of_rule(rule: Json, namespace: str) -> Iterator[Grant]:
    names = frozenset(rule.get("resourceNames", ()))
    for group in rule["apiGroups"]:
        for resource in rule["resources"]:
            for verb in rule["verbs"]:
                yield Grant(group, resource, verb, namespace, names)


@pytest.fixture(scope="module")
def objects() -> list[Json]:
    return rendered(VALUES)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_may_do_all_that_it_does(
    program: str, evidence: Evidence, objects: list[Json]
) -> None:
    grants = list(granted(objects, program))
    calls = sorted(evidence.calls[program])
    assert [one for one in calls if not any(grant.allows(one) for grant in grants)] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_may_do_nothing_that_it_does_not_do(
    program: str, evidence: Evidence, objects: list[Json]
) -> None:
    done = {(call.group, call.resource, call.verb) for call in evidence.calls[program]}
    may = {(grant.group, grant.resource, grant.verb) for grant in granted(objects, program)}
    assert may - done == set()


def test_no_rule_has_a_wildcard(objects: list[Json]) -> None:
    for role in (*only(objects, "ClusterRole"), *only(objects, "Role")):
        for rule in role["rules"]:
            assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])


def test_an_agent_reads_a_secret_only_by_a_name_it_was_given() -> None:
    grants = [grant for grant in granted(rendered(), "agent") if grant.resource == "secrets"]
    (grant,) = grants
    assert grant.verb == "get"
    assert grant.namespace == ""  # of any namespace: the engines' own, and that of the platform
    assert grant.names == {
        "modelhub-secret",
        "oss-access-secret",
        "aws-access-secret",
        "fsspec-access-secret",
    }


@pytest.mark.parametrize(
    ("method", "path", "watch", "call"),
    [
        ("GET", "/api/v1/nodes", False, Call("list", "", "nodes", "", "")),
        ("GET", "/api/v1/namespaces/a", False, Call("get", "", "namespaces", "", "a")),
        (
            "PATCH",
            "/apis/inference.llmaz.io/v1alpha1/namespaces/a/services/b/status",
            False,
            Call("patch", "inference.llmaz.io", "services/status", "a", "b"),
        ),
        (
            "GET",
            "/apis/coordination.k8s.io/v1/namespaces/a/leases",
            True,
            Call("watch", "coordination.k8s.io", "leases", "a", ""),
        ),
    ],
)
def test_a_request_is_read_as_an_authorizer_reads_it(
    method: str, path: str, watch: bool, call: Call
) -> None:
    assert call_of(method, path, watch=watch) == call
