"""A person with kubectl applies what was published, and what llmaz ships, to an API server."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.manifest import decode
from support.controlplane import running_control_plane
from support.manifests import CHART, PUBLISHED, documents, published
from support.plane import ControlPlane

KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or "kubectl"
SKETCH = PUBLISHED / "seeds" / "seed002-service-sketch.yaml"
NAMESPACE = "published"


class Kubectl:
    """kubectl with one kubeconfig."""

    def __init__(self, plane: ControlPlane) -> None:
        self._options = ["--kubeconfig", str(plane.kubeconfig), "--namespace", NAMESPACE]

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        command = [KUBECTL, *self._options, *arguments]
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=150, check=False
        )


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server of its own: what is published has names that other tests use as well."""
    with running_control_plane(tmp_path_factory.mktemp("published")) as running:
        yield running


@pytest.fixture(scope="module")
def kubectl(plane: ControlPlane) -> Iterator[Kubectl]:
    """Kubectl on a server that knows the llmaz kinds, with a namespace to work in."""
    run = Kubectl(plane)
    run("apply", "--server-side", "-f", str(CHART / "crds"))
    run("wait", "--for=condition=Established", "--timeout=120s", "-f", str(CHART / "crds"))
    run("create", "namespace", NAMESPACE)
    yield run
    run("delete", "namespace", NAMESPACE, "--wait=false")


def test_every_published_manifest_is_applied_unchanged(kubectl: Kubectl, tmp_path: Path) -> None:
    for i, path in enumerate(path for path in published() if path != SKETCH):
        (tmp_path / f"{i:02}.yaml").write_text(yaml.safe_dump_all(documents(path)))
    applied = kubectl("apply", "--filename", str(tmp_path))
    assert "playground.inference.llmaz.io/llamacpp-speculator created" in applied
    kubectl("delete", "--filename", str(tmp_path), "--ignore-not-found", "--wait=false")


def test_a_sketch_is_refused_with_what_it_lacks(kubectl: Kubectl) -> None:
    refused = kubectl.run("apply", "-f", str(SKETCH))
    assert refused.returncode == 1
    assert "spec.workloadTemplate.workerTemplate: Required value" in refused.stderr


def test_a_misspelt_field_is_refused_with_its_path(kubectl: Kubectl) -> None:
    (document,) = documents(PUBLISHED / "seeds" / "seed002-playground-plain.yaml")
    text = yaml.safe_dump(document).replace("modelName", "modlName")
    refused = kubectl.run("apply", "-f", "-", stdin=text)
    assert refused.returncode == 1
    assert 'unknown field "spec.modelClaim.modlName"' in refused.stderr


def test_an_older_runtime_may_be_applied_over_the_one_that_llmaz_ships(kubectl: Kubectl) -> None:
    older = PUBLISHED / "seeds" / "seed000-backendruntime-vllm-v0.1.0.yaml"
    shipped = str(CHART / "runtimes" / "vllm.yaml")
    kubectl("apply", "--server-side", "--field-manager", "llmaz", "-f", shipped)
    kubectl("apply", "-f", str(older))
    live = decode(BackendRuntime, json.loads(kubectl("get", "br", "vllm", "-o", "json")))
    (written,) = documents(older)
    assert live.spec.command == decode(BackendRuntime, written).spec.command
    assert live.spec.recommended_configs == decode(BackendRuntime, written).spec.recommended_configs
    kubectl("delete", "br", "vllm", "--wait=false")


def test_every_runtime_that_llmaz_ships_is_applied(kubectl: Kubectl) -> None:
    runtimes = CHART / "runtimes"
    shipped = len(list(runtimes.glob("*.yaml")))
    assert kubectl("apply", "-f", str(runtimes)).count("created") == shipped
    kubectl("delete", "-f", str(runtimes), "--wait=false")


def test_columns_tell_where_a_playground_stands(kubectl: Kubectl) -> None:
    (document,) = documents(PUBLISHED / "seeds" / "seed002-playground-plain.yaml")
    labelled = document | {"metadata": {"name": "qwen", "labels": {"llmaz.io/model-name": "qwen"}}}
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(labelled))
    available = {
        "type": "Available",
        "status": "True",
        "reason": "PlaygroundReady",
        "message": "Playground is ready",
        "lastTransitionTime": "2026-01-31T12:00:00Z",
    }
    status = {"replicas": 4, "ready": "3/4", "flavor": "a10", "conditions": [available]}
    patch = json.dumps({"status": status})
    kubectl("patch", "pl", "qwen", "--subresource=status", "--type=merge", "--patch", patch)
    names, values = (line.split() for line in kubectl("get", "pl", "qwen").splitlines())
    assert names == ["NAME", "MODEL", "FLAVOR", "READY", "REPLICAS", "STATUS", "AGE"]
    assert values[:-1] == ["qwen", "qwen", "a10", "3/4", "4", "PlaygroundReady"]


def test_a_playground_is_scaled(kubectl: Kubectl) -> None:
    (document,) = documents(PUBLISHED / "seeds" / "seed002-playground-elastic.yaml")
    named = document | {"metadata": {"name": "scaled"}}
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(named))
    kubectl("scale", "playground", "scaled", "--replicas=6")
    assert kubectl("get", "pl", "scaled", "-o", "jsonpath={.spec.replicas}") == "6"
