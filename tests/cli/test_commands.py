"""The command as people run it: real processes against a real API server."""

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from llmaz.kube import Kube
from llmaz.local.install import install
from support.plane import ControlPlane

LLMAZ = Path(sys.executable).with_name("llmaz")

MANIFESTS = """\
apiVersion: llmaz.io/v1alpha1
kind: OpenModel
metadata: {name: commands}
spec:
  familyName: qwen
  source: {modelHub: {modelID: Qwen/Qwen2.5-7B}}
---
apiVersion: inference.llmaz.io/v1alpha1
kind: Playground
metadata: {name: commands}
spec:
  replicas: 1
  modelClaim: {modelName: commands}
"""


@dataclass(frozen=True)
class Llmaz:
    """The command with one home and one kubeconfig."""

    home: Path
    kubeconfig: Path | None = None

    def __call__(self, *argv: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        environment = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}
        environment |= {"LLMAZ_HOME": str(self.home)}
        if self.kubeconfig is not None:
            environment["KUBECONFIG"] = str(self.kubeconfig)
        return subprocess.run(
            [LLMAZ, *argv],
            env=environment,
            input=stdin,
            capture_output=True,
            check=False,
            text=True,
            timeout=150,
        )

    def done(self, *argv: str, stdin: str = "") -> str:
        """Run a command that has to succeed, and return what it prints."""
        ran = self(*argv, stdin=stdin)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


@pytest.fixture
async def llmaz(control_plane: ControlPlane, tmp_path: Path) -> Llmaz:
    async with await Kube.connect(control_plane.kubeconfig) as kube:
        await install(kube, print)
    return Llmaz(tmp_path, control_plane.kubeconfig)


async def test_objects_are_made_seen_and_deleted(llmaz: Llmaz) -> None:
    model, playground = "openmodel.llmaz.io/commands", "playground.inference.llmaz.io/commands"
    applied = llmaz.done("apply", "-f", "-", stdin=MANIFESTS)
    assert applied == f"{model} created\n{playground} created\n"
    changed = MANIFESTS.replace("replicas: 1", "replicas: 2")
    applied = llmaz.done("apply", "-f", "-", stdin=changed)
    assert applied == f"{model} unchanged\n{playground} configured\n"

    header, row = llmaz.done("get", "pl", "commands").splitlines()
    assert header.split()[:2] == ["NAME", "MODEL"]
    assert row.split()[0] == "commands"
    assert llmaz.done("get", "pl", "commands", "-o", "name") == f"{playground}\n"
    assert "  replicas: 2\n" in llmaz.done("get", "pl", "commands", "-o", "yaml")
    assert "Playground commands" in llmaz.done("describe", "pl", "commands")

    deleted = llmaz.done("delete", "-f", "-", stdin=MANIFESTS)
    assert deleted == f"{playground} deleted\n{model} deleted\n"
    gone = llmaz("get", "pl", "commands")
    assert (gone.returncode, gone.stdout) == (3, "")
    assert gone.stderr.endswith('playgrounds.inference.llmaz.io "commands" not found\n')


async def test_a_malformed_manifest_is_refused_with_its_path_and_nothing_is_sent(
    llmaz: Llmaz,
) -> None:
    malformed = MANIFESTS.replace("replicas: 1", "replicas: 1\n  replica: 2")
    refused = llmaz("apply", "-f", "-", stdin=malformed)
    assert (refused.returncode, refused.stdout) == (1, "")
    where, *_, last = refused.stderr.splitlines()
    assert where.startswith(
        "standard input, document 2: playground.inference.llmaz.io/commands: spec.replica: "
    )
    assert last == "error: 1 of 2 objects are malformed; nothing was sent"
    assert llmaz("get", "om", "commands").returncode == 3


async def test_what_only_the_server_refuses_does_not_keep_the_rest_from_being_applied(
    llmaz: Llmaz,
) -> None:
    elsewhere = MANIFESTS.replace(
        "Playground\nmetadata: {", "Playground\nmetadata: {namespace: nowhere, "
    )
    refused = llmaz("apply", "-f", "-", stdin=elsewhere)
    assert refused.returncode == 1
    assert refused.stderr.endswith("error: 1 of 2 objects were refused\n")
    llmaz.done("delete", "om", "commands")


async def test_run_makes_both_objects_under_a_valid_name(llmaz: Llmaz) -> None:
    llmaz.done("run", "Qwen/Qwen2.5-0.5B", "--no-wait", "--backend", "sglang", "--replicas", "2")
    assert "backendName: sglang" in llmaz.done("get", "pl", "qwen2-5-0-5b", "-o", "yaml")
    assert "modelID: Qwen/Qwen2.5-0.5B" in llmaz.done("get", "om", "qwen2-5-0-5b", "-o", "yaml")
    other = llmaz("run", "Qwen/Other", "--name", "qwen2-5-0-5b", "--no-wait")
    assert other.returncode == 1
    assert "exists and has another source" in other.stderr
    llmaz.done("delete", "om", "qwen2-5-0-5b")
    llmaz.done("delete", "pl", "qwen2-5-0-5b")


