"""An idle Playground goes to sleep and comes back for a request: every program real."""

import json
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from support.machine import Machine, until
from support.nodes import FAKE_ENGINE
from support.weights import gguf

pytestmark = pytest.mark.timeout(400)

ANSWER_SECONDS = 120


def sleeper(weights: Path) -> str:
    """A runtime whose engines sleep as vLLM's do, and a Playground that lets them soon."""
    command = [sys.executable, str(FAKE_ENGINE)]
    args = ["--port", "{{ .Port }}", "--model", "{{ .ModelName }}"]
    calls = {"sleep": "/sleep?level=1", "wake": "/wake_up", "isAsleep": "/is_sleeping"}
    runtime = {
        "apiVersion": "inference.llmaz.io/v1alpha1",
        "kind": "BackendRuntime",
        "metadata": {"name": "drowsy"},
        "spec": {
            "image": "none",
            "version": "v1",
            "command": command,
            "recommendedConfigs": [{"name": "default", "args": args}],
            "sleep": {"args": ["--sleeps", "vllm"], "calls": calls},
        },
    }
    model = {
        "apiVersion": "llmaz.io/v1alpha1",
        "kind": "OpenModel",
        "metadata": {"name": "tiny"},
        "spec": {"familyName": "tiny", "source": {"uri": f"host://{weights}"}},
    }
    load = {"sleepSeconds": 1, "idleSeconds": 3600}
    playground = {
        "apiVersion": "inference.llmaz.io/v1alpha1",
        "kind": "Playground",
        "metadata": {"name": "tiny"},
        "spec": {
            "modelClaim": {"modelName": "tiny"},
            "backendRuntimeConfig": {"backendName": "drowsy"},
            "elasticConfig": {"minReplicas": 0, "maxReplicas": 2, "load": load},
        },
    }
    return "\n---\n".join(map(json.dumps, (runtime, model, playground)))


def ask(machine: Machine) -> str:
    body = json.dumps({"model": "tiny", "prompt": "Hi", "max_tokens": 2}).encode()
    url = f"{machine.running()['gateway_url']}/completions"
    request = urllib.request.Request(url, data=body)
    with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
        return str(json.load(answer)["choices"][0]["text"])


def sleeps(machine: Machine) -> dict[str, Any]:
    """Wait until the engine sleeps, and return what its agent reports."""

    def look() -> bool:
        return [one["phase"] for one in machine.engines()] == ["Asleep"]

    until(look, lambda: f"{machine.engines()}; {machine.condition('tiny')}")
    said = machine.wait_for("tiny", lambda condition: "sleeps on" in condition["message"])
    assert said["reason"] == "Asleep"
    return machine.engines()[0]


def test_an_engine_sleeps_when_nobody_asks_and_no_request_for_it_is_lost(
    machine: Machine, tmp_path: Path
) -> None:
    weights = tmp_path / "tiny.gguf"
    weights.write_bytes(gguf())
    machine.up()
    machine.kubectl("apply", "-f", "-", stdin=sleeper(weights))
    asleep = sleeps(machine)
    assert "Asleep" in machine.kubectl("get", "pl", "tiny")
    until(lambda: "FellAsleep" in machine.kubectl("get", "events"), "no event tells of it")

    machine.kill_up()  # the next agent finds it asleep
    machine.up()
    assert sleeps(machine)["pid"] == asleep["pid"]

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: ask(machine), range(8)))
    assert answers == ["t0 t1"] * 8
    assert asleep["pid"] in [one["pid"] for one in machine.engines()]
