"""The BackendRuntimes that llmaz ships."""

import os
import subprocess
from pathlib import Path

import pytest

from llmaz.api.backendruntime import (
    DEFAULT_CONFIG,
    SPECULATIVE_DECODING,
    BackendRuntime,
)
from llmaz.api.manifest import decode
from llmaz.api.template import placeholders, render
from support import judges
from support.manifests import CHART, documents

FILES = sorted((CHART / "runtimes").glob("*.yaml"))
RUNTIMES = {path.stem: decode(BackendRuntime, next(documents(path))) for path in FILES}
every = pytest.mark.parametrize("name", RUNTIMES)


def rendered(name: str, config: str) -> tuple[str, ...]:
    found = RUNTIMES[name].spec.config(config)
    assert found is not None
    values = placeholders(model_name="opt", draft=True, params={"TP": "8", "PP": "2"})
    args = render(found.args, values)
    assert isinstance(args, tuple)
    return args


def test_there_is_one_for_each_engine_of_upstream_and_for_the_cpu_and_ray() -> None:
    assert set(RUNTIMES) == {
        "llamacpp",
        "llamacpp-cpu",
        "ollama",
        "sglang",
        "tensorrt-llm",
        "tgi",
        "vllm",
        "vllm-ray",
    }


@every
@pytest.mark.parametrize("judge", [judges.types, judges.crd])
def test_it_keeps_the_rules(name: str, judge: judges.Judge) -> None:
    for document in documents(CHART / "runtimes" / f"{name}.yaml"):
        assert judge(document).problems == ()


@every
def test_it_is_named_as_its_file(name: str) -> None:
    assert RUNTIMES[name].metadata.name == name


@every
def test_it_takes_its_port_and_address_from_the_node(name: str) -> None:
    spec = RUNTIMES[name].spec
    said = [*rendered(name, DEFAULT_CONFIG), *(env.value for env in spec.envs)]
    assert any("$(LLMAZ_PORT)" in text for text in said)
    assert any("$(LLMAZ_HOST)" in text for text in said)


@every
def test_every_configuration_renders(name: str) -> None:
    for config in RUNTIMES[name].spec.recommended_configs:
        assert "{{" not in " ".join(rendered(name, config.name))


@every
def test_it_may_take_an_hour_to_load_the_weights(name: str) -> None:
    probe = RUNTIMES[name].spec.startup_probe
    assert probe is not None
    assert probe.period_seconds * probe.failure_threshold == 3600


@every
def test_no_hook_delays_its_stop(name: str) -> None:
    assert RUNTIMES[name].spec.lifecycle is None


@pytest.mark.parametrize("name", ["vllm", "sglang", "llamacpp", "llamacpp-cpu"])
def test_it_speculates_with_a_draft_model(name: str) -> None:
    assert "$(LLMAZ_DRAFT_MODEL_PATH)" in " ".join(rendered(name, SPECULATIVE_DECODING))


@pytest.mark.parametrize("name", ["vllm", "vllm-ray", "sglang", "tensorrt-llm"])
def test_it_spreads_over_accelerators_and_nodes(name: str) -> None:
    args = rendered(name, "model-parallelism")
    assert {"8", "2"} <= set(args)


def test_a_models_name_is_never_a_part_of_a_script() -> None:
    script = rendered("ollama", DEFAULT_CONFIG)[0]
    assert "opt" not in script
    assert '"$1"' in script


@pytest.mark.parametrize(("index", "headless"), [("0", []), ("1", ["--headless"])])
def test_the_members_of_a_group_of_vllm_tell_themselves_apart(
    index: str, headless: list[str], tmp_path: Path
) -> None:
    commands = RUNTIMES["vllm"].spec.multi_host_commands
    assert commands is not None
    engine = tmp_path / "vllm"
    engine.write_text('#!/bin/sh\nprintf "%s\\n" "$VLLM_HOST_IP" "$@"\n')
    engine.chmod(0o755)
    env = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "LWS_LEADER_ADDRESS": "10.0.0.1",
        "LWS_GROUP_SIZE": "2",
        "LWS_WORKER_INDEX": index,
        "LLMAZ_NODE_ADDRESS": "10.0.0.2",
        "LLMAZ_GROUP_PORT": "22000",
    }
    *shell, script = commands.leader
    ran = subprocess.run(
        [*shell, f"{script.rstrip()} /model"], env=env, capture_output=True, text=True, check=True
    )
    assert ran.stdout.splitlines() == [
        *("10.0.0.2", "serve", "--nnodes", "2", "--node-rank", index),
        *("--master-addr", "10.0.0.1", "--master-port", "22000", *headless, "/model"),
    ]


def test_tensorrt_llm_is_given_a_directory_that_is_called_as_the_model(tmp_path: Path) -> None:
    weights, programs = tmp_path / "3f2a", tmp_path / "bin"
    weights.mkdir()
    programs.mkdir()
    stand_in = programs / "trtllm-serve"
    stand_in.write_text('#!/bin/sh\nbasename "$1"\nreadlink "$1"\nshift\necho "$@"\n')
    stand_in.chmod(0o755)
    command = RUNTIMES["tensorrt-llm"].spec.command
    _, *arguments = rendered("tensorrt-llm", DEFAULT_CONFIG)
    said = subprocess.run(
        [*command, str(weights), *arguments],
        env={"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    name, target, options = said.stdout.splitlines()
    assert (name, target) == ("opt", str(weights))
    assert options.startswith("--host ")
