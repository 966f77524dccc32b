"""The whole system on one machine, as a user has it: every program real, a real model."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.machine import SERVE_SMOLLM2, Machine, is_alive
from support.manifests import PUBLISHED
from support.smollm2 import SMOLLM2

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A running machine that tests share, each with objects of its own."""
    machine = Machine(tmp_path_factory.mktemp("shared") / "home")
    try:
        machine.up()
        yield machine
    finally:
        machine.llmaz("down")


def chat(machine: Machine, model: str) -> str:
    """Ask through the OpenAI endpoint."""
    question = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8}
    request = urllib.request.Request(
        f"{machine.running()['gateway_url']}/chat/completions", data=json.dumps(question).encode()
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        text: str = json.load(answer)["choices"][0]["message"]["content"]
    return text


def is_available(condition: dict[str, Any]) -> bool:
    return bool(condition["status"] == "True")


def waits_for(reason: str) -> Callable[[dict[str, Any]], bool]:
    return lambda condition: bool(condition["reason"] == reason)


def test_from_a_manifest_to_tokens_through_a_crash_to_a_clean_end(machine: Machine) -> None:
    machine.up()
    machine.kubectl("apply", "-f", "-", stdin=SERVE_SMOLLM2)
    machine.wait_for("smollm2", is_available)
    assert chat(machine, "smollm2")
    assert "1/1" in machine.kubectl("get", "pl", "smollm2")
    assert_that_the_command_shows_it(machine)
    [engine] = machine.engines()
    uid = machine.object("playground", "smollm2")["metadata"]["uid"]

    machine.kill_up()
    assert is_alive(engine["pid"])
    machine.up()
    machine.wait_for("smollm2", is_available)
    assert chat(machine, "smollm2")
    assert machine.object("playground", "smollm2")["metadata"]["uid"] == uid
    assert [one["pid"] for one in machine.engines()] == [engine["pid"]]

    stopped = machine.llmaz("down")
    assert stopped.returncode == 0, stopped.stderr
    assert machine.processes() == {}
    assert not is_alive(engine["pid"])

    assert (machine.home / "server").exists()
    assert machine.llmaz("down", "--purge").returncode == 0
    assert list(machine.home.iterdir()) == []


def assert_that_the_command_shows_it(machine: Machine) -> None:
    asked = machine.llmaz("chat", "smollm2", "-m", "Hi", "--max-tokens", "4")
    assert (asked.returncode, bool(asked.stdout.strip())) == (0, True)
    assert "serving smollm2 at http://127.0.0.1:" in machine.llmaz("logs", "smollm2").stdout
    status = machine.llmaz("status").stdout
    assert machine.running()["gateway_url"] in status
    assert "1/1" in status
    assert "SmolLM2-135M" in machine.llmaz("models").stdout
    assert "True" in machine.llmaz("nodes").stdout


def test_engines_that_run_started_outlive_a_killed_up_until_down(machine: Machine) -> None:
    machine.up()
    run = machine.llmaz("run", str(SMOLLM2), "--name", "small")
    assert run.returncode == 0, run.stderr
    assert f"curl {machine.running()['gateway_url']}/chat/completions" in run.stdout
    [engine] = machine.engines()
    machine.kill_up()
    stopped = machine.llmaz("down")
    assert stopped.returncode == 0, stopped.stderr
    left, found = stopped.stdout.splitlines()
    assert left == "stopped the engines that a killed llmaz had left: default/small-0"
    assert found.endswith("was not running")
    assert not is_alive(engine["pid"])


def test_published_manifests_apply_unchanged_and_say_what_is_missing(running: Machine) -> None:
    for path in sorted((PUBLISHED / "seeds").glob("*.yaml")):
        if "openmodel" in path.name or "llama3-405b" in path.name:
            running.kubectl("apply", "-f", str(path))
    for path in sorted((PUBLISHED / "seeds").glob("*playground*.yaml")):
        running.kubectl("apply", "-f", str(path))
    sentences = {
        name: running.wait_for(name, waits_for("Unplaceable"))["message"]
        for name in ("qwen", "opt-125m", "llama3-405b-instruct")
    }
    assert "a10: 0 of 1 nodes fit" in sentences["qwen"]
    assert "nvidia.com/gpu" in sentences["opt-125m"]


def test_a_model_file_that_is_missing_is_named(running: Machine) -> None:
    manifest = SERVE_SMOLLM2.replace("name: smollm2", "name: missing").replace(
        "modelName: smollm2", "modelName: missing"
    )
    manifest = manifest.replace("uri: host://", "uri: host:///no/such")
    running.kubectl("apply", "-f", "-", stdin=manifest)
    said = running.wait_for("missing", waits_for("FetchFailed"))
    assert "/no/such" in said["message"]


def test_a_file_that_is_no_model_is_said_to_be_none(running: Machine, tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_text("<html>")
    started = running.llmaz("run", str(page), "--name", "page")
    assert started.returncode == 1
    assert "GGUF" in started.stderr


def test_an_unknown_model_is_answered_by_the_gateway_with_404(running: Machine) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        chat(running, "gpt-9")
    with caught.value as answer:
        assert answer.code == 404
        assert "gpt-9" in json.load(answer)["error"]["message"]


def test_a_home_has_one_up_at_a_time(running: Machine) -> None:
    second = running.llmaz("up", "--api-port=0", "--gateway-port=0", "--agent-port=0")
    assert second.returncode == 1
    assert second.stderr.startswith(f"error: llmaz is already running on {running.home} (pid ")


def test_a_port_in_use_is_named_with_the_option_that_changes_it(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        failed = machine.llmaz("up", "--api-port=0", "--agent-port=0", f"--gateway-port={port}")
    assert failed.returncode == 1
    assert failed.stderr == (
        f"error: cannot listen on 127.0.0.1:{port}: address already in use; "
        "choose another port with --gateway-port\n"
    )


def test_a_wrong_token_is_said_to_be_wrong(running: Machine, tmp_path: Path) -> None:
    text = (running.home / "kubeconfig").read_text()
    token = (running.home / "server" / "token").read_text().strip()
    wrong = tmp_path / "kubeconfig"
    wrong.write_text(text.replace(token, "x" * len(token)))
    failed = running.llmaz("get", "pl", "--kubeconfig", str(wrong))
    assert failed.returncode == 1
    assert "hint: the token in the kubeconfig is not this server's" in failed.stderr
