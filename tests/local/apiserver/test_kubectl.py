"""A stock kubectl against the server: the recorded commands, and others that people use."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from support.apicalls import Json, created, merged
from support.controlplane import EmbeddedServer
from support.recordings import scenario

GOLDEN = Path(__file__).parent / "golden"
KUBECTL = Path(sys.executable).with_name("kubectl")
WIDGETS = "/apis/golden.example.io/v1/namespaces/default/widgets"
_REQUEST = re.compile(r'verb="([A-Z]+)" url="https://[^/]+(/[^"]*)" status="(\d+)')
_TERMS = re.compile(r"(?<=fieldSelector=)[^& ]+")
_INCIDENTAL = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*( \+0000)?"), "<time>"),
    (re.compile(r"b-[a-z0-9]{5}\b"), "b-drawn"),
    (re.compile(r"(resourceVersion: |Resource Version: +)\S+"), "<version>"),
    (re.compile(r"\b(LIVE|MERGED)-\d+"), r"\1"),
    (re.compile(r" +\d+[smhd](\d+[smhd])?$", re.MULTILINE), " <age>"),
    (re.compile(r"hash=[0-9A-F]+"), "hash=<hash>"),
    (re.compile(r"(resourceVersion|timeoutSeconds)=\d+"), r"\1=<number>"),
    (re.compile(r"/tmp/\S+?/(?=LIVE|MERGED)"), "/tmp/"),
)


def _manifest(name: str, kind: str = "Widget", **body: Json) -> str:
    version = "v1" if kind == "ConfigMap" else "golden.example.io/v1"
    return yaml.safe_dump({"apiVersion": version, "kind": kind, "metadata": {"name": name}, **body})


FILES = {
    "a1.yaml": _manifest("kc", spec={"model": "qwen", "replicas": 1}),
    "a2.yaml": _manifest("kc", spec={"model": "qwen", "replicas": 3}),
    "bad.yaml": _manifest("bad", spec={"model": "qwen", "bogus": 1}),
    "cm.yaml": _manifest("kc", "ConfigMap", data={"a": "1"}),
    "cm2.yaml": _manifest("kc", "ConfigMap", data={"a": "2"}),
}

# What is another here: of a command, its output or its requests, and why.
OTHER_OUTPUT = {
    "kubectl get events": "the recorded cluster had other events",
    "kubectl get nodes": "the recorded cluster had other nodes",
    "kubectl get all": "the recorded cluster had other workloads",
}
OTHER_REQUESTS = {
    "kubectl get all": "kinds of workloads are not served",
    "kubectl wait wd/kc --for=condition=Ready --timeout=5s": "the recorded store streams no lists",
}


@dataclass(frozen=True)
class Ran:
    """What kubectl printed, and what it asked of the server."""

    exit: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Kubectl:
    """kubectl with its own directory of files and, for each command, an empty discovery cache."""

    directory: Path
    kubeconfig: Path

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> Ran:
        cache = self.directory / "cache" / str(len(list(self.directory.glob("cache/*"))))
        done = subprocess.run(
            [str(KUBECTL), f"--cache-dir={cache}", *arguments],
            cwd=self.directory,
            env=os.environ | {"KUBECONFIG": str(self.kubeconfig)} | (environment or {}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def prints(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        """Return what a command prints that must succeed."""
        ran = self.run(*arguments, environment=environment)
        assert ran.exit == 0, ran.stderr
        return ran.stdout


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    directory = tmp_path_factory.mktemp("kubectl")
    server = EmbeddedServer(directory / "server")
    plane = server.start()
    for name, text in FILES.items():
        (directory / name).write_text(text)
    definition = scenario(GOLDEN, "01-crd")["steps"][0]["request"]
    created(plane, definition["path"], definition["body"])
    for item in _widgets_that_the_recording_lists():
        created(plane, WIDGETS, item)
        path = f"{WIDGETS}/{item['metadata']['name']}/status"
        assert merged(plane, path, {"status": item.get("status", {})}).status == 200
    node = {"metadata": {"name": "node-1", "labels": {"x": "y"}}}
    created(plane, "/api/v1/nodes", node)
    yield Kubectl(directory, plane.kubeconfig)
    server.stop()


def _widgets_that_the_recording_lists() -> Iterator[Json]:
    """Yield the objects of the recorded lists, less what the recorder had deleted since."""
    listed = scenario(GOLDEN, "07-list")["steps"][12]["response"]["body"]["items"]
    for item in listed:
        name = item["metadata"]["name"]
        if name in ("l0", "l2", "l3", "l4"):
            continue
        metadata = {"name": name, "labels": item["metadata"].get("labels", {})}
        yield item | {"metadata": metadata}


@pytest.mark.timeout(180)
def test_recorded_commands_print_and_ask_what_they_did(kubectl: Kubectl) -> None:
    different: list[str] = []
    for recorded in scenario(GOLDEN, "12-kubectl")["commands"]:
        command = recorded["command"]
        ran = kubectl.run(*_arguments(command), "-v=6")
        if ran.exit != recorded["exit"]:
            different.append(f"{command}: exit {recorded['exit']} became {ran.exit}: {ran.stderr}")
        before, now = _settled(recorded["stdout"]), _settled(ran.stdout)
        if before != now and command not in OTHER_OUTPUT:
            different.append(f"{command}: {before!r} became {now!r}")
        asked = [_settled(" ".join(map(str, request))) for request in recorded["requests"]]
        asks = [_settled(" ".join(found)) for found in _REQUEST.findall(ran.stderr)]
        if asked != asks and command not in OTHER_REQUESTS:
            different.append(f"{command}: {asked} became {asks}")
    assert not different, "\n".join(different)


def _arguments(command: str) -> list[str]:
    """Return the arguments of a recorded command; JSON in them has no spaces."""
    return command.split(" ")[1:]


def _settled(text: str) -> str:
    # kubectl writes the terms of a field selector in any order.
    text = _TERMS.sub(lambda found: "%2C".join(sorted(found[0].split("%2C"))), text)
    for pattern, stand_in in _INCIDENTAL:
        text = pattern.sub(stand_in, text)
    return text


def test_kubectl_creates_built_in_objects_by_their_own_commands(kubectl: Kubectl) -> None:
    assert kubectl.prints("create", "namespace", "made") == "namespace/made created\n"
    kubectl.prints("-n", "made", "create", "secret", "generic", "s", "--from-literal=key=value")
    kubectl.prints("-n", "made", "create", "configmap", "c", "--from-literal=key=value")
    kubectl.prints("-n", "made", "create", "serviceaccount", "a")
    kubectl.prints("-n", "made", "create", "service", "clusterip", "web", "--tcp=80:8080")

    secret = json.loads(kubectl.prints("-n", "made", "get", "secret", "s", "-o", "json"))
    assert secret["data"] == {"key": "dmFsdWU="}
    service = json.loads(kubectl.prints("-n", "made", "get", "service", "web", "-o", "json"))
    assert service["spec"]["ports"][0]["targetPort"] == 8080
    assert service["spec"]["clusterIP"].startswith("10.96.")
    assert kubectl.prints("delete", "namespace", "made") == 'namespace "made" deleted\n'


def test_kubectl_knows_who_it_is_and_what_it_may_do(kubectl: Kubectl) -> None:
    assert kubectl.prints("auth", "can-i", "create", "pods") == "yes\n"
    assert "llmaz-admin" in kubectl.prints("auth", "whoami")


def test_kubectl_edits_an_object_in_an_editor(kubectl: Kubectl) -> None:
    (kubectl.directory / "edited.yaml").write_text(_manifest("edited", spec={"model": "qwen"}))
    kubectl.prints("apply", "-f", "edited.yaml")
    editor = {"KUBE_EDITOR": "sed -i s/qwen/opt/"}
    edited = kubectl.prints("edit", "widget", "edited", environment=editor)
    assert edited == "widget.golden.example.io/edited edited\n"
    shown = kubectl.prints("get", "widget", "edited", "-o", "jsonpath={.spec.model}")
    assert shown == "opt"


def test_kubectl_makes_an_autoscaler(kubectl: Kubectl) -> None:
    (kubectl.directory / "scaled.yaml").write_text(_manifest("scaled", spec={"model": "qwen"}))
    kubectl.prints("apply", "-f", "scaled.yaml")
    kubectl.prints("autoscale", "widget/scaled", "--min=2", "--max=3", "--memory=1Gi")
    made = json.loads(kubectl.prints("get", "hpa", "scaled", "-o", "json"))["spec"]
    assert made["scaleTargetRef"] == {
        "apiVersion": "golden.example.io/v1",
        "kind": "Widget",
        "name": "scaled",
    }
    assert (made["minReplicas"], made["maxReplicas"]) == (2, 3)
    assert made["metrics"][0]["resource"]["target"]["averageValue"] == "1Gi"


def test_kubectl_waits_for_a_deletion(kubectl: Kubectl) -> None:
    (kubectl.directory / "gone.yaml").write_text(_manifest("gone", spec={"model": "qwen"}))
    kubectl.prints("apply", "-f", "gone.yaml")
    kubectl.prints("delete", "widget", "gone")
    ran = kubectl.run("wait", "--for=delete", "widget/gone", "--timeout=120s")
    assert ran.exit == 0, ran.stderr


def test_kubectl_reads_a_manifest_of_several_kinds_and_prunes_nothing(kubectl: Kubectl) -> None:
    documents = (FILES["a1.yaml"].replace("kc", "many"), FILES["cm.yaml"].replace("kc", "many"))
    (kubectl.directory / "many.yaml").write_text("---\n".join(documents))
    printed = kubectl.prints("apply", "--server-side", "-f", "many.yaml")
    assert printed.count("serverside-applied") == 2
    kubectl.prints("delete", "-f", "many.yaml")


def test_kubectl_says_which_kind_is_unknown(kubectl: Kubectl) -> None:
    text = "apiVersion: nowhere.example.io/v1\nkind: Nothing\nmetadata: {name: x}\n"
    (kubectl.directory / "unknown.yaml").write_text(text)
    ran = kubectl.run("apply", "-f", "unknown.yaml")
    assert ran.exit == 1
    assert 'no matches for kind "Nothing" in version "nowhere.example.io/v1"' in ran.stderr