async def test_run_leaves_a_playground_of_another_model_alone(llmaz: Llmaz) -> None:
    llmaz.done("apply", "-f", "-", stdin=MANIFESTS.replace("modelName: commands", "modelName: own"))
    refused = llmaz("run", "Qwen/Qwen2.5-7B", "--name", "commands", "--no-wait")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "error: Playground commands exists and serves another model\n"
        "hint: choose another name with --name\n"
    )
    assert "modelName: own" in llmaz.done("get", "pl", "commands", "-o", "yaml")
    llmaz.done("delete", "-f", "-", stdin=MANIFESTS)


async def test_the_log_of_a_replica_that_does_not_exist_is_not_waited_for(llmaz: Llmaz) -> None:
    llmaz.done("apply", "-f", "-", stdin=MANIFESTS)
    failed = llmaz("logs", "commands", "--replica", "7")
    assert (failed.returncode, failed.stdout) == (3, "")
    assert failed.stderr == (
        "error: there is no replica 7 of default/commands: it has 1, counted from 0\n"
    )
    assert "commands-0 has no log yet" in llmaz("logs", "commands").stderr
    llmaz.done("delete", "-f", "-", stdin=MANIFESTS)


async def test_a_watch_prints_a_row_for_each_change(llmaz: Llmaz) -> None:
    llmaz.done("apply", "-f", "-", stdin=MANIFESTS)
    environment = os.environ | {"KUBECONFIG": str(llmaz.kubeconfig)}
    command = [str(LLMAZ), "get", "pl", "commands", "-w"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert [watch.stdout.readline().split()[0] for _ in range(2)] == ["NAME", "commands"]
        llmaz.done("delete", "-f", "-", stdin=MANIFESTS)
        lines = [watch.stdout.readline()]
        while "deleted" not in lines[-1]:
            lines.append(watch.stdout.readline())
        watch.terminate()
    assert lines[-1] == "playground.inference.llmaz.io/commands deleted\n"


@pytest.mark.parametrize("argv", [("get", "pl"), ("kubeconfig",)])
def test_without_a_cluster_a_command_says_how_to_start_one(
    argv: tuple[str, ...], tmp_path: Path
) -> None:
    failed = Llmaz(tmp_path)(*argv)
    assert (failed.returncode, failed.stdout) == (4, "")
    assert failed.stderr == (
        f"error: there is no llmaz on this machine yet ({tmp_path})\n"
        "hint: start it with `llmaz up -d`\n"
    )


def test_a_server_that_is_not_there_is_not_reached(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "{apiVersion: v1, kind: Config, current-context: a, users: [{name: a, user: {token: x}}], "
        "clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}], "
        "contexts: [{name: a, context: {cluster: a, user: a}}]}"
    )
    failed = Llmaz(tmp_path, kubeconfig)("get", "pl")
    assert failed.returncode == 4
    assert "Traceback" not in failed.stderr
    assert failed.stderr.startswith("error: ")


def test_a_question_from_a_pipe_that_fails_ends_the_command(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1/v1"
    ran = Llmaz(tmp_path / "home")("chat", "qwen", "--gateway", url, stdin="one\ntwo\n")
    assert ran.returncode == 4
    assert ran.stderr.count("is not reached") == 1


def test_a_kubeconfig_that_is_a_directory_is_named(tmp_path: Path) -> None:
    ran = Llmaz(tmp_path / "home", tmp_path)("get", "pl")
    assert (ran.returncode, ran.stderr) == (1, f"error: {tmp_path}: Is a directory\n")


def test_an_interrupt_while_the_command_is_loaded_leaves_no_trace() -> None:
    program = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "llmaz.cli.commands":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from llmaz.cli.__main__ import main
main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (130, "")


def test_wrong_usage_ends_with_2_and_the_usage(tmp_path: Path) -> None:
    failed = Llmaz(tmp_path)("get")
    assert (failed.returncode, failed.stderr.startswith("Usage: llmaz get")) == (2, True)
    assert Llmaz(tmp_path)("up", "--gateway-port=65536").returncode == 2
    assert Llmaz(tmp_path)("status").returncode == 4


def test_the_version_is_an_option_as_well_as_a_command(tmp_path: Path) -> None:
    llmaz = Llmaz(tmp_path)
    assert llmaz.done("--version") == llmaz.done("version") == f"{version('llmaz')}\n"


def test_help_names_every_command_and_the_exit_codes_without_loading_a_client(
    tmp_path: Path,
) -> None:
    shown = Llmaz(tmp_path).done("--help")
    for command in ("up", "down", "run", "chat", "apply", "get", "logs", "demo"):
        assert f"\n  {command} " in shown
    assert "Exit codes: 0 done" in shown
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llmaz.cli", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert not [name for name in ("kubernetes", "aiohttp", "rich.table") if f" {name}\n" in loaded]
