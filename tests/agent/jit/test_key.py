"""Which engines share what they compile: those that differ in nothing that could matter."""

import dataclasses
from pathlib import Path

import pytest

from llmaz.agent.jit.key import Ground, Inputs, key_of, variables
from llmaz.api.node import Accelerator, AssignedEngine
from llmaz.api.pod import EnvVar
from support.engines import assigned

GROUND = Ground(architecture="x86_64", python="3.11.7", libc="glibc-2.36", agent="0.1.0")
INPUTS = Inputs(model_path="/models/a/snapshots/c0ffee", draft_model_path="", programs="/envs/1")
H100 = Accelerator(
    uuid="GPU-1",
    index=0,
    vendor="nvidia",
    product="NVIDIA H100",
    resource="nvidia.com/gpu",
    compute="9.0",
    driver_version="570.86.10",
)
ENGINE = assigned(env=(EnvVar(name="A", value="1"),))
KEY = key_of(ENGINE, INPUTS, [H100], GROUND)


def _key(engine: AssignedEngine = ENGINE, device: Accelerator = H100) -> str:
    return key_of(engine, INPUTS, [device], GROUND)


def test_replicas_on_devices_of_one_kind_share() -> None:
    replica = dataclasses.replace(ENGINE, id="default/fake-1", service="another", model="x")
    other = dataclasses.replace(H100, uuid="GPU-2", index=5, driver_version="570.99.1")
    assert _key(replica, other) == KEY


@pytest.mark.parametrize(
    "change",
    [
        {"id": "another/fake-0"},
        {"args": ("--dtype", "float16")},
        {"image": "vllm:2"},
        {"requirements": ("vllm==2",)},
        {"env": (EnvVar(name="A", value="2"),)},
        {"rank": 1},
        {"weights": "other"},
    ],
)
def test_engines_that_differ_do_not(change: dict[str, object]) -> None:
    assert _key(dataclasses.replace(ENGINE, **change)) != KEY  # type: ignore[arg-type]  # as replace itself


@pytest.mark.parametrize(
    "change",
    [{"product": "NVIDIA H200"}, {"compute": "10.0"}, {"driver_version": "580.1"}],
)
def test_devices_that_differ_do_not(change: dict[str, str]) -> None:
    device = dataclasses.replace(H100, **change)  # type: ignore[arg-type]  # as replace itself
    assert _key(device=device) != KEY


def test_another_revision_another_environment_and_another_machine_do_not_share() -> None:
    for inputs, ground in (
        (dataclasses.replace(INPUTS, model_path="/models/a/snapshots/beef"), GROUND),
        (dataclasses.replace(INPUTS, programs="/envs/2"), GROUND),
        (INPUTS, dataclasses.replace(GROUND, architecture="aarch64")),
    ):
        assert key_of(ENGINE, inputs, [H100], ground) != KEY


def test_each_program_gets_a_directory_of_its_own_kind() -> None:
    told = variables(Path("/jit/live/k"))
    assert told["TRITON_CACHE_DIR"] == "/jit/live/k/triton"
    assert told["VLLM_CACHE_ROOT"] == "/jit/live/k/vllm"
    assert told["TORCHINDUCTOR_CACHE_DIR"] == "/jit/live/k/inductor"
    assert told["FLASHINFER_WORKSPACE_BASE"] == "/jit/live/k/flashinfer"
    assert told["CUDA_CACHE_PATH"] == "/jit/live/k/cuda"
