"""GPUs that fail under engines: a stand-in for NVIDIA's library, and every program real."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.machine import Machine, is_alive, until
from support.nodes import FAKE_ENGINE
from support.nvml import StandIn, build
from support.weights import gguf

pytestmark = [pytest.mark.timeout(500), pytest.mark.slow]  # each sets a machine up

GPU_A = "gpu GPU-a 81920 0 NVIDIA A100-SXM4-80GB"
GPU_B = "gpu GPU-b 81920 0 NVIDIA A100-SXM4-80GB"
MANIFEST = """\
apiVersion: inference.llmaz.io/v1alpha1
kind: BackendRuntime
metadata: {{name: fake}}
spec:
  image: fake
  version: "1"
  process: {{command: [{python}, "-I", {engine}]}}
  recommendedConfigs:
    - name: default
      args: [--port, "{{{{ .Port }}}}", --model, "{{{{ .ModelName }}}}"]
---
apiVersion: llmaz.io/v1alpha1
kind: OpenModel
metadata: {{name: tiny}}
spec:
  familyName: tiny
  source: {{uri: "host://{weights}"}}
  inferenceConfig:
    flavors:
      - {{name: gpu, limits: {{nvidia.com/gpu: 1}}}}
---
apiVersion: inference.llmaz.io/v1alpha1
kind: Playground
metadata: {{name: tiny}}
spec:
  replicas: 1
  modelClaim: {{modelName: tiny}}
  backendRuntimeConfig: {{backendName: fake}}
"""


@pytest.fixture(scope="module")
def nvml(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def serving(tmp_path: Path, nvml: StandIn) -> Iterator[Machine]:
    """A machine with two GPUs, on one of which an engine serves."""
    nvml.show(GPU_A, GPU_B)
    weights = tmp_path / "tiny.gguf"
    weights.write_bytes(gguf())
    machine = Machine(tmp_path / "home", environ=nvml.environ)
    try:
        machine.up()
        manifest = MANIFEST.format(python=sys.executable, engine=FAKE_ENGINE, weights=weights)
        machine.kubectl("apply", "-f", "-", stdin=manifest)
        machine.wait_for("tiny", lambda condition: bool(condition["status"] == "True"))
        yield machine
    finally:
        machine.llmaz("down")


def gpus(machine: Machine) -> dict[str, dict[str, Any]]:
    """Return what the node reports of its devices, by UUID."""
    return {one["uuid"]: one for one in node(machine)["status"]["accelerators"]}


def known(machine: Machine) -> dict[str, Any]:
    """Return the node's condition AcceleratorsKnown."""
    conditions: list[dict[str, Any]] = node(machine)["status"]["conditions"]
    return next(one for one in conditions if one["type"] == "AcceleratorsKnown")


def node(machine: Machine) -> dict[str, Any]:
    [name] = machine.kubectl("get", "inferencenodes", "-o", "name").split()
    return machine.object("inferencenode", name.partition("/")[2])


def gpu_of(pid: int) -> str:
    """Return the device that an engine sees."""
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return next(
        value
        for name, _, value in (variable.partition("=") for variable in variables)
        if name == "CUDA_VISIBLE_DEVICES"
    )


def test_the_engine_of_a_gpu_that_falls_off_the_bus_moves_to_one_that_is_well(
    serving: Machine, nvml: StandIn
) -> None:
    [before] = serving.engines()
    lost = gpu_of(before["pid"])
    other = "GPU-b" if lost == "GPU-a" else "GPU-a"
    gone = {line.split()[1]: line.replace("gpu ", "lost ") for line in (GPU_A, GPU_B)}
    well = {line.split()[1]: line for line in (GPU_A, GPU_B)}
    nvml.show(*sorted((gone[lost], well[other]), key=lambda line: line.split()[1]))

    until(lambda: not gpus(serving)[lost].get("healthy", True), "the lost device is not unhealthy")
    assert gpus(serving)[other].get("healthy", True)

    def has_moved() -> bool:
        ready = [one for one in serving.engines() if one["phase"] == "Ready"]
        return any(gpu_of(one["pid"]) == other for one in ready if one["pid"] != before["pid"])

    until(has_moved, lambda: f"the engine stays: {serving.engines()}")
    assert not is_alive(before["pid"])
    serving.wait_for("tiny", lambda condition: bool(condition["status"] == "True"))


def test_a_driver_that_hangs_costs_no_engine_and_what_was_seen_last_stays(
    serving: Machine, nvml: StandIn
) -> None:
    [before] = serving.engines()
    nvml.show("hang")
    until(lambda: known(serving)["reason"] == "NoAnswer", lambda: f"not noted: {known(serving)}")
    stale = gpus(serving)
    assert sorted(stale) == ["GPU-a", "GPU-b"]
    assert all(one.get("healthy", True) for one in stale.values())
    assert all(one["message"].startswith("not seen anew: ") for one in stale.values())
    [during] = serving.engines()
    assert (during["pid"], during["phase"]) == (before["pid"], "Ready")
    assert serving.condition("tiny")["status"] == "True"

    nvml.show(GPU_A, GPU_B)
    until(lambda: known(serving)["status"] == "True", lambda: f"not seen anew: {known(serving)}")
    [after] = serving.engines()
    assert (after["pid"], after.get("restarts")) == (before["pid"], before.get("restarts"))
