"""The chart on a real kube-apiserver (KUBEBUILDER_ASSETS): accepted, and its policies at work."""

import asyncio
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from charts.conftest import NODE_NAME, TEAM, gather
from support.apicalls import MERGE
from support.chart import CHART, Json, rendered
from support.plane import ControlPlane
from support.reachable import reachable_address
from support.realplane import real_control_plane
from support.recorder import Call
from support.recordings import Answer, call
from support.releases import RELEASES
from support.shims import wait_until

KUBECTL = str(Path(sys.executable).with_name("kubectl"))
VALUES = {"agent.secretNamespaces": [TEAM]}
NODES = "/apis/llmaz.io/v1alpha1/inferencenodes"
AGENT = {
    "Impersonate-User": "system:serviceaccount:llmaz-system:llmaz-agent",
    "Impersonate-Extra-authentication.kubernetes.io%2Fnode-name": "own",
}


def kubectl(plane: ControlPlane, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [KUBECTL, "--kubeconfig", str(plane.kubeconfig), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def bare_server(directory: Path, *plugins: str) -> Iterator[ControlPlane]:
    """A server of its own; nothing there would run a pod."""
    if "KUBEBUILDER_ASSETS" not in os.environ:
        pytest.skip("KUBEBUILDER_ASSETS is not set: here is no RBAC and are no admission policies")
    assets = Path(os.environ["KUBEBUILDER_ASSETS"])
    with real_control_plane(assets, directory, admission=plugins) as plane:
        yield plane


@contextmanager
def real_server(directory: Path, *plugins: str) -> Iterator[ControlPlane]:
    """A server of its own with the chart's objects."""
    with bare_server(directory, *plugins) as plane:
        install_chart(plane)
        yield plane


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with real_server(tmp_path_factory.mktemp("installed")) as plane:
        yield plane


def install_chart(plane: ControlPlane) -> None:
    """Apply the chart's definitions, then its objects."""
    namespaces = [
        {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}}
        for name in ("llmaz-system", TEAM)
    ]
    objects = "\n---\n".join(map(json.dumps, [*namespaces, *rendered(VALUES)]))
    definitions = ("--server-side", "--force-conflicts", "-f", str(CHART / "crds"))
    kubectl(plane, "apply", *definitions)
    kubectl(plane, "wait", "--for=condition=Established", "-f", str(CHART / "crds"))
    kubectl(plane, "apply", "--server-side", "--force-conflicts", "-f-", stdin=objects)


def _created_by_agent(plane: ControlPlane, name: str) -> Answer:
    node: Json = {"apiVersion": "llmaz.io/v1alpha1", "kind": "InferenceNode"}
    return call(plane, "POST", NODES, node | {"metadata": {"name": name}}, headers=AGENT)


def _refused_to_agent(plane: ControlPlane, name: str) -> Answer | None:
    """Return how the creation of a node is refused; one that is not is undone."""
    answer = _created_by_agent(plane, name)
    if answer.status == 403:
        return answer
    call(plane, "DELETE", f"{NODES}/{name}")
    return None


def _reported_by_agent(plane: ControlPlane, name: str) -> Answer:
    patch = json.dumps({"status": {"address": "10.0.0.1"}})
    return call(plane, "PATCH", f"{NODES}/{name}/status", patch, headers=AGENT | MERGE)


def test_an_agent_writes_its_own_node_alone(installed: ControlPlane) -> None:
    # A policy takes the server some seconds to heed.
    refused = wait_until(lambda: _refused_to_agent(installed, "other"), "another's node is refused")
    assert "the agent of node own may write" in refused.text
    assert _created_by_agent(installed, "own").status == 201
    assert _reported_by_agent(installed, "own").status == 200
    assert "own" in call(installed, "GET", f"{NODES}/own", headers=AGENT).text
    stolen = json.dumps({"spec": {"engines": []}})
    answer = call(installed, "PATCH", f"{NODES}/own", stolen, headers=AGENT | MERGE)
    assert answer.status == 403
    assert "belongs to the controller" in answer.text
    assert call(installed, "DELETE", f"{NODES}/own").status == 200


def _account(plane: ControlPlane, program: str) -> ControlPlane:
    """Return the server as the pods of a program know it: by a token that is bound to a pod."""
    pods = "/api/v1/namespaces/llmaz-system/pods"
    spec = {
        "serviceAccountName": f"llmaz-{program}",
        "nodeName": NODE_NAME,
        "containers": [{"name": program, "image": program}],
    }
    pod = {"metadata": {"name": program}, "spec": spec}
    made = call(plane, "POST", pods, {"apiVersion": "v1", "kind": "Pod", **pod}).json()
    bound = {"kind": "Pod", "apiVersion": "v1", "name": program, "uid": made["metadata"]["uid"]}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
    accounts = "/api/v1/namespaces/llmaz-system/serviceaccounts"
    path = f"{accounts}/llmaz-{program}/token"
    answer = call(plane, "POST", path, request | {"spec": {"boundObjectRef": bound}})
    assert answer.status == 201, answer.text
    return dataclasses.replace(plane, token=answer.json()["status"]["token"])


def test_all_programs_do_all_that_they_do_with_the_rights_of_the_chart(
    installed: ControlPlane, tmp_path: Path
) -> None:
    account = partial(_account, installed)
    evidence = asyncio.run(gather(installed, tmp_path, account, reachable_address()))
    assert evidence.refused == {name: frozenset() for name in ("controller", "agent", "gateway")}


def test_the_rights_suffice_where_the_permissions_of_owner_references_are_enforced(
    tmp_path: Path,
) -> None:
    """As on OpenShift. What an agent meets without its Node as the owner stays so."""
    with real_server(tmp_path / "plane", "OwnerReferencesPermissionEnforcement") as plane:
        account = partial(_account, plane)
        evidence = asyncio.run(gather(plane, tmp_path, account, reachable_address()))
    adopting = Call("patch", "llmaz.io", "inferencenodes", "", NODE_NAME)
    assert evidence.refused == {
        "controller": frozenset(),
        "agent": frozenset({adopting}),
        "gateway": frozenset(),
    }


def test_what_a_release_promised_is_installed_and_goes_on_with_todays_definitions(
    tmp_path: Path,
) -> None:
    """The definitions and objects of the last release first, then the definitions of the chart."""
    kept = max(RELEASES.iterdir(), key=lambda path: tuple(map(int, path.name.split("."))))
    definitions = "\n---\n".join((kept / "definitions.jsonl").read_text().splitlines())
    objects = (kept / "objects.yaml").read_text()
    with bare_server(tmp_path / "plane") as plane:
        kubectl(plane, "apply", "--server-side", "-f-", stdin=definitions)
        kubectl(plane, "wait", "--for=condition=Established", "-f-", stdin=definitions)
        kubectl(plane, "apply", "--server-side", "--validate=strict", "-f-", stdin=objects)
        kubectl(plane, "replace", "-f", str(CHART / "crds"))
        again = kubectl(plane, "apply", "--server-side", "-o", "json", "-f-", stdin=objects)
    generations = [one["metadata"]["generation"] for one in json.loads(again)["items"]]
    assert len(generations) > 10
    assert set(generations) == {1}
